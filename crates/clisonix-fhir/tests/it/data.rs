//! Where the public data lies beside the project.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// A path below the shared data; `None`, with a line that says so, if it is missing.
pub(crate) fn path(below: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(below);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{below} is missing");
    eprintln!("SKIPPED: {below} is not at hand");
    None
}

/// The JSON files of a `.tar.xz`, with their names.
pub(crate) fn unpack(archive: &Path) -> Vec<(String, Vec<u8>)> {
    let mut unpacked = Vec::new();
    let mut file = BufReader::new(File::open(archive).unwrap());
    lzma_rs::xz_decompress(&mut file, &mut unpacked).unwrap();
    let mut files = Vec::new();
    for entry in tar::Archive::new(unpacked.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        if path.extension().is_some_and(|extension| extension == "json") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.push((path.file_name().unwrap().to_string_lossy().into_owned(), bytes));
        }
    }
    files
}

//! The public data beside the project.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use clisonix_fhir::json::{Value, parse};

const EXAMPLES: &str = "fhir/r4-examples/r4-examples-instances.tar.xz";

fn path(below: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(below);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{below} is missing");
    eprintln!("SKIPPED: {below} is not at hand");
    None
}

/// The official examples, with their files' names; none if they are not at hand.
pub(crate) fn examples() -> Vec<(String, Value)> {
    let Some(path) = path(EXAMPLES) else { return Vec::new() };
    let mut unpacked = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(File::open(path).unwrap()), &mut unpacked).unwrap();
    let mut examples = Vec::new();
    for entry in tar::Archive::new(unpacked.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        if path.extension().is_some_and(|extension| extension == "json") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            examples.push((name, parse(&bytes).unwrap()));
        }
    }
    examples
}

/// The hospitals and practitioners of the synthetic patients.
pub(crate) fn shared() -> Vec<Value> {
    bundles(|name| name.starts_with("0-"), usize::MAX)
}

/// Some of the synthetic patients, each a Bundle, the smallest first.
pub(crate) fn patients(most: usize) -> Vec<Value> {
    bundles(|name| !name.starts_with("0-"), most)
}

fn bundles(wanted: impl Fn(&str) -> bool, most: usize) -> Vec<Value> {
    let Some(folder) = path("fhir/synthea") else { return Vec::new() };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bz2"))
        .filter(|path| wanted(&path.file_name().unwrap().to_string_lossy()))
        .map(|path| (path.metadata().unwrap().len(), path))
        .collect();
    files.sort();
    let read = |(_, path): (u64, PathBuf)| {
        let mut bytes = Vec::new();
        bzip2::read::BzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
        parse(&bytes).unwrap()
    };
    files.into_iter().take(most).map(read).collect()
}

//! Public vectors as files: where they lie, and what a case says.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding};
use clisonix_fhir::json::{self, Value};

/// The folder of vectors: the one that is asked for, else the shared one. Without either, tests
/// fail in CI and are skipped visibly elsewhere.
pub(crate) fn folder() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("CLISONIX_PQ_DATA") {
        return Some(given.into());
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/pq");
    if shared.exists() {
        return Some(shared);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no vectors at {}", shared.display());
    eprintln!("SKIPPED: no vectors at ../shared/data/pq");
    None
}

/// A file, or the files of a folder by name with those of its folders; none if it is not there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if folder.is_file() {
        found.push(folder.to_owned());
    }
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a folder entry").path();
        let known = ["json", "txt", "gz"].map(OsStr::new);
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| known.contains(&extension)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A file, unpacked if its name says that it is packed.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut text).expect("gzip");
    text
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> Value {
    json::parse(&read(path)).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()))
}

/// What a vector says, by member names.
pub(crate) trait Case {
    fn text(&self, name: &str) -> &str;
    fn number(&self, name: &str) -> i64;
    /// Hexadecimal bytes; of an absent member none.
    fn bytes(&self, name: &str) -> Vec<u8>;
    /// Base64 bytes.
    fn base64(&self, name: &str) -> Vec<u8>;
    fn list(&self, name: &str) -> &[Value];
    /// Whether the texts of a list hold one.
    fn has(&self, name: &str, text: &str) -> bool;
}

impl Case for Value {
    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> i64 {
        let number = self.get(name).and_then(Value::as_number).and_then(json::Number::as_i64);
        number.unwrap_or_else(|| panic!("no number {name}"))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hexadecimal(self.text(name))
    }

    fn base64(&self, name: &str) -> Vec<u8> {
        Base64::decode_vec(self.text(name)).unwrap_or_else(|_| panic!("{name} is no base64"))
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).unwrap_or_default()
    }

    fn has(&self, name: &str, text: &str) -> bool {
        self.list(name).iter().any(|item| item.as_str() == Some(text))
    }
}

/// Hexadecimal digits as bytes.
pub(crate) fn hexadecimal(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "an odd number of digits");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

//! The crate against the official examples of FHIR R4.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use clisonix_fhir::{json, validate};

const ARCHIVE: &str = "../../../shared/data/fhir/r4-examples/r4-examples-instances.tar.xz";

#[test]
fn every_official_example_is_read_written_and_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(ARCHIVE);
    let Ok(file) = File::open(&path) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the examples are missing");
        eprintln!("SKIPPED: the official examples are not at hand");
        return;
    };
    let mut unpacked = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(file), &mut unpacked).unwrap();
    let mut count = 0;
    for entry in tar::Archive::new(unpacked.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        if !name.ends_with(".json") {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let resource = json::parse(&bytes).unwrap();
        assert_eq!(json::parse(resource.to_text().as_bytes()).unwrap(), resource, "{name}");
        assert_eq!(validate::validate(&resource), [], "{name}");
        count += 1;
    }
    assert_eq!(count, 724);
}

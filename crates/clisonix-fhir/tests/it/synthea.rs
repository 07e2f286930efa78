//! Synthetic patients as whole Bundles.

use std::fs::{self, File};
use std::io::Read;

use bzip2::read::BzDecoder;
use clisonix_fhir::{json, validate};

use crate::data;
use crate::other_reader::difference;

/// How many of the files are read, smallest first.
const FILES: usize = 3;

#[test]
fn synthetic_patients_come_out_with_the_same_content() {
    let Some(folder) = data::path("fhir/synthea") else { return };
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let packed = entries.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "bz2"));
    let mut files: Vec<_> =
        packed.map(|entry| (entry.metadata().unwrap().len(), entry.path())).collect();
    files.sort();
    assert!(files.len() >= FILES);
    for (_, path) in files.into_iter().take(FILES) {
        let mut bytes = Vec::new();
        BzDecoder::new(File::open(&path).unwrap()).read_to_end(&mut bytes).unwrap();
        let ours = json::parse(&bytes).unwrap();
        assert_eq!(difference(&ours, &serde_json::from_slice(&bytes).unwrap()), None, "{path:?}");
        let written = serde_json::from_str(&ours.to_text()).unwrap();
        assert_eq!(difference(&ours, &written), None, "{path:?}");
        let issues = validate::validate(&ours);
        assert_eq!(issues, [], "{path:?}");
    }
}

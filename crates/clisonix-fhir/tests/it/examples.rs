//! The official examples: their content comes out as it went in, and they are valid.

use std::collections::BTreeSet;

use clisonix_fhir::{json, validate};

use crate::data;
use crate::other_reader::difference;

const ARCHIVE: &str = "fhir/r4-examples/r4-examples-instances.tar.xz";
const COUNT: usize = 724;

/// The examples that break a rule of the standard, and the rule: their narrative is blank.
const FAULTY: &[(&str, &str)] = &[
    ("activitydefinition-servicerequest-example.json", "txt-2"),
    ("activitydefinition-supplyrequest-example.json", "txt-2"),
    ("eventdefinition-example.json", "txt-2"),
];

/// The examples that refer to a type that may not stand there.
const WARNED: &[&str] = &[
    "devicemetric-example.json",
    "deviceusestatement-example.json",
    "medicationrequest0301.json",
    "observation-example-clinical-gender.json",
];

#[test]
fn every_official_example_comes_out_with_the_same_content() {
    let Some(archive) = data::path(ARCHIVE) else { return };
    let files = data::unpack(&archive);
    for (name, bytes) in &files {
        let ours = json::parse(bytes).unwrap();
        let other = serde_json::from_slice(bytes).unwrap();
        assert_eq!(difference(&ours, &other), None, "{name}: read");
        for text in [ours.to_text(), ours.to_pretty()] {
            let written = serde_json::from_str(&text).unwrap();
            assert_eq!(difference(&ours, &written), None, "{name}: written");
            assert_eq!(json::parse(text.as_bytes()).unwrap(), ours, "{name}: read again");
        }
    }
    assert_eq!(files.len(), COUNT);
}

#[test]
fn every_official_example_is_valid_but_for_those_that_are_not() {
    let Some(archive) = data::path(ARCHIVE) else { return };
    let mut broken = BTreeSet::new();
    let mut warned = BTreeSet::new();
    for (name, bytes) in data::unpack(&archive) {
        let resource = json::parse(&bytes).unwrap();
        broken
            .extend(validate::broken_rules(&resource).iter().map(|rule| (name.clone(), rule.key)));
        if validate::validate(&resource).iter().any(|issue| !issue.is_error()) {
            warned.insert(name);
        }
    }
    let faulty: BTreeSet<_> = FAULTY.iter().map(|(name, key)| ((*name).to_owned(), *key)).collect();
    assert_eq!(broken, faulty);
    assert_eq!(warned.iter().map(String::as_str).collect::<Vec<_>>(), WARNED);
}

//! Every public message: nothing lost, nothing invalid, always the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clisonix_fhir::json::Value;

use super::take_in;
use crate::{Hint, Outcome};

fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/hl7v2");
    if !folder.is_dir() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "test data is missing");
        eprintln!("SKIPPED: no test data at {}", folder.display());
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut open = vec![folder];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "hl7") {
                found.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_value_is_used_or_kept() {
    let (mut used, mut kept, mut resources) = (0, 0, BTreeMap::new());
    for (path, bytes) in files() {
        let outcomes = take_in(&bytes, &Hint::default());
        assert_eq!(outcomes, take_in(&bytes, &Hint::default()), "{}", path.display());
        let leaves = clisonix_hl7v2::split(&bytes)
            .messages
            .into_iter()
            .map(|range| clisonix_hl7v2::Message::parse(&bytes[range]).unwrap().leaves().len());
        let intakes = outcomes.iter().filter_map(Outcome::taken);
        for (intake, leaves) in intakes.zip(leaves) {
            assert_eq!(intake.used + intake.kept.len(), leaves, "{}", path.display());
            used += intake.used;
            kept += intake.kept.len();
            for stated in intake.statements.iter().flat_map(|s| &s.resources) {
                let ty = stated.resource.resource_type().unwrap_or_default();
                *resources.entry(ty.to_owned()).or_insert(0) += 1;
            }
        }
    }
    eprintln!("used {used}, kept {kept}, {resources:?}");
    assert!(used == 0 || used * 2 > kept, "{used} {kept}");
}

/// Values of the messages themselves that have not the form of their type; the list may only
/// shrink.
const KNOWN_FAULTS: &[(&str, usize)] = &[
    ("DiagnosticReport DiagnosticReport.presentedForm[0].data is not a base64Binary", 1),
    // Two senders state a discharge before the admission.
    ("Encounter Encounter.period the start is after the end", 2),
    ("Observation Observation.valueDateTime is not a dateTime", 1),
];

#[test]
fn every_resource_is_valid() {
    let mut faults: BTreeMap<String, usize> = BTreeMap::new();
    for (path, bytes) in files() {
        for intake in take_in(&bytes, &Hint::default()).iter().filter_map(Outcome::taken) {
            for stated in intake.statements.iter().flat_map(|s| &s.resources) {
                let ty = stated.resource.resource_type().unwrap_or_default();
                let issues =
                    clisonix_fhir::validate::validate(&without_retractions(&stated.resource));
                for issue in issues.iter().filter(|issue| issue.is_error()) {
                    let fault = format!("{ty} {} {}", issue.path, issue.message);
                    eprintln!("{}: {fault}", path.display());
                    *faults.entry(fault).or_insert(0) += 1;
                }
            }
        }
    }
    faults.retain(|fault, count| !KNOWN_FAULTS.contains(&(fault.as_str(), *count)));
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The resource as it stands once its retractions are done.
fn without_retractions(value: &Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.iter().map(without_retractions).collect()),
        Value::Object(object) => {
            let stated = object.iter().filter(|(_, inner)| !inner.is_null());
            let stated =
                stated.map(|(name, inner)| (Box::<str>::from(name), without_retractions(inner)));
            Value::Object(stated.collect())
        }
        other => other.clone(),
    }
}

//! Sixty synthetic patients as transaction Bundles: nothing is lost, nothing is changed.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use clisonix_fhir::json::{Value, parse};
use clisonix_ingest::recognition::unpack;
use clisonix_ingest::{Hint, Intake, take_in};

/// Resources in all sixty Bundles and the two with hospitals and practitioners.
const RESOURCES: usize = 41_542;

fn bundles() -> Option<Vec<Vec<u8>>> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/fhir/synthea");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the data is missing");
        eprintln!("SKIPPED: no data in {}", folder.display());
        return None;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(".json.bz2"));
    paths.sort();
    Some(paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect())
}

fn taken(bytes: &[u8]) -> Intake {
    let outcomes = take_in(bytes, &Hint::for_feed("synthea"));
    let [outcome] = outcomes.as_slice() else { panic!("one Bundle, one outcome") };
    outcome.taken().unwrap().clone()
}

/// The resource without what intake may change, as text.
fn essence(resource: &Value) -> String {
    let mut resource = resource.clone();
    let object = resource.as_object_mut().unwrap();
    object.remove("id");
    object.remove("meta");
    blank(&mut resource);
    resource.to_text()
}

fn blank(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(blank),
        Value::Object(object) => {
            for (name, inner) in object.iter_mut() {
                match name {
                    "reference" => *inner = Value::Null,
                    _ => blank(inner),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn everything_comes_through() {
    let Some(bundles) = bundles() else { return };
    let mut count = 0;
    let mut records = HashSet::new();
    let mut references = BTreeSet::new();
    for packed in &bundles {
        let text = unpack(packed).unwrap();
        let bundle = parse(&text).unwrap();
        let intake = taken(packed);
        let entries = bundle.get("entry").and_then(Value::as_array).unwrap();
        let mut before: Vec<_> =
            entries.iter().map(|entry| essence(entry.get("resource").unwrap())).collect();
        let stated: Vec<_> = intake.statements.iter().flat_map(|s| &s.resources).collect();
        let mut after: Vec<_> = stated.iter().map(|stated| essence(&stated.resource)).collect();
        before.sort_unstable();
        after.sort_unstable();
        assert_eq!(before.len(), after.len());
        assert!(before == after, "a resource was changed");
        assert!(intake.issues.is_empty(), "{:?}", intake.issues.first());
        let ids: HashSet<_> = stated
            .iter()
            .map(|s| (s.resource.resource_type(), s.resource.get("id").and_then(Value::as_str)))
            .collect();
        assert_eq!(ids.len(), stated.len(), "two resources have one id");
        count += stated.len();
        for statement in &intake.statements {
            records.insert(statement.record.id());
            for stated in &statement.resources {
                shared_references(&stated.resource, &mut references);
            }
        }
    }
    assert_eq!(count, RESOURCES);
    // Conditional references of one file lead to the resources of another.
    let lost = references.iter().filter(|id| !records.contains(*id)).count();
    assert_eq!(lost, 0, "of {}", references.len());
}

fn shared_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|inner| shared_references(inner, found)),
        Value::Object(object) => {
            let text = object.get("reference").and_then(Value::as_str).unwrap_or_default();
            if let Some((_, id)) = text.split_once("/s-") {
                found.insert(format!("s-{id}"));
            }
            object.values().for_each(|inner| shared_references(inner, found));
        }
        _ => {}
    }
}

#[test]
fn the_same_file_twice_is_the_same_intake() {
    let Some(bundles) = bundles() else { return };
    let smallest = bundles.iter().min_by_key(|bytes| bytes.len()).unwrap();
    assert_eq!(taken(smallest), taken(smallest));
}

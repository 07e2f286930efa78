//! The node through its public face: messages in, edits, exchange, restart.

// clippy's allowances for tests do not reach the functions beside them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod crash;
mod damage;
// The store's own test medium, so that both are cut in the same way.
#[path = "../../../clisonix-store/tests/it/disk.rs"]
mod disk;
mod large;
mod orders;
mod pace;
mod signed;
mod sim;
mod tide;

use std::path::Path;

use clisonix_fhir::json::{self, Value};
use clisonix_node::{By, Input, Node, NodeError, Outside, Read, ReadVersion, TakenIn};

const BY: By<'static> = By { author: "tester", purpose: "test" };

/// A clock that ticks and random bytes that never repeat.
struct Counting {
    now: u64,
    seed: u64,
}

impl Outside for Counting {
    fn now_ms(&mut self) -> u64 {
        self.now += 1000;
        self.now
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.seed = self
                .seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.seed >> 56) as u8;
        }
    }
}

fn node(directory: &Path, seed: u64) -> Node {
    Node::open(directory, Box::new(Counting { now: 1_700_000_000_000, seed })).expect("opens")
}

fn take(node: &Node, name: &str, bytes: &str) -> TakenIn {
    let read = Read::new(Input { name: name.into(), feed: None, bytes: bytes.as_bytes().to_vec() });
    let mut load = node.load(BY);
    let taken = load.take(&read).expect("applied");
    load.finish().expect("durable");
    taken
}

const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection","timestamp":"2024-01-01T00:00:00Z","entry":[
  {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","identifier":[
     {"type":{"coding":[{"code":"MR"}]},"system":"urn:oid:1.2.3","value":"77"}],"gender":"male",
     "name":[{"family":"Ray"}]}},
  {"fullUrl":"urn:uuid:2","resource":{"resourceType":"Observation","status":"final",
     "code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},
     "subject":{"reference":"urn:uuid:1"},"effectiveDateTime":"2024-01-01T08:00:00Z",
     "valueQuantity":{"value":4.10,"unit":"mmol/L"}}}]}"#;

const ADT: &str = "MSH|^~\\&|ADT|HOSP|X|Y|20240102080000+0000||ADT^A08|42|P|2.5.1\r\
EVN|A08|20240102080000+0000\r\
PID|1||77^^^A&1.2.3&ISO^MR||Ray^Ann||19700101|F\r\
PV1|1|O\r";

fn entry<'a>(bundle: &'a Value, ty: &str) -> &'a Value {
    let entries = bundle.get("entry").and_then(Value::as_array).expect("entries");
    let mut found = entries.iter().filter_map(|entry| entry.get("resource"));
    found.find(|resource| resource.resource_type() == Some(ty)).expect("such an entry")
}

fn bundle(node: &Node, name: &str) -> Value {
    let record = node.find_record(name).expect("found");
    json::parse(node.record_text(&record, BY).expect("there").bundle.as_bytes()).expect("JSON")
}

#[test]
fn two_systems_become_one_record_and_a_second_import_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let node = node(&home.path().join("data"), 1);
    let taken = take(&node, "a.json", BUNDLE);
    assert_eq!((taken.messages, taken.resources, taken.rejected), (1, 2, 0), "{taken:?}");
    let taken = take(&node, "b.hl7", ADT);
    assert_eq!(taken.messages, 1, "{taken:?}");
    assert_eq!(node.patients().unwrap().len(), 1);
    let shown = bundle(&node, "77");
    assert_eq!(entry(&shown, "Patient").get("birthDate").unwrap().as_str(), Some("1970-01-01"));
    assert!(entry(&shown, "Observation").to_text().contains("4.10"));
    // The two systems disagree on the gender: shown, with both sources.
    let record = node.find_record("urn:oid:1.2.3|77").unwrap();
    let conflicts = node.conflicts(Some(&record), BY).unwrap();
    assert!(conflicts.iter().any(|c| c.get("path").unwrap().as_str() == Some("Patient.gender")));

    let before = node.digest().unwrap();
    assert_eq!(take(&node, "a.json", BUNDLE).unchanged, 1);
    assert_eq!(take(&node, "b.hl7", ADT).unchanged, 1);
    assert_eq!(node.digest().unwrap(), before);
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let first = node(&directory, 1);
    take(&first, "a.json", BUNDLE);
    let mut patient = entry(&bundle(&first, "77"), "Patient").clone();
    patient.as_object_mut().unwrap().insert("active", true);
    let record = first.find_record("77").unwrap();
    first.edit(&record, &patient, ReadVersion::FromResource, BY).unwrap();
    let (digest, shown) = (first.digest().unwrap(), bundle(&first, "77"));
    drop(first);
    let again = node(&directory, 2);
    assert_eq!(again.digest().unwrap(), digest);
    assert_eq!(bundle(&again, "77"), shown);
    assert_eq!(again.history(&record, None, BY).unwrap().len(), 2);
    assert!(again.verify().unwrap() >= 4, "every write and reading is in the access log");
}

#[test]
fn stale_edits_at_two_nodes_merge() {
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (node(&home.path().join("a"), 1), node(&home.path().join("b"), 2));
    take(&a, "a.json", BUNDLE);
    let record = a.find_record("77").unwrap();
    let send = |from: &Node, to: &Node| {
        let (key, changes) = from.changes_since(&record, &to.heads(&record).unwrap(), BY).unwrap();
        to.receive(&record, &key, &changes, BY).unwrap()
    };
    let received = send(&a, &b);
    assert_eq!((received.applied, received.refused), (1, Vec::new()));
    for (node, member, value) in
        [(&a, "active", Value::Bool(true)), (&b, "birthDate", "1970-01-01".into())]
    {
        let mut patient = entry(&bundle(node, "77"), "Patient").clone();
        patient.as_object_mut().unwrap().insert(member, value);
        node.edit(&record, &patient, ReadVersion::FromResource, BY).unwrap();
    }
    send(&a, &b);
    send(&b, &a);
    assert_eq!(a.digest().unwrap(), b.digest().unwrap());
    let merged = bundle(&a, "77");
    let patient = entry(&merged, "Patient");
    assert!(patient.get("active").is_some() && patient.get("birthDate").is_some());
}

#[test]
fn what_cannot_be_read_goes_to_quarantine_and_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let node = node(&home.path().join("data"), 1);
    for (name, bytes) in [
        ("a.bin", "\u{1}\u{2}nothing"),
        ("b.json", "{\"resourceType\":"),
        ("c.xml", "<ClinicalDocument>"),
    ] {
        let taken = take(&node, name, bytes);
        assert_eq!((taken.rejected, taken.messages), (1, 0), "{name}");
        assert!(!taken.issues.is_empty());
    }
    assert_eq!(node.quarantine().unwrap().len(), 3);
    let retried = node.retry_quarantine(BY).unwrap();
    assert_eq!(retried.rejected, 3);
    assert!(node.quarantine().unwrap().iter().all(|message| message.attempts == 2));
}

#[test]
fn invalid_edits_and_missing_authors_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let node = node(&home.path().join("data"), 1);
    take(&node, "a.json", BUNDLE);
    let record = node.find_record("77").unwrap();
    let wrong =
        json::parse(br#"{"resourceType":"Observation","id":"x","status":"nonsense"}"#).unwrap();
    let refused = node.edit(&record, &wrong, ReadVersion::Current, BY);
    assert!(matches!(refused, Err(NodeError::Invalid(issues)) if !issues.is_empty()));
    let patient = entry(&bundle(&node, "77"), "Patient").clone();
    let nobody = By { author: " ", purpose: "" };
    assert!(matches!(
        node.edit(&record, &patient, ReadVersion::Current, nobody),
        Err(NodeError::Author)
    ));
}

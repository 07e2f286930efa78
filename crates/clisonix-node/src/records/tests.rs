//! A record with a long history: what an edit reads of it, and what a store keeps of it.

use clisonix_fhir::json::Value;
use clisonix_store::StoredChange;

use super::{MIN_JOINED_ROWS, MIN_TAIL_BYTES};
use crate::load::tests::{BY, bundle, node, read};
use crate::{Node, ReadVersion};

const EDITS: usize = 200;

/// A patient, edited many times; the id of the record.
fn long(node: &Node) -> String {
    let mut load = node.load(BY);
    load.take(&read("one.json", &bundle(1))).unwrap();
    load.finish().unwrap();
    let record = node.find_record("N-0").unwrap();
    for number in 0..EDITS {
        edit(node, &record, number, ReadVersion::FromResource);
    }
    record
}

fn patient(node: &Node, record: &str) -> Value {
    let text = node.record_text(record, BY).unwrap().bundle;
    let bundle = clisonix_fhir::json::parse(text.as_bytes()).unwrap();
    bundle.get("entry").unwrap().at(0).unwrap().get("resource").unwrap().clone()
}

fn edit(node: &Node, record: &str, number: usize, version: ReadVersion<'_>) {
    let mut patient = patient(node, record);
    let date = format!("{:04}-{:02}-01", 1000 + number / 12, 1 + number % 12);
    patient.as_object_mut().unwrap().insert("birthDate", date);
    assert!(node.edit(record, &patient, version, BY).unwrap().change.is_some());
}

fn rows(node: &Node, record: &str) -> Vec<StoredChange> {
    let snapshot = node.store.snapshot().unwrap();
    snapshot.changes(record, 0).unwrap().map(Result::unwrap).collect()
}

fn has_read_log(node: &Node, record: &str) -> bool {
    node.inside().records.record(&node.store, record).unwrap().has_read_log()
}

#[test]
fn an_edit_of_a_record_with_a_long_history_reads_no_old_segment() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let first = node(&directory, 1);
    let record = long(&first);
    let (digest, history) = (first.digest().unwrap(), first.history(&record, None, BY).unwrap());
    drop(first);
    let again = node(&directory, 2);
    edit(&again, &record, 9000, ReadVersion::FromResource);
    edit(&again, &record, 9001, ReadVersion::Current);
    // A message about something new, and one of nothing new.
    let condition = r#"{"resourceType":"Bundle","type":"collection","entry":[
        {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","identifier":[{"system":"urn:test:mrn","value":"N-0"}]}},
        {"resource":{"resourceType":"Condition","subject":{"reference":"urn:uuid:1"},"code":{"text":"x"}}}]}"#;
    assert!(!has_read_log(&again, &record));
    let last = again.heads(&record).unwrap();
    assert!(!has_read_log(&again, &record));
    // What needs the log gets it.
    let told = again.history(&record, None, BY).unwrap();
    assert!(has_read_log(&again, &record));
    assert_eq!(told.get(..history.len()).unwrap(), history);
    assert_eq!((told.len(), vec![told.last().unwrap().id]), (history.len() + 2, last));
    let old = told.get(100).unwrap().id;
    assert!(again.record_at(&record, &[old], BY).unwrap().contains("1008-04-01"));
    let mut load = again.load(BY);
    assert_eq!(load.take(&read("two.json", condition)).unwrap().messages, 1);
    load.finish().unwrap();
    assert_ne!(again.digest().unwrap(), digest);
    again.verify().unwrap();
}

#[test]
fn the_log_of_a_long_history_is_in_few_segments_that_are_whole() {
    let home = tempfile::tempdir().unwrap();
    let node = node(&home.path().join("data"), 1);
    let record = long(&node);
    let rows = rows(&node, &record);
    assert_eq!(rows.iter().map(|row| row.place.count as usize).sum::<usize>(), EDITS + 1);
    let (sealed, single): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.place.count > 1);
    assert!(sealed.len() < EDITS / MIN_JOINED_ROWS, "{} sealed rows", sealed.len());
    // What came since the state was packed.
    let bytes: usize = single.iter().map(|row| row.bytes.len()).sum();
    assert!(bytes < 2 * MIN_TAIL_BYTES as usize, "{bytes} bytes in {} rows", single.len());
    assert!(node.store.check().unwrap().is_sound());
    node.verify().unwrap();
}

#[test]
fn a_lost_segment_is_told_and_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let first = node(&directory, 1);
    let record = long(&first);
    let version = first.history(&record, None, BY).unwrap().get(10).unwrap().id;
    let place = rows(&first, &record).first().unwrap().place;
    let mut batch = clisonix_store::Batch::new();
    batch.replace_change(&record, place, b"not a segment".to_vec()).unwrap();
    first.store.write(batch).unwrap();
    drop(first);
    let again = node(&directory, 2);
    let before = again.heads(&record).unwrap();
    assert!(again.record_at(&record, &[version], BY).is_err());
    assert!(again.history(&record, None, BY).is_err());
    assert!(again.verify().is_err());
    // What needs no log still goes on.
    assert_eq!(again.heads(&record).unwrap(), before);
    edit(&again, &record, 9000, ReadVersion::FromResource);
}

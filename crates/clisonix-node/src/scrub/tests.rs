//! Damage of each kind is named, and whole records beside it are not.

use clisonix_store::{Batch, Span, Table};

use super::RecordFault;
use crate::load::tests::{BY, bundle, node, read};
use crate::{Node, ReadVersion};

fn filled(home: &tempfile::TempDir) -> (Node, Vec<String>) {
    let node = node(&home.path().join("data"), 1);
    let mut load = node.load(BY);
    load.take(&read("five.json", &bundle(5))).unwrap();
    load.finish().unwrap();
    let records = node.record_ids().unwrap();
    (node, records)
}

#[test]
fn a_whole_node_has_no_fault() {
    let home = tempfile::tempdir().unwrap();
    let (node, records) = filled(&home);
    let found = node.scrub(BY).unwrap();
    assert_eq!((found.records, found.damaged, found.busy), (5, 0, 0));
    assert!(found.changes >= 5 && found.named.is_empty());
    drop(records);
}

#[test]
fn each_damaged_record_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (node, records) = filled(&home);
    let snapshot = node.store.snapshot().unwrap();
    let mut batch = Batch::new();
    let rows = snapshot.changes(&records[0], 0).unwrap();
    for row in rows.map(Result::unwrap) {
        let mut bytes = row.bytes;
        let end = bytes.len() - 1;
        bytes[end] ^= 0x55;
        batch.replace_change(&records[0], row.place, bytes).unwrap();
    }
    batch.state(&records[1], b"something else".to_vec()).unwrap();
    let prefix = [b"s\0", records[2].as_bytes(), b"\0"].concat();
    for row in snapshot.rows(Table::Index, &Span::prefix(&prefix)).unwrap() {
        batch.remove(Table::Index, &row.unwrap().key).unwrap();
    }
    batch.remove(Table::Index, &[b"v\0", records[3].as_bytes()].concat()).unwrap();
    drop(snapshot);
    node.store.write(batch).unwrap();
    let found = node.scrub(BY).unwrap();
    assert_eq!((found.records, found.damaged), (5, 4));
    let [(zero, first), (one, second), (two, third), (three, fourth)] = &found.named[..] else {
        panic!("{found:?}");
    };
    assert_eq!([zero, one, two, three], [&records[0], &records[1], &records[2], &records[3]]);
    let faults = [*first, *second, *third, *fourth];
    let shown = RecordFault::Shown;
    assert_eq!(faults, [RecordFault::Log, RecordFault::State, shown, shown]);
    // What is derived was made anew; what is lost stays named.
    assert_eq!(found.repaired, 3);
    let again = node.scrub(BY).unwrap();
    assert_eq!(again.named, [(records[0].clone(), RecordFault::Log)]);
    // The node goes on with what is whole.
    let text = node.record_text(&records[4], BY).unwrap().bundle;
    let value = clisonix_fhir::json::parse(text.as_bytes()).unwrap();
    let patient = value.get("entry").and_then(|entry| entry.at(0)?.get("resource")).unwrap();
    node.edit(&records[4], patient, ReadVersion::Current, BY).unwrap();
}

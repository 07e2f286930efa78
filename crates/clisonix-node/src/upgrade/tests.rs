//! A store as an older program left it.

use std::path::Path;

use clisonix_store::{Batch, Span, Store, StoreOptions, Table};

use super::LAYOUT_KEY;
use crate::load::tests::{BY, bundle, node, read};
use crate::version;

/// A node with the records of one bundle.
fn filled(directory: &Path) -> crate::Node {
    let node = node(directory, 1);
    let mut load = node.load(BY);
    load.take(&read("one.json", &bundle(5))).unwrap();
    load.finish().unwrap();
    node
}

#[test]
fn records_of_the_older_layout_are_made_anew_from_their_logs() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let first = filled(&directory);
    let ids = first.record_ids().unwrap();
    let texts = |node: &crate::Node| -> Vec<_> {
        ids.iter().map(|id| node.record_text(id, BY).unwrap()).collect()
    };
    let (digest, shown) = (first.digest().unwrap(), texts(&first));
    let told = versions(&first);
    drop(first);

    let store = Store::open(&directory, &StoreOptions::default()).unwrap();
    let mut batch = Batch::new();
    for prefix in [b"r\0", b"s\0", b"v\0"] {
        for row in store.snapshot().unwrap().rows(Table::Index, &Span::prefix(prefix)).unwrap() {
            batch.remove(Table::Index, &row.unwrap().key).unwrap();
        }
    }
    for id in &ids {
        batch.state(id, b"rendered by an older program".to_vec()).unwrap();
    }
    batch.remove(Table::Meta, LAYOUT_KEY).unwrap();
    store.write(batch).unwrap();
    drop(store);

    let again = node(&directory, 2);
    assert_eq!((again.digest().unwrap(), texts(&again)), (digest, shown));
    assert_eq!(versions(&again), told);
    again.verify().unwrap();
}

fn versions(node: &crate::Node) -> Vec<(String, [u8; 32])> {
    let mut versions = Vec::new();
    let snapshot = node.store.snapshot().unwrap();
    version::versions(&snapshot, &mut |record, version| versions.push((record.into(), version)))
        .unwrap();
    versions
}

#[test]
fn records_of_the_layout_before_get_their_versions() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let first = filled(&directory);
    let told = versions(&first);
    assert!(!told.is_empty());
    drop(first);
    let store = Store::open(&directory, &StoreOptions::default()).unwrap();
    let mut batch = Batch::new();
    for (record, _) in &told {
        version::remove(&mut batch, record).unwrap();
    }
    batch.put(Table::Meta, LAYOUT_KEY, vec![2]).unwrap();
    store.write(batch).unwrap();
    drop(store);
    assert_eq!(versions(&node(&directory, 2)), told);
}

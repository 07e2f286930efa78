//! Random batches against a sorted map.

use std::collections::BTreeMap;

use clisonix_store::{Batch, Row, Snapshot, Span, Store, StoreOptions, Table};
use proptest::prelude::*;

use crate::disk::Disk;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn write() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
    (
        prop::collection::vec(0_u8..4, 1..4),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    )
}

fn agree(snapshot: &Snapshot, model: &Model, low: &[u8], high: &[u8]) {
    let wanted = |rows: Vec<(&Vec<u8>, &Vec<u8>)>| -> Vec<Row> {
        rows.into_iter()
            .map(|(key, value)| Row { key: key.clone(), value: value.clone() })
            .collect()
    };
    let read = |span: &Span| -> Vec<Row> {
        snapshot.rows(Table::Index, span).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(read(&Span::all()), wanted(model.iter().collect()));
    assert_eq!(read(&Span::all().backwards()), wanted(model.iter().rev().collect()));
    let between = model.iter().filter(|(key, _)| key.as_slice() >= low && key.as_slice() < high);
    assert_eq!(read(&Span::from(low).before(high)), wanted(between.collect()));
    let under = model.iter().filter(|(key, _)| key.starts_with(low));
    assert_eq!(read(&Span::prefix(low)), wanted(under.collect()));
    assert_eq!(snapshot.count(Table::Index).unwrap(), model.len() as u64);
    assert_eq!(snapshot.value(Table::Index, low).unwrap().as_ref(), model.get(low));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batches_do_what_a_sorted_map_does(
        batches in prop::collection::vec(prop::collection::vec(write(), 1..8), 1..12),
        low in prop::collection::vec(0_u8..4, 1..3),
        high in prop::collection::vec(0_u8..4, 1..3),
    ) {
        let store = Store::on_medium(Box::new(Disk::default()), [1; 16], &StoreOptions::default()).unwrap();
        let mut model = Model::new();
        let mut earlier = Vec::new();
        for writes in batches {
            let mut batch = Batch::new();
            for (key, value) in writes {
                if let Some(value) = value {
                    batch.put(Table::Index, &key, value.clone()).unwrap();
                    model.insert(key, value);
                } else {
                    batch.remove(Table::Index, &key).unwrap();
                    model.remove(&key);
                }
            }
            store.write(batch).unwrap();
            earlier.push((store.snapshot().unwrap(), model.clone()));
        }
        for (snapshot, model) in &earlier {
            agree(snapshot, model, &low, &high);
        }
    }
}

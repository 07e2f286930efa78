//! Printed figures, never asserted: durable batches a second, and the cost of large values.

use std::time::Instant;

use clisonix_store::{Batch, Store, StoreOptions, Table};

#[test]
fn durable_batches_a_second() {
    let scale: u64 = if std::env::var_os("CLISONIX_STORE_FIGURES").is_some() { 10 } else { 1 };
    let root = tempfile::tempdir().unwrap();
    let store = Store::create(&root.path().join("a"), [1; 16], &StoreOptions::default()).unwrap();
    for writers in [1_u64, 8, 64] {
        let each = 20 * scale;
        let started = Instant::now();
        std::thread::scope(|scope| {
            for writer in 0..writers {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..each {
                        store.write(small(writer, number)).unwrap();
                    }
                });
            }
        });
        let seconds = started.elapsed().as_secs_f64();
        println!("{writers} writers: {:.0} batches/s", (writers * each) as f64 / seconds);
    }
    large_values(&store, scale);
}

fn small(writer: u64, number: u64) -> Batch {
    let record = format!("p-{writer}");
    let mut batch = Batch::new();
    batch.change(&record, vec![3; 300]).unwrap();
    batch.state(&record, vec![4; 2000]).unwrap();
    batch.put(Table::Index, &(writer << 32 | number).to_be_bytes(), vec![]).unwrap();
    batch
}

fn large_values(store: &Store, scale: u64) {
    let records = 10 * scale;
    for size in [1_000_000_usize, 1_500_000, 2_000_000] {
        let started = Instant::now();
        let outcomes = store.write_many((0..records).map(|number| {
            let mut batch = Batch::new();
            batch.state(&format!("big-{size}-{number}"), vec![number as u8; size]).unwrap();
            batch
        }));
        assert!(outcomes.iter().all(Result::is_ok));
        let megabytes = records as f64 * size as f64 / 1e6;
        let speed = megabytes / started.elapsed().as_secs_f64();
        println!("states of {size} B: {speed:.0} MB/s, {:.0} records/s", speed * 1e6 / size as f64);
    }
}

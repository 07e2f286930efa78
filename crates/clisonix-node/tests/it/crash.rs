//! Power cuts in the middle of a load: of each message all of it is there, or nothing.

use clisonix_node::{Input, Node, Read};
use clisonix_store::{Store, StoreOptions};

use crate::disk::{Dice, Disk, Plan};
use crate::{BY, Counting};

/// Records of each message; enough for a batch of its own.
const RECORDS: usize = 120;
const MESSAGES: usize = 3;
const SEEDS: u64 = 24;

fn open(disk: &Disk, seed: u64) -> Node {
    let options = StoreOptions { cache_bytes: 4 << 20, ..StoreOptions::default() };
    let store = Store::on_medium(Box::new(disk.clone()), [1; 16], &options).expect("opens");
    Node::over(store, Box::new(Counting { now: 1_700_000_000_000, seed })).expect("opens")
}

/// A message about patients whom no other message speaks of.
fn message(number: usize) -> Read {
    let entries = (0..RECORDS).map(|patient| {
        format!(
            r#"{{"resource":{{"resourceType":"Patient","identifier":[{{"system":"urn:test:mrn","value":"{number}-{patient}"}}]}}}}"#
        )
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#);
    Read::new(Input { name: format!("{number}.json"), feed: None, bytes: text.into_bytes() })
}

/// Loads until the first error.
fn load(node: &Node, messages: &[Read]) -> bool {
    let mut load = node.load(BY);
    messages.iter().all(|message| load.take(message).is_ok()) && load.finish().is_ok()
}

/// How many records of a message are there.
fn present(node: &Node, number: usize) -> usize {
    let patients = node.patients().expect("reads");
    let prefix = format!("{number}-");
    patients.iter().filter(|patient| patient.value.starts_with(&prefix)).count()
}

#[test]
fn a_message_about_many_records_is_never_there_in_part() {
    let messages: Vec<Read> = (0..MESSAGES).map(message).collect();
    let disk = Disk::default();
    let node = open(&disk, 1);
    disk.plan(Plan::default());
    assert!(load(&node, &messages));
    let (operations, _) = disk.operations();
    drop(node);
    let mut cut_between = 0;
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let disk = Disk::default();
        let node = open(&disk, seed + 2);
        disk.plan(Plan { crash_at: Some(1 + dice.roll(operations)), ..Plan::default() });
        assert!(!load(&node, &messages) && disk.is_dead(), "seed {seed}");
        drop(node);
        disk.power_on(&mut dice);
        let node = open(&disk, seed + 1000);
        let counts: Vec<usize> = (0..MESSAGES).map(|number| present(&node, number)).collect();
        assert!(counts.iter().all(|count| [0, RECORDS].contains(count)), "seed {seed}: {counts:?}");
        cut_between += u32::from(counts.contains(&0) && counts.contains(&RECORDS));
        assert!(load(&node, &messages), "seed {seed}");
        assert!((0..MESSAGES).all(|number| present(&node, number) == RECORDS), "seed {seed}");
        assert!(node.verify().is_ok(), "seed {seed}");
    }
    assert!(cut_between > 0, "no cut fell between two messages");
}

#[test]
fn a_reading_that_was_given_out_is_in_the_access_log_after_a_power_cut() {
    for seed in 0..8 {
        let disk = Disk::default();
        let node = open(&disk, seed);
        assert!(load(&node, &[message(0)]));
        let record = node.find_record("0-1").expect("found");
        let before = node.verify().expect("sound");
        node.record_text(&record, BY).expect("given out");
        // Nothing after the answer reaches the disk.
        disk.plan(Plan { crash_at: Some(1), ..Plan::default() });
        drop(node);
        disk.power_on(&mut Dice(seed));
        assert_eq!(open(&disk, seed).verify().expect("sound"), before + 1, "seed {seed}");
    }
}

//! A message is whole or absent, and a repeated one costs no record.

use std::path::Path;

use super::{Input, Read};
use crate::{By, Node, Outside};

pub(crate) const BY: By<'static> = By { author: "tester", purpose: "test" };

/// A clock that ticks and random bytes that never repeat.
pub(crate) struct Counting {
    now: u64,
    seed: u64,
}

impl Counting {
    pub(crate) fn new(seed: u64) -> Self {
        Self { now: 1_700_000_000_000, seed }
    }
}

impl Outside for Counting {
    fn now_ms(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.seed >> 56) as u8;
        }
    }
}

pub(crate) fn node(directory: &Path, seed: u64) -> Node {
    Node::open(directory, Box::new(Counting::new(seed))).unwrap()
}

pub(crate) fn read(name: &str, text: &str) -> Read {
    Read::new(Input { name: name.into(), feed: None, bytes: text.as_bytes().to_vec() })
}

/// One message that speaks of `count` patients.
pub(crate) fn bundle(count: usize) -> String {
    let entries = (0..count).map(|number| {
        format!(
            r#"{{"resource":{{"resourceType":"Patient","identifier":[{{"system":"urn:test:mrn","value":"N-{number}"}}]}}}}"#
        )
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#)
}

#[test]
fn a_message_about_many_records_is_whole_or_absent() {
    const RECORDS: usize = 5000;
    let home = tempfile::tempdir().unwrap();
    let node = node(&home.path().join("data"), 1);
    let mut load = node.load(BY);
    load.take(&read("one.json", &bundle(3))).unwrap();
    assert_eq!(load.take(&read("many.json", &bundle(RECORDS))).unwrap().messages, 1);
    // The load ends without acknowledging: of what it wrote, no message may be there in part.
    drop(load);
    let present = node.record_ids().unwrap().len();
    assert!([0, 3, RECORDS].contains(&present), "{present} records of one message");
}

#[test]
fn a_message_that_fits_no_batch_is_kept_whole_and_not_applied() {
    let home = tempfile::tempdir().unwrap();
    let node = node(&home.path().join("data"), 1);
    let mut load = node.load(BY);
    let taken = load.take(&read("vast.json", &bundle(super::MAX_MESSAGE_RECORDS + 1))).unwrap();
    assert_eq!((taken.rejected, taken.messages, taken.resources), (1, 0, 0));
    assert!(taken.issues.iter().any(|issue| issue.message.contains("split")));
    assert_eq!(load.take(&read("one.json", &bundle(2))).unwrap().messages, 1);
    load.finish().unwrap();
    assert_eq!(node.record_ids().unwrap().len(), 2);
    assert_eq!(node.quarantine().unwrap().len(), 1);
}

#[test]
fn a_repeated_message_is_answered_without_loading_a_record() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let take = |node: &Node| {
        let mut load = node.load(BY);
        let taken = load.take(&read("many.json", &bundle(40))).unwrap();
        load.finish().unwrap();
        (taken.messages, taken.unchanged, taken.resources)
    };
    assert_eq!(take(&node(&directory, 1)), (1, 0, 40));
    let again = node(&directory, 2);
    assert_eq!(take(&again), (0, 1, 40));
    assert_eq!(again.inside().records.count(), 0);
}

#[test]
fn a_message_that_only_its_changes_tell_of_is_known_too() {
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (node(&home.path().join("a"), 1), node(&home.path().join("b"), 2));
    let take = |node: &Node| {
        let mut load = node.load(BY);
        let taken = load.take(&read("one.json", &bundle(1))).unwrap();
        load.finish().unwrap();
        taken.unchanged
    };
    assert_eq!(take(&a), 0);
    let record = a.find_record("N-0").unwrap();
    let (key, changes) = a.changes_since(&record, &[], BY).unwrap();
    b.receive(&record, &key, &changes, BY).unwrap();
    assert_eq!((take(&b), take(&b)), (1, 1));
    assert_eq!(a.digest().unwrap(), b.digest().unwrap());
}

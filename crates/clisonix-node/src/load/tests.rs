//! A message is whole or absent, and a repeated one costs no record.

use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

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

/// A message of its own about one patient.
fn message(name: &str) -> Read {
    let text = format!(
        r#"{{"resourceType":"Bundle","type":"collection","identifier":{{"value":"{name}"}},"entry":[
        {{"resource":{{"resourceType":"Patient","identifier":[{{"system":"urn:test:mrn","value":"N-0"}}],
        "name":[{{"family":"{name}"}}]}}}}]}}"#
    );
    read(name, &text)
}

fn shown(node: &Node) -> String {
    let record = node.find_record("N-0").unwrap();
    let text = node.record_text(&record, BY).unwrap();
    text.bundle + &text.conflicts
}

#[test]
fn what_one_load_acknowledged_is_not_forgotten_with_another_one() {
    let home = tempfile::tempdir().unwrap();
    let node = node(&home.path().join("data"), 1);
    let (taken, is_taken) = channel();
    let (go, is_to_go) = channel();
    let mut one = node.load(BY);
    one.take(&message("one")).unwrap();
    let is_early = thread::scope(|scope| {
        let node = &node;
        scope.spawn(move || {
            let mut two = node.load(BY);
            two.take(&message("two")).unwrap();
            taken.send(()).unwrap();
            is_to_go.recv().unwrap();
            two.finish().unwrap();
        });
        let is_early = is_taken.recv_timeout(Duration::from_millis(300)).is_ok();
        drop(one);
        go.send(()).unwrap();
        is_early
    });
    assert!(!is_early, "the second one builds on nothing that is not durable");
    assert!(shown(&node).contains("two") && !shown(&node).contains("one"));
    node.verify().unwrap();
}

#[test]
fn loads_at_once_leave_a_record_that_can_be_read_again() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let name = |thread: usize, number: usize| format!("{thread}-{number}");
    let node = node(&directory, 1);
    thread::scope(|scope| {
        for thread in 0..3 {
            let node = &node;
            scope.spawn(move || {
                for number in 0..40 {
                    let mut load = node.load(BY);
                    load.take(&message(&name(thread, number))).unwrap();
                    load.finish().unwrap();
                }
            });
        }
    });
    drop(node);
    let node = self::node(&directory, 2);
    node.verify().unwrap();
    let mut load = node.load(BY);
    load.take(&message("later")).unwrap();
    load.finish().unwrap();
    assert!(shown(&node).contains("later"));
}

//! Nodes that replicate: what one lacks goes out as runs, and comes in durable.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clisonix_fhir::json::Value;
use clisonix_node::consent::{Basis, PeerRule};
use clisonix_node::{Aim, MAX_CHECKPOINT_SPANS, Node, NodeError, NodeReplica, ReadVersion};
use clisonix_pq::Fingerprint;
use clisonix_pq::checkpoint::{Author, Authors};
use clisonix_pq::{Identity, Profile};
use clisonix_store::{Store, StoreOptions};
use clisonix_tide::{NodeId, Outcome, Refusal, Replica, Version};

use clisonix_node::Outside as _;

use crate::disk::{Disk, Plan};
use crate::{BUNDLE, BY, Counting, bundle, entry, node, take};

pub(crate) fn author(seed: u64) -> Author {
    let mut outside = Counting { now: 0, seed };
    let mut random = |bytes: &mut [u8]| outside.random(bytes);
    let identity = Identity::generate(Profile::Hybrid, &mut random).expect("an identity");
    Author::new(identity, 0, &mut random).expect("an author")
}

pub(crate) fn authors(seeds: &[u64]) -> Authors {
    let mut known = Authors::new();
    for seed in seeds {
        known.add(author(*seed).known().clone()).expect("room");
    }
    known
}

/// A node with its replica for a peer.
pub(crate) struct Site {
    pub(crate) node: Arc<Node>,
    pub(crate) replica: NodeReplica,
    pub(crate) name: Fingerprint,
}

impl Site {
    pub(crate) fn new(home: &Path, seed: u64) -> Self {
        let node = node(&home.join(seed.to_string()), seed);
        node.sign_as(author(seed)).expect("signs");
        Self::of(node, seed)
    }

    fn of(node: Node, seed: u64) -> Self {
        node.set_authors(authors(&[1, 2, 3]));
        let node = Arc::new(node);
        let name = author(seed).fingerprint();
        Self { replica: NodeReplica::new(Arc::clone(&node), name), node, name }
    }

    pub(crate) fn versions(&self) -> BTreeMap<String, Version> {
        let mut versions = BTreeMap::new();
        self.replica.versions(&mut |record, version| {
            versions.insert(record.to_owned(), version);
        });
        versions
    }

    pub(crate) fn write(&self, record: &str, member: &str, value: impl Into<Value>) {
        let mut patient = entry(&bundle(&self.node, record), "Patient").clone();
        patient.as_object_mut().expect("an object").insert(member, value.into());
        self.node.edit(record, &patient, ReadVersion::Current, BY).expect("edits");
    }

    pub(crate) fn record(&self) -> String {
        self.node.record_ids().expect("reads").pop().expect("a record")
    }

    fn take_in(&mut self, from: &Site, record: &str, run: &[u8]) -> Outcome {
        let from = NodeId(from.name.to_bytes());
        self.replica.receive(&[(record, run)], &from).pop().expect("an answer").outcome
    }
}

/// Fetches everything that `to` lacks, in runs of about `most` bytes; gives how many there were.
pub(crate) fn fetch(from: &Site, to: &mut Site, most: usize) -> usize {
    let mut runs = 0;
    for (record, version) in from.versions() {
        for _ in 0..1_000 {
            if to.replica.version(&record) == Some(version) {
                break;
            }
            let have = to.replica.have(&record);
            let run = from.replica.beyond(&record, &have, most).expect("reads");
            if run.bytes.is_empty() {
                break;
            }
            runs += 1;
            let before = to.replica.version(&record);
            let outcome = to.take_in(from, &record, &run.bytes);
            assert!(matches!(outcome, Outcome::Taken | Outcome::Lacks), "{outcome:?}");
            if run.is_all && outcome == Outcome::Taken {
                break;
            }
            assert!(outcome == Outcome::Lacks || to.replica.version(&record) != before);
        }
    }
    runs
}

/// Pushes what arrived after a cursor, to the end; gives the cursor.
fn push(from: &Site, to: &mut Site, mut after: u64) -> u64 {
    while after < from.replica.arrival() {
        let pushed = from.replica.arrived(after, 10_000, &mut |_| true).expect("known");
        assert!(pushed.upto > after);
        for (record, run) in &pushed.runs {
            assert_eq!(to.take_in(from, record, run), Outcome::Taken);
        }
        after = pushed.upto;
    }
    after
}

pub(crate) fn same(one: &Site, two: &Site) {
    assert_eq!(one.versions(), two.versions());
    assert_eq!(one.node.digest().unwrap(), two.node.digest().unwrap());
}

fn pair(home: &Path) -> (Site, Site, String) {
    let (one, two) = (Site::new(home, 1), Site::new(home, 2));
    take(&one.node, "a.json", BUNDLE);
    let record = one.record();
    (one, two, record)
}

#[test]
fn a_run_that_the_disk_does_not_take_comes_later_and_the_fault_is_told_once() {
    let home = tempfile::tempdir().unwrap();
    let (one, _, record) = pair(home.path());
    let disk = Disk::default();
    let options = StoreOptions { cache_bytes: 4 << 20, ..StoreOptions::default() };
    let store = Store::on_medium(Box::new(disk.clone()), [9; 16], &options).unwrap();
    let outside = Counting { now: 1_700_000_000_000, seed: 2 };
    let mut two = Site::of(Node::over(store, Box::new(outside)).unwrap(), 2);
    disk.plan(Plan { no_sync: true, ..Plan::default() });
    let run = one.replica.beyond(&record, &[], usize::MAX).unwrap();
    assert_eq!(two.take_in(&one, &record, &run.bytes), Outcome::Later);
    assert_eq!(two.replica.version(&record), None);
    assert!(matches!(two.node.take_trouble(), Some(NodeError::Write(_))));
    assert!(two.node.take_trouble().is_none());
}

#[test]
fn what_one_node_has_the_other_fetches_and_versions_are_equal() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two, record) = pair(home.path());
    assert_eq!((two.replica.version(&record), two.replica.have(&record)), (None, Vec::new()));
    assert_eq!(fetch(&one, &mut two, usize::MAX), 1);
    same(&one, &two);
    // Nothing is lacking any more.
    let have = two.replica.have(&record);
    let run = one.replica.beyond(&record, &have, usize::MAX).unwrap();
    assert_eq!((run.bytes.len(), run.is_all), (0, true));
    // A checkpoint is news without a change.
    while one.node.is_checkpoint_due() {
        one.node.checkpoint().unwrap();
    }
    assert_ne!(one.versions(), two.versions());
    assert_eq!(fetch(&one, &mut two, usize::MAX), 1);
    same(&one, &two);
    assert!(two.node.is_final(&record).unwrap());
    two.node.verify().unwrap();
}

/// What its author signed about a change that the image has is at other nodes only.
#[test]
fn a_node_put_back_to_before_it_signed_gets_its_own_statements_from_others() {
    let home = tempfile::tempdir().expect("a directory");
    let (one, mut two, record) = pair(home.path());
    let (present, image) = (home.path().join("1"), home.path().join("image"));
    std::fs::create_dir(&image).expect("a directory");
    for file in std::fs::read_dir(&present).expect("reads") {
        let file = file.expect("reads");
        std::fs::copy(file.path(), image.join(file.file_name())).expect("copies");
    }
    // What is given is signed.
    fetch(&one, &mut two, 1 << 20);
    one.write(&record, "birthDate", "1980-01-01");
    fetch(&one, &mut two, 1 << 20);
    drop(one);
    let back = node(&image, 1);
    back.sign_as(author(1)).expect("signs");
    let mut back = Site::of(back, 1);
    assert_eq!(fetch(&two, &mut back, 1 << 20), 2, "the second time with all statements");
    assert_eq!(back.versions(), two.versions());
}

#[test]
fn concurrent_edits_at_two_nodes_meet() {
    let home = tempfile::tempdir().unwrap();
    let (mut one, mut two, record) = pair(home.path());
    fetch(&one, &mut two, usize::MAX);
    for turn in 0..5 {
        one.write(&record, "active", turn % 2 == 0);
        two.write(&record, "birthDate", format!("197{turn}-01-01").as_str());
    }
    // Only what the other one lacks travels.
    let have = two.replica.have(&record);
    let first = one.replica.beyond(&record, &have, usize::MAX).unwrap().bytes.len();
    assert!(first < 3_000, "{first} bytes for five small edits");
    fetch(&one, &mut two, usize::MAX);
    fetch(&two, &mut one, usize::MAX);
    same(&one, &two);
    let patient = bundle(&one.node, &record);
    assert_eq!(entry(&patient, "Patient").get("birthDate").unwrap().as_str(), Some("1974-01-01"));
}

#[test]
fn what_arrives_is_pushed_at_once_and_so_are_checkpoints() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two, record) = pair(home.path());
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    one.node.on_arrival(Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    one.node.sign_at_once(true);
    let mut cursor = push(&one, &mut two, 0);
    same(&one, &two);
    for turn in 0..10 {
        one.write(&record, "active", turn % 2 == 0);
        if turn == 5 {
            one.node.checkpoint().unwrap().expect("something to sign");
        }
        if turn % 3 == 0 {
            cursor = push(&one, &mut two, cursor);
        }
    }
    assert!(told.load(Ordering::Relaxed) >= 11);
    assert_eq!(one.node.arrived_since(cursor).unwrap().upto, cursor);
    same(&one, &two);
    assert_eq!(one.replica.arrived(cursor + 1_000, 1, &mut |_| true), None);
    // What is not wanted is passed over.
    one.write(&record, "active", true);
    one.write(&record, "gender", "other");
    let pushed = one.replica.arrived(cursor, 1_000, &mut |_| false).unwrap();
    assert_eq!((pushed.upto, pushed.runs.len()), (one.replica.arrival(), 0));
}

#[test]
fn a_push_that_was_lost_is_fetched() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two, record) = pair(home.path());
    let start = push(&one, &mut two, 0);
    one.write(&record, "active", true);
    let lost = one.replica.arrived(start, 10_000, &mut |_| true).unwrap();
    one.write(&record, "active", false);
    let next = one.replica.arrived(lost.upto, 10_000, &mut |_| true).unwrap();
    let (name, run) = next.runs.first().unwrap();
    assert_eq!(two.take_in(&one, name, run), Outcome::Lacks);
    fetch(&one, &mut two, usize::MAX);
    same(&one, &two);
    // Late and twice it changes nothing.
    for (name, run) in lost.runs.iter().chain(&next.runs) {
        assert_eq!(two.take_in(&one, name, run), Outcome::Taken);
    }
    same(&one, &two);
}

#[test]
fn a_long_history_travels_in_pieces_that_are_signed() {
    let home = tempfile::tempdir().unwrap();
    let (mut one, mut two, record) = pair(home.path());
    fetch(&one, &mut two, usize::MAX);
    let mut three = Site::new(home.path(), 3);
    for turn in 0..40 {
        one.write(&record, "active", turn % 2 == 0);
        two.write(&record, "birthDate", format!("19{}-01-01", 10 + turn).as_str());
        if turn % 7 == 0 {
            one.node.checkpoint().unwrap();
        }
        if turn % 5 == 0 {
            fetch(&one, &mut two, usize::MAX);
            fetch(&two, &mut one, usize::MAX);
        }
    }
    let runs = fetch(&one, &mut three, 500);
    assert!(runs > 3, "{runs} runs");
    assert_eq!(one.versions(), three.versions());
    fetch(&two, &mut three, 500);
    fetch(&three, &mut one, 500);
    fetch(&three, &mut two, 500);
    same(&one, &three);
    same(&two, &three);
}

#[test]
fn many_records_share_their_checkpoints() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two) = (Site::new(home.path(), 1), Site::new(home.path(), 2));
    let patients: Vec<String> = (0..300).map(patient).collect();
    let text = format!(
        r#"{{"resourceType":"Bundle","type":"collection","timestamp":"2024-01-01T00:00:00Z","entry":[{}]}}"#,
        patients.join(",")
    );
    take(&one.node, "many.json", &text);
    assert!(one.node.is_checkpoint_due());
    let done = one.node.checkpoint().unwrap().unwrap();
    assert_eq!(done.records, MAX_CHECKPOINT_SPANS);
    one.node.checkpoint().unwrap().unwrap();
    assert!(!one.node.is_checkpoint_due());
    let mut bytes = 0;
    let mut after = 0;
    while after < one.replica.arrival() {
        let pushed = one.replica.arrived(after, 50_000, &mut |_| true).unwrap();
        bytes += pushed.runs.iter().map(|(_, run)| run.len()).sum::<usize>();
        let runs: Vec<(&str, &[u8])> =
            pushed.runs.iter().map(|(record, run)| (&**record, &**run)).collect();
        let taken = two.replica.receive(&runs, &NodeId::default());
        assert!(taken.iter().all(|taken| taken.outcome == Outcome::Taken));
        after = pushed.upto;
    }
    same(&one, &two);
    assert!(bytes < 300 * 800, "{bytes} bytes");
    // On a new connection statements go whole again, once; whoever lacks one asks for it.
    let mut three = Site::new(home.path(), 3);
    let fresh = NodeReplica::new(Arc::clone(&one.node), three.name);
    let records: Vec<String> = one.versions().into_keys().take(2).collect();
    let run = |record: &String, have: &[u8]| fresh.beyond(record, have, usize::MAX).unwrap().bytes;
    let (lost, short) = (run(&records[0], &[]), run(&records[1], &[]));
    assert!(lost.len() > 10 * short.len(), "{} and {}", lost.len(), short.len());
    assert_eq!(three.take_in(&one, &records[1], &short), Outcome::Lacks);
    let have = three.replica.have(&records[1]);
    assert_eq!(three.take_in(&one, &records[1], &run(&records[1], &have)), Outcome::Taken);
    assert_eq!(three.replica.version(&records[1]), one.replica.version(&records[1]));
}

/// Three changes of a record, each as it is pushed.
fn three_pushes(from: &Site, record: &str, cursor: &mut u64) -> Vec<Vec<u8>> {
    let mut runs = Vec::new();
    for _ in 0..3 {
        from.write(record, "birthDate", format!("{}-02-03", 1900 + *cursor).as_str());
        let pushed = from.replica.arrived(*cursor, 1 << 20, &mut |_| true).expect("known");
        *cursor = pushed.upto;
        runs.extend(pushed.runs.into_iter().map(|(_, run)| run));
    }
    assert_eq!(runs.len(), 3);
    runs
}

#[test]
fn runs_of_one_record_that_come_together_are_taken_as_one() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two, record) = pair(home.path());
    one.node.sign_at_once(true);
    let mut cursor = push(&one, &mut two, 0);
    let from = NodeId(one.name.to_bytes());
    let runs = three_pushes(&one, &record, &mut cursor);
    let all: Vec<(&str, &[u8])> = runs.iter().map(|run| (&*record, &**run)).collect();
    let before = two.replica.arrival();
    let taken = two.replica.receive(&all, &from);
    assert!(taken.iter().all(|taken| taken.outcome == Outcome::Taken), "{taken:?}");
    assert_eq!(two.replica.arrival(), before + 1);
    assert_eq!((taken[0].arrivals, taken[1].arrivals), ((before, before + 1), (0, 0)));
    same(&one, &two);

    // One that is damaged does not spoil the one before it.
    let mut runs = three_pushes(&one, &record, &mut cursor);
    *runs[1].last_mut().unwrap() ^= 1;
    let all: Vec<(&str, &[u8])> = runs.iter().map(|run| (&*record, &**run)).collect();
    let outcomes: Vec<Outcome> =
        two.replica.receive(&all, &from).into_iter().map(|taken| taken.outcome).collect();
    assert!(
        matches!(outcomes[..], [Outcome::Taken, Outcome::Refused(_), Outcome::Lacks]),
        "{outcomes:?}"
    );
    fetch(&one, &mut two, usize::MAX);
    same(&one, &two);
}

pub(crate) fn patient(number: usize) -> String {
    format!(
        r#"{{"resource":{{"resourceType":"Patient","identifier":[{{"type":{{"coding":[{{"code":"MR"}}]}},
        "system":"urn:oid:1.2.3","value":"N-{number}"}}],"gender":"male","name":[{{"family":"Ray"}}]}}}}"#
    )
}

#[test]
fn what_was_there_before_the_author_is_taken_over_and_travels() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("old");
    let before = node(&directory, 7);
    take(&before, "a.json", BUNDLE);
    drop(before);
    let again = node(&directory, 8);
    again.sign_as(author(1)).unwrap();
    let (one, mut two) = (Site::of(again, 1), Site::new(home.path(), 2));
    let record = one.record();
    one.write(&record, "active", true);
    assert!(one.node.is_checkpoint_due());
    let mut done = Vec::new();
    while let Some(one) = one.node.checkpoint().unwrap() {
        done.push(one.changes);
    }
    assert_eq!(done, [1, 1]);
    assert!(!one.node.is_checkpoint_due());
    fetch(&one, &mut two, usize::MAX);
    same(&one, &two);
    let mut told: Vec<_> = two.node.standings(&record).unwrap();
    told.sort_by_key(|actor| actor.adopted);
    let told: Vec<_> = told.iter().map(|actor| (actor.author, actor.adopted)).collect();
    let by = Some(author(1).fingerprint());
    assert_eq!(told, [(by, false), (by, true)]);
    // Without a checkpoint it is taken over when it first goes out.
    let other = node(&home.path().join("other"), 9);
    take(&other, "b.json", &BUNDLE.replace("\"77\"", "\"78\""));
    other.sign_as(author(3)).unwrap();
    let three = Site::of(other, 3);
    fetch(&three, &mut two, usize::MAX);
    assert_eq!(two.replica.version(&three.record()), three.replica.version(&three.record()));
}

#[test]
fn what_an_author_signs_counts_more_than_that_somebody_took_it_over() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two, record) = pair(home.path());
    // The change comes to the second node without its signature, and goes on from there.
    let (key, changes) = one.node.changes_since(&record, &[], BY).unwrap();
    two.node.receive(&record, &key, &changes, BY).unwrap();
    let mut three = Site::new(home.path(), 3);
    fetch(&two, &mut three, usize::MAX);
    let told = || two.node.standings(&record).unwrap().pop().unwrap();
    assert_eq!((told().author, told().adopted), (Some(author(2).fingerprint()), true));
    one.node.checkpoint().unwrap();
    fetch(&one, &mut two, usize::MAX);
    fetch(&two, &mut three, usize::MAX);
    let told = two.node.standings(&record).unwrap().pop().unwrap();
    assert_eq!((told.author, told.adopted), (Some(author(1).fingerprint()), false));
    same(&one, &two);
    same(&one, &three);
}

#[test]
fn bad_runs_are_refused_and_nothing_of_them_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two, record) = pair(home.path());
    let run = one.replica.beyond(&record, &[], usize::MAX).unwrap().bytes;
    let digest = two.node.digest().unwrap();
    for place in 0..run.len() {
        let mut altered = run.clone();
        altered[place] ^= 1;
        let outcome = two.take_in(&one, &record, &altered);
        assert!(matches!(outcome, Outcome::Refused(_) | Outcome::Lacks), "{place}: {outcome:?}");
        let cut = two.take_in(&one, &record, &run[..place]);
        assert_eq!(cut, Outcome::Refused(Refusal::Unreadable), "{place}");
    }
    let other = "p-00000000000000000000000000000000";
    assert_eq!(two.take_in(&one, other, &run), Outcome::Refused(Refusal::Unreadable));
    assert_eq!(two.node.digest().unwrap(), digest);
    // What a peer says that it has may be anything.
    for have in [&[9][..], &[0, 200], &[0, 0, 0, 0, 7], &[1]] {
        drop(one.replica.beyond(&record, have, 10));
    }
    two.node.set_authors(authors(&[2]));
    assert_eq!(two.take_in(&one, &record, &run), Outcome::Refused(Refusal::Author));
    two.node.set_authors(authors(&[1]));
    assert_eq!(two.take_in(&one, &record, &run), Outcome::Taken);
    same(&one, &two);
}

/// Any interleaving of edits, checkpoints, pushes and fetches at three nodes ends with equal
/// versions and equal bytes.
#[test]
fn any_interleaving_ends_equal() {
    for seed in 0..6_u64 {
        let home = tempfile::tempdir().unwrap();
        let mut sites: Vec<Site> = (1..=3).map(|n| Site::new(home.path(), n)).collect();
        take(&sites[0].node, "a.json", BUNDLE);
        take(&sites[1].node, "b.json", &BUNDLE.replace("\"77\"", "\"78\""));
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..60 {
            let at = draw(3);
            let other = (at + 1 + draw(2)) % 3;
            match draw(4) {
                0 | 1 => {
                    let records = sites[at].node.record_ids().unwrap();
                    if let Some(record) = records.get(draw(records.len().max(1))) {
                        sites[at].node.sign_at_once(draw(2) == 0);
                        sites[at].write(record, "active", draw(2) == 0);
                    }
                }
                2 => drop(sites[at].node.checkpoint().unwrap()),
                _ => between(&mut sites, at, other, |from, to| {
                    fetch(from, to, 300 + 50 * seed as usize);
                }),
            }
        }
        for (at, other) in [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2)] {
            between(&mut sites, at, other, |from, to| {
                fetch(from, to, 1_000);
            });
        }
        let [one, two, three] = &sites[..] else { panic!("three sites") };
        same(one, two);
        same(two, three);
        for site in &sites {
            site.node.verify().unwrap();
        }
    }
}

fn between(sites: &mut [Site], at: usize, other: usize, run: impl FnOnce(&Site, &mut Site)) {
    let (low, high) = (at.min(other), at.max(other));
    let (left, right) = sites.split_at_mut(high);
    if at < other { run(&left[low], &mut right[0]) } else { run(&right[0], &mut left[low]) }
}

#[test]
fn runs_of_authors_who_are_not_known_wait_in_the_quarantine() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two, record) = pair(home.path());
    let run = one.replica.beyond(&record, &[], usize::MAX).unwrap().bytes;
    two.node.set_authors(authors(&[2]));
    for _ in 0..2 {
        assert_eq!(two.take_in(&one, &record, &run), Outcome::Refused(Refusal::Author));
    }
    let aside = two.node.quarantine().unwrap();
    assert_eq!((aside.len(), aside[0].attempts), (1, 1));
    assert_eq!(two.node.retry_quarantine(BY).unwrap().rejected, 1);
    assert_eq!(two.node.quarantine().unwrap()[0].attempts, 2);
    assert!(two.node.record_ids().unwrap().is_empty());
    two.node.set_authors(authors(&[1, 2]));
    assert_eq!(two.node.retry_quarantine(BY).unwrap().messages, 1);
    assert!(two.node.quarantine().unwrap().is_empty());
    same(&one, &two);
}

#[test]
fn what_was_given_and_withheld_is_in_the_access_log_once_an_hour() {
    let home = tempfile::tempdir().unwrap();
    let (one, two, record) = pair(home.path());
    let before = one.node.verify().unwrap();
    for _ in 0..5 {
        one.node.note_withheld(two.name, &record).unwrap();
    }
    let rule = PeerRule { basis: Basis::All, ..PeerRule::default() };
    one.node.set_peer_rules(&BTreeMap::from([(two.name, rule)]), BY).unwrap();
    for _ in 0..5 {
        one.node.note_given(two.name, &record).unwrap();
    }
    one.node.keep_audit().unwrap();
    // The change of the rules is a line too.
    assert_eq!(one.node.verify().unwrap(), before + 3);
}

#[test]
fn an_erasure_reaches_every_node_and_what_it_took_does_not_come_back() {
    let home = tempfile::tempdir().unwrap();
    let (mut one, mut two, record) = pair(home.path());
    one.write(&record, "birthDate", "1971-02-03");
    fetch(&one, &mut two, usize::MAX);
    two.write(&record, "active", true);
    one.node.erase(&record, Aim::Record, "asked for", true, BY).unwrap();
    fetch(&one, &mut two, usize::MAX);
    fetch(&two, &mut one, usize::MAX);
    same(&one, &two);
    let mut three = Site::new(home.path(), 3);
    fetch(&two, &mut three, usize::MAX);
    same(&two, &three);
    for site in [&one, &two, &three] {
        let text = site.node.record_text(&record, BY).unwrap().bundle;
        assert!(!text.contains("1971-02-03"));
        site.node.verify().unwrap();
    }
}

#[test]
fn after_a_key_was_given_up_its_changes_wait_in_the_quarantine() {
    let home = tempfile::tempdir().unwrap();
    let (one, mut two, record) = pair(home.path());
    one.node.checkpoint().unwrap();
    let before = one.replica.beyond(&record, &[], usize::MAX).unwrap().bytes;
    let now = one.node.standings(&record).unwrap().len() as u64;
    assert_eq!(now, 1);
    // The clocks of these tests start at one time and go on by a second whenever they are asked.
    let mut known = authors(&[1, 2]);
    known.revoke_after(one.name, 1_700_000_000_000 + 3_600_000);
    two.node.set_authors(known);
    assert_eq!(two.take_in(&one, &record, &before), Outcome::Taken);
    for _ in 0..4_000 {
        one.node.is_checkpoint_due();
    }
    one.write(&record, "active", true);
    let have = two.replica.have(&record);
    let after = one.replica.beyond(&record, &have, usize::MAX).unwrap().bytes;
    assert_eq!(two.take_in(&one, &record, &after), Outcome::Refused(Refusal::Author));
    assert_eq!(two.node.quarantine().unwrap().len(), 1);
    // Others still get what was signed before.
    let mut three = Site::new(home.path(), 3);
    let mut known = authors(&[1, 2, 3]);
    known.revoke_after(one.name, 1_700_000_000_000 + 3_600_000);
    three.node.set_authors(known);
    fetch(&two, &mut three, usize::MAX);
    assert_eq!(two.replica.version(&record), three.replica.version(&record));
}

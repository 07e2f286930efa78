//! Bytes of a stored log that flip: what peers hold comes back from them, what is whole here goes
//! back, and what is lost stays named.

use std::collections::BTreeMap;
use std::path::Path;

use clisonix_node::consent::{Basis, PeerRule};
use clisonix_node::{Aim, NodeError, RecordFault};
use clisonix_store::{Store, StoreOptions};

use crate::tide::{Site, author, fetch, same};
use crate::{BUNDLE, BY, bundle, entry, take};

/// All three are peers of the site.
fn admit_all(site: &Site) {
    let rule = PeerRule { basis: Basis::All, shared: true, ..PeerRule::default() };
    let rules: BTreeMap<_, _> =
        [1, 2, 3].map(|seed| (author(seed).fingerprint(), rule.clone())).into();
    site.node.set_peer_rules(&rules, BY).unwrap();
}

/// Two nodes that hold the same record, changed at both.
fn pair(home: &Path) -> (Site, Site, String) {
    let (mut one, mut two) = (Site::new(home, 1), Site::new(home, 2));
    admit_all(&one);
    admit_all(&two);
    take(&one.node, "a.json", BUNDLE);
    let record = one.record();
    exchange(&mut one, &mut two, &record);
    for turn in 0..3 {
        one.write(&record, "active", turn % 2 == 0);
        two.write(&record, "birthDate", format!("197{turn}-01-01").as_str());
    }
    exchange(&mut one, &mut two, &record);
    same(&one, &two);
    (one, two, record)
}

fn exchange(one: &mut Site, two: &mut Site, record: &str) {
    fetch(one, two, usize::MAX);
    fetch(two, one, usize::MAX);
    for (site, peer) in [(&*one, &*two), (&*two, &*one)] {
        site.node.note_given(peer.name, record).unwrap();
    }
}

/// Closes a site, flips a byte in the middle of a row of a record's log, and opens it again.
fn flip(site: Site, home: &Path, seed: u64, record: &str, row: usize) -> Site {
    let directory = home.join(seed.to_string());
    drop(site);
    let bytes = {
        let store = Store::open(&directory, &StoreOptions::default()).unwrap();
        let rows = store.snapshot().unwrap();
        let mut rows = rows.changes(record, 0).unwrap();
        rows.nth(row).unwrap().unwrap().bytes
    };
    let path = directory.join("store.redb");
    let mut file = std::fs::read(&path).unwrap();
    let places: Vec<usize> = (0..=file.len() - bytes.len())
        .filter(|at| file[*at] == bytes[0] && file[*at..].starts_with(&bytes))
        .collect();
    assert!(!places.is_empty(), "the log is in the file");
    for at in places {
        file[at + bytes.len() / 2] ^= 0x10;
    }
    std::fs::write(&path, file).unwrap();
    Site::new(home, seed)
}

fn rows(site: &Site, home: &Path, seed: u64, record: &str) -> usize {
    assert!(site.node.record_ids().unwrap().contains(&record.to_owned()));
    let copy = home.join("copy.backup");
    site.node.backup(&copy, BY).unwrap();
    let directory = home.join(format!("copy-{seed}"));
    Store::restore(&copy, &directory, [9; 16], None).unwrap();
    let store = Store::open(&directory, &StoreOptions::default()).unwrap();
    let count = store.snapshot().unwrap().changes(record, 0).unwrap().count();
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::remove_file(&copy).unwrap();
    count
}

#[test]
fn a_damaged_log_is_put_aside_and_comes_back_from_a_peer() {
    let home = tempfile::tempdir().unwrap();
    let (one, two, record) = pair(home.path());
    let before = one.versions();
    for row in 0..rows(&two, home.path(), 2, &record) {
        let home_of_row = tempfile::tempdir().unwrap();
        let (one, two, record) = pair(home_of_row.path());
        let mut two = flip(two, home_of_row.path(), 2, &record, row);
        let found = two.node.scrub(BY).unwrap();
        assert_eq!((found.damaged, found.put_aside), (1, 1), "row {row}: {found:?}");
        let damages = two.node.damages().unwrap();
        assert!(damages[0].is_aside && damages[0].missing.is_some_and(|missing| missing > 0));
        assert!(matches!(two.node.verify(), Err(NodeError::Damaged(_))));
        assert_ne!(two.versions().get(&record), one.versions().get(&record));
        // The exchange as always.
        fetch(&one, &mut two, usize::MAX);
        two.node.mend(BY).unwrap();
        assert_eq!(two.node.damages().unwrap(), [], "row {row}");
        same(&one, &two);
        two.node.verify().unwrap();
        let found = two.node.scrub(BY).unwrap();
        assert_eq!((found.damaged, found.put_aside), (0, 0), "{found:?}");
    }
    assert_eq!(before, two.versions());
}

#[test]
fn without_a_peer_the_damage_stays_visible() {
    let home = tempfile::tempdir().unwrap();
    let one = Site::new(home.path(), 1);
    take(&one.node, "a.json", BUNDLE);
    let record = one.record();
    one.write(&record, "active", true);
    let shown = bundle(&one.node, &record).to_text();
    let one = flip(one, home.path(), 1, &record, 0);
    for _ in 0..2 {
        let found = one.node.scrub(BY).unwrap();
        assert_eq!((found.damaged, found.repaired, found.put_aside), (1, 0, 0));
        assert_eq!(found.named, [(record.clone(), RecordFault::Log)]);
        let damages = one.node.damages().unwrap();
        assert_eq!((damages.len(), damages[0].is_aside), (1, false));
    }
    // Nothing that could be shown before is hidden, for nothing would be won by it.
    assert_eq!(bundle(&one.node, &record).to_text(), shown);
    assert!(one.node.give_up(&record, BY).unwrap());
    assert!(!one.node.give_up(&record, BY).unwrap());
}

#[test]
fn own_changes_that_no_peer_has_are_kept_where_they_are_whole_and_named_where_not() {
    let home = tempfile::tempdir().unwrap();
    let (mut one, two, record) = pair(home.path());
    let count = rows(&two, home.path(), 2, &record);
    two.write(&record, "gender", "other");
    two.write(&record, "multipleBirthBoolean", true);
    assert_eq!(rows(&two, home.path(), 2, &record), count + 2);
    // A row is damaged that the peer has: the two behind it are whole, and go back.
    let mut two = flip(two, home.path(), 2, &record, 1);
    assert_eq!(two.node.scrub(BY).unwrap().put_aside, 1);
    fetch(&one, &mut two, usize::MAX);
    assert_eq!(two.node.mend(BY).unwrap(), 1);
    let patient = bundle(&two.node, &record);
    assert_eq!(entry(&patient, "Patient").get("gender").unwrap().as_str(), Some("other"));
    two.node.verify().unwrap();
    exchange(&mut one, &mut two, &record);
    same(&one, &two);

    // A row is damaged that nobody else has: it is lost, and that is told.
    let count = rows(&two, home.path(), 2, &record);
    two.write(&record, "gender", "male");
    let mut two = flip(two, home.path(), 2, &record, count);
    assert_eq!(two.node.scrub(BY).unwrap().put_aside, 1);
    fetch(&one, &mut two, usize::MAX);
    assert_eq!(two.node.mend(BY).unwrap(), 0);
    let damages = two.node.damages().unwrap();
    assert_eq!((damages[0].missing, damages[0].missing_own), (Some(1), 1));
    assert_eq!(two.node.scrub(BY).unwrap().damaged, 1);
    // What is written now goes to the peer, under numbers that nobody has seen with other content.
    two.write(&record, "gender", "unknown");
    exchange(&mut one, &mut two, &record);
    same(&one, &two);
    assert_eq!(one.node.equivocations().unwrap(), Vec::<Vec<u8>>::new());
    assert!(two.node.give_up(&record, BY).unwrap());
    two.node.verify().unwrap();
}

#[test]
fn what_was_put_aside_goes_with_an_erasure() {
    let home = tempfile::tempdir().unwrap();
    let (one, two, record) = pair(home.path());
    two.write(&record, "gender", "other");
    let mut two = flip(two, home.path(), 2, &record, 1);
    two.node.scrub(BY).unwrap();
    one.node.erase(&record, Aim::Record, "test", true, BY).unwrap();
    fetch(&one, &mut two, usize::MAX);
    two.node.mend(BY).unwrap();
    assert!(!two.node.damages().unwrap().is_empty(), "an own change is not back");
    let text = two.node.record_text(&record, BY).unwrap().bundle;
    assert!(!text.contains("Ray"), "{text}");
}

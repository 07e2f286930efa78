//! Erasure: content is gone everywhere, the chain of hashes still verifies, and what is left lets
//! nobody guess the value.

use std::collections::BTreeSet;

use clisonix_crdt::text::TextEdits;
use clisonix_crdt::{
    Base, ChangeId, Coverage, EraseError, Erasure, ErasureDone, Record, RefusalReason, Source,
    join_segments,
};
use clisonix_fhir::json::Value;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::laws::cases;
use crate::site::{Site, entry_id, exchange, object, reload_apart, segments};

const PATIENT: &str = "Patient/patient-123";

fn erase(site: &mut Site, what: &Erasure<'_>) -> Result<ErasureDone, EraseError> {
    erase_at(site, what, &Base::Current)
}

fn erase_at(site: &mut Site, what: &Erasure<'_>, base: &Base) -> Result<ErasureDone, EraseError> {
    site.with(None, |record, origin, actors| {
        record.erase(what, base, "entered for another patient", origin, actors)
    })
}

fn erase_value(site: &mut Site, entry: &str, pointer: &str) -> Result<ErasureDone, EraseError> {
    let entry = entry_id(entry);
    erase(site, &Erasure::Value { entry: &entry, pointer })
}

fn first() -> Site {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Patient","id":"patient-123","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Born 1970-01-01</div>"},"gender":"male","birthDate":"1970-01-01","name":[{"family":"Okafor"}],"telecom":[{"system":"phone","value":"0170-4711"},{"system":"phone","value":"2"}]}"#,
    );
    a.put(
        r#"{"resourceType":"Condition","id":"c1","code":{"text":"asthma"},"subject":{"reference":"Patient/patient-123"}}"#,
    );
    a
}

fn ids(record: &Record) -> Vec<ChangeId> {
    record.history(None).into_iter().map(|change| change.id).collect()
}

/// Every form in which a record's bytes leave the process, unpacked.
fn leavings(record: &Record) -> Vec<u8> {
    let mut all = record.state_bytes();
    all.extend(record.save());
    all.extend(unpacked(&record.save()));
    for segment in segments(record) {
        all.extend(unpacked_batch(&segment));
    }
    for batch in [record.changes_since(&[]), record.whole_changes_since(&[])] {
        all.extend(unpacked_batch(&batch));
    }
    for id in ids(record) {
        for bytes in [record.change(&id).unwrap(), record.whole_change(&id).unwrap()] {
            all.extend(unpacked_batch(&bytes));
        }
        let version = record.at(&[id]).unwrap();
        all.extend(record.view_of(&version).bundle_text().into_bytes());
    }
    all.extend(record.view().bundle_text().into_bytes());
    all.extend(format!("{:?}{:?}", record.history(None), record.view().conflicts()).into_bytes());
    for entry in record.view().all_entries() {
        all.extend(format!("{:?}", record.view().blame(entry)).into_bytes());
    }
    let mut link = clisonix_crdt::Link::new();
    all.extend(link.write(record, 0));
    all
}

fn number(bytes: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
        shift += 7;
    }
}

fn inflate(bytes: &[u8], len: usize, dictionary: &[u8]) -> Vec<u8> {
    let mut inflater = flate2::Decompress::new(false);
    let start = dictionary.len().saturating_sub(1 << 15);
    inflater.set_dictionary(&dictionary[start..]).unwrap();
    let mut out = Vec::with_capacity(len + 64);
    inflater.decompress_vec(bytes, &mut out, flate2::FlushDecompress::Finish).unwrap();
    assert_eq!(out.len(), len);
    out
}

fn dictionary() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/deflate/dictionary.txt");
    std::fs::read(path).unwrap()
}

/// State and log of a saved record (`docs/formats/record.md`).
fn unpacked(saved: &[u8]) -> Vec<u8> {
    let mut at = 8;
    let mut parts = Vec::new();
    let state_len = number(saved, &mut at);
    let packed = number(saved, &mut at);
    let state = inflate(&saved[at..at + packed], state_len, &dictionary());
    at += packed;
    number(saved, &mut at);
    let log_len = number(saved, &mut at);
    let packed = number(saved, &mut at);
    parts.extend(inflate(&saved[at..at + packed], log_len, &state));
    parts.extend(state);
    parts
}

fn unpacked_batch(batch: &[u8]) -> Vec<u8> {
    let mut at = 5;
    let name = number(batch, &mut at);
    at += name;
    if batch[4] & 2 == 0 {
        return batch[at..].to_vec();
    }
    let len = number(batch, &mut at);
    inflate(&batch[at..], len, &dictionary())
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// The key at the end of a way through the tree below `key` (`docs/formats/change.md`).
fn key_at(mut key: [u8; 32], way: &[u8]) -> [u8; 32] {
    for branch in way {
        let mut hasher = Sha256::new();
        hasher.update(b"clisonix keys 3\0");
        hasher.update([*branch]);
        hasher.update(key);
        key = hasher.finalize().into();
    }
    key
}

#[test]
fn a_value_is_gone_everywhere_and_the_chain_verifies() {
    let mut a = first();
    a.set(PATIENT, "birthDate", Some(r#""1970-01-02""#));
    let mut b = a.fork(b'B');
    let before = ids(&a.record);
    let old = a.record.entry_version(PATIENT);
    let done = erase_value(&mut a, PATIENT, "/birthDate").unwrap();
    assert_eq!(done.entries, [entry_id(PATIENT)]);
    assert_eq!(done.operations, 3, "two dates and the narrative");
    assert_eq!(a.member(PATIENT, "birthDate"), None);
    assert_eq!(a.member(PATIENT, "gender").as_deref(), Some("\"male\""));
    assert_ne!(a.record.entry_version(PATIENT), old, "another version");
    b.pull(&a);
    let mut fresh = Record::new("patient-123");
    assert_eq!(fresh.receive(&a.record.changes_since(&[])).unwrap().refused, []);
    let loaded = Record::load(&a.record.save()).unwrap();
    let apart = reload_apart(&a.record);
    for record in [&a.record, &b.record, &fresh, &loaded, &apart] {
        assert_eq!(record.state_bytes(), a.record.state_bytes());
        assert_eq!(ids(record)[..before.len()], before, "the chain is the same");
        assert!(record.is_sound());
        let left = leavings(record);
        assert!(!holds(&left, b"1970-01-0"));
        assert!(!holds(&left, &Sha256::digest(br#""birthDate":"1970-01-02""#)));
    }
    let info = a.record.history(Some(&entry_id(PATIENT))).pop().unwrap();
    let erases = info.erases.unwrap();
    assert_eq!((&*info.author, &*erases.place), ("clinician-A", "Patient.birthDate"));
    assert_eq!(&*erases.reason, "entered for another patient");
    assert_eq!(erases.operations, Some(3));
}

/// With everything that is left, all dates of a century are tried against the commitment.
#[test]
fn a_low_entropy_value_cannot_be_guessed_from_what_is_left() {
    let mut a = first();
    a.set(PATIENT, "birthDate", Some(r#""1970-01-02""#));
    // The third change of the actor holds one operation: its key is the one of the change.
    let secret = [b'A' ^ 1; 32];
    let key = key_at(secret, &[1, 0, 1]);
    let address = address_of("birthDate");
    let said = |date: &str| {
        let mut said = vec![7];
        said.extend(b"Patient\x0bpatient-123\x02");
        said.extend(address);
        said.push(0);
        said.extend(format!("\"birthDate\":\"{date}\"").into_bytes());
        said
    };
    let commitment = hmac(&key, &said("1970-01-02"));
    let intact = leavings(&a.record);
    assert!(holds(&intact, &secret), "before, the key can be derived");
    assert!(!holds(&intact, &commitment));
    erase_value(&mut a, PATIENT, "/birthDate").unwrap();
    let left = leavings(&a.record);
    assert!(holds(&left, &commitment), "the chain keeps the commitment");
    for ways in [&[][..], &[1], &[1, 0], &[1, 0, 1]] {
        assert!(!holds(&left, &key_at(secret, ways)), "a key above the value's");
    }
    // Every 32 bytes that are left, taken as a key as they are or as a node above the value's.
    let mut nodes: Vec<[u8; 32]> = left.windows(32).map(|key| key.try_into().unwrap()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    for node in nodes {
        for way in [&[][..], &[1], &[0, 1], &[1, 0, 1]] {
            assert_ne!(hmac(&key_at(node, way), &said("1970-01-02")), commitment);
        }
    }
}

fn address_of(element: &str) -> [u8; 2] {
    let scope = clisonix_fhir::schema::Scope::Type(entry_id(PATIENT).ty);
    (scope.member(element).unwrap().element.0 + 16).to_be_bytes()
}

#[test]
fn a_list_element_goes_with_the_hash_that_names_it() {
    let mut a = first();
    let key = clisonix_crdt::ElementKey::hash_of([&b"system=phone"[..], b"value=0170-4711"]);
    let code = [&b"system=\"phone\""[..], b"value=\"0170-4711\""];
    let hashes = [key, clisonix_crdt::ElementKey::hash_of(code)];
    let before = leavings(&a.record);
    assert!(hashes.iter().any(|hash| holds(&before, hash)), "the address holds its hash");
    erase_value(&mut a, PATIENT, "/telecom/0/value").unwrap();
    assert_eq!(a.member(PATIENT, "telecom").unwrap(), r#"[{"system":"phone","value":"2"}]"#);
    let left = leavings(&a.record);
    assert!(!holds(&left, b"4711"));
    assert!(hashes.iter().all(|hash| !holds(&left, hash)));
    assert!(Record::load(&a.record.save()).unwrap().is_sound());
}

#[test]
fn an_entry_and_a_record_go_whole() {
    let mut a = first();
    let mut b = a.fork(b'B');
    a.remove("Condition/c1");
    let condition = entry_id("Condition/c1");
    let done = erase(&mut a, &Erasure::Entry(&condition)).unwrap();
    assert_eq!(done.entries, std::slice::from_ref(&condition));
    assert!(!a.record.knows(&condition));
    assert!(!holds(&leavings(&a.record), b"asthma"));
    assert_eq!(erase(&mut a, &Erasure::Entry(&condition)), Err(EraseError::NoSuchEntry));
    b.pull(&a);
    assert!(!b.record.knows(&condition));
    erase(&mut b, &Erasure::Record).unwrap();
    assert_eq!(b.record.view().all_entries().count(), 0);
    assert!(!holds(&leavings(&b.record), b"Okafor"));
    exchange(&mut a, &mut b);
    assert!(a.record.is_sound() && b.record.is_sound());
    assert_eq!(erase(&mut b, &Erasure::Record).unwrap_err(), EraseError::Nothing);
    b.put(r#"{"resourceType":"Patient","id":"patient-123","gender":"other"}"#);
    exchange(&mut a, &mut b);
    assert_eq!(a.member(PATIENT, "gender").as_deref(), Some("\"other\""));
}

#[test]
fn an_older_version_can_be_erased_alone() {
    let mut a = first();
    let at = a.record.view().heads();
    a.set(PATIENT, "birthDate", Some(r#""1971-05-05""#));
    let (entry, pointer) = (entry_id(PATIENT), "/birthDate");
    erase_at(&mut a, &Erasure::Value { entry: &entry, pointer }, &Base::Heads(at.clone())).unwrap();
    assert_eq!(a.member(PATIENT, "birthDate").as_deref(), Some("\"1971-05-05\""));
    let version = a.record.at(&at).unwrap();
    let shown = a.record.view_of(&version).resource(&entry).unwrap();
    assert_eq!(shown.get("birthDate"), None);
    assert!(shown.get("gender").is_some());
    assert!(!holds(&leavings(&a.record), b"1970-01-01"));
}

#[test]
fn what_was_written_meanwhile_is_refused_by_name_and_taken_whole() {
    let mut a = first();
    let mut b = a.fork(b'B');
    b.set(PATIENT, "birthDate", Some(r#""1970-01-03""#));
    let late = ids(&b.record).pop().unwrap();
    erase_value(&mut a, PATIENT, "/birthDate").unwrap();
    let received = a.record.receive(&b.record.change(&late).unwrap()).unwrap();
    assert_eq!(received.refused[0].reason, RefusalReason::Base);
    a.record.receive(&b.record.whole_changes_since(&a.record.view().heads())).unwrap();
    assert_eq!(a.member(PATIENT, "birthDate").as_deref(), Some("\"1970-01-03\""));
    exchange(&mut a, &mut b);
    assert!(a.conflicts().is_empty(), "an erased side is no side");
    assert!(a.record.is_sound() && b.record.is_sound());
}

#[test]
fn content_without_its_order_waits_for_it() {
    let mut a = first();
    erase_value(&mut a, PATIENT, "/birthDate").unwrap();
    let ids = ids(&a.record);
    let mut fresh = Record::new("patient-123");
    let received = fresh.receive(&a.record.change(&ids[0]).unwrap()).unwrap();
    assert_eq!((received.applied, received.waiting), (0, 1));
    let mut fresh = Record::load(&fresh.save()).unwrap();
    assert_eq!(fresh.waiting_count(), 1);
    fresh.receive(&a.record.change(&ids[2]).unwrap()).unwrap();
    fresh.receive(&a.record.change(&ids[1]).unwrap()).unwrap();
    assert_eq!(fresh.waiting_count(), 0);
    assert_eq!(fresh.state_bytes(), a.record.state_bytes());
    assert!(fresh.is_sound());
}

/// An order that cannot be applied lets nothing in, though it stands in the same run and names it.
#[test]
fn content_waits_for_an_order_that_waits_itself() {
    let mut a = first();
    erase_value(&mut a, PATIENT, "/birthDate").unwrap();
    let run = |numbers: &[usize]| {
        let segments: Vec<_> = numbers.iter().map(|&n| a.record.segment_of(n..n + 1)).collect();
        join_segments(&segments).unwrap()
    };
    let mut fresh = Record::new("patient-123");
    let received = fresh.receive(&run(&[0, 2])).unwrap();
    assert_eq!((received.applied, received.waiting), (0, 2));
    assert!(fresh.is_sound());
    let mut fresh = Record::load(&fresh.save()).unwrap();
    let received = fresh.receive(&run(&[1])).unwrap();
    assert_eq!((received.applied, received.waiting), (3, 0));
    assert_eq!(fresh.state_bytes(), a.record.state_bytes());
    assert!(fresh.is_sound());
}

#[test]
fn a_feeds_statement_can_be_erased_and_its_message_does_not_bring_it_back() {
    let mut a = first();
    let stated = object(r#"{"resourceType":"Patient","id":"patient-123","deceasedBoolean":true}"#);
    let source = Source { feed: "adt".into(), message: [7; 16], event_time_ms: 1_600_000_000_000 };
    let state = |site: &mut Site| {
        site.with(Some(source.clone()), |record, origin, actors| {
            record.state(&[(&stated, Coverage::Partial)], origin, actors)
        })
        .unwrap()
    };
    assert!(state(&mut a).is_some());
    a.set(PATIENT, "deceasedBoolean", Some("false"));
    erase_value(&mut a, PATIENT, "/deceasedBoolean").unwrap();
    assert!(state(&mut a).is_none());
    assert!(!holds(&leavings(&a.record), b"deceasedBoolean"));
    let value = clisonix_crdt::ElementKey::hash_of([&br#""deceasedBoolean":true"#[..]]);
    assert!(!holds(&leavings(&a.record), &value), "no hash of a superseded statement");
    assert!(a.record.is_sound());
}

#[test]
fn what_names_a_thing_is_erased_with_it() {
    let mut a = Site::new(b'A');
    let id = a.put(r#"{"resourceType":"AllergyIntolerance","code":{"text":"penicillin"},"patient":{"reference":"Patient/patient-123"}}"#);
    assert!(id.is_some());
    let entry = a.record.view().entries().next().unwrap().to_string();
    let named = |pointer: &str| Err(EraseError::Named { pointer: pointer.into() });
    assert_eq!(erase_value(&mut a, &entry, "/code"), named(""));
    a.put(r#"{"resourceType":"Patient","id":"patient-123","contact":[{"name":{"family":"Amadi"},"gender":"male"}]}"#);
    assert_eq!(erase_value(&mut a, PATIENT, "/contact/0/name"), named("/contact/0"));
    erase_value(&mut a, PATIENT, "/contact/0").unwrap();
    assert!(!holds(&leavings(&a.record), b"Amadi"));
}

#[test]
fn malformed_orders_are_refused() {
    let mut a = first();
    assert_eq!(erase_value(&mut a, PATIENT, "/photo"), Err(EraseError::Nothing));
    assert_eq!(erase_value(&mut a, PATIENT, "/nothing"), Err(EraseError::Pointer));
    assert_eq!(erase_value(&mut a, PATIENT, "/telecom/7"), Err(EraseError::Pointer));
    assert_eq!(erase_value(&mut a, PATIENT, "/id"), Err(EraseError::Pointer));
    assert_eq!(erase_value(&mut a, "Patient/x", "/gender"), Err(EraseError::NoSuchEntry));
    let long = "x".repeat(clisonix_crdt::MAX_REASON_BYTES + 1);
    let refused = a.with(None, |record, origin, actors| {
        record.erase(&Erasure::Record, &Base::Current, &long, origin, actors)
    });
    assert_eq!(refused, Err(EraseError::Reason));
    let order = erase_value(&mut a, PATIENT, "/gender").unwrap().change;
    let undone = a.with(None, |record, origin, actors| record.undo(&order, origin, actors));
    assert_eq!(undone, Err(clisonix_crdt::EditError::Erasure));
}

/// An actor goes on writing after some of its keys were destroyed, and newcomers follow.
#[test]
fn an_actor_writes_on_with_what_is_left_of_its_keys() {
    let mut a = first();
    for day in 1..40 {
        a.set(PATIENT, "gender", Some(&format!("\"g{day}\"")));
        if day % 7 == 0 {
            erase_value(&mut a, PATIENT, "/gender").unwrap();
        }
    }
    let mut fresh = Record::new("patient-123");
    assert_eq!(fresh.receive(&a.record.changes_since(&[])).unwrap().refused, []);
    assert_eq!(ids(&fresh), ids(&a.record));
    assert!(a.record.is_sound());
    assert!(a.record.save().len() < 12_000, "{}", a.record.save().len());
}

/// What somebody typed meanwhile in a text that was erased shows nothing, at both sites.
#[test]
fn a_text_goes_with_all_that_was_typed_in_it() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"course"},"note":[{"text":"secretly ill"}]}"#);
    let entry = entry_id("Observation/o1");
    let typing = |site: &mut Site, text: &str| {
        let mut edits = TextEdits::new();
        edits.insert(0, text).unwrap();
        site.with(None, |record, origin, actors| {
            record.edit_text(&entry, "/note/0/text", &edits, &Base::Current, origin, actors)
        })
        .unwrap();
    };
    typing(&mut a, "very ");
    let mut b = a.fork(b'B');
    typing(&mut b, "not ");
    erase_value(&mut a, "Observation/o1", "/note/0").unwrap();
    let left = leavings(&a.record);
    assert!(!holds(&left, b"secretly") && !holds(&left, b"very"));
    let received = a.record.receive(&b.record.changes_since(&a.record.view().heads())).unwrap();
    assert_eq!(received.refused[0].reason, RefusalReason::Base);
    let late = b.record.clone();
    b.pull(&a);
    pull(&mut a.record, &late);
    a.record = reload_apart(&a.record);
    exchange(&mut a, &mut b);
    a.record = reload_apart(&a.record);
    assert_eq!(a.member("Observation/o1", "note"), None);
    for record in [&a.record, &b.record] {
        assert!(record.is_sound());
        assert!(!holds(&leavings(record), b"secretly"));
        let mut fresh = Record::new("patient-123");
        assert_eq!(fresh.receive(&record.changes_since(&[])).unwrap().refused, []);
        assert_eq!(fresh.state_bytes(), record.state_bytes());
    }
}

trait EntryVersion {
    fn entry_version(&self, entry: &str) -> Option<String>;
}

impl EntryVersion for Record {
    fn entry_version(&self, entry: &str) -> Option<String> {
        self.view().entry_version_id(&entry_id(entry))
    }
}

/// One step of a random history in which some content is erased.
#[derive(Clone, Debug)]
enum Act {
    Put { site: usize, entry: u8, gender: u8, phones: Vec<u8> },
    PutOld { site: usize, back: u8, gender: u8 },
    Feed { site: usize, message: u8, gender: u8 },
    Remove { site: usize, entry: u8 },
    Erase { site: usize, entry: u8, what: u8, back: Option<u8> },
    Pull { to: usize, from: usize },
    Reload { site: usize, apart: bool },
}

fn act() -> impl Strategy<Value = Act> {
    let site = 0..3_usize;
    let phones = || proptest::collection::vec(0..4_u8, 0..4);
    prop_oneof![
        5 => (site.clone(), 0..2_u8, 0..3_u8, phones())
            .prop_map(|(site, entry, gender, phones)| Act::Put { site, entry, gender, phones }),
        1 => (site.clone(), 0..6_u8, 0..3_u8)
            .prop_map(|(site, back, gender)| Act::PutOld { site, back, gender }),
        2 => (site.clone(), 0..4_u8, 0..3_u8)
            .prop_map(|(site, message, gender)| Act::Feed { site, message, gender }),
        1 => (site.clone(), 0..2_u8).prop_map(|(site, entry)| Act::Remove { site, entry }),
        3 => (site.clone(), 0..2_u8, 0..8_u8, proptest::option::of(0..4_u8))
            .prop_map(|(site, entry, what, back)| Act::Erase { site, entry, what, back }),
        4 => (site.clone(), 0..3_usize).prop_map(|(to, from)| Act::Pull { to, from }),
        2 => (site, any::<bool>()).prop_map(|(site, apart)| Act::Reload { site, apart }),
    ]
}

fn patient(entry: u8, gender: u8, phones: &[u8]) -> String {
    let gender = ["male", "female", "other"][usize::from(gender)];
    let phones: Vec<String> =
        phones.iter().map(|n| format!(r#"{{"system":"phone","value":"{n}"}}"#)).collect();
    let phones = match phones.as_slice() {
        [] => String::new(),
        some => format!(r#","telecom":[{}]"#, some.join(",")),
    };
    format!(r#"{{"resourceType":"Patient","id":"p{entry}","gender":"{gender}"{phones}}}"#)
}

fn run(sites: &mut [Site; 3], act: &Act) {
    match act {
        Act::Put { site, entry, gender, phones } => {
            sites[*site].put(&patient(*entry, *gender, phones));
        }
        Act::PutOld { site, back, gender } => {
            let history = ids(&sites[*site].record);
            let Some(at) = history.len().checked_sub(1 + usize::from(*back)) else { return };
            let base = Base::Heads(vec![history[at]]);
            sites[*site].put_at(&patient(0, *gender, &[]), &base).unwrap();
        }
        Act::Feed { site, message, gender } => {
            let event_time_ms = 1_600_000_000_000 + u64::from(*message % 3);
            let source = Source { feed: "adt".into(), message: [*message; 16], event_time_ms };
            let stated = object(&patient(0, *gender, &[*message]));
            sites[*site]
                .with(Some(source), |record, origin, actors| {
                    record.state(&[(&stated, Coverage::Stated)], origin, actors)
                })
                .unwrap();
        }
        Act::Remove { site, entry } => {
            let id = entry_id(&format!("Patient/p{entry}"));
            let _ = sites[*site].with(None, |record, origin, actors| {
                record.remove(&id, &Base::Current, origin, actors)
            });
        }
        Act::Erase { site, entry, what, back } => {
            let site = &mut sites[*site];
            let entry = entry_id(&format!("Patient/p{entry}"));
            let history = ids(&site.record);
            let at = back.and_then(|back| history.len().checked_sub(1 + usize::from(back)));
            let base = at.map_or(Base::Current, |at| Base::Heads(vec![history[at]]));
            let what = match what {
                0 => Erasure::Record,
                1 => Erasure::Entry(&entry),
                2 | 3 => Erasure::Value { entry: &entry, pointer: "/telecom/0" },
                4 => Erasure::Value { entry: &entry, pointer: "/telecom" },
                _ => Erasure::Value { entry: &entry, pointer: "/gender" },
            };
            let before = history.len();
            if erase_at(site, &what, &base).is_err() {
                assert_eq!(site.record.change_count(), before);
            }
        }
        Act::Reload { site, apart } => {
            let record = &mut sites[*site].record;
            let before = record.state_bytes();
            *record =
                if *apart { reload_apart(record) } else { Record::load(&record.save()).unwrap() };
            assert_eq!(record.state_bytes(), before);
        }
        Act::Pull { to, from } => {
            if to != from {
                let from = sites[*from].record.clone();
                pull(&mut sites[*to].record, &from);
            }
        }
    }
}

/// Takes in what another replica has, in whole form where the short one is not understood.
fn pull(to: &mut Record, from: &Record) {
    let received = to.receive(&from.changes_since(&to.view().heads())).unwrap();
    assert!(received.refused.iter().all(|refused| refused.reason == RefusalReason::Base));
    let received = to.receive(&from.whole_changes_since(&to.view().heads())).unwrap();
    assert_eq!(received.refused, []);
    assert_eq!(received.waiting, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn any_order_with_erasures_gives_the_same_bytes(
        acts in proptest::collection::vec(act(), 1..40),
        shuffle in any::<u64>(),
    ) {
        let mut sites = [Site::new(b'A'), Site::new(b'B'), Site::new(b'C')];
        for act in &acts {
            run(&mut sites, act);
        }
        // Every site's form of every change: with content, without, short and whole.
        let mut singles: Vec<Vec<u8>> = Vec::new();
        for site in &sites {
            for id in ids(&site.record) {
                singles.push(site.record.change(&id).unwrap());
                singles.push(site.record.whole_change(&id).unwrap());
            }
        }
        let all: Vec<Record> = sites.iter().map(|site| site.record.clone()).collect();
        for site in &mut sites {
            for other in &all {
                pull(&mut site.record, other);
            }
        }
        let expected = sites[0].record.state_bytes();
        let shown = sites[0].record.view().bundle_text();
        for site in &sites {
            prop_assert_eq!(&site.record.state_bytes(), &expected);
            prop_assert_eq!(&site.record.view().bundle_text(), &shown);
            prop_assert_eq!(site.record.view().conflicts(), sites[0].record.view().conflicts());
            prop_assert!(site.record.is_sound());
            for loaded in [Record::load(&site.record.save()).unwrap(), reload_apart(&site.record)] {
                prop_assert_eq!(&loaded.state_bytes(), &expected);
                prop_assert!(loaded.is_sound());
                prop_assert_eq!(ids(&loaded), ids(&site.record));
            }
        }
        let mut order = shuffle;
        for index in (1..singles.len()).rev() {
            order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            singles.swap(index, (order >> 33) as usize % (index + 1));
        }
        let mut fresh = Record::new("patient-123");
        for bytes in &singles {
            let received = fresh.receive(bytes).unwrap();
            prop_assert!(
                received.refused.iter().all(|refused| refused.reason == RefusalReason::Base),
                "{:?}", received.refused
            );
        }
        for other in &all {
            pull(&mut fresh, other);
        }
        prop_assert_eq!(fresh.waiting_count(), 0);
        prop_assert_eq!(&fresh.state_bytes(), &expected);
        prop_assert!(fresh.is_sound());
    }

    /// Whatever of a history comes in one run: what is taken in stands without the rest.
    #[test]
    fn a_part_of_a_history_stands_alone(
        acts in proptest::collection::vec(act(), 1..40),
        parts in proptest::collection::vec(
            proptest::collection::vec(any::<prop::sample::Index>(), 1..12), 1..5,
        ),
    ) {
        let mut sites = [Site::new(b'A'), Site::new(b'B'), Site::new(b'C')];
        for act in &acts {
            run(&mut sites, act);
        }
        let [mut a, b, c] = sites.map(|site| site.record);
        pull(&mut a, &b);
        pull(&mut a, &c);
        prop_assume!(a.change_count() > 0);
        let mut fresh = Record::new("patient-123");
        for part in &parts {
            let numbers: BTreeSet<usize> =
                part.iter().map(|index| index.index(a.change_count())).collect();
            let part: Vec<_> = numbers.iter().map(|&n| a.segment_of(n..n + 1)).collect();
            fresh.receive(&join_segments(&part).unwrap()).unwrap();
            prop_assert!(fresh.is_sound());
            let mut other = Record::new("patient-123");
            let received = other.receive(&fresh.changes_since(&[])).unwrap();
            prop_assert_eq!((received.refused, received.waiting), (Vec::new(), 0));
            prop_assert_eq!(other.state_bytes(), fresh.state_bytes());
        }
        pull(&mut fresh, &a);
        prop_assert_eq!(fresh.waiting_count(), 0);
        prop_assert_eq!(fresh.state_bytes(), a.state_bytes());
        prop_assert!(fresh.is_sound());
    }

    #[test]
    fn damaged_orders_never_panic(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), saved in any::<bool>(),
    ) {
        let mut a = first();
        erase_value(&mut a, PATIENT, "/telecom/0").unwrap();
        a.set(PATIENT, "gender", Some("\"other\""));
        if saved {
            let mut bytes = a.record.save();
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
            let _ = Record::load(&bytes);
        } else {
            let change = a.record.change(&ids(&a.record)[2]).unwrap();
            for mut bytes in [a.record.changes_since(&[]), change] {
                let at = at.index(bytes.len());
                bytes[at] ^= byte;
                let mut fresh = first().record;
                let _ = fresh.receive(&bytes);
                let _ = Value::from(fresh.view().bundle_text());
            }
        }
    }
}

#[test]
fn a_record_is_sound_while_an_order_waits_here() {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Observation","id":"o","status":"final","note":[{"text":"one"},{"text":"two"}]}"#,
    );
    let mut b = a.fork(b'B');
    let id = entry_id("Observation/o");
    let types = |site: &mut Site, pointer: &str| {
        let mut edits = TextEdits::new();
        edits.insert(0, "x").unwrap();
        site.with(None, |record, origin, actors| {
            record.type_text(&id, pointer, &edits, origin, actors)
        })
        .unwrap();
    };
    types(&mut a, "/note/0/text");
    erase(&mut b, &Erasure::Entry(&id)).unwrap();
    types(&mut a, "/note/1/text");
    erase_value(&mut a, "Observation/o", "/note/0").unwrap();
    // What was typed in the second note overwrites what is gone here, and the order comes after it.
    let received = b.record.receive(&a.record.changes_since(&[])).unwrap();
    assert_eq!(received.refused.len(), 1);
    assert_eq!(received.refused[0].reason, RefusalReason::Base);
    assert_eq!(b.record.waiting_count(), 3, "what lacks content waits with its order");
    assert!(b.record.is_sound());
    b.record.receive(&a.record.whole_changes_since(&[])).unwrap();
    assert_eq!(b.record.waiting_count(), 0);
    assert!(b.record.is_sound());
    a.pull(&b);
    assert_eq!(a.record.state_bytes(), b.record.state_bytes());
}

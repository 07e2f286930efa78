//! Bytes from outside: damaged, reordered, early, forged.

use clisonix_crdt::{EditError, Link, OLDEST_RECORD_VERSION, ReceiveError, Record, RefusalReason};
use clisonix_fhir::json::{MAX_DEPTH, Value};
use proptest::prelude::*;

use crate::site::Site;

fn sample() -> Site {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Patient","id":"patient-123","gender":"male","name":[{"family":"X"}]}"#,
    );
    a.set("Patient/patient-123", "gender", Some(r#""female""#));
    a.set("Patient/patient-123", "name", None);
    a
}

#[test]
fn early_changes_wait_visibly() {
    let a = sample();
    let ids: Vec<_> = a.record.history(None).into_iter().map(|change| change.id).collect();
    let mut b = Record::new("patient-123");
    for (index, id) in ids.iter().rev().enumerate() {
        let received = b.receive(&a.record.change(id).unwrap()).unwrap();
        let last = index + 1 == ids.len();
        assert_eq!(received.waiting, if last { 0 } else { index + 1 });
    }
    assert_eq!(b.state_bytes(), a.record.state_bytes());
}

#[test]
fn an_actor_that_says_two_things_under_one_number_is_refused() {
    let (mut a, mut b) = (Site::new(b'A'), Site::new(b'A'));
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#);
    b.put(r#"{"resourceType":"Patient","id":"p","gender":"female"}"#);
    let before = a.record.state_bytes();
    let received = a.record.receive(&b.record.changes_since(&[])).unwrap();
    assert_eq!(received.refused.len(), 1);
    assert_eq!(received.refused[0].reason, RefusalReason::Equivocation);
    assert_eq!(a.record.state_bytes(), before);
}

/// What one replica accepts, all accept; that it is no valid FHIR is its author's fault alone.
#[test]
fn an_invalid_edit_is_taken_in_everywhere() {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Observation","id":"o","valueString":"x","valueQuantity":{"value":1},"_valueString":{"id":"y"},"valueCodeableConcept":{"text":"z"},"valueInteger":2}"#,
    );
    let id = crate::site::entry_id("Observation/o");
    let value = crate::site::value(r#""2024""#);
    a.with(None, |record, origin, actors| {
        record.set(&id, "/valueDateTime", &value, origin, actors)
    })
    .unwrap();
    let mut b = Record::new("patient-123");
    assert_eq!(b.receive(&a.record.changes_since(&[])).unwrap().refused, []);
    assert_eq!(b.state_bytes(), a.record.state_bytes());
    assert!(Record::load(&a.record.save()).unwrap().is_sound());
}

#[test]
fn changes_of_another_record_are_refused() {
    let mut other = Record::new("patient-124");
    let batch = sample().record.changes_since(&[]);
    assert_eq!(other.receive(&batch), Err(ReceiveError::OtherRecord));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut record = Record::new("patient-123");
        let _ = Record::load(&bytes);
        let _ = record.receive(&bytes);
        let _ = Link::new().read(&bytes);
        for (version, flags) in [(3, 0), (3, 1), (3, 2), (3, 3), (4, 1), (4, 4), (4, 5)] {
            let mut batch = b"CXB".to_vec();
            batch.extend([version, flags]);
            batch.extend(b"\x0bpatient-123");
            batch.extend(&bytes);
            let _ = record.receive(&batch);
        }
    }

    #[test]
    fn damaged_batches_never_panic_and_never_change_what_was_there(
        at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        let mut a = sample();
        let mut bytes = a.record.changes_since(&[]);
        let index = at.index(bytes.len());
        bytes[index] ^= with;
        if with % 3 == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        let heads = a.record.view().heads();
        let _ = a.record.receive(&bytes);
        let version = a.record.at(&heads).expect("its own heads are still known");
        prop_assert_eq!(a.record.view_of(&version).heads(), heads);
        let mut fresh = Record::new("patient-123");
        if fresh.receive(&bytes).is_ok() {
            let text = fresh.view().bundle_text();
            prop_assert!(clisonix_fhir::json::parse(text.as_bytes()).is_ok(), "{}", text);
            let _ = fresh.view().conflicts();
            let _ = fresh.history(None);
        }
    }

    #[test]
    fn a_damaged_saved_record_is_refused(at in any::<prop::sample::Index>(), with in 1_u8..) {
        let mut bytes = sample().record.save();
        let index = at.index(bytes.len());
        bytes[index] ^= with;
        // The older version is read alike.
        let is_older = bytes[3] == OLDEST_RECORD_VERSION;
        prop_assert!(Record::load(&bytes).is_err() || is_older);
    }

    /// Damage that keeps the checksum, as somebody who forges would.
    #[test]
    fn a_forged_saved_record_never_panics(at in any::<prop::sample::Index>(), with in 1_u8..) {
        let mut bytes = sample().record.save();
        let index = 8 + at.index(bytes.len() - 8);
        bytes[index] ^= with;
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.sum().to_be_bytes());
        if let Ok(mut record) = Record::load(&bytes) {
            let _ = record.view().bundle_text();
            let _ = record.view().conflicts();
            let _ = record.history(None);
            let _ = record.is_sound();
            let _ = record.receive(&sample().record.changes_since(&[]));
            let _ = record.save();
        }
    }
}

/// What other replicas would refuse is not made here either, whichever way the edit takes.
#[test]
fn a_value_nested_too_deeply_is_refused_where_it_is_written() {
    let mut a = sample();
    let before = a.record.state_bytes();
    let id = crate::site::entry_id("Patient/patient-123");
    let deep = (0..MAX_DEPTH).fold(Value::from("x"), |inner, _| Value::Array(vec![inner]));
    // A member that is not there yet, and one that is.
    for pointer in ["/birthDate", "/gender"] {
        let set =
            a.with(None, |record, origin, actors| record.set(&id, pointer, &deep, origin, actors));
        assert!(matches!(set, Err(EditError::Shape { .. })), "{pointer}: {set:?}");
    }
    let mut resource = a.shown("Patient/patient-123").unwrap();
    resource.as_object_mut().unwrap().insert("birthDate", deep);
    let object = resource.as_object().unwrap();
    let edited = a.with(None, |record, origin, actors| {
        record.edit(&[object], &clisonix_crdt::Base::Current, origin, actors)
    });
    assert!(matches!(edited, Err(EditError::Shape { .. })), "{edited:?}");
    assert_eq!(a.record.state_bytes(), before);
}

//! Bytes from outside: damaged, reordered, early, forged.

use clisonix_crdt::{ReceiveError, Record, RefusalReason};
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

#[test]
fn changes_of_another_record_are_refused() {
    let mut other = Record::new("patient-124");
    assert_eq!(other.receive(&sample().record.save()), Err(ReceiveError::OtherRecord));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Record::load(&bytes);
        let mut with_magic = b"CXB\x01\x0bpatient-123".to_vec();
        with_magic.extend(bytes);
        let _ = Record::load(&with_magic);
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
        if let Ok(loaded) = Record::load(&bytes) {
            let text = loaded.view().bundle_text();
            prop_assert!(clisonix_fhir::json::parse(text.as_bytes()).is_ok(), "{}", text);
            let _ = loaded.view().conflicts();
        }
    }
}

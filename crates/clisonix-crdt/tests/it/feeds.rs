//! Feeds: idempotent, ordered by their own event time, never reverting what people edited.

use clisonix_crdt::{Coverage, Source};

use crate::site::{Site, exchange, object, value};

fn say(site: &mut Site, feed: &str, message: u8, minute: u64, resource: &str) -> bool {
    let object = object(resource);
    let source = Source {
        feed: feed.into(),
        message: [message; 16],
        event_time_ms: 1_700_000_000_000 + minute * 60_000,
    };
    site.with(Some(source), |record, origin, actors| {
        record.state(&[(&object, Coverage::Stated)], origin, actors)
    })
    .expect("accepted")
    .is_some()
}

fn patient(rest: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"p"{rest}}}"#)
}

#[test]
fn a_resend_changes_nothing() {
    let mut a = Site::new(b'A');
    assert!(say(&mut a, "adt", 1, 0, &patient(r#","gender":"male""#)));
    let before = a.record.state_bytes();
    assert!(!say(&mut a, "adt", 1, 0, &patient(r#","gender":"male""#)));
    assert_eq!(a.record.state_bytes(), before);
}

#[test]
fn two_sites_that_take_in_the_same_messages_agree_without_a_conflict() {
    let (mut a, mut b) = (Site::new(b'A'), Site::new(b'B'));
    b.now += 5_000_000;
    for site in [&mut a, &mut b] {
        say(
            site,
            "adt",
            1,
            0,
            &patient(r#","gender":"male","telecom":[{"value":"1"},{"value":"2"}]"#),
        );
        say(site, "adt", 2, 5, &patient(r#","gender":"female","telecom":[{"value":"2"}]"#));
    }
    exchange(&mut a, &mut b);
    assert!(a.conflicts().is_empty(), "{:?}", a.conflicts());
    assert_eq!(
        a.content("Patient/p"),
        Some(value(&patient(r#","telecom":[{"value":"2"}],"gender":"female""#)))
    );
}

#[test]
fn an_edit_of_one_copy_settles_both() {
    let (mut a, mut b) = (Site::new(b'A'), Site::new(b'B'));
    say(&mut a, "adt", 1, 0, &patient(r#","gender":"male""#));
    say(&mut b, "adt", 1, 0, &patient(r#","gender":"male""#));
    b.set("Patient/p", "gender", Some(r#""female""#));
    exchange(&mut a, &mut b);
    assert_eq!(a.member("Patient/p", "gender").unwrap(), r#""female""#);
    assert!(a.conflicts().is_empty(), "the message is one write, wherever it was taken in");
}

#[test]
fn a_removal_of_one_copy_removes_both() {
    let (mut a, mut b) = (Site::new(b'A'), Site::new(b'B'));
    for site in [&mut a, &mut b] {
        say(site, "adt", 1, 0, &patient(r#","gender":"male","name":[{"family":"X"}]"#));
    }
    b.remove("Patient/p");
    exchange(&mut a, &mut b);
    assert!(a.shown("Patient/p").is_none() && a.conflicts().is_empty());
}

#[test]
fn a_restatement_does_not_revert_what_people_edited() {
    let mut a = Site::new(b'A');
    say(&mut a, "adt", 1, 0, &patient(r#","gender":"male","birthDate":"1970-01-01""#));
    a.set("Patient/p", "birthDate", Some(r#""1971-01-01""#));
    say(&mut a, "adt", 2, 5, &patient(r#","gender":"male","birthDate":"1970-01-01""#));
    assert_eq!(a.member("Patient/p", "birthDate").unwrap(), r#""1971-01-01""#);
    assert!(a.conflicts().is_empty());
    say(&mut a, "adt", 3, 9, &patient(r#","birthDate":"1972-01-01""#));
    assert_eq!(a.conflicts().len(), 1, "a new statement of the feed does not overwrite silently");
}

#[test]
fn a_late_message_does_not_undo_a_newer_one() {
    let newer = patient(r#","gender":"female","name":[{"family":"New"}]"#);
    let older = patient(r#","gender":"male","name":[{"family":"Old"}],"birthDate":"1970-01-01""#);
    let mut a = Site::new(b'A');
    say(&mut a, "adt", 2, 5, &newer);
    say(&mut a, "adt", 1, 0, &older);
    let shown = a.content("Patient/p").unwrap().to_text();
    assert!(shown.contains("female") && shown.contains("1970-01-01"), "{shown}");
    assert!(a.conflicts().is_empty());
    // Another site got them in order; together they agree on every cell that both messages state.
    let mut b = Site::new(b'B');
    say(&mut b, "adt", 1, 0, &older);
    say(&mut b, "adt", 2, 5, &newer);
    exchange(&mut a, &mut b);
    assert_eq!(a.member("Patient/p", "gender").unwrap(), r#""female""#);
    assert!(a.conflicts().is_empty(), "{:?}", a.conflicts());
}

#[test]
fn absent_says_nothing_and_null_retracts() {
    let mut a = Site::new(b'A');
    say(&mut a, "adt", 1, 0, &patient(r#","gender":"male","birthDate":"1970-01-01""#));
    say(&mut a, "adt", 2, 1, &patient(r#","gender":"male""#));
    assert!(a.member("Patient/p", "birthDate").is_some());
    say(&mut a, "adt", 3, 2, &patient(r#","birthDate":null"#));
    assert!(a.member("Patient/p", "birthDate").is_none());
}

/// A null takes back a thing with members of its own, a list and a group as it does one value.
#[test]
fn null_retracts_what_has_any_shape() {
    let request = |rest: &str| format!(r#"{{"resourceType":"MedicationRequest","id":"m"{rest}}}"#);
    let said = r#","status":"active","dispenseRequest":{"numberOfRepeatsAllowed":3},"note":[{"text":"n"}],"doNotPerform":true,"medicationCodeableConcept":{"text":"x"}"#;
    let retracted = [
        ("dispenseRequest", "status"),
        ("note", "status"),
        ("doNotPerform", "status"),
        ("medicationCodeableConcept", "status"),
        ("status", "dispenseRequest"),
    ];
    for (member, kept) in retracted {
        let mut a = Site::new(b'A');
        say(&mut a, "rx", 1, 0, &request(said));
        assert!(a.member("MedicationRequest/m", member).is_some(), "{member}");
        say(&mut a, "rx", 2, 1, &request(&format!(r#","{member}":null"#)));
        assert!(a.member("MedicationRequest/m", member).is_none(), "{member}");
        assert!(a.member("MedicationRequest/m", kept).is_some(), "{member}");
    }
}

#[test]
fn two_feeds_that_disagree_are_a_conflict_with_both_sources() {
    let mut a = Site::new(b'A');
    say(&mut a, "adt", 1, 0, &patient(r#","birthDate":"1970-01-01""#));
    say(&mut a, "ccda", 9, 1, &patient(r#","birthDate":"1970-10-01""#));
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1);
    let feeds: Vec<&str> =
        conflicts[0].sides.iter().map(|side| &*side.source.as_ref().unwrap().feed).collect();
    assert_eq!(feeds, ["ccda", "adt"], "the latest first");
}

#[test]
fn a_partial_list_adds_and_updates_but_never_removes() {
    let mut a = Site::new(b'A');
    say(
        &mut a,
        "adt",
        1,
        0,
        &patient(r#","identifier":[{"system":"m","value":"1"},{"system":"s","value":"2"}]"#),
    );
    let object = object(&patient(
        r#","identifier":[{"system":"m","value":"1","use":"usual"},{"system":"t","value":"3"}]"#,
    ));
    let source = Source { feed: "adt".into(), message: [2; 16], event_time_ms: 1_700_000_000_001 };
    a.with(Some(source), |record, origin, actors| {
        record.state(&[(&object, Coverage::Partial)], origin, actors)
    })
    .unwrap();
    let list = a.member("Patient/p", "identifier").unwrap();
    assert!(["usual", "\"2\"", "\"3\""].iter().all(|part| list.contains(part)), "{list}");
    assert_eq!(list.matches("system").count(), 3);
}

#[test]
fn one_feed_with_more_words_is_no_conflict_but_a_person_with_fewer_is() {
    let mut a = Site::new(b'A');
    say(&mut a, "adt", 1, 0, &patient(r#","maritalStatus":{"coding":[{"code":"M"}]}"#));
    say(
        &mut a,
        "fhir",
        2,
        1,
        &patient(r#","maritalStatus":{"coding":[{"code":"M","display":"Married"}],"text":"m"}"#),
    );
    say(&mut a, "ccda", 3, 2, &patient(r#","maritalStatus":{"coding":[{"code":"M"}]}"#));
    assert!(a.conflicts().is_empty(), "{:?}", a.conflicts());
    assert!(a.member("Patient/p", "maritalStatus").unwrap().contains("Married"));
    let mut b = a.fork(b'B');
    a.set("Patient/p", "maritalStatus", Some(r#"{"coding":[{"code":"M"}]}"#));
    b.set("Patient/p", "maritalStatus", Some(r#"{"coding":[{"code":"M"}],"text":"m"}"#));
    exchange(&mut a, &mut b);
    assert_eq!(a.conflicts().len(), 1);
}

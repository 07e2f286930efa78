//! Versions, history, blame, stale edits, saving.

use clisonix_crdt::{Base, EditError, Record};

use crate::site::{Site, entry_id, exchange, value};

const P: &str = "Patient/p";

#[test]
fn a_history_without_concurrency_yields_the_last_document() {
    let mut a = Site::new(b'A');
    let documents = [
        r#"{"resourceType":"Patient","id":"p","meta":{"profile":["http://x/y"],"tag":[{"code":"t"}]},"gender":"male","name":[{"family":"A"},{"family":"B"}]}"#,
        r#"{"resourceType":"Patient","id":"p","name":[{"family":"B"},{"family":"C"},{"family":"A"}],"deceasedBoolean":false}"#,
        r#"{"resourceType":"Patient","id":"p","name":[{"family":"C"}],"deceasedDateTime":"2020","multipleBirthInteger":2}"#,
        r#"{"resourceType":"Patient","id":"p","x-unknown":{"b":1,"a":[1.10]},"_gender":{"id":"g"}}"#,
    ];
    for document in documents {
        a.put(document);
        assert_eq!(a.content(P), Some(value(document)));
    }
    assert!(a.conflicts().is_empty());
}

#[test]
fn every_version_can_be_read() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#);
    let old = a.record.view().heads();
    let old_version = a.record.view().version_id();
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"female"}"#);
    let version = a.record.at(&old).unwrap();
    let shown = a.record.view_of(&version).resource(&entry_id(P)).unwrap();
    assert_eq!(shown.get("gender").unwrap().as_str(), Some("male"));
    assert_eq!(a.record.heads_of_version(&old_version).unwrap(), old);
    assert_eq!(a.record.view_of(&version).version_id(), old_version);
}

#[test]
fn the_same_state_carries_the_same_version_everywhere() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#);
    let mut b = a.fork(b'B');
    a.set(P, "birthDate", Some(r#""1970-01-01""#));
    b.set(P, "active", Some("true"));
    exchange(&mut a, &mut b);
    assert_eq!(a.record.view().version_id(), b.record.view().version_id());
    let id = a
        .shown(P)
        .unwrap()
        .get("meta")
        .unwrap()
        .get("versionId")
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        id.len() <= 64 && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'.')
    );
}

#[test]
fn edits_at_an_old_version_are_concurrent_with_each_other_and_with_what_came_since() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#);
    let read = Base::Heads(a.record.view().heads());
    a.put_at(
        r#"{"resourceType":"Patient","id":"p","gender":"male","birthDate":"1970-01-01"}"#,
        &read,
    )
    .unwrap();
    a.put_at(r#"{"resourceType":"Patient","id":"p","gender":"other","active":true}"#, &read)
        .unwrap();
    a.put_at(r#"{"resourceType":"Patient","id":"p","gender":"female"}"#, &read).unwrap();
    let shown = a.content(P).unwrap();
    assert!(shown.get("birthDate").is_some() && shown.get("active").is_some(), "nothing is lost");
    let conflicts = a.conflicts();
    assert_eq!((conflicts.len(), conflicts[0].sides.len()), (1, 2));
    let nowhere = Base::Heads(vec![clisonix_crdt::ChangeId([7; 32])]);
    assert_eq!(
        a.put_at(r#"{"resourceType":"Patient","id":"p"}"#, &nowhere),
        Err(EditError::UnknownVersion)
    );
}

#[test]
fn many_heads_still_make_a_version_that_can_be_found() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#);
    let read = Base::Heads(a.record.view().heads());
    for day in 1..9 {
        let text = format!(
            r#"{{"resourceType":"Patient","id":"p","gender":"male","birthDate":"1970-01-0{day}"}}"#
        );
        a.put_at(&text, &read).unwrap();
    }
    let version = a.record.view().version_id();
    assert!(version.starts_with('h'));
    let heads = a.record.view().heads();
    a.set(P, "active", Some("true"));
    assert_eq!(a.record.heads_of_version(&version).unwrap(), heads);
}

#[test]
fn blame_names_the_author_of_every_cell() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male","name":[{"family":"X"}]}"#);
    let mut b = a.fork(b'B');
    b.set(P, "gender", Some(r#""female""#));
    exchange(&mut a, &mut b);
    let blame = a.record.view().blame(&entry_id(P));
    let authors: Vec<(&str, &str)> = blame.iter().map(|b| (b.path.as_str(), &*b.author)).collect();
    assert_eq!(authors, [("Patient.name[0]", "clinician-A"), ("Patient.gender", "clinician-B")]);
}

#[test]
fn a_saved_record_is_the_same_record() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male","name":[{"family":"X"}]}"#);
    a.set(P, "gender", None);
    let loaded = Record::load(&a.record.save()).unwrap();
    assert_eq!(loaded.state_bytes(), a.record.state_bytes());
    assert_eq!(loaded.view().heads(), a.record.view().heads());
    assert_eq!(loaded.history(None).len(), 2);
}

#[test]
fn removing_through_a_whole_record_edit() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#);
    a.put(r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"}}"#);
    let keep = crate::site::object(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#);
    a.with(None, |record, origin, actors| {
        record.edit_all(&[&keep], &Base::Current, origin, actors)
    })
    .unwrap();
    assert!(a.shown("Observation/o").is_none() && a.shown(P).is_some());
}

#[test]
fn a_generated_narrative_that_fits_no_branch_is_dropped_and_stays_dropped() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">male</div>"},"gender":"male"}"#);
    let mut b = a.fork(b'B');
    a.set(P, "birthDate", Some(r#""1970-01-01""#));
    b.set(P, "gender", Some(r#""female""#));
    assert!(b.member(P, "text").is_some(), "one author's own version keeps it");
    exchange(&mut a, &mut b);
    assert!(a.member(P, "text").is_none());
    a.set(P, "active", Some("true"));
    assert!(a.member(P, "text").is_none(), "a later edit does not bring it back");
}

#[test]
fn two_equal_keys_in_one_edit_are_two_entries() {
    let result = |value: u8| {
        crate::site::object(&format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"valueInteger":{value}}}"#
        ))
    };
    let (one, two) = (result(1), result(2));
    let mut a = Site::new(b'A');
    let edit = |a: &mut Site| {
        a.with(None, |record, origin, actors| {
            record.edit(&[&one, &two], &Base::Assertion, origin, actors)
        })
    };
    edit(&mut a).unwrap();
    assert_eq!(a.record.view().entries().count(), 2);
    edit(&mut a).unwrap();
    assert_eq!(a.record.view().entries().count(), 2, "said again, they are the same two");
    let id = crate::site::object(r#"{"resourceType":"Patient","id":"p"}"#);
    let twice = a.with(None, |record, origin, actors| {
        record.edit(&[&id, &id], &Base::Current, origin, actors)
    });
    assert_eq!(twice, Err(EditError::SameEntryTwice));
}

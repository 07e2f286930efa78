//! Records stored and loaded: the state as it was, the history behind it, and what comes after.

use clisonix_crdt::{Base, Link, Record};

use crate::site::{Site, exchange, reload_apart};
use crate::vectors::{committed, unhex};

fn edited() -> (Site, Site) {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Patient","id":"patient-123","gender":"male","name":[{"family":"Okafor"}],"telecom":[{"system":"phone","value":"1"},{"system":"phone","value":"2"}]}"#,
    );
    a.put(
        r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/patient-123"}}"#,
    );
    let mut b = a.fork(b'B');
    a.set("Patient/patient-123", "gender", Some(r#""female""#));
    b.set("Patient/patient-123", "gender", Some(r#""other""#));
    b.set("Patient/patient-123", "telecom", Some(r#"[{"system":"phone","value":"2"}]"#));
    a.remove("Condition/c1");
    exchange(&mut a, &mut b);
    (a, b)
}

#[test]
fn a_loaded_record_is_what_was_saved() {
    let (a, _) = edited();
    let loaded = Record::load(&a.record.save()).unwrap();
    assert_eq!(loaded.view().bundle_text(), a.record.view().bundle_text());
    assert_eq!(loaded.view().conflicts(), a.record.view().conflicts());
    assert_eq!(loaded.state_bytes(), a.record.state_bytes());
    assert_eq!(loaded.history(None), a.record.history(None));
    assert_eq!(loaded.changes_since(&[]), a.record.changes_since(&[]));
    assert_eq!(loaded.latest_time(), a.record.latest_time());
    assert!(loaded.is_sound());
    for change in a.record.history(None) {
        let (there, here) = (a.record.at(&[change.id]).unwrap(), loaded.at(&[change.id]).unwrap());
        assert_eq!(a.record.view_of(&there).bundle_text(), loaded.view_of(&here).bundle_text());
    }
}

/// The message of an edit names what the edit overwrites, which the state tells without the log.
#[test]
fn an_edit_and_its_message_leave_the_log_packed() {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Patient","id":"patient-123","gender":"male","birthDate":"1970-01-01","telecom":[{"system":"phone","value":"1"},{"system":"phone","value":"2"}]}"#,
    );
    let mut b = a.fork(b'B');
    a.record = Record::load(&a.record.save()).unwrap();
    let (mut out, mut into, first) = (Link::new(), Link::new(), a.record.change_count());
    for (pointer, text) in [("/telecom/1/value", "3"), ("/gender", "female"), ("/gender", "other")]
    {
        a.set_at("Patient/patient-123", pointer, text);
    }
    let message = out.write(&a.record, first);
    assert!(!a.record.has_read_log());
    b.record.receive_message(into.read(&message).unwrap()).unwrap();
    assert_eq!(b.record.state_bytes(), a.record.state_bytes());
    let again = Record::load(&a.record.save()).unwrap();
    assert_eq!(again.changes_since(&[]), b.record.changes_since(&[]));
}

/// What both sites overwrote stands no more in the state that takes the other's edits in; it is
/// known all the same.
#[test]
fn concurrent_edits_of_what_was_loaded_leave_the_log_packed() {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Patient","id":"patient-123","gender":"male","birthDate":"1970-01-01","name":[{"family":"Okafor","given":["Ada"]}],"telecom":[{"system":"phone","value":"1"},{"system":"phone","value":"2"}]}"#,
    );
    a.set_at("Patient/patient-123", "/birthDate", "1970-01-02");
    let (mut whole, mut b) = (a.fork(b'C'), a.fork(b'B'));
    let mut loaded = a.fork(b'C');
    loaded.record = reload_apart(&a.record);
    let own = [("/telecom/1/value", "3"), ("/gender", "female"), ("/name/0/family", "Okoro")];
    let theirs = [("/gender", "other"), ("/telecom/1/value", "44"), ("/telecom/0/value", "11")];
    let later = [("/name/0/family", "Okafor-Obi"), ("/birthDate", "1970-01-03")];
    for (pointer, text) in theirs {
        b.set_at("Patient/patient-123", pointer, text);
    }
    let first = b.record.changes_since(&a.record.view().heads());
    let seen = b.record.view().heads();
    for (pointer, text) in later {
        b.set_at("Patient/patient-123", pointer, text);
    }
    let second = b.record.changes_since(&seen);
    for site in [&mut whole, &mut loaded] {
        for (pointer, text) in own {
            site.set_at("Patient/patient-123", pointer, text);
        }
        for message in [&first, &second] {
            assert_eq!(site.record.receive(message).unwrap().refused, []);
        }
        // What was overwritten by what came is known too.
        site.set_at("Patient/patient-123", "/birthDate", "1970-01-04");
    }
    assert!(!loaded.record.has_read_log());
    assert_eq!(loaded.record.state_bytes(), whole.record.state_bytes());
    assert_eq!(loaded.record.history(None), whole.record.history(None));
    assert!(loaded.record.is_sound());
}

/// Format 3 does not say which operation of a change wrote a cell.
#[test]
fn a_record_saved_in_the_format_before_is_read_and_edited() {
    let file = committed("record-3.json");
    let part = |name: &str| unhex(file.get(name).unwrap());
    let old = Record::load(&part("saved")).unwrap();
    assert!(old.is_sound());
    assert_eq!(old.state_bytes(), part("state"));
    let mut fresh = Record::new("patient-123");
    fresh.receive(&old.changes_since(&[])).unwrap();
    let mut messages = Vec::new();
    for record in [old.clone(), fresh.clone(), Record::load(&old.save()).unwrap()] {
        let mut site = Site::new(b'X');
        site.record = record;
        let (mut out, first) = (Link::new(), site.record.change_count());
        site.set_at("Patient/patient-123", "/contact/0/gender", "other");
        site.set_at("Patient/patient-123", "/telecom/0/value", "9");
        messages.push(out.write(&site.record, first));
        assert!(site.record.is_sound());
    }
    assert_eq!(messages[0], messages[1]);
    assert_eq!(messages[0], messages[2]);
}

#[test]
fn a_loaded_record_goes_on() {
    let (mut a, mut b) = edited();
    b.record = Record::load(&b.record.save()).unwrap();
    a.set("Patient/patient-123", "birthDate", Some(r#""1970-01-01""#));
    b.set("Patient/patient-123", "gender", Some(r#""unknown""#));
    exchange(&mut a, &mut b);
    b.record = Record::load(&b.record.save()).unwrap();
    b.set("Patient/patient-123", "name", None);
    exchange(&mut a, &mut b);
    assert!(b.record.is_sound());
}

#[test]
fn an_edit_at_an_old_version_of_a_loaded_record_is_concurrent() {
    let (mut a, _) = edited();
    let first = a.record.history(None)[0].id;
    a.record = Record::load(&a.record.save()).unwrap();
    let old = r#"{"resourceType":"Patient","id":"patient-123","gender":"unknown","name":[{"family":"Okafor"}],"telecom":[{"system":"phone","value":"1"},{"system":"phone","value":"2"}]}"#;
    a.put_at(old, &Base::Heads(vec![first])).unwrap();
    assert_eq!(a.conflicts().iter().filter(|c| c.path == "Patient.gender").count(), 1);
    assert_eq!(a.conflicts()[0].sides.len(), 3);
}

#[test]
fn waiting_changes_are_saved_too() {
    let (a, _) = edited();
    let ids: Vec<_> = a.record.history(None).into_iter().map(|change| change.id).collect();
    let mut early = Record::new("patient-123");
    for id in ids.iter().skip(1) {
        early.receive(&a.record.change(id).unwrap()).unwrap();
    }
    let mut loaded = Record::load(&early.save()).unwrap();
    assert_eq!(loaded.waiting_count(), ids.len() - 1);
    let received = loaded.receive(&a.record.change(&ids[0]).unwrap()).unwrap();
    assert_eq!(received.applied, ids.len());
    assert_eq!(loaded.state_bytes(), a.record.state_bytes());
}

#[test]
fn a_link_says_each_thing_once() {
    let mut a = Site::new(b'A');
    let mut b = Site::new(b'B');
    let (mut out, mut into) = (Link::new(), Link::new());
    a.put(
        r#"{"resourceType":"Patient","id":"patient-123","gender":"male","birthDate":"1970-01-01"}"#,
    );
    let mut sizes = Vec::new();
    for day in 1..=5 {
        let first = a.record.change_count();
        a.set("Patient/patient-123", "birthDate", Some(&format!(r#""1970-01-1{day}""#)));
        let bytes = out.write(&a.record, if day == 1 { 0 } else { first });
        sizes.push(bytes.len());
        let message = into.read(&bytes).unwrap();
        assert_eq!(message.record(), "patient-123");
        let received = b.record.receive_message(message).unwrap();
        assert!(received.refused.is_empty() && received.waiting == 0, "{received:?}");
    }
    assert_eq!(a.record.state_bytes(), b.record.state_bytes());
    assert!(sizes[1..].iter().all(|&size| size <= 24), "{sizes:?}");
    assert!(into.read(&[0xff]).is_err());
    assert!(into.read(&out.write(&a.record, 0)).is_err(), "a broken link stays broken");
}

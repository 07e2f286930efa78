//! Versions, history, blame, stale edits, saving.

use clisonix_crdt::{Base, EditError, Patch, Record};

use crate::site::value as value_of;
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

fn undo(site: &mut Site, change: clisonix_crdt::ChangeId) -> bool {
    site.with(None, |record, origin, actors| record.undo(&change, origin, actors))
        .unwrap()
        .is_some()
}

#[test]
fn an_undone_change_gives_back_what_was_there() {
    let mut a = Site::new(b'A');
    let first = r#"{"resourceType":"Patient","id":"p","gender":"male","telecom":[{"system":"phone","value":"1"},{"system":"phone","value":"2"}],"contact":[{"gender":"male"}]}"#;
    a.put(first);
    let before = a.content("Patient/p");
    let second = r#"{"resourceType":"Patient","id":"p","birthDate":"1970-01-01","gender":"female","telecom":[{"system":"phone","value":"2"},{"system":"phone","value":"3"}]}"#;
    let change = a.put(second).unwrap();
    a.set("Patient/p", "active", Some("true"));
    assert!(undo(&mut a, change));
    assert_eq!(a.member("Patient/p", "active").as_deref(), Some("true"));
    a.set("Patient/p", "active", None);
    assert_eq!(a.content("Patient/p"), before);
    assert!(a.conflicts().is_empty());
    assert!(!undo(&mut a, change), "nothing of it is shown any more");
}

#[test]
fn what_others_wrote_since_survives_an_undo() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male","birthDate":"1970-01-01"}"#);
    let change =
        a.put(r#"{"resourceType":"Patient","id":"p","gender":"female","birthDate":"1971-01-01"}"#);
    let mut b = a.fork(b'B');
    b.set("Patient/p", "gender", Some(r#""other""#));
    a.pull(&b);
    let stranger =
        b.with(None, |record, origin, actors| record.undo(&change.unwrap(), origin, actors));
    assert_eq!(stranger, Err(clisonix_crdt::EditError::OtherAuthor));
    assert!(undo(&mut a, change.unwrap()));
    assert_eq!(a.member("Patient/p", "gender").as_deref(), Some(r#""other""#));
    assert_eq!(a.member("Patient/p", "birthDate").as_deref(), Some(r#""1970-01-01""#));
}

#[test]
fn undoing_a_removal_and_a_creation() {
    let mut a = Site::new(b'A');
    let created = a.put(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#).unwrap();
    a.remove("Patient/p");
    let removed = a.record.history(None).last().unwrap().id;
    assert!(undo(&mut a, removed));
    assert_eq!(a.member("Patient/p", "gender").as_deref(), Some(r#""male""#));
    assert!(undo(&mut a, created));
    assert_eq!(a.shown("Patient/p"), None);
}

#[test]
fn differences_name_elements_and_both_values() {
    let mut a = Site::new(b'A');
    let from = a.put(r#"{"resourceType":"Patient","id":"p","gender":"male","telecom":[{"system":"phone","value":"1"}]}"#);
    let to = a.put(r#"{"resourceType":"Patient","id":"p","active":true,"gender":"female","telecom":[{"system":"phone","value":"2"}]}"#);
    let found = a.record.differences(&[from.unwrap()], &[to.unwrap()]).unwrap();
    let lines: Vec<String> = found.iter().map(|d| d.to_value().to_text()).collect();
    assert_eq!(
        lines,
        [
            r#"{"entry":"Patient/p","path":"Patient.active","before":null,"after":{"active":true}}"#,
            r#"{"entry":"Patient/p","path":"Patient.telecom[0]","before":{"system":"phone","value":"1"},"after":{"system":"phone","value":"2"}}"#,
            r#"{"entry":"Patient/p","path":"Patient.gender","before":{"gender":"male"},"after":{"gender":"female"}}"#,
        ]
    );
    assert!(a.record.differences(&[to.unwrap()], &[to.unwrap()]).unwrap().is_empty());
}

#[test]
fn a_pointer_edit_is_the_same_as_an_edit_of_the_whole() {
    let text = r#"{"resourceType":"Patient","id":"p","gender":"male","birthDate":"1970-01-01","active":true,"name":[{"family":"A","given":["B","C"]}],"telecom":[{"system":"phone","value":"1"},{"system":"phone","value":"2"}],"contact":[{"gender":"male","name":{"family":"D"}}],"maritalStatus":{"coding":[{"code":"M"}],"text":"x"},"managingOrganization":{"reference":"Organization/o"}}"#;
    let edits = [
        ("/gender", r#""female""#),
        ("/name/0/given/1", r#""E""#),
        ("/name/0/text", r#""F""#),
        ("/telecom/1/value", r#""3""#),
        ("/telecom/1/value", r#""1""#),
        ("/contact/0/name/family", r#""G""#),
        ("/contact/0/gender", r#""other""#),
        ("/maritalStatus/coding/0/display", r#""H""#),
        ("/managingOrganization/display", r#""I""#),
        ("/deceasedBoolean", "true"),
        ("/active", "true"),
    ];
    for start in 0..edits.len() {
        let (mut a, mut b) = (Site::new(b'A'), Site::new(b'A'));
        a.put(text);
        b.put(text);
        for (pointer, value) in edits.iter().cycle().skip(start).take(edits.len()) {
            let value = value_of(value);
            let id = crate::site::entry_id("Patient/p");
            a.with(None, |record, origin, actors| record.set(&id, pointer, &value, origin, actors))
                .unwrap();
            let mut whole = b.content("Patient/p").unwrap();
            let patch =
                format!(r#"[{{"op":"add","path":"{pointer}","value":{}}}]"#, value.to_text());
            // In a list `add` would insert.
            let patch =
                if pointer.ends_with("given/1") { patch.replace("add", "replace") } else { patch };
            whole = Patch::Json(&value_of(&patch)).apply(whole).unwrap();
            b.put(&whole.to_text());
            assert_eq!(a.content("Patient/p"), b.content("Patient/p"), "{pointer}");
        }
        assert_eq!(a.record.changes_since(&[]), b.record.changes_since(&[]), "from {start}");
    }
    // All in one change, where several go to one cell.
    for start in 0..edits.len() {
        let mut a = Site::new(b'A');
        a.put(text);
        let part = edits.iter().cycle().skip(start).take(edits.len());
        let values: Vec<(&str, _)> =
            part.map(|(pointer, value)| (*pointer, value_of(value))).collect();
        let mut patched = a.content("Patient/p").unwrap();
        for (pointer, value) in &values {
            let op = if pointer.ends_with("given/1") { "replace" } else { "add" };
            let patch =
                format!(r#"[{{"op":"{op}","path":"{pointer}","value":{}}}]"#, value.to_text());
            patched = Patch::Json(&value_of(&patch)).apply(patched).unwrap();
        }
        let all: Vec<(&str, _)> = values.iter().map(|(at, value)| (*at, value)).collect();
        let id = crate::site::entry_id("Patient/p");
        a.with(None, |record, origin, actors| record.set_all(&id, &all, origin, actors)).unwrap();
        assert_eq!(a.content("Patient/p"), Some(patched), "from {start}");
    }
}

#[test]
fn a_patch_that_only_puts_values_keeps_the_elements_they_are_in() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Patient","id":"p","contact":[{"name":{"text":"Ann"},"gender":"female"},{"name":{"text":"Bo"}}]}"#);
    let mut b = a.fork(b'B');
    let patch = value_of(
        r#"[{"op":"test","path":"/contact/0/gender","value":"female"},
        {"op":"replace","path":"/contact/0/name/text","value":"Anna"},
        {"op":"replace","path":"/contact/0/gender","value":"other"},
        {"op":"add","path":"/contact/0/name/family","value":"Berg"}]"#,
    );
    let patched = a.with(None, |record, origin, actors| {
        record.patch(&entry_id(P), Patch::Json(&patch), &Base::Current, origin, actors)
    });
    assert!(patched.unwrap().is_some());
    b.put(r#"{"resourceType":"Patient","id":"p","contact":[{"name":{"text":"Ann"},"gender":"female","period":{"start":"2020"}},{"name":{"text":"Bo"}}]}"#);
    exchange(&mut a, &mut b);
    let contacts = a.member(P, "contact").unwrap();
    assert_eq!(
        contacts,
        r#"[{"name":{"family":"Berg","text":"Anna"},"gender":"other","period":{"start":"2020"}},{"name":{"text":"Bo"}}]"#
    );
    assert_eq!(a.conflicts(), []);
}

#[test]
fn patches_of_all_three_kinds_are_edits_of_the_version_read() {
    let mut a = Site::new(b'A');
    let first =
        a.put(r#"{"resourceType":"Patient","id":"p","gender":"male","birthDate":"1970-01-01"}"#);
    a.set(P, "gender", Some(r#""other""#));
    let base = Base::Heads(vec![first.unwrap()]);
    let json = value_of(r#"[{"op":"replace","path":"/birthDate","value":"1971-01-01"}]"#);
    let merge = value_of(r#"{"active":true,"gender":null}"#);
    let fhirpath = value_of(
        r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[
        {"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.gender"},
        {"name":"value","valueCode":"female"}]}]}"#,
    );
    for patch in [Patch::Json(&json), Patch::Merge(&merge), Patch::FhirPath(&fhirpath)] {
        let id = entry_id(P);
        let change =
            a.with(None, |record, origin, actors| record.patch(&id, patch, &base, origin, actors));
        assert!(change.unwrap().is_some());
    }
    assert_eq!(a.member(P, "birthDate").as_deref(), Some(r#""1971-01-01""#));
    assert_eq!(a.member(P, "active").as_deref(), Some("true"));
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1, "gender: other, emptied, female");
    assert_eq!(conflicts[0].sides.len(), 3);
    let other = value_of(r#"{"id":"q"}"#);
    let renamed = a.with(None, |record, origin, actors| {
        record.patch(&entry_id(P), Patch::Merge(&other), &Base::Current, origin, actors)
    });
    assert_eq!(renamed, Err(EditError::Id));
}

//! The record that damaged bytes and patches are tried on, and what must hold of any record.

use clisonix_crdt::text::TextEdits;
use clisonix_crdt::{Base, Erasure, Record};
use clisonix_fhir::json;

use crate::site::{Site, entry_id};

/// The name of the records here, which is also the name that [`Site`] gives.
pub(crate) const NAME: &str = "patient-123";

const PATIENT: &str = r#"{"resourceType":"Patient","id":"patient-123","active":true,
"identifier":[{"system":"urn:oid:1.2.3","value":"7"},{"value":"8"}],
"name":[{"use":"official","family":"X","given":["A","B"]},{"text":"Y"}],
"telecom":[{"system":"phone","value":"1"},{"system":"email","value":"a@b"}],
"gender":"male","birthDate":"1970-01-01","_birthDate":{"extension":[{"url":"http://e.org/t","valueDateTime":"1970-01-01T10:00:00Z"}]},
"deceasedBoolean":false,"multipleBirthInteger":2,
"address":[{"line":["1","2"],"city":"C","period":{"start":"2000"}}],
"contact":[{"gender":"female","name":{"family":"Z"}}],
"communication":[{"language":{"coding":[{"code":"en"}]},"preferred":true}],
"extension":[{"url":"http://e.org/a","valueString":"s"}],
"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">t</div>"}}"#;

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o1","status":"final",
"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/patient-123"},
"effectiveDateTime":"2024-01-01T10:00:00Z","valueQuantity":{"value":80.0,"unit":"/min"},
"note":[{"text":"slept well"},{"text":"second"}]}"#;

/// A site with a patient, an observation, a conflict, a note that two people typed in, and something
/// erased.
pub(crate) fn site() -> Site {
    let mut a = Site::new(b'A');
    a.put(PATIENT);
    a.put(OBSERVATION);
    let mut b = a.fork(b'B');
    a.set("Patient/patient-123", "gender", Some(r#""female""#));
    b.set("Patient/patient-123", "gender", Some(r#""other""#));
    b.set("Patient/patient-123", "telecom", Some(r#"[{"system":"phone","value":"3"}]"#));
    write_and_erase(&mut a, &mut b, "Observation/o1");
    a
}

/// Two sites type in the notes of an observation, one after the other and at the same time, and one
/// of them erases the second note.
pub(crate) fn write_and_erase(a: &mut Site, b: &mut Site, observation: &str) {
    let id = entry_id(observation);
    let write = |site: &mut Site, note: &str, position: usize, words: &[&str]| {
        for (index, word) in words.iter().enumerate() {
            let mut edits = TextEdits::new();
            edits.insert(position + index, word).expect("there is room");
            site.with(None, |record, origin, actors| {
                record.type_text(&id, note, &edits, origin, actors)
            })
            .expect("the note is there");
        }
    };
    write(a, "/note/0/text", 0, &["c", "a", "l", "m"]);
    write(b, "/note/0/text", 10, &["!", "?"]);
    write(b, "/note/1/text", 6, &[" one"]);
    a.pull(b);
    write(a, "/note/0/text", 1, &["x"]);
    let what = Erasure::Value { entry: &id, pointer: "/note/1" };
    a.with(None, |record, origin, actors| {
        record.erase(&what, &Base::Current, "of another patient", origin, actors)
    })
    .expect("the note is there");
}

/// Looks at everything; panics on what is shown and cannot be read.
pub(crate) fn look(record: &Record) {
    let view = record.view();
    let text = view.bundle_text();
    let bundle = json::parse(text.as_bytes());
    assert!(bundle.is_ok(), "the bundle is no JSON: {bundle:?}");
    let _ = view.conflicts();
    let _ = view.version_id();
    for id in view.all_entries() {
        let _ = view.blame(id);
        let _ = view.entry_version_id(id);
        let _ = view.face(id);
        if let Some(resource) = view.resource(id) {
            let _ = clisonix_fhir::validate::validate(&resource);
        }
    }
    let heads = view.heads();
    let version = record.at(&heads).expect("the heads are known");
    assert_eq!(record.view_of(&version).bundle_text(), text);
    for change in record.history(None).iter().rev().take(3) {
        let _ = record.differences(&change.dependencies, &heads);
        let _ = record.entries_of(&change.id);
    }
}

/// What holds of every record that was made of received changes, whoever sent them.
pub(crate) fn check(record: &Record) {
    look(record);
    assert!(record.is_sound(), "the state is not what the changes make of it");
    let loaded = Record::load(&record.save()).expect("what was saved is read");
    assert_eq!(loaded.state_bytes(), record.state_bytes());
    assert_eq!(loaded.waiting_count(), record.waiting_count());
    assert_eq!(loaded.view().bundle_text(), record.view().bundle_text());
}

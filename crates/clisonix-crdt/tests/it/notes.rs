//! Text cells in records: several people write one note.

mod sessions;
mod strokes;

use clisonix_crdt::text::TextEdits;
use clisonix_crdt::{Base, ChangeId, ConflictKind, EditError, Record, View};

use crate::site::{Site, entry_id, exchange, object};

const ID: &str = "Observation/o";
const NOTE: &str = "/note/0/text";

fn observation(notes: &[&str]) -> String {
    let notes: Vec<String> =
        notes.iter().map(|text| format!(r#"{{"authorString":"ward","text":"{text}"}}"#)).collect();
    format!(
        r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"x"}},"note":[{}]}}"#,
        notes.join(",")
    )
}

/// Edits in order: position, characters to delete, what to insert.
fn edits(list: &[(usize, usize, &str)]) -> TextEdits {
    let mut edits = TextEdits::new();
    for &(position, deleted, inserted) in list {
        edits.delete(position, deleted).unwrap();
        edits.insert(position, inserted).unwrap();
    }
    edits
}

impl Site {
    fn type_at(
        &mut self,
        base: &Base,
        list: &[(usize, usize, &str)],
    ) -> Result<Option<ChangeId>, EditError> {
        let edits = edits(list);
        self.with(None, |record, origin, actors| {
            record.edit_text(&entry_id(ID), NOTE, &edits, base, origin, actors)
        })
    }

    fn types(&mut self, position: usize, deleted: usize, inserted: &str) -> ChangeId {
        self.type_at(&Base::Current, &[(position, deleted, inserted)]).unwrap().unwrap()
    }

    fn note(&self) -> String {
        note_of(&self.record.view())
    }

    fn reload(&mut self) {
        let bytes = self.record.save();
        let loaded = Record::load(&bytes).unwrap();
        assert_eq!(loaded.state_bytes(), self.record.state_bytes());
        assert!(loaded.is_sound());
        self.record = loaded;
    }
}

fn note_of(view: &View<'_>) -> String {
    let text = view.text(&entry_id(ID), NOTE).unwrap();
    let resource = view.resource(&entry_id(ID)).unwrap();
    let shown = resource.get("note").unwrap().at(0).unwrap().get("text").unwrap();
    assert_eq!(shown.as_str(), Some(&*text));
    text
}

fn two(note: &str) -> (Site, Site) {
    let mut a = Site::new(b'a');
    a.put(&observation(&[note]));
    let mut b = Site::new(b'b');
    b.pull(&a);
    (a, b)
}

#[test]
fn two_people_write_one_note() {
    let (mut a, mut b) = two("Slept well.");
    a.types(0, 0, "Calm. ");
    b.types(11, 0, " Ate \"half\"\n of 😀.");
    b.types(5, 5, "");
    exchange(&mut a, &mut b);
    assert_eq!(a.note(), "Calm. Slept. Ate \"half\"\n of 😀.");
    assert!(a.conflicts().is_empty());
    a.types(4, 1, "");
    exchange(&mut a, &mut b);
    assert_eq!(b.note(), "Calm Slept. Ate \"half\"\n of 😀.");
}

#[test]
fn a_loaded_record_reads_and_types() {
    let (mut a, mut b) = two("Slept well.");
    a.types(0, 0, "Calm. ");
    b.types(11, 0, " Ate.");
    a.reload();
    b.reload();
    assert_eq!(a.note(), "Calm. Slept well.");
    exchange(&mut a, &mut b);
    a.reload();
    a.types(0, 4, "Very calm");
    b.types(22, 0, " Bye.");
    a.reload();
    exchange(&mut a, &mut b);
    assert_eq!(a.note(), "Very calm. Slept well. Ate. Bye.");
    a.reload();
    assert_eq!(a.note(), b.note());
}

#[test]
fn what_a_plain_client_adds_to_a_note_merges() {
    let (mut a, mut b) = two("Slept well. Pain 3 of 10 at noon.");
    let read = Base::Heads(b.record.view().heads());
    a.types(0, 0, "Calm. ");
    exchange(&mut a, &mut b);
    b.put_at(&observation(&["Slept well. Bad dreams. Pain 3 of 10 at noon. Ate."]), &read).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!(a.note(), "Calm. Slept well. Bad dreams. Pain 3 of 10 at noon. Ate.");
    assert!(a.conflicts().is_empty());
}

#[test]
fn words_that_plain_clients_change_are_never_mixed() {
    let (mut a, mut b) = two("Pain 3 of 10.");
    a.put(&observation(&["Pain 4 of 10."]));
    b.put(&observation(&["Pain 5 of 10."]));
    exchange(&mut a, &mut b);
    assert_eq!(a.conflicts()[0].kind, ConflictKind::Value);
    assert!(["Pain 4 of 10.", "Pain 5 of 10."].contains(&&*a.note()));
}

#[test]
fn words_that_nobody_has_read_are_a_conflict() {
    let (mut a, mut b) = two("Take 5 mg daily. Slept well.");
    // Each corrects the dose, and b writes a sentence besides.
    a.types(5, 1, "10");
    b.types(5, 1, "50");
    b.types(29, 0, " Ate.");
    exchange(&mut a, &mut b);
    let merged = a.note();
    let conflicts = a.conflicts();
    assert_eq!(conflicts, b.conflicts());
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        (conflicts[0].kind, &*conflicts[0].path),
        (ConflictKind::Text, "Observation.note[0]")
    );
    assert!(conflicts[0].shown.as_ref().unwrap().to_text().contains(&merged));
    let sides: Vec<String> =
        conflicts[0].sides.iter().map(|side| side.value.as_ref().unwrap().to_text()).collect();
    assert_eq!(sides.len(), 2);
    assert!(sides.iter().any(|side| side.contains("\"Take 10 mg daily. Slept well.\"")));
    assert!(sides.iter().any(|side| side.contains("\"Take 50 mg daily. Slept well. Ate.\"")));
    // It stays after loading, and ends when somebody has read the merged text and writes on.
    a.reload();
    assert_eq!(a.conflicts(), conflicts);
    a.types(5, 4, "10");
    exchange(&mut a, &mut b);
    assert_eq!(b.note(), "Take 10 mg daily. Slept well. Ate.");
    assert!(a.conflicts().is_empty() && b.conflicts().is_empty());
}

#[test]
fn one_author_s_number_with_another_s_unit_is_a_conflict() {
    let (mut a, mut b) = two("Take 5 mg daily.");
    a.types(5, 1, "10");
    b.types(7, 2, "g");
    exchange(&mut a, &mut b);
    assert_eq!(a.note(), "Take 10 g daily.");
    assert_eq!(a.conflicts()[0].kind, ConflictKind::Text);
    // Settled with one side, whole.
    let open = a.conflicts().remove(0);
    let whole = open.sides.iter().find_map(|side| {
        side.value.as_ref().filter(|value| value.to_text().contains("10 mg")).cloned()
    });
    let settled = a.with(None, |record, origin, actors| {
        record.resolve(&open.entry, &open.address, whole.as_ref(), origin, actors)
    });
    assert!(settled.unwrap().is_some());
    exchange(&mut a, &mut b);
    assert_eq!(b.note(), "Take 10 mg daily.");
    assert!(b.conflicts().is_empty());
}

#[test]
fn another_text_is_an_overwrite_and_a_conflict() {
    let (mut a, mut b) = two("Slept well.");
    a.put(&observation(&["Fell out of bed"]));
    b.types(11, 0, " Ate.");
    exchange(&mut a, &mut b);
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].kind, ConflictKind::Value);
    let texts: Vec<String> =
        conflicts[0].sides.iter().map(|side| side.value.as_ref().unwrap().to_text()).collect();
    assert!(texts.iter().any(|text| text.contains("\"Slept well. Ate.\"")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("\"Fell out of bed\"")), "{texts:?}");
    let shown = a.note();
    // Typing in what is shown has seen both.
    a.types(0, 0, "! ");
    exchange(&mut a, &mut b);
    assert!(a.conflicts().is_empty());
    assert_eq!(b.note(), format!("! {shown}"));
}

#[test]
fn one_who_types_late_in_an_overwritten_text_is_heard() {
    let (mut a, mut b) = two("Slept well.");
    let mut c = a.fork(b'c');
    a.types(0, 0, "A. ");
    exchange(&mut a, &mut b);
    b.put(&observation(&["Fell out of bed"]));
    a.pull(&b);
    assert_eq!(a.note(), "Fell out of bed");
    c.types(11, 0, " Ate.");
    exchange(&mut a, &mut c);
    assert_eq!(a.conflicts().len(), 1);
    assert_eq!(a.note(), "A. Slept well. Ate.");
    a.reload();
    assert_eq!(a.conflicts(), c.conflicts());
}

#[test]
fn a_removed_note_that_another_types_in_stays_and_is_flagged() {
    let (mut a, mut b) = two("Slept well.");
    a.put(r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"}}"#);
    b.types(11, 0, " Ate.");
    exchange(&mut a, &mut b);
    assert_eq!(a.note(), "Slept well. Ate.");
    assert_eq!(a.conflicts()[0].kind, ConflictKind::Removal);
}

#[test]
fn every_version_can_be_read_and_typed_in() {
    let (mut a, mut b) = two("Slept well.");
    a.types(0, 0, "A. ");
    let old = a.record.view().heads();
    a.types(3, 11, "gone");
    b.types(11, 0, " Ate.");
    exchange(&mut a, &mut b);
    let version = a.record.at(&old).unwrap();
    assert_eq!(note_of(&a.record.view_of(&version)), "A. Slept well.");
    a.type_at(&Base::Heads(old.clone()), &[(2, 0, "!"), (3, 0, "!")]).unwrap();
    let differences = a.record.differences(&old, &a.record.view().heads()).unwrap();
    assert_eq!(differences.len(), 1);
    exchange(&mut a, &mut b);
    assert_eq!(b.note(), "A.!! gone Ate.");
    let beyond = a.type_at(&Base::Heads(old), &[(15, 0, "x")]);
    assert_eq!(beyond, Err(EditError::Position));
}

#[test]
fn blame_names_the_author_of_every_character() {
    let (mut a, mut b) = two("Slept well.");
    let typed = b.types(5, 0, " very");
    exchange(&mut a, &mut b);
    a.reload();
    let rows = a.record.view().blame(&entry_id(ID));
    let parts: Vec<_> = rows.iter().filter(|row| row.characters.is_some()).collect();
    let ranges: Vec<_> = parts.iter().map(|row| row.characters.clone().unwrap()).collect();
    assert_eq!(ranges, [0..5, 5..10, 10..16]);
    assert!(parts.iter().all(|row| row.path == "Observation.note[0].text"));
    assert_eq!(parts[1].change, typed);
    assert_eq!(&*parts[1].author, "clinician-b");
    assert_eq!(&*parts[2].author, "clinician-a");
}

#[test]
fn undo_takes_back_what_was_typed_and_nothing_else() {
    let (mut a, mut b) = two("Slept well.");
    let typed = a.type_at(&Base::Current, &[(0, 0, "Calm. "), (12, 5, "")]).unwrap().unwrap();
    b.types(6, 0, "- ");
    exchange(&mut a, &mut b);
    assert_eq!(a.note(), "Calm. Slept - ");
    b.types(4, 0, "xx");
    exchange(&mut a, &mut b);
    let undo = |site: &mut Site, change| {
        site.with(None, |record, origin, actors| record.undo(&change, origin, actors)).unwrap()
    };
    let undone = undo(&mut a, typed).unwrap();
    assert_eq!(a.note(), "xxSlept - well.");
    exchange(&mut a, &mut b);
    undo(&mut a, undone).unwrap();
    let alone = b.types(0, 2, "");
    exchange(&mut a, &mut b);
    undo(&mut b, alone).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!(a.note(), "Calmxx. Slept - ");
}

#[test]
fn what_is_no_text_is_not_typed_in() {
    let (mut a, _) = two("Slept well.");
    let id = entry_id(ID);
    let one = edits(&[(0, 0, "x")]);
    let mut try_at = |pointer: &str, edits: &TextEdits| {
        a.with(None, |record, origin, actors| {
            record.edit_text(&id, pointer, edits, &Base::Current, origin, actors)
        })
    };
    assert_eq!(try_at("/status", &one), Err(EditError::NotText));
    assert_eq!(try_at("/code/text", &one), Err(EditError::NotText));
    assert_eq!(try_at("/note/0/authorString", &one), Err(EditError::NotText));
    assert_eq!(try_at("/note/0", &one), Err(EditError::NotText));
    assert_eq!(try_at("/note/1/text", &one), Err(EditError::Pointer));
    assert_eq!(try_at(NOTE, &edits(&[(12, 0, "x")])), Err(EditError::Position));
    assert_eq!(try_at(NOTE, &edits(&[(10, 2, "")])), Err(EditError::Position));
    assert_eq!(try_at(NOTE, &edits(&[])), Ok(None));
    assert_eq!(a.record.change_count(), 1);
    assert_eq!(a.record.view().text(&id, "/status"), Err(EditError::NotText));
}

#[test]
fn a_section_s_markup_that_no_longer_fits_together_is_the_guard_s() {
    let composition = |div: &str| {
        format!(
            r#"{{"resourceType":"Composition","id":"c","status":"final","type":{{"text":"x"}},"date":"2024-01-01","author":[{{"display":"A"}}],"title":"t","section":[{{"title":"s","text":{{"status":"additional","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>{div}</p></div>"}}}}]}}"#
        )
    };
    let id = entry_id("Composition/c");
    let div = "/section/0/text/div";
    let mut a = Site::new(b'a');
    a.put(&composition("one two three"));
    let mut b = a.fork(b'b');
    let at = a.record.view().text(&id, div).unwrap().find("one").unwrap();
    let insert = |site: &mut Site, list: &[(usize, usize, &str)]| {
        let edits = edits(list);
        site.with(None, |record, origin, actors| {
            record.edit_text(&id, div, &edits, &Base::Current, origin, actors)
        })
        .unwrap();
    };
    insert(&mut a, &[(at, 0, "zero ")]);
    insert(&mut b, &[(at + 13, 0, " four")]);
    exchange(&mut a, &mut b);
    assert!(a.record.view().text(&id, div).unwrap().contains("<p>zero one two three four</p>"));
    assert!(a.conflicts().is_empty());
    // Each alone is well formed: <b>zero one</b> two, and zero <i>one two</i>.
    insert(&mut a, &[(at, 0, "<b>"), (at + 11, 0, "</b>")]);
    insert(&mut b, &[(at + 5, 0, "<i>"), (at + 15, 0, "</i>")]);
    exchange(&mut a, &mut b);
    let shown = a.record.view().text(&id, div).unwrap();
    assert!(shown.contains("<i>") != shown.contains("<b>"), "{shown}");
    assert_eq!(a.conflicts()[0].kind, ConflictKind::Guard);
    // Typing goes on from what is shown, and settles it.
    insert(&mut a, &[(at, 0, "Now: ")]);
    exchange(&mut a, &mut b);
    assert!(a.conflicts().is_empty());
    assert_eq!(a.record.view().text(&id, div).unwrap(), shown.replace("<p>", "<p>Now: "));
}

#[test]
fn a_waiting_change_that_types_is_kept() {
    let (mut a, _) = two("Slept well.");
    let first = a.types(0, 0, "x");
    let second = a.types(1, 0, "y");
    let (first, second) = (a.record.change(&first).unwrap(), a.record.change(&second).unwrap());
    let mut c = Site::new(b'c');
    c.record.receive(&second).unwrap();
    let begun = a.record.history(None)[0].id;
    c.record = Record::load(&c.record.save()).unwrap();
    c.record.receive(&a.record.change(&begun).unwrap()).unwrap();
    c.record.receive(&first).unwrap();
    assert_eq!(c.record.waiting_count(), 0);
    assert_eq!(c.note(), "xySlept well.");
    assert_eq!(c.record.state_bytes(), a.record.state_bytes());
    let put = object(&observation(&["xySlept well."]));
    let nothing =
        c.with(None, |record, origin, actors| record.edit(&[&put], &Base::Current, origin, actors));
    assert_eq!(nothing, Ok(None));
}

/// A saved record in which two people type, and the batch of their changes.
fn typed() -> (Site, Vec<u8>) {
    let (mut a, mut b) = two("Slept well.");
    a.types(0, 0, "Calm. ");
    b.types(5, 6, "");
    exchange(&mut a, &mut b);
    a.types(3, 1, "mly");
    let batch = a.record.changes_since(&[]);
    (a, batch)
}

#[test]
fn damaged_typing_is_refused_and_leaves_no_trace() {
    let (a, batch) = typed();
    let mut refused = 0;
    for at in 0..batch.len() {
        for bit in [1, 2, 16, 128] {
            let mut bytes = batch.clone();
            bytes[at] ^= bit;
            let mut record = Record::new("patient-123");
            let Ok(received) = record.receive(&bytes) else { continue };
            refused += received.refused.len();
            let loaded = Record::load(&record.save()).unwrap();
            assert!(loaded.is_sound() && loaded.state_bytes() == record.state_bytes());
            record.receive(&batch).unwrap();
            let _ = record.view().blame(&entry_id(ID));
        }
    }
    assert!(refused > 0);
    let mut saved = a.record.save();
    let text = saved.len() / 2;
    saved[text] ^= 1;
    assert!(Record::load(&saved).is_err());
}

//! Removal, re-creation, keeping, and references to what was removed.

use clisonix_crdt::{ConflictKind, Side};

use crate::site::{Site, entry_id, exchange, value};

const ALLERGY: &str = r#"{"resourceType":"AllergyIntolerance","id":"a1","criticality":"low",
    "note":[{"text":"as a child"}],"code":{"text":"penicillin"},
    "patient":{"reference":"Patient/p"}}"#;
const ID: &str = "AllergyIntolerance/a1";

fn two() -> (Site, Site) {
    let mut a = Site::new(b'A');
    a.put(ALLERGY);
    let b = a.fork(b'B');
    (a, b)
}

#[test]
fn a_removal_that_has_seen_everything_removes() {
    let (mut a, mut b) = two();
    a.remove(ID);
    exchange(&mut a, &mut b);
    assert!(b.shown(ID).is_none());
    assert!(b.conflicts().is_empty());
    assert_eq!(b.record.view().entries().count(), 0);
}

#[test]
fn two_removals_remove_and_are_no_conflict() {
    let (mut a, mut b) = two();
    a.remove(ID);
    b.remove(ID);
    exchange(&mut a, &mut b);
    assert!(a.shown(ID).is_none() && a.conflicts().is_empty());
}

#[test]
fn a_second_removal_ends_the_flag() {
    let (mut a, mut b) = two();
    a.remove(ID);
    b.set(ID, "criticality", Some(r#""high""#));
    exchange(&mut a, &mut b);
    assert_eq!(a.conflicts().len(), 1);
    a.remove(ID);
    exchange(&mut a, &mut b);
    assert!(b.shown(ID).is_none() && b.conflicts().is_empty());
}

#[test]
fn an_explicit_keep_ends_the_flag() {
    let (mut a, mut b) = two();
    a.remove(ID);
    b.set(ID, "criticality", Some(r#""high""#));
    exchange(&mut a, &mut b);
    let conflict = a.conflicts().remove(0);
    assert_eq!(conflict.kind, ConflictKind::Removal);
    let keep = value("true");
    a.with(None, |record, origin, actors| {
        record.resolve(&entry_id(ID), &conflict.address, Some(&keep), origin, actors)
    })
    .unwrap();
    exchange(&mut a, &mut b);
    assert!(b.shown(ID).is_some() && b.conflicts().is_empty());
}

#[test]
fn writing_on_without_keeping_leaves_the_flag() {
    let (mut a, mut b) = two();
    a.remove(ID);
    b.set(ID, "criticality", Some(r#""high""#));
    exchange(&mut a, &mut b);
    b.set(ID, "criticality", Some(r#""unable-to-assess""#));
    exchange(&mut a, &mut b);
    assert_eq!(a.conflicts().len(), 1, "only a mark or a keep ends it");
}

#[test]
fn a_recreated_entry_shows_nothing_old() {
    let (mut a, mut b) = two();
    a.remove(ID);
    let anew = r#"{"resourceType":"AllergyIntolerance","id":"a1","code":{"text":"penicillin"},
        "patient":{"reference":"Patient/p"}}"#;
    a.put(anew);
    assert_eq!(a.content(ID), Some(value(anew)));
    exchange(&mut a, &mut b);
    assert_eq!(b.content(ID), Some(value(anew)));
    assert!(b.conflicts().is_empty());
    // A late edit of the old entry is a conflict, not a return of the old one.
    let (mut c, mut d) = two();
    c.remove(ID);
    c.put(anew);
    d.set(ID, "criticality", Some(r#""high""#));
    exchange(&mut c, &mut d);
    assert_eq!(c.conflicts().len(), 1);
    assert!(c.member(ID, "note").is_none());
}

#[test]
fn a_removed_backbone_element_that_was_edited_stays_whole_and_flagged() {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Patient","id":"p","contact":[{"name":{"family":"Ray"},"gender":"female"}]}"#,
    );
    let mut b = a.fork(b'B');
    a.put(r#"{"resourceType":"Patient","id":"p"}"#);
    b.put(r#"{"resourceType":"Patient","id":"p","contact":[{"name":{"family":"Rae"},"gender":"female"}]}"#);
    exchange(&mut a, &mut b);
    let contact = a.member("Patient/p", "contact").unwrap();
    assert!(contact.contains("Rae") && contact.contains("female"), "{contact}");
    let conflicts = a.conflicts();
    assert_eq!((conflicts.len(), conflicts[0].kind), (1, ConflictKind::Removal));
    assert_eq!(conflicts[0].path, "Patient.contact[0]");
}

#[test]
fn a_removed_single_backbone_element_that_was_edited_stays() {
    let mut a = Site::new(b'A');
    let encounter = |inner: &str| {
        format!(
            r#"{{"resourceType":"Encounter","id":"e","status":"finished","class":{{"code":"IMP"}}{inner}}}"#
        )
    };
    a.put(&encounter(
        r#","hospitalization":{"reAdmission":{"text":"R"},"admitSource":{"text":"gp"}}"#,
    ));
    let mut b = a.fork(b'B');
    a.put(&encounter(""));
    b.put(&encounter(
        r#","hospitalization":{"reAdmission":{"text":"R"},"admitSource":{"text":"emd"}}"#,
    ));
    exchange(&mut a, &mut b);
    let stay = a.member("Encounter/e", "hospitalization").unwrap();
    assert!(stay.contains("emd") && stay.contains("reAdmission"), "{stay}");
    assert_eq!(a.conflicts().len(), 1);
}

#[test]
fn what_a_concurrent_write_refers_to_stays_flagged() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Condition","id":"c","code":{"text":"x"},"subject":{"reference":"Patient/p"}}"#);
    let mut b = a.fork(b'B');
    a.remove("Condition/c");
    b.put(
        r#"{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},
            "diagnosis":[{"condition":{"reference":"Condition/c"}}]}"#,
    );
    exchange(&mut a, &mut b);
    assert!(a.shown("Condition/c").is_some());
    let conflicts = a.conflicts();
    assert_eq!((conflicts.len(), conflicts[0].kind), (1, ConflictKind::Reference));
    let removed: Vec<&Side> = conflicts[0].sides.iter().filter(|side| side.removed).collect();
    assert_eq!(removed.len(), 1);
}

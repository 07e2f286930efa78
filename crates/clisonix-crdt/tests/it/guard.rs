//! The validity guard: what every branch kept, the merge keeps.

use clisonix_crdt::ConflictKind;
use clisonix_fhir::validate::validate;

use crate::site::{Site, exchange};

const ORGANIZATION: &str = r#"{"resourceType":"Organization","id":"o","active":true,"name":"Ward",
    "identifier":[{"system":"s","value":"1"}]}"#;
const ID: &str = "Organization/o";

/// Each author leaves one of name and identifier, as org-1 asks; together neither would be left.
fn stripped() -> (Site, Site) {
    let mut a = Site::new(b'A');
    a.put(ORGANIZATION);
    let mut b = a.fork(b'B');
    a.set(ID, "name", None);
    b.set(ID, "identifier", None);
    exchange(&mut a, &mut b);
    (a, b)
}

#[test]
fn a_rule_that_both_kept_is_kept_and_the_substitute_is_told() {
    let (a, b) = stripped();
    for site in [&a, &b] {
        let shown = site.shown(ID).unwrap();
        assert!(validate(&shown).iter().all(|issue| !issue.is_error()));
        assert!(
            shown.get("name").is_some() != shown.get("identifier").is_some(),
            "one author's version"
        );
        let conflicts = site.conflicts();
        assert!(!conflicts.is_empty());
        assert!(conflicts.iter().all(|c| c.kind == ConflictKind::Guard && c.why.contains("org-1")));
    }
}

#[test]
fn all_other_and_all_later_writes_stay() {
    let (mut a, mut b) = stripped();
    b.set(ID, "active", Some("false"));
    exchange(&mut a, &mut b);
    let shown = a.shown(ID).unwrap();
    assert_eq!(a.member(ID, "active").unwrap(), "false");
    assert!(validate(&shown).iter().all(|issue| !issue.is_error()));
    // Whoever edits has seen the substitute and keeps it: it is a value of the entry now.
    assert!(a.conflicts().is_empty());
    a.set(ID, "name", Some(r#""New ward""#));
    exchange(&mut a, &mut b);
    assert_eq!(b.member(ID, "name").unwrap(), r#""New ward""#);
}

#[test]
fn a_required_element_of_a_removed_and_edited_part_is_kept() {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Patient","id":"p","communication":[{"language":{"text":"de"},"preferred":true}]}"#,
    );
    let mut b = a.fork(b'B');
    a.put(r#"{"resourceType":"Patient","id":"p"}"#);
    b.put(
        r#"{"resourceType":"Patient","id":"p","communication":[{"language":{"text":"de"},"preferred":false}]}"#,
    );
    exchange(&mut a, &mut b);
    let shown = a.shown("Patient/p").unwrap();
    assert!(validate(&shown).iter().all(|issue| !issue.is_error()));
    assert!(a.member("Patient/p", "communication").unwrap().contains("false"));
}

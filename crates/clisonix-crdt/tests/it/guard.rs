//! The validity guard: what every branch kept, the merge keeps.

use std::sync::Arc;

use clisonix_crdt::{ConflictKind, Policy, Record};
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

#[test]
fn a_judgement_is_kept_until_the_entry_or_the_policy_changes() {
    let mut a = Site::new(b'A');
    a.put(ORGANIZATION);
    let mut b = a.fork(b'B');
    a.set(ID, "name", None);
    b.set(ID, "active", Some("false"));
    exchange(&mut a, &mut b);
    assert!(a.conflicts().is_empty(), "judged sound");
    a.record = Record::load(&a.record.save()).unwrap();
    // The guard must look again: now only one of name and identifier may go.
    b.set(ID, "name", Some(r#""Ward""#));
    let mut c = b.fork(b'C');
    b.set(ID, "name", None);
    c.set(ID, "identifier", None);
    exchange(&mut b, &mut c);
    a.pull(&c);
    for site in [&a, &b, &c] {
        assert!(validate(&site.shown(ID).unwrap()).iter().all(|issue| !issue.is_error()));
        assert_eq!(site.record.view().bundle_text(), a.record.view().bundle_text());
    }
    let table = "failsafe | Patient.deceased | false true [dateTime] | | each death is confirmed";
    let policy = Arc::new(Policy::with_site_table("site", table).unwrap());
    let loaded =
        |site: &Site| Record::load(&site.record.save()).unwrap().with_policy(policy.clone());
    let (judged, fresh) = (loaded(&b), b.record.fork().with_policy(policy.clone()));
    assert_eq!(judged.view().bundle_text(), fresh.view().bundle_text());
}

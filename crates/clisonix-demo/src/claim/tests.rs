//! Claims are what changed, whole units of meaning, and are found where they are shown.

use clisonix_fhir::json::{Value, parse};

use super::{Claim, ClaimKind, claims};

fn json(text: &str) -> Value {
    parse(text.as_bytes()).unwrap()
}

fn only(before: &str, after: &str) -> Claim {
    let mut found = claims(&json(before), &json(after));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_changed_dose_is_the_whole_quantity_and_a_mixture_is_not_it() {
    let claim = only(
        r#"{"d":[{"q":{"value":5,"unit":"mg"}}]}"#,
        r#"{"d":[{"q":{"value":5000,"unit":"mcg"}}]}"#,
    );
    assert!(matches!(&claim.kind, ClaimKind::Says(value) if value.get("unit").is_some()));
    assert!(claim.shown(Some(&json(r#"{"d":[{"x":1,"q":{"value":5000,"unit":"mcg"}}]}"#))));
    assert!(!claim.shown(Some(&json(r#"{"d":[{"q":{"value":10,"unit":"mcg"}}]}"#))));
    assert!(!claim.shown(None));
}

#[test]
fn added_and_dropped_elements() {
    let claim = only(r#"{"t":[{"v":"1"}]}"#, r#"{"t":[{"v":"1"},{"v":"2"}]}"#);
    assert!(claim.shown(Some(&json(r#"{"t":[{"v":"2"},{"v":"9"}]}"#))));
    assert!(!claim.shown(Some(&json(r#"{"t":[{"v":"1"}]}"#))));
    let claim = only(r#"{"t":[{"v":"1"},{"v":"2"}]}"#, r#"{"t":[{"v":"2"}]}"#);
    assert!(claim.shown(Some(&json(r#"{"t":[{"v":"2"}]}"#))));
    assert!(!claim.shown(Some(&json(r#"{"t":[{"v":"1"}]}"#))));
}

#[test]
fn another_type_of_a_choice_is_one_claim() {
    let claim = only(r#"{"valueQuantity":{"value":1}}"#, r#"{"valueString":"x"}"#);
    let conflict = r#"{"kind":"value","values":[{"value":{"valueString":"x"},"author":"a"}]}"#;
    assert!(claim.in_conflict(&json(conflict), "a"));
    let other = r#"{"kind":"value","values":[{"value":{"valueString":"y"},"author":"a"}]}"#;
    assert!(!claim.in_conflict(&json(other), "a"));
}

#[test]
fn what_the_record_keeper_owns_is_no_claim() {
    let before = json(r#"{"id":"1","meta":{"versionId":"1"},"text":{"div":"a"}}"#);
    assert!(claims(&before, &json(r#"{"id":"1","meta":{"versionId":"2"}}"#)).is_empty());
}

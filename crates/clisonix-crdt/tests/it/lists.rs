//! Lists: keys from content, occurrences, corrections, order, concurrent inserts.

use clisonix_crdt::{Base, ConflictKind};

use crate::site::{Site, exchange, value};

fn patient(telecom: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"p","telecom":{telecom}}}"#)
}

fn phones(numbers: &[&str]) -> String {
    let phones = numbers.iter().map(|n| format!(r#"{{"system":"phone","value":"{n}"}}"#));
    patient(&format!("[{}]", phones.collect::<Vec<_>>().join(",")))
}

fn shown(site: &Site) -> Vec<String> {
    let resource = site.shown("Patient/p").unwrap();
    let list = resource.get("telecom").and_then(|list| list.as_array()).unwrap_or_default();
    list.iter().map(|phone| phone.get("value").unwrap().as_str().unwrap().to_owned()).collect()
}

fn two(start: &[&str]) -> (Site, Site) {
    let mut a = Site::new(b'A');
    a.put(&phones(start));
    let b = a.fork(b'B');
    (a, b)
}

#[test]
fn concurrent_inserts_both_stay_in_one_order() {
    let (mut a, mut b) = two(&["1", "2"]);
    a.put(&phones(&["1", "a", "2"]));
    b.put(&phones(&["1", "b", "2"]));
    exchange(&mut a, &mut b);
    let merged = shown(&a);
    assert_eq!((merged[0].as_str(), merged[3].as_str()), ("1", "2"));
    assert_eq!(merged.len(), 4);
    assert!(a.conflicts().is_empty());
    // Order stays writable although the two inserts may stand on one position.
    a.put(&phones(&[&merged[0], &merged[1], "between", &merged[2], &merged[3]]));
    assert_eq!(shown(&a)[2], "between");
}

#[test]
fn the_same_insert_at_two_sites_is_one() {
    let (mut a, mut b) = two(&["1"]);
    a.put(&phones(&["1", "2"]));
    b.put(&phones(&["2", "1"]));
    exchange(&mut a, &mut b);
    assert_eq!(shown(&a).len(), 2);
    assert!(a.conflicts().is_empty(), "position is never a conflict");
}

#[test]
fn two_corrections_of_one_phone_are_a_conflict_not_two_phones() {
    let (mut a, mut b) = two(&["111", "999"]);
    a.put(&phones(&["112", "999"]));
    b.put(&phones(&["113", "999"]));
    exchange(&mut a, &mut b);
    assert_eq!(shown(&a).len(), 2);
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        (conflicts[0].kind, conflicts[0].path.as_str()),
        (ConflictKind::Value, "Patient.telecom[0]")
    );
}

#[test]
fn a_correction_against_an_edit_of_the_old_phone_is_a_conflict() {
    let (mut a, mut b) = two(&["111"]);
    a.put(&phones(&["112"]));
    b.put(&patient(r#"[{"system":"phone","value":"111","use":"work"}]"#));
    exchange(&mut a, &mut b);
    assert_eq!(shown(&a).len(), 1);
    assert_eq!(a.conflicts().len(), 1);
}

#[test]
fn a_correction_that_someone_else_added_anew_is_shown_once() {
    let (mut a, mut b) = two(&["111"]);
    a.put(&phones(&["112"]));
    b.put(&phones(&["111", "112"]));
    exchange(&mut a, &mut b);
    assert_eq!(shown(&a), ["112"]);
    a.put(&phones(&["112", "5"]));
    assert_eq!(shown(&a), ["112", "5"]);
    a.put(&phones(&["5"]));
    assert_eq!(shown(&a), ["5"], "removing what is shown once removes it everywhere");
}

#[test]
fn equal_business_keys_in_one_list_stay_apart() {
    let list = r#"[{"system":"phone","value":"1","use":"home"},{"system":"phone","value":"1","use":"work"}]"#;
    let mut a = Site::new(b'A');
    a.put(&patient(list));
    assert_eq!(a.content("Patient/p"), Some(value(&patient(list))));
    let mut b = a.fork(b'B');
    a.put(&patient(r#"[{"system":"phone","value":"1","use":"work"}]"#));
    b.put(&patient(
        r#"[{"system":"phone","value":"1","use":"home"},{"system":"phone","value":"1","use":"old"}]"#,
    ));
    exchange(&mut a, &mut b);
    let merged = a.content("Patient/p").unwrap().to_text();
    assert!(merged.contains("old") && !merged.contains("home"), "{merged}");
}

#[test]
fn a_removed_element_that_is_added_again_is_a_new_one() {
    let (mut a, mut b) = two(&["1", "2"]);
    a.put(&phones(&["2"]));
    a.put(&phones(&["2", "1"]));
    assert_eq!(shown(&a), ["2", "1"]);
    b.put(&patient(r#"[{"system":"phone","value":"1","rank":1},{"system":"phone","value":"2"}]"#));
    exchange(&mut a, &mut b);
    // B edited the first "1" that A had removed: it stays, flagged, beside the new one.
    assert_eq!(shown(&a).iter().filter(|phone| *phone == "1").count(), 2);
    assert_eq!(a.conflicts().iter().filter(|c| c.kind == ConflictKind::Removal).count(), 1);
}

#[test]
fn backbone_elements_merge_member_by_member() {
    let mut a = Site::new(b'A');
    a.put(
        r#"{"resourceType":"Patient","id":"p","contact":[{"name":{"family":"Ray"},"gender":"female"}]}"#,
    );
    let mut b = a.fork(b'B');
    a.put(
        r#"{"resourceType":"Patient","id":"p","contact":[{"name":{"family":"Ray"},"gender":"female",
        "telecom":[{"system":"phone","value":"1"}]}]}"#,
    );
    b.put(r#"{"resourceType":"Patient","id":"p","contact":[{"name":{"family":"Rae"},"gender":"female"}]}"#);
    exchange(&mut a, &mut b);
    let merged = a.content("Patient/p").unwrap();
    let expected = value(
        r#"{"resourceType":"Patient","id":"p","contact":[{"name":{"family":"Rae"},"gender":"female",
        "telecom":[{"system":"phone","value":"1"}]}]}"#,
    );
    assert_eq!(merged, expected);
    assert!(a.conflicts().is_empty());
}

#[test]
fn primitive_lists_keep_their_extensions() {
    let text = r#"{"resourceType":"Questionnaire","id":"q","status":"draft",
        "subjectType":["Patient","Group"],"_subjectType":[null,{"id":"x"}]}"#;
    let mut a = Site::new(b'A');
    a.put(text);
    assert_eq!(a.content("Questionnaire/q"), Some(value(text)));
}

#[test]
fn an_assertion_adds_and_never_clears() {
    let (mut a, _) = two(&["1", "2"]);
    a.put_at(&phones(&["3"]), &Base::Assertion).unwrap();
    assert_eq!(shown(&a).len(), 3);
    a.put_at(r#"{"resourceType":"Patient","id":"p","gender":"male"}"#, &Base::Assertion).unwrap();
    assert_eq!(shown(&a).len(), 3);
    a.put_at(r#"{"resourceType":"Patient","id":"p","gender":"female"}"#, &Base::Assertion).unwrap();
    assert_eq!(a.conflicts().len(), 1);
}

//! One fault at a time.

use super::broken_rules;
use crate::json::parse;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","gender":"male"}"#;

fn check(text: &str, expected: &[(&str, &str)]) {
    let rules = broken_rules(&parse(text.as_bytes()).unwrap());
    let found: Vec<_> = rules.iter().map(|rule| (rule.key, rule.issue.path.as_str())).collect();
    assert_eq!(found, expected, "{text}");
}

fn check_patient(members: &str, key: &str, path: &str) {
    check(&format!(r#"{{"resourceType":"Patient",{members}}}"#), &[(key, path)]);
}

#[test]
fn a_valid_patient_has_no_fault() {
    check(PATIENT, &[]);
    check(
        r#"{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}]}"#,
        &[],
    );
    check(r#"{"resourceType":"Patient","birthDate":"2024-02-29","_birthDate":{"id":"x"}}"#, &[]);
}

#[test]
fn each_kind_of_fault_is_found() {
    check_patient(r#""colour":1"#, "unknown", "Patient.colour");
    check_patient(r#""active":"true""#, "kind", "Patient.active");
    check_patient(r#""name":{}"#, "kind", "Patient.name");
    check_patient(r#""gender":["male"]"#, "kind", "Patient.gender");
    check_patient(r#""name":[]"#, "empty", "Patient.name");
    check_patient(r#""name":[{}]"#, "empty", "Patient.name[0]");
    check_patient(r#""link":[{"type":"refer"}]"#, "min", "Patient.link[0].other");
    check_patient(
        r#""deceasedBoolean":true,"deceasedDateTime":"2020""#,
        "choice",
        "Patient.deceased",
    );
    check_patient(r#""birthDate":"2023-02-29""#, "form", "Patient.birthDate");
    check_patient(r#""id":"a b""#, "form", "Patient.id");
    check_patient(r#""gender":"m""#, "binding", "Patient.gender");
    check(r#"{"resourceType":"Nobody"}"#, &[("type", "")]);
}

#[test]
fn an_invariant_names_what_it_reads() {
    let text = r#"{"resourceType":"Condition","subject":{"reference":"Patient/a"},
        "clinicalStatus":{"coding":[{"code":"active"}]},"abatementDateTime":"2020"}"#;
    let rules = broken_rules(&parse(text.as_bytes()).unwrap());
    assert_eq!(rules.iter().map(|rule| rule.key).collect::<Vec<_>>(), ["con-4"]);
    assert!(rules[0].reads.iter().any(|name| &**name == "abatementDateTime"));
}

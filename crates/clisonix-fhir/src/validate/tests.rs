//! One fault at a time.

use super::{MAX_ISSUES, broken_rules, validate};
use crate::issue::Severity;
use crate::json::{Value, parse};

mod invariants;
mod primitives;

fn resource(text: &str) -> Value {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn check(text: &str, expected: &[(&str, &str)]) {
    let rules = broken_rules(&resource(text));
    let found: Vec<_> = rules.iter().map(|rule| (rule.key, rule.issue.path.as_str())).collect();
    assert_eq!(found, expected, "{text}");
}

/// The one broken rule of `text` has the key `key` and reads `reads`.
fn check_reads(text: &str, key: &str, reads: &[&str]) {
    let rules = broken_rules(&resource(text));
    assert_eq!(rules.iter().map(|rule| rule.key).collect::<Vec<_>>(), [key], "{text}");
    let found: Vec<&str> = rules[0].reads.iter().map(|name| &**name).collect();
    assert_eq!(found, reads, "{text}");
}

#[test]
fn a_valid_patient_has_no_fault() {
    check(r#"{"resourceType":"Patient","id":"a","gender":"male"}"#, &[]);
    for members in [
        r#""name":[{"given":["A",null],"_given":[null,{"extension":[
            {"url":"http://example.org/x","valueString":"x"}]}]}]"#,
        r#""birthDate":"2024-02-29","_birthDate":{"id":"x"}"#,
        r#""_birthDate":{"extension":[{"url":"http://example.org/x","valueString":"x"}]}"#,
        r#""managingOrganization":{"reference":"Organization/1/_history/2"}"#,
        r#""managingOrganization":{"reference":"urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"}"#,
        r#""managingOrganization":{"reference":"Organization?identifier=a|b"}"#,
        r##""managingOrganization":{"reference":"#o"},
            "contained":[{"resourceType":"Organization","id":"o","name":"x"}]"##,
        r##""contained":[{"resourceType":"Observation","id":"o","status":"final",
            "code":{"text":"x"},"subject":{"reference":"#"}}]"##,
    ] {
        check(&format!(r#"{{"resourceType":"Patient",{members}}}"#), &[]);
    }
}

#[test]
fn each_kind_of_structural_fault_is_found() {
    for (members, key, path) in [
        (r#""colour":1"#, "unknown", "Patient.colour"),
        (r#""active":"true""#, "kind", "Patient.active"),
        (r#""active":null"#, "kind", "Patient.active"),
        (r#""name":{}"#, "kind", "Patient.name"),
        (r#""name":["x"]"#, "kind", "Patient.name[0]"),
        (r#""maritalStatus":"M""#, "kind", "Patient.maritalStatus"),
        (r#""gender":["male"]"#, "kind", "Patient.gender"),
        (r#""name":[{"given":[null]}]"#, "kind", "Patient.name[0].given[0]"),
        (r#""name":[]"#, "empty", "Patient.name"),
        (r#""name":[{}]"#, "empty", "Patient.name[0]"),
        (r#""name":[{"id":"x"}]"#, "ele-1", "Patient.name[0]"),
        (r#""_birthDate":{"id":"x"}"#, "ele-1", "Patient._birthDate"),
        (r#""link":[{"type":"refer"}]"#, "min", "Patient.link[0].other"),
        (r#""deceasedBoolean":true,"deceasedDateTime":"2020""#, "choice", "Patient.deceased"),
        (r#""birthDate":"2023-02-29""#, "form", "Patient.birthDate"),
        (r#""id":"a b""#, "form", "Patient.id"),
        (r#""gender":"m""#, "binding", "Patient.gender"),
        (
            r#""managingOrganization":{"reference":"nowhere"}"#,
            "form",
            "Patient.managingOrganization",
        ),
        (r#""managingOrganization":{"reference":"Org/1"}"#, "form", "Patient.managingOrganization"),
        (r##""managingOrganization":{"reference":"#o"}"##, "ref-1", "Patient.managingOrganization"),
        (r#""contained":[{"id":"x"}]"#, "type", "Patient.contained[0]"),
        (r#""contained":["x"]"#, "type", "Patient.contained[0]"),
    ] {
        let text = format!(r#"{{"resourceType":"Patient",{members}}}"#);
        let rules = broken_rules(&resource(&text));
        let first = rules.first().map(|rule| (rule.key, rule.issue.path.as_str()));
        assert_eq!(first, Some((key, path)), "{text}");
    }
    let arrays = r#""name":[{"given":["A","B"],"_given":[{"id":"x"}]}]"#;
    let text = format!(r#"{{"resourceType":"Patient",{arrays}}}"#);
    check(&text, &[("sibling", "Patient.name[0].given"), ("sibling", "Patient.name[0]._given")]);
    for text in
        [r#"{"resourceType":"Nobody"}"#, "{}", "[]", "null", r#"{"resourceType":"Element"}"#]
    {
        check(text, &[("type", "")]);
    }
}

#[test]
fn a_fault_names_the_top_level_elements_that_it_reads() {
    for (members, key, reads) in [
        (r#""deceasedBoolean":true,"deceasedDateTime":"2020""#, "choice", &["deceased"][..]),
        (r#""_deceasedDateTime":{"id":"x"}"#, "ele-1", &["deceased"]),
        (r#""_birthDate":{"id":"x"}"#, "ele-1", &["birthDate"]),
        (r#""colour":1"#, "unknown", &["colour"]),
        (r#""link":[{"type":"refer"}]"#, "min", &["link"]),
        (r#""contact":[{"period":{"start":"2020"}}]"#, "pat-1", &["contact"]),
        (
            r##""managingOrganization":{"reference":"#o"}"##,
            "ref-1",
            &["managingOrganization", "contained"],
        ),
        (
            r#""contained":[{"resourceType":"Organization","id":"o","name":"x"}]"#,
            "dom-3",
            &[
                "contained",
                "extension",
                "modifierExtension",
                "identifier",
                "contact",
                "generalPractitioner",
                "managingOrganization",
            ],
        ),
    ] {
        check_reads(&format!(r#"{{"resourceType":"Patient",{members}}}"#), key, reads);
    }
    check_reads(r#"{"resourceType":"Observation","status":"final"}"#, "min", &["code"]);
    let bundle = r##"{"resourceType":"Bundle","type":"collection","entry":[
        {"resource":{"resourceType":"Patient","managingOrganization":{"reference":"#o"}}}]}"##;
    check_reads(bundle, "ref-1", &["entry"]);
    check_reads("{}", "type", &["resourceType"]);
}

#[test]
fn a_contained_resource_is_held_to_its_own_rules() {
    let around = |members: &str| {
        format!(
            r##"{{"resourceType":"Patient","managingOrganization":{{"reference":"#o"}},"contained":
            [{{"resourceType":"Organization","id":"o","name":"x",{members}}}]}}"##
        )
    };
    for (members, key) in [
        (r#""active":1"#, "kind"),
        (r#""meta":{"versionId":"1"}"#, "dom-4"),
        (r#""meta":{"lastUpdated":"2020-01-01T00:00:00Z"}"#, "dom-4"),
        (r#""meta":{"security":[{"code":"R"}]}"#, "dom-5"),
        (r#""telecom":[{"system":"phone","value":"1","use":"home"}]"#, "org-3"),
        (r##""partOf":{"reference":"#p"}"##, "ref-1"),
    ] {
        check_reads(&around(members), key, &["contained"]);
    }
    let nested = around(r#""contained":[{"resourceType":"Organization","id":"p","name":"y"}]"#);
    assert!(broken_rules(&resource(&nested)).iter().any(|rule| rule.key == "dom-2"));
}

#[test]
fn a_required_binding_holds_for_system_and_code() {
    const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    let condition = |status: &str| {
        format!(
            r#"{{"resourceType":"Condition","subject":{{"reference":"Patient/a"}},
            "clinicalStatus":{status}}}"#
        )
    };
    check(&condition(&format!(r#"{{"coding":[{{"system":"{SYSTEM}","code":"active"}}]}}"#)), &[]);
    check(&condition(r#"{"extension":[{"url":"http://x.org","valueCode":"unknown"}]}"#), &[]);
    for status in [
        format!(r#"{{"coding":[{{"system":"{SYSTEM}","code":"going well"}}]}}"#),
        r#"{"coding":[{"system":"http://example.org","code":"active"}]}"#.to_owned(),
        r#"{"coding":[{"code":"active"}]}"#.to_owned(),
        r#"{"text":"active"}"#.to_owned(),
    ] {
        check_reads(&condition(&status), "binding", &["clinicalStatus"]);
    }
}

#[test]
fn a_reference_to_the_wrong_type_is_a_warning() {
    let text = r#"{"resourceType":"Patient","managingOrganization":{"reference":"Patient/1"}}"#;
    check(text, &[]);
    let issues = validate(&resource(text));
    assert_eq!(issues.iter().map(|issue| issue.severity).collect::<Vec<_>>(), [Severity::Warning]);
}

#[test]
fn the_number_of_faults_is_limited() {
    let names: Vec<&str> = std::iter::repeat_n("{}", MAX_ISSUES + 10).collect();
    let text = format!(r#"{{"resourceType":"Patient","name":[{}]}}"#, names.join(","));
    assert_eq!(validate(&resource(&text)).len(), MAX_ISSUES);
}

#[test]
fn no_fault_tells_a_value() {
    let text = r#"{"resourceType":"Patient","birthDate":"SECRET","gender":"SECRET","active":"SECRET",
        "name":[{"use":"SECRET"}],"photo":[{"data":"SECRET!","url":"SECRET SECRET"}]}"#;
    let issues = validate(&resource(text));
    assert!(issues.len() > 4);
    assert!(issues.iter().all(|issue| !issue.to_string().contains("SECRET")));
}

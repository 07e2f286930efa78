//! Units of patches: RFC 7396's own cases, limits, and what the official suites leave out.

use proptest::prelude::*;

use super::{MAX_PATCH_OPERATIONS, PatchError, PatchFault, assignments, fhirpath, json, merge};
use crate::json::{Value, parse};

fn value(text: &str) -> Value {
    parse(text.as_bytes()).unwrap()
}

/// RFC 7396, appendix A: the original, the patch and the result.
const MERGES: &[(&str, &str, &str)] = &[
    (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
    (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
    (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
    (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
    (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
    (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
    (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
    (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
    (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
    (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
    (r#"{"a":"foo"}"#, "null", "null"),
    (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
    (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
    ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
    ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
];

#[test]
fn a_merge_patch_does_what_its_appendix_says() {
    for (original, patch, wanted) in MERGES {
        assert_eq!(merge(value(original), &value(patch)), Ok(value(wanted)), "{original} {patch}");
    }
}

/// A `FHIRPath` Patch of one operation: its parts by name, type and value.
fn operation(parts: &str) -> Value {
    value(&format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"operation","part":[{parts}]}}]}}"#
    ))
}

fn text_part(name: &str, text: &str) -> String {
    format!(r#"{{"name":"{name}","valueString":"{text}"}}"#)
}

fn patched(resource: &str, parts: &[String]) -> Result<String, PatchFault> {
    match fhirpath(value(resource), &operation(&parts.join(","))) {
        Ok(value) => Ok(value.to_text()),
        Err(PatchError::Operation { index: 0, fault }) => Err(fault),
        Err(other) => panic!("{other}"),
    }
}

fn of(ty: &str, path: &str, rest: &[&str]) -> Vec<String> {
    let mut parts = vec![text_part("type", ty), text_part("path", path)];
    parts.extend(rest.iter().map(|part| (*part).to_owned()));
    parts
}

#[test]
fn a_list_of_primitives_keeps_its_siblings_in_step() {
    let name = r#"{"resourceType":"Patient","name":[{"given":["A",null,"C"],"_given":[null,{"id":"b"},null]}]}"#;
    let given = "Patient.name.given";
    assert_eq!(
        patched(name, &of("delete", "Patient.name.given[0]", &[])).unwrap(),
        r#"{"resourceType":"Patient","name":[{"given":[null,"C"],"_given":[{"id":"b"},null]}]}"#
    );
    let index = r#"{"name":"index","valueInteger":1}"#;
    let new = r#"{"name":"value","valueString":"N"}"#;
    assert_eq!(
        patched(name, &of("insert", given, &[index, new])).unwrap(),
        r#"{"resourceType":"Patient","name":[{"given":["A","N",null,"C"],"_given":[null,null,{"id":"b"},null]}]}"#
    );
    assert_eq!(
        patched(name, &of("delete", "Patient.name.given[1]", &[])).unwrap(),
        r#"{"resourceType":"Patient","name":[{"given":["A","C"]}]}"#
    );
}

#[test]
fn a_choice_is_named_after_its_new_type() {
    let patient =
        r#"{"resourceType":"Patient","deceasedBoolean":true,"_deceasedBoolean":{"id":"x"}}"#;
    let new = r#"{"name":"value","valueDateTime":"2020"}"#;
    assert_eq!(
        patched(patient, &of("replace", "Patient.deceased", &[new])).unwrap(),
        r#"{"resourceType":"Patient","deceasedDateTime":"2020"}"#
    );
    let add = of("add", "Patient", &[&text_part("name", "deceased"), new]);
    assert_eq!(patched(patient, &add), Err(PatchFault::Occupied));
    let wrong = r#"{"name":"value","valueQuantity":{"value":1}}"#;
    let add = of("add", "Patient", &[&text_part("name", "deceased"), wrong]);
    assert_eq!(patched(r#"{"resourceType":"Patient","id":"a"}"#, &add), Err(PatchFault::Type));
}

#[test]
fn a_primitive_takes_extensions() {
    let patient = r#"{"resourceType":"Patient","birthDate":"2020","name":[{"given":["A","B"]}]}"#;
    let name = text_part("name", "extension");
    let new = r#"{"name":"value","valueExtension":{"url":"http://example.org/x","valueCode":"y"}}"#;
    let extension = r#"{"extension":[{"url":"http://example.org/x","valueCode":"y"}]}"#;
    let result = patched(patient, &of("add", "Patient.name.given[1]", &[&name, new])).unwrap();
    assert!(result.contains(&format!(r#""_given":[null,{extension}]"#)), "{result}");
    let result = patched(patient, &of("add", "Patient.birthDate", &[&name, new])).unwrap();
    assert!(result.contains(&format!(r#""_birthDate":{extension}"#)), "{result}");
}

#[test]
fn what_is_empty_after_a_deletion_goes_too() {
    let patient = r#"{"resourceType":"Patient","contact":[{"name":{"text":"x"}}],"id":"a"}"#;
    assert_eq!(
        patched(patient, &of("delete", "Patient.contact.name.text", &[])).unwrap(),
        r#"{"resourceType":"Patient","id":"a"}"#
    );
}

#[test]
fn a_patch_that_cannot_be_applied_says_why() {
    let patient =
        r#"{"resourceType":"Patient","name":[{"family":"A"},{"family":"B"}],"active":true}"#;
    let new = r#"{"name":"value","valueString":"N"}"#;
    let cases: &[(Vec<String>, PatchFault)] = &[
        (of("replace", "Patient.name.family", &[new]), PatchFault::NotSingle),
        (of("replace", "Patient.birthDate", &[new]), PatchFault::NotFound),
        (of("replace", "1 + 1", &[new]), PatchFault::NotElement),
        (of("replace", "Patient.active", &[]), PatchFault::Part("value")),
        (of("replace", "Patient.name[0]", &[new]), PatchFault::Type),
        (of("swap", "Patient.active", &[]), PatchFault::Part("type")),
        (of("add", "Patient", &[&text_part("name", "nothing"), new]), PatchFault::Element),
        (
            of(
                "insert",
                "Patient.active",
                &[
                    r#"{"name":"index","valueInteger":0}"#,
                    r#"{"name":"value","valueBoolean":true}"#,
                ],
            ),
            PatchFault::NotList,
        ),
        (
            of(
                "insert",
                "Patient.name",
                &[
                    r#"{"name":"index","valueInteger":3}"#,
                    r#"{"name":"value","valueHumanName":{"text":"x"}}"#,
                ],
            ),
            PatchFault::Index,
        ),
        (
            of(
                "move",
                "Patient.name",
                &[
                    r#"{"name":"source","valueInteger":0}"#,
                    r#"{"name":"destination","valueInteger":2}"#,
                ],
            ),
            PatchFault::Index,
        ),
    ];
    for (parts, wanted) in cases {
        assert_eq!(patched(patient, parts).as_ref(), Err(wanted), "{parts:?}");
    }
    assert!(matches!(patched(patient, &of("delete", "Patient.", &[])), Err(PatchFault::Path(_))));
    assert_eq!(fhirpath(value(patient), &value("{}")), Err(PatchError::Form));
    let many = Value::Array(vec![Value::Null; MAX_PATCH_OPERATIONS + 1]);
    assert_eq!(json(value("{}"), &many), Err(PatchError::TooManyOperations));
    assert_eq!(json(value("{}"), &value("{}")), Err(PatchError::Form));
}

#[test]
fn copies_cannot_grow_without_end() {
    let copy = value(r#"{"op":"copy","from":"/a","path":"/a/-"}"#);
    let patch = Value::Array(vec![copy; 1_000]);
    let result = json(value(r#"{"a":[1]}"#), &patch);
    let wanted = [PatchFault::TooManyValues, PatchFault::TooDeep];
    assert!(
        matches!(&result, Err(PatchError::Operation { fault, .. }) if wanted.contains(fault)),
        "{result:?}"
    );
}

/// Operations that are mostly of their form, about an example with most kinds of elements.
fn operations() -> impl Strategy<Value = Vec<String>> {
    let ty = prop::sample::select(vec!["add", "insert", "delete", "replace", "move"]);
    let path = prop::sample::select(vec![
        "Patient",
        "Patient.name",
        "Patient.name[0]",
        "Patient.name.given",
        "Patient.name.given[1]",
        "Patient.birthDate",
        "Patient.deceased",
        "Patient.contained[0]",
        "Patient.contained.name",
        "Patient.birthDate.extension",
        "Patient.descendants()",
        "Patient.name.period",
        "1",
        "Patient.managingOrganization.resolve()",
    ]);
    let name = prop::sample::select(vec![
        "given",
        "birthDate",
        "deceased",
        "name",
        "extension",
        "contained",
        "id",
        "x",
    ]);
    let value = prop::sample::select(vec![
        r#""valueString":"N""#,
        r#""valueHumanName":{"text":"x"}"#,
        r#""valueBoolean":true"#,
        r#""_valueCode":{"id":"x"}"#,
        r#""part":[{"name":"text","valueString":"x"}]"#,
        r#""part":[]"#,
        r#""resource":{"resourceType":"Basic"}"#,
        r#""valueExtension":{"url":"x"}"#,
        r#""value":1"#,
    ]);
    let index = 0_i64..4;
    let operation = (ty, path, name, value, index.clone(), index).prop_map(|(ty, path, name, value, a, b)| {
        format!(
            r#"{{"name":"operation","part":[{},{},{},{{"name":"value",{value}}},{{"name":"index","valueInteger":{a}}},
            {{"name":"source","valueInteger":{a}}},{{"name":"destination","valueInteger":{b}}}]}}"#,
            text_part("type", ty), text_part("path", path), text_part("name", name)
        )
    });
    prop::collection::vec(operation, 0..4)
}

#[test]
fn only_values_put_at_places_are_assignments() {
    let document = value(r#"{"a":{"b":1},"l":[{"c":2}]}"#);
    let of = |operations: &str| {
        let operations = value(operations);
        let found = assignments(&document, &operations)?;
        Some(
            found.iter().map(|(at, value)| format!("{at}={}", value.to_text())).collect::<Vec<_>>(),
        )
    };
    let all = r#"[{"op":"test","path":"/a/b","value":1},{"op":"replace","path":"/l/0","value":{}},{"op":"add","path":"/a/d","value":3}]"#;
    assert_eq!(of(all), Some(vec!["/l/0={}".to_owned(), "/a/d=3".to_owned()]));
    for other in [
        r#"[{"op":"remove","path":"/a"}]"#,
        r#"[{"op":"add","path":"/l/0","value":{}}]"#,
        r#"[{"op":"add","path":"/l/-","value":{}}]"#,
        r#"[{"op":"replace","path":"","value":{}}]"#,
        r#"[{"op":"move","from":"/a","path":"/b"}]"#,
        r#"[{"op":"replace","path":"/a","value":[]},{"op":"add","path":"/a/0","value":1}]"#,
    ] {
        assert_eq!(of(other), None, "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_patch_panics_or_leaves_what_cannot_be_read(operations in operations()) {
        let patient = value(r##"{"resourceType":"Patient","birthDate":"2020","_birthDate":{"extension":[{"url":"x","valueCode":"y"}]},
            "deceasedBoolean":true,"name":[{"given":["A",null],"_given":[null,{"id":"g"}]},{"family":"B"}],
            "managingOrganization":{"reference":"#o"},"contained":[{"resourceType":"Organization","id":"o","name":"O"}]}"##);
        let parameters = format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, operations.join(","));
        if let Ok(result) = fhirpath(patient, &value(&parameters)) {
            prop_assert_eq!(parse(result.to_text().as_bytes()), Ok(result));
        }
    }
}

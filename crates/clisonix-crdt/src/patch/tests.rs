//! JSON Patch: the public test cases, and what they leave out.

use std::path::Path;

use clisonix_fhir::json::{self, Value};

use super::{MAX_PATCH_OPERATIONS, MAX_POINTER_BYTES, apply};
use crate::edit::EditError;

fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).unwrap()
}

/// Patches `document`; the result as text, or index and reason.
fn patched(document: &str, patch: &str) -> Result<String, (usize, &'static str)> {
    let before = value(document);
    let mut document = before.clone();
    match apply(&mut document, &value(patch)) {
        Ok(()) => Ok(document.to_text()),
        Err(EditError::Patch { index, reason }) => {
            assert_eq!(document, before, "a refused patch changes nothing");
            Err((index, reason))
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_public_cases_of_rfc_6902() {
    let file = "../../../shared/data/fhir/tests/patch/json-patch-tests.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let Ok(bytes) = std::fs::read(&path) else {
        assert!(std::env::var_os("CI").is_none(), "{file} is missing");
        eprintln!("SKIPPED: {file} is missing");
        return;
    };
    let cases = json::parse(&bytes).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 16);
    for case in cases {
        let name = case.get("comment").and_then(Value::as_str).unwrap();
        let mut document = case.get("doc").unwrap().clone();
        let result = apply(&mut document, case.get("patch").unwrap());
        if let Some(expected) = case.get("expected") {
            assert_eq!(result, Ok(()), "{name}");
            assert_eq!(&document, expected, "{name}");
        } else {
            assert!(matches!(result, Err(EditError::Patch { .. })), "{name}");
            assert_eq!(&document, case.get("doc").unwrap(), "{name}");
        }
    }
}

#[test]
fn operations() {
    for (document, patch, result) in [
        // A false test after good operations undoes them.
        (
            r#"{"a":1}"#,
            r#"[{"op":"add","path":"/b","value":2},{"op":"test","path":"/a","value":2}]"#,
            Err((1, "the test is false")),
        ),
        (r#"{"a":1}"#, r#"[{"op":"replace","path":"","value":[null]}]"#, Ok("[null]")),
        (r#"{"a":1.10}"#, r#"[{"op":"test","path":"/a","value":11e-1}]"#, Ok(r#"{"a":1.10}"#)),
        (r#"{"a":-0.0}"#, r#"[{"op":"test","path":"/a","value":0}]"#, Ok(r#"{"a":-0.0}"#)),
        (r#"{"a":100}"#, r#"[{"op":"test","path":"/a","value":1e2}]"#, Ok(r#"{"a":100}"#)),
        (
            r#"{"a":{"x":1,"y":[2]}}"#,
            r#"[{"op":"test","path":"/a","value":{"y":[2.0],"x":1}}]"#,
            Ok(r#"{"a":{"x":1,"y":[2]}}"#),
        ),
        (
            r#"{"a":[1,2,3]}"#,
            r#"[{"op":"copy","from":"/a/0","path":"/a/-"},{"op":"remove","path":"/a/0"}]"#,
            Ok(r#"{"a":[2,3,1]}"#),
        ),
        (r#"{"a":1}"#, r#"[{"op":"move","from":"/a","path":"/a"}]"#, Ok(r#"{"a":1}"#)),
        (
            r#"{"a":{"b":1}}"#,
            r#"[{"op":"move","from":"/a","path":"/a/b/c"}]"#,
            Err((0, "a value cannot be moved into itself")),
        ),
        (r#"{"a/b":1}"#, r#"[{"op":"remove","path":"/a~1b"}]"#, Ok("{}")),
        (r#"{"":1}"#, r#"[{"op":"remove","path":"/"}]"#, Ok("{}")),
        (r"{}", r#"[{"op":"add","path":"/a~2","value":1}]"#, Err((0, super::BAD_POINTER))),
        (r"{}", r#"[{"op":"add","path":"a","value":1}]"#, Err((0, super::BAD_POINTER))),
        ("[1]", r#"[{"op":"add","path":"/01","value":1}]"#, Err((0, super::BAD_INDEX))),
        ("[1]", r#"[{"op":"add","path":"/2","value":1}]"#, Err((0, super::BAD_INDEX))),
        ("[1]", r#"[{"op":"remove","path":"/-"}]"#, Err((0, super::NO_TARGET))),
        ("[1]", r#"[{"op":"replace","path":"/1","value":1}]"#, Err((0, super::NO_TARGET))),
        ("1", r#"[{"op":"add","path":"/a","value":1}]"#, Err((0, super::NO_PLACE))),
        (r"{}", r#"[{"op":"copy","from":"/a","path":"/b"}]"#, Err((0, super::NO_SOURCE))),
        (r"{}", r#"[{"op":"add","path":"/a"}]"#, Err((0, "`value` is missing"))),
        (r"{}", r#"[{"path":"/a"}]"#, Err((0, "`op` is missing"))),
        (r"{}", r"[1]", Err((0, "an operation is an object"))),
        (r"{}", r"{}", Err((0, "a patch is an array of operations"))),
        (
            r"{}",
            r#"[{"op":"remove","path":""}]"#,
            Err((0, "the whole document cannot be taken away")),
        ),
        (
            r"{}",
            r#"[{"op":"merge","path":""}]"#,
            Err((0, "`op` is none of add, remove, replace, move, copy, test")),
        ),
    ] {
        assert_eq!(patched(document, patch), result.map(str::to_owned), "{patch}");
    }
}

#[test]
fn limits_hold() {
    let one = r#"{"op":"test","path":"","value":1}"#;
    let many = format!("[{}]", vec![one; MAX_PATCH_OPERATIONS + 1].join(","));
    assert_eq!(patched("1", &many).unwrap_err().0, MAX_PATCH_OPERATIONS);
    let long = "/a".repeat(MAX_POINTER_BYTES);
    let patch = format!(r#"[{{"op":"remove","path":"{long}"}}]"#);
    assert_eq!(patched("1", &patch), Err((0, super::BAD_POINTER)));
    // A document that doubles with every operation, and one that nests.
    let double = r#"{"op":"copy","from":"","path":"/-"}"#;
    let bomb = format!("[{}]", vec![double; 64].join(","));
    assert_eq!(patched("[[],[],[]]", &bomb).unwrap_err().1, super::TOO_MANY_VALUES);
    let deeper = r#"{"op":"copy","from":"","path":"/0"}"#;
    let nest = format!("[{}]", vec![deeper; 64].join(","));
    assert!(patched("[]", &nest).is_err());
}

//! What the reader takes, what it refuses and where it says so.

use super::{MAX_DEPTH, Object, ParseErrorKind, Value, parse};

fn check(text: &str, expected: &str) {
    assert_eq!(parse(text.as_bytes()).unwrap().to_text(), expected, "{text}");
}

fn check_refused(text: &str, kind: ParseErrorKind, line: u32, column: u32) {
    let error = parse(text.as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.line, error.column), (kind, line, column), "{text}");
}

#[test]
fn numbers_keep_their_text() {
    for text in ["1.10", "1E5", "-0.0", "0", "-0", "1e+05", "100000000000000000000000000000.0"] {
        check(text, text);
    }
}

#[test]
fn members_keep_their_order() {
    check(r#" { "b" : 1 , "a" : [ ] , "c":{}} "#, r#"{"b":1,"a":[],"c":{}}"#);
}

#[test]
fn escapes_are_read_and_only_needed_ones_written() {
    check(
        r#""\/ \u00e9 \ud83d\ude00 \b\f\n\r\t \u0001 \" \\""#,
        "\"/ é 😀 \\b\\f\\n\\r\\t \\u0001 \\\" \\\\\"",
    );
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    check("\u{FEFF}[1]", "[1]");
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    use ParseErrorKind as Kind;
    for (text, kind, line, column) in [
        ("", Kind::UnexpectedEnd, 1, 1),
        ("[1,\n2,]", Kind::UnexpectedCharacter, 2, 3),
        ("{\"é\":1,\"é\":2}", Kind::DuplicateMember, 1, 8),
        ("[01]", Kind::BadNumber, 1, 2),
        ("[1.]", Kind::BadNumber, 1, 2),
        ("[1e]", Kind::BadNumber, 1, 2),
        ("[-]", Kind::BadNumber, 1, 2),
        ("[+1]", Kind::UnexpectedCharacter, 1, 2),
        ("[.5]", Kind::UnexpectedCharacter, 1, 2),
        ("nul", Kind::UnexpectedEnd, 1, 4),
        ("\"a", Kind::UnexpectedEnd, 1, 3),
        ("\"\t\"", Kind::ControlCharacter, 1, 2),
        (r#""\x""#, Kind::BadEscape, 1, 3),
        (r#""\u12g4""#, Kind::BadEscape, 1, 6),
        (r#""\ud800""#, Kind::LoneSurrogate, 1, 8),
        (r#""\udc00""#, Kind::LoneSurrogate, 1, 8),
        (r#""\ud800\u0041""#, Kind::LoneSurrogate, 1, 14),
        ("1 2", Kind::TrailingCharacters, 1, 3),
        ("{1:2}", Kind::UnexpectedCharacter, 1, 2),
        ("NaN", Kind::UnexpectedCharacter, 1, 1),
    ] {
        check_refused(text, kind, line, column);
    }
    assert_eq!(parse(b"\"\xFF\"").unwrap_err().kind, Kind::NotUtf8);
}

#[test]
fn a_wide_object_with_a_name_twice_is_refused() {
    let mut members: Vec<String> = (0..100).map(|index| format!("\"m{index}\":0")).collect();
    assert!(parse(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
    members.push("\"m40\":0".to_owned());
    let error = parse(format!("{{{}}}", members.join(",")).as_bytes()).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::DuplicateMember);
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    let error = parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.offset), (ParseErrorKind::TooDeep, MAX_DEPTH));
    assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn an_error_tells_no_content() {
    let error = parse(b"{\"name\": \"Chalmers\" x}").unwrap_err();
    assert_eq!(error.to_string(), "a character that cannot stand here at line 1, column 21");
}

#[test]
fn pretty_text_is_indented() {
    let value = parse(br#"{"a":[1,{"b":[]}],"c":{}}"#).unwrap();
    let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}";
    assert_eq!(value.to_pretty(), expected);
    assert_eq!(parse(value.to_pretty().as_bytes()).unwrap(), value);
}

#[test]
fn an_object_replaces_in_place_and_compares_without_order() {
    let mut object = Object::new();
    assert_eq!(object.insert("a", 1i64), None);
    object.insert("b", "x");
    assert_eq!(object.insert("a", true), Some(Value::from(1i64)));
    assert_eq!(object.keys().collect::<Vec<_>>(), ["a", "b"]);
    let other: Object = [("b", Value::from("x")), ("a", Value::from(true))].into_iter().collect();
    assert_eq!(object, other);
    assert_eq!(object.remove("a"), Some(Value::Bool(true)));
    assert_ne!(object, other);
}

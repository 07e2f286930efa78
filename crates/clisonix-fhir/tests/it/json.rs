//! Properties of the JSON reader and writer.

use clisonix_fhir::json::{Number, Object, ParseErrorKind, Value, parse};
use proptest::prelude::*;

use crate::other_reader::difference;

fn number() -> impl Strategy<Value = Value> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"
        .prop_map(|text| Value::Number(Number::from_text(&text).unwrap()))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..8).prop_map(|members| {
                let members =
                    members.into_iter().map(|(name, value)| (name.into_boxed_str(), value));
                Value::Object(members.collect::<Object>())
            }),
        ]
    })
}

/// Texts that are nearly JSON.
fn near_json() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just(" "),
        Just("\n"),
        Just("\"a\""),
        Just("\"b\""),
        Just("\"\\u0041\""),
        Just("\"\\ud83d\\ude00\""),
        Just("\"\\ud800\""),
        Just("\"\\x\""),
        Just("\"\u{1}\""),
        Just("\""),
        Just("\\"),
        Just("0"),
        Just("-"),
        Just("01"),
        Just("1.50"),
        Just("1."),
        Just("1e5"),
        Just("-0"),
        Just("true"),
        Just("false"),
        Just("null"),
        Just("nul"),
        Just("\u{FEFF}"),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

/// Both readers accept the text, with one content, or both refuse it; what ours alone refuses is
/// named here.
fn check_agreement(text: &[u8]) -> Result<(), TestCaseError> {
    // A byte order mark is tolerated here and refused there.
    let plain = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let other = serde_json::from_slice::<serde_json::Value>(plain);
    match (parse(text), other) {
        (Ok(ours), Ok(other)) => prop_assert_eq!(difference(&ours, &other), None),
        (Err(error), Ok(_)) => prop_assert!(
            matches!(
                error.kind,
                ParseErrorKind::DuplicateMember
                    | ParseErrorKind::TooDeep
                    | ParseErrorKind::TooLarge
                    | ParseErrorKind::TooManyValues
            ),
            "{error}"
        ),
        (Ok(_), Err(error)) => prop_assert!(false, "accepted here alone: {error}"),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(value in value()) {
        let text = value.to_text();
        prop_assert_eq!(&parse(text.as_bytes()).unwrap(), &value);
        prop_assert_eq!(&parse(value.to_pretty().as_bytes()).unwrap(), &value);
        prop_assert_eq!(parse(text.as_bytes()).unwrap().to_text(), text.clone());
        prop_assert_eq!(difference(&value, &serde_json::from_str(&text).unwrap()), None);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_agreement(&bytes)?;
    }

    #[test]
    fn a_damaged_text_is_read_as_another_reader_reads_it(
        value in value(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = value.to_text().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        check_agreement(&bytes)?;
        check_agreement(&bytes[..at])?;
    }

    #[test]
    fn texts_near_json_are_judged_as_another_reader_judges_them(text in near_json()) {
        check_agreement(text.as_bytes())?;
    }

    #[test]
    fn no_resource_makes_the_validator_panic(
        value in value(),
        name in prop::sample::select(vec!["Patient", "Observation", "Bundle", "Timing", ""]),
        member in prop::sample::select(vec![
            "contained", "name", "_birthDate", "entry", "text", "valuePeriod", "component", "meta",
        ]),
    ) {
        let mut resource = Object::new();
        resource.insert("resourceType", name);
        resource.insert(member, value);
        let issues = clisonix_fhir::validate::validate(&Value::Object(resource));
        prop_assert!(issues.len() <= 2 * clisonix_fhir::validate::MAX_ISSUES);
    }
}

//! Tests of data types.

use super::*;
use crate::ccda::source::Source;

fn read(xml: &str, of: fn(Elem<'_>) -> Option<Value>) -> Option<String> {
    of(Source::parse(xml).unwrap().root()).map(|value| value.to_text())
}

#[test]
fn decimals_keep_their_digits() {
    for (text, number) in [
        ("1.50", Some("1.50")),
        (".5", Some("0.5")),
        ("+007.0", Some("7.0")),
        ("5.", Some("5")),
        ("-0.10", Some("-0.10")),
        ("1,5", None),
        (".", None),
        ("", None),
        ("NaN", None),
    ] {
        assert_eq!(decimal(text).map(|it| it.as_str().to_owned()).as_deref(), number, "{text}");
    }
}

#[test]
fn identifiers_follow_their_root() {
    for (xml, fhir) in [
        (
            r#"<id root="2.16.840.1.113883.4.6" extension="1"/>"#,
            Some(r#"{"system":"http://hl7.org/fhir/sid/us-npi","value":"1"}"#),
        ),
        (r#"<id root="1.2.3" extension="a"/>"#, Some(r#"{"system":"urn:oid:1.2.3","value":"a"}"#)),
        (
            r#"<id root="1.2.3"/>"#,
            Some(r#"{"system":"urn:ietf:rfc:3986","value":"urn:oid:1.2.3"}"#),
        ),
        (r#"<id nullFlavor="UNK"/>"#, None),
        (r#"<id extension="a"/>"#, None),
    ] {
        assert_eq!(read(xml, identifier).as_deref(), fhir, "{xml}");
    }
}

#[test]
fn translations_carry_the_code_when_the_code_is_null() {
    let xml = r#"<code nullFlavor="OTH"><originalText>x y</originalText>
        <translation code="1" codeSystem="2.16.840.1.113883.6.96"/></code>"#;
    let fhir = r#"{"coding":[{"system":"http://snomed.info/sct","code":"1"}],"text":"x y"}"#;
    assert_eq!(read(xml, concept).as_deref(), Some(fhir));
}

#[test]
fn quantities_name_ucum_only_for_what_can_be_ucum() {
    let of = |xml: &str| {
        quantity(Source::parse(xml).unwrap().root()).map(|it| Value::Object(it).to_text())
    };
    let ucum =
        r#"{"value":5,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}"#;
    assert_eq!(of(r#"<v value="5" unit="mm[Hg]"/>"#).as_deref(), Some(ucum));
    let words = r#"{"value":5,"unit":"per day"}"#;
    assert_eq!(of(r#"<v value="5" unit="per day"/>"#).as_deref(), Some(words));
    let pure = r#"{"value":5,"system":"http://unitsofmeasure.org","code":"1"}"#;
    assert_eq!(of(r#"<v value="5" unit="1"/>"#).as_deref(), Some(pure));
}

#[test]
fn phone_numbers_lose_their_scheme() {
    let phone = r#"{"system":"phone","value":"+1-2","use":"home"}"#;
    assert_eq!(read(r#"<t value="tel:+1-2" use="HP"/>"#, contact_point).as_deref(), Some(phone));
}

//! Sample values: value number `n` of a type, distinct for distinct numbers where the type has
//! enough values, and valid by itself.

use clisonix_fhir::json::{self, Number, Value};
use clisonix_fhir::schema::{Binding, Element, Kind, TypeId};

/// Value number `n` of an element of the type `ty`; `None` for types that the suite leaves out.
pub(crate) fn value(element: &Element, ty: TypeId, n: usize) -> Option<Value> {
    match ty.definition().kind {
        Kind::Primitive => Some(primitive(element, ty.name(), n)),
        Kind::Datatype => {
            let text = datatype(element, ty.name(), n)?;
            Some(json::parse(text.as_bytes()).expect("the samples are JSON"))
        }
        Kind::Resource => None,
    }
}

fn primitive(element: &Element, ty: &str, n: usize) -> Value {
    match ty {
        "boolean" => Value::Bool(n.is_multiple_of(2)),
        "integer" | "positiveInt" | "unsignedInt" => Value::from(n as u64 + 1),
        "decimal" => Number::from_text(&format!("{}.5", n + 1)).expect("a number").into(),
        "code" => match element.binding {
            Some(binding) => Value::from(code_of(binding, n)),
            None => Value::from(format!("code-{n}")),
        },
        "date" | "dateTime" => Value::from(date(n)),
        "instant" => Value::from(format!("{}T10:00:00Z", date(n))),
        "time" => Value::from(format!("10:{:02}:00", n % 60)),
        "base64Binary" => Value::from(format!("{:04}", n % 10_000)),
        "uri" | "url" | "canonical" => {
            Value::from(format!("http://example.org/{}/{n}", element.name))
        }
        "oid" => Value::from(format!("urn:oid:1.2.{}", n + 1)),
        "uuid" => Value::from(format!("urn:uuid:{n:08x}-0000-4000-8000-000000000000")),
        "id" => Value::from(format!("id-{n}")),
        _ => Value::from(format!("{} {n}", element.name)),
    }
}

fn code_of(binding: &Binding, n: usize) -> &'static str {
    binding.codes.get(n % binding.codes.len().max(1)).copied().unwrap_or("code")
}

fn date(n: usize) -> String {
    format!("2024-{:02}-{:02}", 1 + n / 28 % 12, 1 + n % 28)
}

fn pick<'a>(codes: &[&'a str], n: usize) -> &'a str {
    codes[n % codes.len()]
}

fn datatype(element: &Element, ty: &str, n: usize) -> Option<String> {
    let name = element.name;
    Some(match ty {
        "Quantity" => quantity(n, "unit", "u"),
        "Age" => timed(n, "a"),
        "Duration" => timed(n, "d"),
        "Range" => format!(r#"{{"low":{},"high":{}}}"#, amount(n), amount(n + 500)),
        "Ratio" => format!(r#"{{"numerator":{},"denominator":{}}}"#, amount(n), amount(n + 50)),
        "Period" => format!(r#"{{"start":"{}","end":"2025-{}"}}"#, date(n), &date(n)[5..]),
        "Money" => {
            let currency = pick(&["USD", "EUR", "GBP", "CHF"], n);
            format!(r#"{{"value":{n}.5,"currency":"{currency}"}}"#)
        }
        "Identifier" => {
            let usage = pick(&["usual", "official", "temp", "secondary"], n);
            format!(
                r#"{{"use":"{usage}","type":{{"text":"kind {n}"}},"system":"http://example.org/ids/{n}","value":"{name} {n}"}}"#
            )
        }
        "HumanName" => {
            let usage = pick(&["usual", "official", "nickname", "maiden"], n);
            format!(
                r#"{{"use":"{usage}","text":"Name {n}","family":"Family{n}","given":["Given{n}","Middle{n}"]}}"#
            )
        }
        "Address" => {
            let usage = pick(&["work", "temp", "billing", "old"], n);
            format!(
                r#"{{"use":"{usage}","line":["Street {n}"],"city":"City {n}","postalCode":"{n}"}}"#
            )
        }
        "ContactPoint" => {
            let system = pick(&["phone", "fax", "email", "pager"], n);
            let usage = pick(&["work", "temp", "mobile", "old"], n);
            format!(r#"{{"system":"{system}","value":"+1 555 {n}","use":"{usage}"}}"#)
        }
        "Coding" => coding(element, n),
        "CodeableConcept" => {
            format!(r#"{{"coding":[{}],"text":"{name} {n}"}}"#, coding(element, n))
        }
        "Reference" => {
            let target = element.targets.first().map_or("Basic", |ty| match ty.name() {
                "Resource" => "Basic",
                target => target,
            });
            format!(r#"{{"reference":"{target}/{name}-{n}","display":"{name} {n}"}}"#)
        }
        "Annotation" => {
            format!(r#"{{"authorString":"Author {n}","time":"{}","text":"Note {n}"}}"#, date(n))
        }
        "Attachment" => format!(
            r#"{{"contentType":"text/x-{n}","url":"http://example.org/file/{n}","title":"Title {n}"}}"#
        ),
        "Timing" => timing(n),
        "Dosage" => format!(
            r#"{{"text":"Take {n}","timing":{},"route":{{"text":"route {n}"}},"doseAndRate":[{{"doseQuantity":{}}}]}}"#,
            timing(n),
            quantity(n, "unit", "u")
        ),
        "SampledData" => {
            format!(r#"{{"origin":{},"period":{n}.5,"dimensions":1,"data":"{n} 1 2"}}"#, amount(n))
        }
        "Signature" => format!(
            r#"{{"type":[{}],"when":"{}T10:00:00Z","who":{{"reference":"Practitioner/{n}"}}}}"#,
            r#"{"system":"urn:iso-astm:E1762-95:2013","code":"1.2.840.10065.1.12.1.1"}"#,
            date(n)
        ),
        "Extension" => {
            format!(r#"{{"url":"http://example.org/{name}/{n}","valueString":"value {n}"}}"#)
        }
        "Narrative" => narrative("additional", n),
        _ => return None,
    })
}

/// The text of a narrative of the given status.
pub(crate) fn narrative(status: &str, n: usize) -> String {
    let div = r#"<div xmlns=\"http://www.w3.org/1999/xhtml\">"#;
    format!(r#"{{"status":"{status}","div":"{div}Text {n}</div>"}}"#)
}

fn quantity(n: usize, unit: &str, code: &str) -> String {
    format!(
        r#"{{"value":{n}.5,"unit":"{unit} {n}","system":"http://unitsofmeasure.org","code":"{code}{n}"}}"#
    )
}

/// A quantity in milligrams, so that the ends of a range compare.
fn amount(n: usize) -> String {
    format!(r#"{{"value":{n}.5,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}}"#)
}

fn timed(n: usize, first: &str) -> String {
    let code = pick(&[first, "mo", "wk", "h"], n);
    format!(
        r#"{{"value":{}.5,"unit":"unit {n}","system":"http://unitsofmeasure.org","code":"{code}"}}"#,
        n + 1
    )
}

fn timing(n: usize) -> String {
    let unit = pick(&["d", "wk", "h", "mo"], n);
    format!(
        r#"{{"repeat":{{"frequency":{},"period":{}.5,"periodUnit":"{unit}"}},"code":{{"text":"timing {n}"}}}}"#,
        n + 1,
        n + 1
    )
}

fn coding(element: &Element, n: usize) -> String {
    if let Some(binding) = element.binding {
        let system = binding.systems.first().copied().unwrap_or_default();
        return format!(r#"{{"system":"{system}","code":"{}"}}"#, code_of(binding, n));
    }
    let name = element.name;
    format!(
        r#"{{"system":"http://example.org/codes/{n}","code":"{name}-{n}","display":"{name} {n}"}}"#
    )
}

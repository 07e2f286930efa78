//! One line for a resource: what it is about, its value, when, and how it stands.

use clisonix_fhir::json::Value;

/// Longest piece of a line, in characters.
const MAX_CHARS: usize = 160;

/// What a resource is about, by member, in the order tried.
const SUBJECTS: &[&str] = &[
    "code",
    "vaccineCode",
    "medicationCodeableConcept",
    "name",
    "title",
    "type",
    "class",
    "category",
    "description",
    "medicationReference",
    "identifier",
];
/// When it was, by member, in the order tried.
const TIMES: &[&str] = &[
    "birthDate",
    "effectiveDateTime",
    "effectivePeriod",
    "occurrenceDateTime",
    "performedDateTime",
    "performedPeriod",
    "onsetDateTime",
    "authoredOn",
    "period",
    "recordedDate",
    "date",
    "issued",
    "created",
];
/// How it stands.
const STANDINGS: &[&str] = &["status", "clinicalStatus", "verificationStatus"];
const UNITS: &[&str] = &["unit", "code"];

/// The line.
pub(crate) fn headline(resource: &Value) -> String {
    let first = |names: &[&str], text: fn(&Value) -> Option<String>| {
        names.iter().find_map(|name| resource.get(name).and_then(text))
    };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(first(SUBJECTS, concept));
    parts.extend(value(resource));
    let components = resource.get("component").and_then(Value::as_array).unwrap_or_default();
    parts.extend(components.iter().filter_map(component));
    parts.extend(first(TIMES, time));
    parts.extend(STANDINGS.iter().filter_map(|name| resource.get(name).and_then(code)));
    parts.join(", ")
}

/// A value as short JSON.
pub(crate) fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_text(), str::to_owned);
    clip(&text)
}

/// The words of a text, concept, coding, name or identifier, or of the first of a list.
fn concept(value: &Value) -> Option<String> {
    let text = |name| value.get(name).and_then(Value::as_str);
    match value {
        Value::String(text) => Some(clip(text)),
        Value::Array(list) => list.first().and_then(concept),
        Value::Object(_) => text("text")
            .map(clip)
            .or_else(|| value.get("coding").and_then(concept))
            .or_else(|| person(value))
            .or_else(|| {
                ["display", "code", "reference", "value"].into_iter().find_map(text).map(clip)
            }),
        _ => None,
    }
}

/// The given names and the family name.
fn person(name: &Value) -> Option<String> {
    let given = name.get("given").and_then(Value::as_array).unwrap_or_default();
    let names = given.iter().chain(name.get("family")).filter_map(Value::as_str);
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| clip(&names.join(" ")))
}

/// The value of `value[x]`.
fn value(resource: &Value) -> Option<String> {
    let mut members = resource.as_object()?.iter();
    let (_, value) = members.find(|(name, _)| name.starts_with("value"))?;
    match value.get("value").and_then(Value::as_number) {
        Some(number) => {
            let unit = UNITS.iter().find_map(|name| value.get(name).and_then(Value::as_str));
            Some(clip(&format!("{} {}", number.as_str(), unit.unwrap_or_default())))
        }
        None => concept(value).or_else(|| Some(short(value))),
    }
}

fn component(component: &Value) -> Option<String> {
    let about = component.get("code").and_then(concept)?;
    Some(format!("{about} {}", value(component)?))
}

/// A date, or the start of a period.
fn time(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("start")?.as_str()).map(clip)
}

/// A code, or the first code of a concept.
fn code(value: &Value) -> Option<String> {
    let coded = || value.get("coding")?.at(0)?.get("code")?.as_str();
    value.as_str().or_else(coded).map(clip)
}

fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(MAX_CHARS).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}

//! From a source's text to the JSON form of a FHIR primitive (FHIR R4 2.24.0.1).

use clisonix_fhir::json::{Number, Object, Value};

use crate::timestamp;

/// The text in the form of the primitive type; `None` when it has not that form.
pub(super) fn primitive(ty: &str, text: &str, zone_minutes: i32) -> Option<Value> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return None;
    }
    match ty {
        "boolean" => boolean(trimmed).map(Value::from),
        "integer" | "positiveInt" | "unsignedInt" => {
            let number: i32 = trimmed.strip_prefix('+').unwrap_or(trimmed).parse().ok()?;
            let least = match ty {
                "positiveInt" => 1,
                "unsignedInt" => 0,
                _ => i32::MIN,
            };
            (number >= least).then(|| Value::from(i64::from(number)))
        }
        "decimal" => decimal(trimmed).map(Value::Number),
        "date" => {
            let date = date_time(trimmed, zone_minutes)?;
            timestamp::day(&date).map(Value::from)
        }
        "dateTime" => date_time(trimmed, zone_minutes).map(Value::from),
        "instant" => {
            let instant = date_time(trimmed, zone_minutes)?;
            timestamp::epoch_ms(&instant)?;
            Some(Value::from(instant))
        }
        "time" => time(trimmed).map(Value::from),
        "string" | "markdown" | "xhtml" => Some(Value::from(text)),
        "base64Binary" => {
            let packed: String = text.split_whitespace().collect();
            is_base64(&packed).then(|| Value::from(packed))
        }
        "uri" | "url" | "canonical" | "oid" | "uuid" | "id" => {
            let blank = trimmed.contains(char::is_whitespace);
            (!blank).then(|| Value::from(trimmed))
        }
        // FHIR R4 2.24.0.1: a code has no blanks at its ends and single ones inside.
        "code" => Some(Value::from(trimmed.split_whitespace().collect::<Vec<_>>().join(" "))),
        _ => None,
    }
}

/// A `Quantity` of a value, with an HL7 v2 or v3 number's own text, and a unit.
///
/// A unit that can be one is taken for a UCUM code, as HL7 v3 asks (data types R1, PQ.unit).
pub(super) fn quantity(value: &str, unit: Option<&str>) -> Option<Value> {
    let mut quantity = Object::new();
    quantity.insert("value", Value::Number(decimal(value.trim())?));
    if let Some(unit) = unit.map(str::trim).filter(|unit| !unit.is_empty()) {
        quantity.insert("unit", unit);
        if is_ucum_like(unit) {
            quantity.insert("system", "http://unitsofmeasure.org");
            quantity.insert("code", unit);
        }
    }
    Some(Value::Object(quantity))
}

/// Whether the text has the form of a UCUM unit (UCUM §2 to §11: printable ASCII without blanks,
/// brackets closed); whether such a unit exists is not asked.
pub(super) fn is_ucum_like(unit: &str) -> bool {
    let balanced = |open: char, close: char| {
        let level = unit.chars().try_fold(0i32, |level, letter| {
            let level = level + i32::from(letter == open) - i32::from(letter == close);
            (level >= 0).then_some(level)
        });
        level == Some(0)
    };
    unit.bytes().all(|byte| byte.is_ascii_graphic())
        && balanced('{', '}')
        && balanced('[', ']')
        && balanced('(', ')')
}

/// RFC 4648 section 4, without white space.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// A decimal; HL7 allows a leading `+`, leading zeros and a bare point, JSON does not.
fn decimal(text: &str) -> Option<Number> {
    if let Some(number) = Number::from_text(text) {
        return Some(number);
    }
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => ("-", size),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !size.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let size = size.trim_start_matches('0').trim_end_matches('.');
    let zero = if size.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    Number::from_text(&format!("{sign}{zero}{size}"))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "Y" | "1" => Some(true),
        "false" | "N" | "0" => Some(false),
        _ => None,
    }
}

fn date_time(text: &str, zone_minutes: i32) -> Option<String> {
    if timestamp::is_date(text) || timestamp::epoch_ms(text).is_some() {
        return Some(text.to_owned());
    }
    timestamp::fhir_of_hl7(text, zone_minutes)
}

/// `HH:MM:SS` or HL7 `HHMM[SS]`.
fn time(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    let (hour, minute) = (digits.get(..2)?, digits.get(2..4)?);
    let second = digits.get(4..6).unwrap_or("00");
    let exists =
        all && matches!(digits.len(), 4 | 6) && hour < "24" && minute < "60" && second < "60";
    exists.then(|| format!("{hour}:{minute}:{second}"))
}

//! The forms of FHIR's primitive types (FHIR R4 2.24.0.1), each checked by hand.

use crate::json::Value;
use crate::schema::Binding;

/// What is wrong with a primitive.
pub(super) enum Fault {
    /// A string where a number must stand, and the like.
    Kind,
    /// The text is not of the type's form.
    Form,
}

/// Checks a value of the primitive type `ty`.
pub(super) fn check(ty: &str, value: &Value) -> Result<(), Fault> {
    let fits = match (ty, value) {
        ("boolean", Value::Bool(_)) | ("decimal", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => is_int(number.as_str(), i64::from(i32::MIN)),
        ("unsignedInt", Value::Number(number)) => is_int(number.as_str(), 0),
        ("positiveInt", Value::Number(number)) => is_int(number.as_str(), 1),
        ("boolean" | "decimal" | "integer" | "unsignedInt" | "positiveInt", _) => {
            return Err(Fault::Kind);
        }
        (_, Value::String(text)) => has_form(ty, text),
        _ => return Err(Fault::Kind),
    };
    if fits { Ok(()) } else { Err(Fault::Form) }
}

fn has_form(ty: &str, text: &str) -> bool {
    match ty {
        "id" => is_id(text),
        "code" => is_code(text),
        "uri" | "url" | "canonical" => is_uri(text),
        "oid" => is_oid(text),
        "uuid" => is_uuid(text),
        "date" => is_date(text),
        "dateTime" => is_date_time(text, false),
        "instant" => is_date_time(text, true),
        "time" => is_time(text),
        "base64Binary" => is_base64(text),
        _ => text.chars().any(|character| !character.is_whitespace()),
    }
}

/// Whether a `Coding` or `CodeableConcept` has a coding of the binding's system and code, or no coding
/// at all but an extension that says why. A value set of several systems is taken as one list of
/// codes. A binding of another type allows everything.
pub(super) fn is_bound(binding: &Binding, ty: &str, value: &Value) -> bool {
    let allows = |coding: &Value| {
        let system = coding.get("system").and_then(Value::as_str);
        let code = coding.get("code").and_then(Value::as_str);
        system.is_some_and(|system| binding.systems.contains(&system))
            && code.is_some_and(|code| binding.allows(code))
    };
    let excused = |names: &[&str]| {
        value.get("extension").is_some() && names.iter().all(|name| value.get(name).is_none())
    };
    match ty {
        "Coding" => allows(value) || excused(&["system", "code"]),
        "CodeableConcept" => {
            let codings = value.get("coding").and_then(Value::as_array).unwrap_or_default();
            codings.iter().any(allows) || excused(&["coding"])
        }
        _ => true,
    }
}

/// Without white space, and with a well-formed OID or UUID where it says that it is one.
pub(super) fn is_uri(text: &str) -> bool {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return false;
    }
    (!text.starts_with("urn:oid:") || is_oid(text))
        && (!text.starts_with("urn:uuid:") || is_uuid(text))
}

fn is_int(text: &str, min: i64) -> bool {
    text.parse::<i64>().is_ok_and(|number| number >= min && number <= i64::from(i32::MAX))
}

/// `[A-Za-z0-9\-\.]{1,64}`
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// Words with one space between them.
fn is_code(text: &str) -> bool {
    text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

fn is_oid(text: &str) -> bool {
    let is_arc = |arc: &str| {
        !arc.is_empty()
            && arc.bytes().all(|byte| byte.is_ascii_digit())
            && (arc.len() == 1 || !arc.starts_with('0'))
    };
    text.strip_prefix("urn:oid:")
        .is_some_and(|oid| oid.starts_with(['0', '1', '2']) && oid.split('.').all(is_arc))
}

fn is_uuid(text: &str) -> bool {
    text.strip_prefix("urn:uuid:").is_some_and(|uuid| {
        uuid.len() == 36
            && uuid.bytes().enumerate().all(|(index, byte)| match index {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    })
}

/// Four characters of the alphabet at a time, padding at the end; white space is passed over.
fn is_base64(text: &str) -> bool {
    let plain = || text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let padding = plain().filter(|&byte| byte == b'=').count();
    let letters =
        plain().take_while(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    let letters = letters.count();
    padding <= 2 && (letters + padding) % 4 == 0 && letters + padding == plain().count()
}

/// Exactly `len` digits as a number.
fn digits(text: &str, len: usize) -> Option<u32> {
    let all = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, a day that the calendar has.
fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let Some(year) = year.and_then(|year| digits(year, 4)).filter(|&year| year > 0) else {
        return false;
    };
    let Some(month) = month else { return true };
    let Some(month) = digits(month, 2).filter(|month| (1..=12).contains(month)) else {
        return false;
    };
    let Some(day) = day else { return true };
    let days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    parts.next().is_none() && digits(day, 2).is_some_and(|day| (1..=days).contains(&day))
}

fn is_date_time(text: &str, whole: bool) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return !whole && is_date(text) };
    let (time, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => return false,
    };
    date.len() == 10 && is_date(date) && is_time(time) && is_zone(zone)
}

/// `hh:mm:ss` with a fraction; second 60 is a leap second.
fn is_time(text: &str) -> bool {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(c, f)| (c, Some(f)));
    let mut parts = clock.split(':').map(|part| digits(part, 2));
    let fits = |part: Option<Option<u32>>, max| part.flatten().is_some_and(|part| part <= max);
    fits(parts.next(), 23)
        && fits(parts.next(), 59)
        && fits(parts.next(), 60)
        && parts.next().is_none()
        && fraction
            .is_none_or(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else { return text == "Z" };
    let Some((hours, minutes)) = offset.split_once(':') else { return false };
    match (digits(hours, 2), digits(minutes, 2)) {
        (Some(14), Some(0)) => true,
        (Some(hours), Some(minutes)) => hours <= 13 && minutes <= 59,
        _ => false,
    }
}

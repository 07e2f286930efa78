//! HL7 v3 data types of CDA into FHIR data types: II, CD, PQ, AD, PN, TEL, ED and their kin.
//!
//! Sources: HL7 v3 data types R1 (as CDA R2 uses them), FHIR R4 2.24, and the data type page of
//! HL7's C-CDA on FHIR guide.

use clisonix_fhir::json::{Number, Object, Value};

use super::narrative::text_of;
use super::source::Elem;
use super::time::Interval;
use crate::terminology::{is_oid, is_uuid, uri_of_oid};

/// UCUM's URI.
const UCUM: &str = "http://unitsofmeasure.org";
/// The system of identifiers that are URIs themselves.
const RFC_3986: &str = "urn:ietf:rfc:3986";
/// The system of identifiers whose root is neither an OID nor a UUID.
const UNKNOWN_ROOT: &str = "urn:clisonix:root";

/// The business key in an II: system and value as FHIR names them.
pub(crate) fn key(id: Elem<'_>) -> Option<(String, String)> {
    if id.is_null() {
        return None;
    }
    let root = id.peek("root")?;
    match id.peek("extension") {
        Some(extension) if is_oid(root) => Some((uri_of_oid(root), extension.to_owned())),
        Some(extension) if is_uuid(root) => {
            Some((format!("urn:uuid:{}", root.to_ascii_lowercase()), extension.to_owned()))
        }
        // A root that is neither OID nor UUID means something to its sender only.
        Some(extension) => Some((UNKNOWN_ROOT.to_owned(), format!("{root}^{extension}"))),
        None if is_oid(root) => Some((RFC_3986.to_owned(), format!("urn:oid:{root}"))),
        None if is_uuid(root) => {
            let value = format!("urn:uuid:{}", root.to_ascii_lowercase());
            Some((RFC_3986.to_owned(), value))
        }
        None => None,
    }
}

/// A FHIR `Identifier` from an II.
pub(crate) fn identifier(id: Elem<'_>) -> Option<Value> {
    let (system, value) = key(id)?;
    for name in ["root", "extension"] {
        id.mark_attribute(name);
    }
    let mut identifier = Object::new();
    identifier.insert("system", system);
    identifier.insert("value", value);
    if let Some(assigner) = id.take("assigningAuthorityName") {
        identifier.insert("assigner", display(assigner));
    }
    Some(identifier.into())
}

/// All identifiers among an element's `id` children, each once.
pub(crate) fn identifiers(of: Elem<'_>) -> Vec<Value> {
    distinct(of.children("id").filter_map(identifier))
}

/// The values, each once, in order.
pub(crate) fn distinct(values: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut seen: Vec<Value> = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// A `Coding` from the attributes of a CD, CE, CV or CS.
pub(crate) fn coding(code: Elem<'_>) -> Option<Object> {
    let value = code.peek("code").filter(|code| is_code(code))?;
    let mut coding = Object::new();
    if let Some(oid) = code.peek("codeSystem") {
        let system = if is_oid(oid) { uri_of_oid(oid) } else { return None };
        // The system's name says nothing more than a system that is known by its URI.
        if !system.starts_with("urn:oid:") {
            code.mark_attribute("codeSystemName");
        }
        code.mark_attribute("codeSystem");
        coding.insert("system", system);
        if let Some(version) = code.take("codeSystemVersion") {
            coding.insert("version", version);
        }
    }
    code.mark_attribute("code");
    coding.insert("code", value);
    if let Some(display) = code.take("displayName") {
        coding.insert("display", display);
    }
    Some(coding)
}

/// A `CodeableConcept` from a CD: its code, its translations and its original text.
pub(crate) fn concept(code: Elem<'_>) -> Option<Value> {
    code.mark_attribute("type");
    let own = coding(code);
    let has_own = own.is_some();
    let translations = code.children("translation").filter_map(|translation| {
        translation.mark_attribute("type");
        coding(translation)
    });
    let codings = distinct(own.into_iter().chain(translations).map(Value::Object));
    let text = code.child("originalText").and_then(text_of);
    let text =
        text.or_else(|| if has_own { None } else { code.take("displayName").map(str::to_owned) });
    let mut concept = Object::new();
    if !codings.is_empty() {
        concept.insert("coding", codings);
    }
    if let Some(text) = text {
        concept.insert("text", text);
    }
    (!concept.is_empty()).then_some(concept.into())
}

/// A `CodeableConcept` of one coding with a fixed system.
pub(crate) fn fixed_concept(system: &str, code: &str, display: Option<&str>) -> Value {
    let mut concept = Object::new();
    concept.insert("coding", vec![fixed_coding(system, code, display)]);
    concept.into()
}

/// A `Coding` with a fixed system.
pub(crate) fn fixed_coding(system: &str, code: &str, display: Option<&str>) -> Value {
    let mut coding = Object::new();
    coding.insert("system", system);
    coding.insert("code", code);
    if let Some(display) = display {
        coding.insert("display", display);
    }
    coding.into()
}

/// FHIR R4 2.24.0.1: a code has no white space but single blanks inside.
fn is_code(text: &str) -> bool {
    text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

/// A decimal as FHIR writes it, the digits kept: `.5` becomes `0.5`, `+1` becomes `1`.
pub(crate) fn decimal(text: &str) -> Option<Number> {
    if let Some(number) = Number::from_text(text) {
        return Some(number);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let dot = if fraction.is_empty() { "" } else { "." };
    Number::from_text(&format!("{sign}{whole}{dot}{fraction}"))
}

/// A `Quantity` from a PQ, or from the first translation that has a value.
pub(crate) fn quantity(pq: Elem<'_>) -> Option<Object> {
    pq.mark_attribute("type");
    own_quantity(pq).or_else(|| pq.children("translation").find_map(translated_quantity))
}

fn own_quantity(pq: Elem<'_>) -> Option<Object> {
    let value = decimal(pq.peek("value")?)?;
    pq.mark_attribute("value");
    let mut quantity = Object::new();
    quantity.insert("value", value);
    if let Some(unit) = pq.take("unit") {
        // The unit "1" of a pure number has nothing to show to a reader.
        if unit != "1" {
            quantity.insert("unit", unit);
        }
        if is_ucum_like(unit) {
            quantity.insert("system", UCUM);
            quantity.insert("code", unit);
        }
    }
    Some(quantity)
}

/// PQR: a value in another unit, whose name stands in `originalText` or is coded.
fn translated_quantity(translation: Elem<'_>) -> Option<Object> {
    let value = decimal(translation.peek("value")?)?;
    translation.mark_attribute("value");
    let mut quantity = Object::new();
    quantity.insert("value", value);
    let words = translation.child("originalText").and_then(text_of);
    let coded = coding(translation);
    let shown = words.or_else(|| Some(coded.as_ref()?.get("display")?.as_str()?.to_owned()));
    if let Some(unit) = shown {
        quantity.insert("unit", unit);
    }
    if let Some(coded) = coded {
        for name in ["system", "code"] {
            if let Some(value) = coded.get(name).filter(|_| coded.get("system").is_some()) {
                quantity.insert(name, value.clone());
            }
        }
    }
    Some(quantity)
}

/// Whether the text has the form of a UCUM unit (UCUM §2 to §11: printable ASCII without blanks,
/// brackets closed); whether such a unit exists is not asked.
fn is_ucum_like(unit: &str) -> bool {
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

/// What an `IVL_PQ` says: a range, or an open end as a quantity with a comparator.
pub(crate) enum Bounds {
    /// Both ends.
    Range(Value),
    /// One end or one value.
    Quantity(Object),
}

/// An `IVL_PQ` (or plain PQ) as FHIR says it.
pub(crate) fn bounds(interval: Elem<'_>) -> Option<Bounds> {
    interval.mark_attribute("type");
    if let Some(quantity) = quantity(interval) {
        return Some(Bounds::Quantity(quantity));
    }
    if let Some(center) = interval.child("center").and_then(quantity) {
        return Some(Bounds::Quantity(center));
    }
    let end = |name| interval.child(name).and_then(quantity);
    match (end("low"), end("high")) {
        (Some(low), Some(high)) => {
            let mut range = Object::new();
            range.insert("low", low);
            range.insert("high", high);
            Some(Bounds::Range(range.into()))
        }
        (Some(low), None) => Some(Bounds::Quantity(compared(interval, "low", &low, ">", ">="))),
        (None, Some(high)) => Some(Bounds::Quantity(compared(interval, "high", &high, "<", "<="))),
        (None, None) => None,
    }
}

/// HL7 v3 IVL: an end belongs to the interval unless `inclusive` is false.
fn compared(
    interval: Elem<'_>,
    end: &'static str,
    quantity: &Object,
    open: &str,
    closed: &str,
) -> Object {
    let inclusive = interval.child(end).and_then(|end| end.take("inclusive"));
    let mut out = Object::new();
    for (name, value) in quantity {
        out.insert(name, value.clone());
        if name == "value" {
            out.insert("comparator", if inclusive == Some("false") { open } else { closed });
        }
    }
    out
}

/// A `Ratio` from an RTO.
pub(crate) fn ratio(rto: Elem<'_>) -> Option<Value> {
    rto.mark_attribute("type");
    let mut ratio = Object::new();
    ratio.insert("numerator", quantity(rto.child("numerator")?)?);
    ratio.insert("denominator", quantity(rto.child("denominator")?)?);
    Some(ratio.into())
}

/// An `Address` from an AD.
pub(crate) fn address(addr: Elem<'_>) -> Option<Value> {
    if addr.is_null() {
        return None;
    }
    let mut address = Object::new();
    let words = |name: &'static str| addr.children(name).filter_map(Elem::text).collect::<Vec<_>>();
    // The parts of a street that have no element of their own in FHIR become lines in their order.
    let lines: Vec<Value> = addr
        .elements()
        .filter(|part| {
            matches!(
                part.name(),
                "streetAddressLine"
                    | "houseNumber"
                    | "streetName"
                    | "unitID"
                    | "unitType"
                    | "additionalLocator"
                    | "deliveryAddressLine"
                    | "postBox"
                    | "streetNameType"
            )
        })
        .filter_map(|part| part.text().map(Value::from))
        .collect();
    let uses: Vec<&str> = addr.peek("use").unwrap_or("").split_whitespace().collect();
    let use_code = uses.iter().find_map(|code| match *code {
        "H" | "HP" | "HV" => Some("home"),
        "WP" | "DIR" | "PUB" => Some("work"),
        "TMP" => Some("temp"),
        "BAD" | "OLD" => Some("old"),
        _ => None,
    });
    let kind = uses.iter().find_map(|code| match *code {
        "PST" => Some("postal"),
        "PHYS" => Some("physical"),
        _ => None,
    });
    for (name, code) in [("use", use_code), ("type", kind)] {
        if let Some(code) = code {
            address.insert(name, code);
        }
    }
    if uses.len() == 1 && (use_code.is_some() || kind.is_some()) {
        addr.mark_attribute("use");
    }
    if !lines.is_empty() {
        address.insert("line", lines);
    }
    for (source, name) in [
        ("city", "city"),
        ("county", "district"),
        ("state", "state"),
        ("postalCode", "postalCode"),
        ("country", "country"),
    ] {
        if let Some(text) = words(source).into_iter().next() {
            address.insert(name, text);
        }
    }
    if let Some(period) = addr.child("useablePeriod").and_then(|p| Interval::read(p).period()) {
        address.insert("period", period);
    }
    let says_where = address.keys().any(|name| !matches!(name, "use" | "type" | "period"));
    if says_where {
        return Some(address.into());
    }
    let text = addr.text()?;
    address.insert("text", text);
    Some(address.into())
}

/// All addresses of an element, each once.
pub(crate) fn addresses(of: Elem<'_>) -> Vec<Value> {
    distinct(of.children("addr").filter_map(address))
}

/// A `HumanName` from a PN.
pub(crate) fn human_name(name: Elem<'_>) -> Option<Value> {
    if name.is_null() {
        return None;
    }
    let mut human = Object::new();
    let uses = name.peek("use").unwrap_or("");
    let mut use_code = match uses {
        "C" | "L" => Some("official"),
        "P" | "A" | "STAGE" => Some("nickname"),
        "ASGN" => Some("usual"),
        _ => None,
    };
    if use_code.is_some() {
        name.mark_attribute("use");
    }
    let parts = |part: &'static str| {
        name.children(part)
            .filter(|part| !part.is_null())
            .filter_map(|part| Some((part, part.text()?)))
    };
    let mut families = Vec::new();
    for (part, text) in parts("family") {
        // BR: the name at birth (HL7 v3 EntityNamePartQualifier).
        if part.peek("qualifier") == Some("BR") && parts("family").count() == 1 {
            part.mark_attribute("qualifier");
            use_code = Some("maiden");
        }
        families.push(text);
    }
    let given: Vec<Value> = parts("given").map(|(_, text)| text.into()).collect();
    let list = |part| parts(part).map(|(_, text)| Value::from(text)).collect::<Vec<_>>();
    if let Some(code) = use_code {
        human.insert("use", code);
    }
    if !families.is_empty() {
        human.insert("family", families.join(" "));
    }
    for (member, values) in
        [("given", given), ("prefix", list("prefix")), ("suffix", list("suffix"))]
    {
        if !values.is_empty() {
            human.insert(member, values);
        }
    }
    if let Some(period) = name.child("validTime").and_then(|time| Interval::read(time).period()) {
        human.insert("period", period);
    }
    if human.keys().all(|member| matches!(member, "use" | "period")) {
        human.insert("text", name.text()?);
    }
    Some(human.into())
}

/// A name in one line, for display.
pub(crate) fn name_line(name: Elem<'_>) -> Option<String> {
    let parts = ["prefix", "given", "family", "suffix"];
    let words: Vec<String> = parts
        .iter()
        .flat_map(|part| name.children(part))
        .filter(|part| !part.is_null())
        .filter_map(Elem::text)
        .collect();
    if words.is_empty() { name.text() } else { Some(words.join(" ")) }
}

/// A `ContactPoint` from a TEL.
pub(crate) fn contact_point(telecom: Elem<'_>) -> Option<Value> {
    let value = telecom.peek("value").filter(|_| !telecom.is_null())?;
    let mut point = Object::new();
    let (scheme, rest) = value.split_once(':').unwrap_or(("", value));
    let system = match scheme.to_ascii_lowercase().as_str() {
        "tel" => "phone",
        "fax" | "x-text-fax" => "fax",
        "mailto" => "email",
        "sms" => "sms",
        "http" | "https" | "ftp" => "url",
        "" if rest.contains('@') => "email",
        "" if rest.bytes().any(|byte| byte.is_ascii_digit()) => "phone",
        _ => "other",
    };
    let is_number = matches!(system, "phone" | "fax" | "email" | "sms") && !scheme.is_empty();
    let value = if is_number { rest.trim_start_matches('/').trim() } else { value };
    if value.is_empty() {
        return None;
    }
    telecom.mark_attribute("value");
    point.insert("system", system);
    point.insert("value", value);
    let use_code = match telecom.peek("use").unwrap_or("") {
        "H" | "HP" | "HV" => Some("home"),
        "WP" | "DIR" | "PUB" => Some("work"),
        "MC" => Some("mobile"),
        "TMP" => Some("temp"),
        "BAD" | "OLD" => Some("old"),
        _ => None,
    };
    if let Some(code) = use_code {
        telecom.mark_attribute("use");
        point.insert("use", code);
    }
    if let Some(time) = telecom.child("useablePeriod")
        && let Some(period) = Interval::read(time).period()
    {
        point.insert("period", period);
    }
    Some(point.into())
}

/// All contact points of an element, each once.
pub(crate) fn contact_points(of: Elem<'_>) -> Vec<Value> {
    distinct(of.children("telecom").filter_map(contact_point))
}

/// A `Reference` that only names its target.
pub(crate) fn display(text: &str) -> Value {
    let mut reference = Object::new();
    reference.insert("display", text);
    reference.into()
}

/// Inserts a member unless there is nothing to say.
pub(crate) fn put(into: &mut Object, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        into.insert(name, value);
    }
}

/// Inserts a list unless it is empty.
pub(crate) fn put_list(into: &mut Object, name: &str, values: Vec<Value>) {
    if !values.is_empty() {
        into.insert(name, values);
    }
}

#[cfg(test)]
mod tests;

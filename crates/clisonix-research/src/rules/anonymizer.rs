//! Configurations of Microsoft's FHIR Tools for Anonymization: what of them can be done here.
//!
//! The format is that of the tool's own documentation (`FHIR-anonymization.md`): a JSON object with
//! `fhirVersion`, `fhirPathRules` and `parameters`; the first rule that matches decides. Two of its
//! habits are not taken over: what no rule matches is denied, and dates are shifted per patient.

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::type_named;

use super::error::{RuleError, RuleErrorKind};
use super::method::is_quantity;
use super::place;
use super::row::{MAX_RULE_BYTES, RuleKind, RuleRow};

/// What `redact` leaves, by the parameters of the configuration.
#[derive(Clone, Copy, Default)]
struct Partial {
    dates: bool,
    ages: bool,
    zips: bool,
}

/// The rules of a configuration, in its order.
pub(super) fn rows(file: &str, text: &str) -> Result<Vec<RuleRow>, RuleError> {
    let around = |kind| RuleError { file: file.into(), line: 0, kind };
    if text.len() > MAX_RULE_BYTES {
        return Err(around(RuleErrorKind::TooLong));
    }
    let parsed = json::parse(text.as_bytes());
    let config =
        parsed.map_err(|e| around(RuleErrorKind::Json { line: e.line, column: e.column }))?;
    let partial = head(&config).map_err(around)?;
    let rules = config.get("fhirPathRules").and_then(Value::as_array);
    let rules = rules.ok_or_else(|| around(RuleErrorKind::Member("fhirPathRules".into())))?;
    let mut rows = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let error = |kind| RuleError { file: file.into(), line: index + 1, kind };
        rows.push(row(file, index + 1, rule, partial).map_err(error)?);
    }
    Ok(rows)
}

fn head(config: &Value) -> Result<Partial, RuleErrorKind> {
    let object = config.as_object().ok_or_else(|| RuleErrorKind::Member("{}".into()))?;
    let mut partial = Partial::default();
    for (name, value) in object {
        match name {
            "fhirPathRules" => {}
            "fhirVersion" if matches!(value.as_str(), Some("" | "R4")) => {}
            // Nothing is raised here: what cannot go out is withheld and counted.
            "processingErrors" if matches!(value.as_str(), Some("raise" | "skip")) => {}
            "parameters" => partial = parameters(value)?,
            other => return Err(RuleErrorKind::NotSupported(other.into())),
        }
    }
    Ok(partial)
}

fn parameters(value: &Value) -> Result<Partial, RuleErrorKind> {
    let object = value.as_object().ok_or_else(|| RuleErrorKind::Member("parameters".into()))?;
    let mut partial = Partial::default();
    for (name, value) in object {
        let empty = value.as_str() == Some("") || value.as_array().is_some_and(<[_]>::is_empty);
        let flag = || value.as_bool().ok_or_else(|| RuleErrorKind::Member(name.into()));
        match name {
            "dateShiftKey" | "cryptoHashKey" | "encryptKey" if empty => {}
            "dateShiftKey" | "cryptoHashKey" | "encryptKey" => {
                return Err(RuleErrorKind::KeyInFile(name.into()));
            }
            "dateShiftScope" if value.as_str() == Some("patient") => {}
            "enablePartialDatesForRedact" => partial.dates = flag()?,
            "enablePartialAgesForRedact" => partial.ages = flag()?,
            "enablePartialZipCodesForRedact" => partial.zips = flag()?,
            // Which areas are small is told by the population list that is handed in.
            "restrictedZipCodeTabulationAreas" if value.is_array() => {}
            other => return Err(RuleErrorKind::NotSupported(other.into())),
        }
    }
    Ok(partial)
}

fn row(file: &str, line: usize, rule: &Value, partial: Partial) -> Result<RuleRow, RuleErrorKind> {
    let object = rule.as_object().ok_or_else(|| RuleErrorKind::Member("fhirPathRules".into()))?;
    if let Some(other) = object.keys().find(|name| !matches!(*name, "path" | "method")) {
        return Err(RuleErrorKind::NotSupported(other.into()));
    }
    let text = |name: &str| {
        let text = rule.get(name).and_then(Value::as_str);
        text.ok_or_else(|| RuleErrorKind::Member(name.into()))
    };
    let (kind, place) = place(text("path")?)?;
    let ty = type_at(kind, &place);
    Ok(RuleRow {
        file: file.into(),
        line,
        kind,
        method: method(text("method")?, &place, ty, partial)?.into(),
        place,
        item: "".into(),
        reason: "the configuration".into(),
    })
}

/// `Patient.birthDate`, `nodesByType('HumanName')`, `nodesByType('Address').city`,
/// `nodesByName('name')`.
fn place(path: &str) -> Result<(RuleKind, Box<str>), RuleErrorKind> {
    let refused = || RuleErrorKind::NotSupported(path.into());
    let is_path = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    let argument = |function: &str| {
        let rest = path.strip_prefix(function)?.strip_prefix('(')?;
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (name, rest) = rest.get(1..)?.split_once(quote)?;
        Some((name, rest.strip_prefix(')')?))
    };
    match (argument("nodesByType"), argument("nodesByName")) {
        (Some((name, "")), _) => Ok((RuleKind::Type, name.into())),
        (Some((name, rest)), _) if is_path(rest) => {
            Ok((RuleKind::Element, format!("{name}{rest}").into()))
        }
        (None, Some((name, ""))) => Ok((RuleKind::Name, name.into())),
        (None, None) if is_path(path) && path.contains('.') => Ok((RuleKind::Element, path.into())),
        _ => Err(refused()),
    }
}

/// The first type that a place may have.
fn type_at(kind: RuleKind, place: &str) -> &'static str {
    let element = match kind {
        RuleKind::Type => return type_named(place).map_or("", |ty| ty.name()),
        RuleKind::Name => place::named(place).next(),
        _ => place::chains(place).into_iter().next().and_then(|chain| chain.last().copied()),
    };
    let types = element.map(|id| id.element().types).unwrap_or_default();
    types.first().map_or("", |ty| ty.name())
}

fn method(
    name: &str,
    place: &str,
    ty: &str,
    partial: Partial,
) -> Result<&'static str, RuleErrorKind> {
    let dates = matches!(ty, "date" | "dateTime" | "instant");
    let complex = ty.starts_with(|first: char| first.is_ascii_uppercase());
    Ok(match name {
        "keep" | "cryptoHash" if ty == "Reference" => "reference",
        "keep" if ty == "Coding" => "coded",
        "keep" if is_quantity(ty) => "quantity",
        "keep" if ty == "Extension" => "extension",
        "keep" if complex => "walk",
        "keep" => "keep",
        "redact" if dates && partial.dates => "year",
        "redact" if is_quantity(ty) && partial.ages => "quantity",
        "redact" if place.ends_with("postalCode") && partial.zips => "zip3",
        "redact" => "redact",
        "dateShift" => "shift",
        "cryptoHash" => "pseudonym",
        "generalize-year" | "generalizeYear" => "year",
        other => return Err(RuleErrorKind::NotSupported(other.into())),
    })
}

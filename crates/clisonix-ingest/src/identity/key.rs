//! The key of a resource by the table: the facts that make it the same fact elsewhere.

use clisonix_fhir::json::Value;

use super::table::{Part, PartKind, Path, TABLE};
use crate::timestamp;

/// Gives the resource that a reference's text means, if it is in the same message.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Option<&'a Value> + 'a;

/// The key parts of a resource by the first rule of its type whose parts are all there.
pub(super) fn natural_key<'a>(resource: &'a Value, lookup: &Lookup<'a>) -> Option<Vec<String>> {
    let rules = TABLE.rules(resource.resource_type()?);
    rules.iter().enumerate().find_map(|(number, rule)| {
        let mut key = Vec::with_capacity(rule.len() + 1);
        key.push(number.to_string());
        for part in rule {
            match value_of(part, resource, lookup) {
                Some(value) => key.push(value),
                None if part.optional => key.push(String::new()),
                None => return None,
            }
        }
        Some(key)
    })
}

fn value_of<'a>(part: &Part, resource: &'a Value, lookup: &Lookup<'a>) -> Option<String> {
    part.paths.iter().find_map(|path| {
        let values = reached(path, resource, lookup);
        match part.kind {
            PartKind::Code => codes(&values),
            PartKind::Identifier(ty) => identifier(&values, ty),
            PartKind::Minute => texts(&values).find_map(timestamp::minute),
            PartKind::Day => texts(&values).find_map(timestamp::day),
            PartKind::Text => folded_all(texts(&values)),
        }
    })
}

fn reached<'a>(path: &Path, resource: &'a Value, lookup: &Lookup<'a>) -> Vec<&'a Value> {
    let direct = at(resource, &path.members);
    let Some(beyond) = &path.beyond else { return direct };
    let targets = direct.iter().filter_map(|value| {
        let reference = value.get("reference")?.as_str()?;
        match reference.strip_prefix('#') {
            Some(id) => contained(resource, id).or_else(|| lookup(reference)),
            None => lookup(reference),
        }
    });
    targets.flat_map(|target| at(target, beyond)).collect()
}

fn contained<'a>(resource: &'a Value, id: &str) -> Option<&'a Value> {
    let contained = resource.get("contained")?.as_array()?;
    contained.iter().find(|inner| inner.get("id").and_then(Value::as_str) == Some(id))
}

/// The values at the end of member names, through lists.
pub(super) fn at<'a>(value: &'a Value, members: &[impl AsRef<str>]) -> Vec<&'a Value> {
    let mut values = vec![value];
    for member in members {
        let inner = values.into_iter().filter_map(|value| value.get(member.as_ref()));
        values = inner.flat_map(spread).collect();
    }
    values
}

fn spread(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array();
    let single = list.is_none().then_some(value);
    list.unwrap_or_default().iter().chain(single)
}

fn texts<'a>(values: &[&'a Value]) -> impl Iterator<Item = &'a str> {
    values.iter().filter_map(|value| value.as_str())
}

/// The best code of each value, sorted: several body sites are one key whatever their order.
fn codes(values: &[&Value]) -> Option<String> {
    let mut codes: Vec<String> = values.iter().filter_map(|value| best_code(value)).collect();
    codes.sort_unstable();
    codes.dedup();
    (!codes.is_empty()).then(|| codes.join(" "))
}

/// `system|code` of the preferred coding of a `CodeableConcept` or `Coding`, else the folded text.
pub(super) fn best_code(concept: &Value) -> Option<String> {
    let codings = concept.get("coding").map_or_else(Vec::new, |list| spread(list).collect());
    let single = concept.get("code").map(|_| concept);
    let best = codings.into_iter().chain(single).filter_map(ranked).min();
    if let Some((_, system, code)) = best {
        return Some(format!("{system}|{code}"));
    }
    folded(concept.get("text")?.as_str()?)
}

fn ranked(coding: &Value) -> Option<(usize, &str, &str)> {
    let code = coding.get("code")?.as_str()?;
    let system = coding.get("system").and_then(Value::as_str).unwrap_or_default();
    let rank = TABLE.preferred.iter().position(|preferred| *preferred == system);
    let unknown = TABLE.preferred.len() + usize::from(system.is_empty());
    Some((rank.unwrap_or(unknown), system, code))
}

/// `system|value` of the first identifier that has both, of the type if one is asked for.
fn identifier(values: &[&Value], ty: Option<&str>) -> Option<String> {
    let fits = |identifier: &&&Value| ty.is_none_or(|ty| has_type(identifier, ty));
    let (system, value) = values.iter().filter(fits).find_map(|identifier| parts(identifier))?;
    Some(format!("{system}|{value}"))
}

/// System and value of an identifier that has both and is not out of use.
pub(super) fn parts(identifier: &Value) -> Option<(&str, &str)> {
    let text = |member| identifier.get(member).and_then(Value::as_str);
    let (system, value) = (text("system")?, text("value")?);
    let current = text("use") != Some("old") && !system.is_empty() && !value.is_empty();
    current.then_some((system, value))
}

/// Whether an identifier is of the type (a code of HL7 v2 table 0203).
pub(super) fn has_type(identifier: &Value, ty: &str) -> bool {
    let codes = at(identifier, &["type", "coding", "code"]);
    codes.iter().any(|code| code.as_str() == Some(ty))
}

fn folded_all<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let all: Vec<String> = texts.filter_map(folded).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn folded(text: &str) -> Option<String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

//! Building and comparing JSON: what the exporters, the edits and the oracle share.

use clisonix_fhir::json::{Number, Value};

/// A JSON object from members in order.
macro_rules! object {
    ($($name:literal : $value:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut object = clisonix_fhir::json::Object::new();
        $(object.insert($name, $value);)*
        clisonix_fhir::json::Value::Object(object)
    }};
}

pub(crate) use object;

/// A JSON array.
pub(crate) fn list<const N: usize>(values: [Value; N]) -> Value {
    Value::Array(values.into_iter().collect())
}

/// A JSON number from its own text (null when the text is no number).
pub(crate) fn number(text: &str) -> Value {
    Number::from_text(text).map_or(Value::Null, Value::Number)
}

/// Sets one member of an object (nothing when `target` is none).
pub(crate) fn set(target: &mut Value, name: &str, value: Value) {
    if let Some(object) = target.as_object_mut() {
        object.insert(name, value);
    }
}

/// Removes one member of an object.
pub(crate) fn unset(target: &mut Value, name: &str) {
    if let Some(object) = target.as_object_mut() {
        object.remove(name);
    }
}

/// Appends to a list member, making it when it is absent.
pub(crate) fn append(target: &mut Value, name: &str, value: Value) {
    let mut values = match target.get(name) {
        Some(Value::Array(values)) => values.clone(),
        _ => Vec::new(),
    };
    values.push(value);
    set(target, name, Value::Array(values));
}

/// The text of a string member.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// The elements of a list member (none when absent).
pub(crate) fn elements<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match value.get(name) {
        Some(Value::Array(values)) => values,
        _ => &[],
    }
}

/// Equal as JSON: numbers by value (`5` is `5.0`), members in any order.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left.as_str() == right.as_str()
                || (left.as_f64() - right.as_f64()).abs() < f64::EPSILON * left.as_f64().abs()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, l)| right.get(name).is_some_and(|r| same(l, r)))
        }
        (left, right) => left == right,
    }
}

/// True when `whole` says at least what `part` says.
pub(crate) fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|other| contains(other, value))),
        (Value::Array(whole), Value::Array(part)) => {
            part.iter().all(|value| whole.iter().any(|other| contains(other, value)))
        }
        (whole, part) => same(whole, part),
    }
}

/// True when `tree` or anything inside it contains `part`.
pub(crate) fn holds(tree: &Value, part: &Value) -> bool {
    if contains(tree, part) {
        return true;
    }
    match tree {
        Value::Array(values) => values.iter().any(|value| holds(value, part)),
        Value::Object(members) => members.iter().any(|(_, value)| holds(value, part)),
        _ => false,
    }
}

/// Every object inside `tree`, itself included, that has a member `name`.
pub(crate) fn objects_with<'a>(tree: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match tree {
        Value::Array(values) => values.iter().for_each(|value| objects_with(value, name, found)),
        Value::Object(members) => {
            if members.contains_key(name) {
                found.push(tree);
            }
            members.iter().for_each(|(_, value)| objects_with(value, name, found));
        }
        _ => {}
    }
}

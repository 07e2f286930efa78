//! Compares a value with what `serde_json` makes of the same text.

use std::fmt::Write;

use clisonix_fhir::json::Value;
use serde_json::Value as Other;

/// Where the two differ: in kind, in a text, in a number's text, or in the members and their order.
pub(crate) fn difference(ours: &Value, other: &Other) -> Option<String> {
    let mut path = String::from("$");
    compare(ours, other, &mut path).then_some(path)
}

/// Whether they differ; `path` then says where.
fn compare(ours: &Value, other: &Other, path: &mut String) -> bool {
    let len = path.len();
    match (ours, other) {
        (Value::Null, Other::Null) => false,
        (Value::Bool(ours), Other::Bool(other)) => ours != other,
        (Value::Number(ours), Other::Number(other)) => {
            !is_same_number(ours.as_str(), other.as_str())
        }
        (Value::String(ours), Other::String(other)) => **ours != **other,
        (Value::Array(ours), Other::Array(other)) => {
            if ours.len() != other.len() {
                return true;
            }
            for (index, (ours, other)) in ours.iter().zip(other).enumerate() {
                write!(path, "[{index}]").unwrap();
                if compare(ours, other, path) {
                    return true;
                }
                path.truncate(len);
            }
            false
        }
        (Value::Object(ours), Other::Object(other)) => {
            if ours.len() != other.len() {
                return true;
            }
            for ((name, ours), (other_name, other)) in ours.iter().zip(other) {
                write!(path, ".{name}").unwrap();
                if name != other_name || compare(ours, other, path) {
                    return true;
                }
                path.truncate(len);
            }
            false
        }
        _ => true,
    }
}

/// The same text; `serde_json` alone writes `1E5` as `1e+5`.
fn is_same_number(ours: &str, other: &str) -> bool {
    let plain = |text: &str| text.replace('E', "e").replace("e+", "e");
    plain(ours) == plain(other)
}

//! The references in a resource: to read them, and to rewrite them.

use std::fmt::Write;

use crate::json::Value;

/// Calls `visit` with the path and the text of each `Reference.reference`, in order.
///
/// Every string member `reference` counts; R4 has no other element of that name that is a string,
/// apart from `Consent.sourceReference` and the like, which are objects.
pub fn references(resource: &Value, mut visit: impl FnMut(&str, &str)) {
    let mut path = resource.resource_type().unwrap_or_default().to_owned();
    walk(resource, &mut path, &mut visit);
}

/// Calls `visit` with the text of each `Reference.reference`, in order; what it returns is put in
/// its place.
pub fn rewrite_references(resource: &mut Value, mut visit: impl FnMut(&str) -> Option<String>) {
    rewrite(resource, &mut visit);
}

fn walk(value: &Value, path: &mut String, visit: &mut impl FnMut(&str, &str)) {
    let len = path.len();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(path, "[{index}]");
                walk(item, path, visit);
                path.truncate(len);
            }
        }
        Value::Object(object) => {
            for (name, member) in object {
                path.push('.');
                path.push_str(name);
                match member.as_str() {
                    Some(text) if name == "reference" => visit(path, text),
                    _ => walk(member, path, visit),
                }
                path.truncate(len);
            }
        }
        _ => {}
    }
}

fn rewrite(value: &mut Value, visit: &mut impl FnMut(&str) -> Option<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, visit)),
        Value::Object(object) => {
            for (name, member) in object {
                match member.as_str() {
                    Some(text) if name == "reference" => {
                        if let Some(new) = visit(text) {
                            *member = new.into();
                        }
                    }
                    _ => rewrite(member, visit),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;

//! Finding and rewriting the references inside a resource.

use std::collections::HashSet;

use clisonix_fhir::json::{Object, Value};

/// Calls `visit` with the text of every reference: `Reference.reference`, and an
/// `Attachment.url` that points to a resource of the message.
pub(super) fn each<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a str)) {
    match value {
        Value::Array(list) => list.iter().for_each(|inner| each(inner, visit)),
        Value::Object(object) => {
            for (name, inner) in object {
                match inner.as_str() {
                    Some(text) if is_link(name, text) => visit(text),
                    _ => each(inner, visit),
                }
            }
        }
        _ => {}
    }
}

/// Gives every reference's text to `rewrite` and puts its answer in the place.
pub(super) fn rewrite(value: &mut Value, rewrite_one: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|inner| rewrite(inner, rewrite_one)),
        Value::Object(object) => {
            for (name, inner) in object.iter_mut() {
                let new =
                    inner.as_str().filter(|text| is_link(name, text)).and_then(&mut *rewrite_one);
                match new {
                    Some(new) => *inner = Value::from(new),
                    None => rewrite(inner, rewrite_one),
                }
            }
        }
        _ => {}
    }
}

fn is_link(name: &str, text: &str) -> bool {
    match name {
        "reference" => true,
        "url" => text.starts_with("urn:uuid:") || text.contains("Binary/"),
        _ => false,
    }
}

/// A conditional reference `Type?identifier=system|value` as type, system and value.
pub(super) fn conditional(text: &str) -> Option<(&str, &str, &str)> {
    let (ty, query) = text.split_once('?')?;
    let token = query.strip_prefix("identifier=")?;
    let (system, value) = token.split_once('|')?;
    let simple = !value.is_empty() && !value.contains('&') && !ty.contains('/');
    simple.then_some((ty, system, value))
}

/// The resource with its new id right after its type.
pub(super) fn with_id(resource: Value, id: &str) -> Value {
    let Value::Object(members) = resource else { return resource };
    let mut object = Object::with_capacity(members.len() + 1);
    if let Some(ty) = members.get("resourceType") {
        object.insert("resourceType", ty.clone());
    }
    object.insert("id", id);
    for (name, value) in members {
        if !matches!(&*name, "resourceType" | "id") {
            object.insert(name, value);
        }
    }
    Value::Object(object)
}

/// Takes out of every list what is equal to an element before it: two names of one person are one
/// reference once the person's id is known.
pub(crate) fn say_once(value: &mut Value) {
    match value {
        Value::Object(object) => object.iter_mut().for_each(|(_, inner)| say_once(inner)),
        Value::Array(list) => {
            list.iter_mut().for_each(say_once);
            if list.len() > 1 {
                let mut told = HashSet::with_capacity(list.len());
                list.retain(|it| it.as_object().is_none() || told.insert(it.to_text()));
            }
        }
        _ => {}
    }
}

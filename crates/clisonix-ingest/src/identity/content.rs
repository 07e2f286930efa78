//! The hash of what a resource says, apart from ids, metadata, narrative and order of members.

use clisonix_fhir::json::{Object, Value};

use super::digest::short_hash;

/// A hash of the content, equal for equal content whatever the order of members, the ids inside
/// the message or the generated narrative. `known` tells the references that lead to another
/// resource of the message; of those only the type counts.
pub(super) fn content_hash(resource: &Value, known: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = Vec::with_capacity(512);
    let mut members = Vec::new();
    if let Some(object) = resource.as_object() {
        members.extend(object.iter().filter(|(name, _)| !matches!(*name, "id" | "meta" | "text")));
    }
    write_members(members, known, &mut out);
    short_hash("clisonix content 1", &[String::from_utf8_lossy(&out)])
}

fn write(value: &Value, known: &dyn Fn(&str) -> Option<String>, out: &mut Vec<u8>) {
    match value {
        Value::Object(object) => write_object(object, known, out),
        Value::Array(list) => {
            out.push(b'[');
            for inner in list {
                write(inner, known, out);
                out.push(b',');
            }
            out.push(b']');
        }
        _ => value.write(out),
    }
}

fn write_object(object: &Object, known: &dyn Fn(&str) -> Option<String>, out: &mut Vec<u8>) {
    write_members(object.iter().collect(), known, out);
}

fn write_members(
    mut members: Vec<(&str, &Value)>,
    known: &dyn Fn(&str) -> Option<String>,
    out: &mut Vec<u8>,
) {
    members.sort_unstable_by_key(|member| member.0);
    out.push(b'{');
    for (name, value) in members {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        let target = match (name, value.as_str()) {
            ("reference" | "url", Some(text)) => known(text),
            _ => None,
        };
        match target {
            Some(target) => out.extend_from_slice(target.as_bytes()),
            None => write(value, known, out),
        }
        out.push(b',');
    }
    out.push(b'}');
}

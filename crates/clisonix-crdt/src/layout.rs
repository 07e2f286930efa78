//! Where the cells of a resource are: which members are one cell, which nest, which list keys hold.

use std::sync::OnceLock;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::{ElementId, Kind, Member, Scope, TypeId, type_named};

use crate::address::ElementKey;
use crate::canonical;
use crate::policy::Policy;

/// How a member of an object is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Written as a whole.
    Atomic,
    /// Its own members are cells, or things in turn.
    Thing,
}

/// A unit of clinical meaning is written as a whole: every datatype is one cell, except `Meta`;
/// backbone elements merge member by member (design: what is one cell).
pub(crate) fn shape(element: ElementId) -> Shape {
    let element = element.element();
    if element.is_backbone() || element.types.first().copied() == meta_type() {
        Shape::Thing
    } else {
        Shape::Atomic
    }
}

fn meta_type() -> Option<TypeId> {
    static META: OnceLock<Option<TypeId>> = OnceLock::new();
    *META.get_or_init(|| type_named("Meta"))
}

/// The scope of the members of a thing that stands at `element`.
pub(crate) fn thing_scope(element: ElementId) -> Scope {
    let definition = element.element();
    match definition.types.first() {
        Some(&ty) if !definition.is_backbone() => Scope::Type(ty),
        _ => Scope::Element(element),
    }
}

/// What identifies an element of the list at `member`: its business key where the type has one,
/// else its `id`, else its first content.
pub(crate) fn key_hash(member: Member, value: &Value, text: &str) -> [u8; 8] {
    if let Some(hash) = business_key(member, value) {
        return hash;
    }
    match value.get("id").and_then(Value::as_str) {
        Some(id) => ElementKey::hash_of([b"id".as_slice(), id.as_bytes()]),
        None => ElementKey::hash_of([b"content".as_slice(), text.as_bytes()]),
    }
}

fn business_key(member: Member, value: &Value) -> Option<[u8; 8]> {
    let object = value.as_object()?;
    let named = Policy::r4().key_members(member.element);
    if !named.is_empty() {
        let mut parts = Vec::new();
        for (name, value) in object {
            if named.iter().any(|key| is_member_of(name, key)) {
                parts.push(format!("{name}={}", key_text(value)));
            }
        }
        parts.sort_unstable();
        return (!parts.is_empty())
            .then(|| ElementKey::hash_of(parts.iter().map(String::as_bytes)));
    }
    if object.contains_key("resourceType") {
        let id = object.get("id")?.as_str()?;
        return Some(ElementKey::hash_of([b"contained".as_slice(), id.as_bytes()]));
    }
    let ty = member.ty.definition();
    if ty.kind != Kind::Datatype {
        return None;
    }
    let of = |names: [&str; 2]| {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        text(names[1])?;
        Some(ElementKey::hash_of(names.map(|name| text(name).unwrap_or_default().as_bytes())))
    };
    match ty.name {
        "Identifier" | "ContactPoint" => of(["system", "value"]),
        "Coding" => of(["system", "code"]),
        "Extension" => of(["url", "url"]),
        "Reference" => of(["reference", "reference"]),
        "CodeableConcept" => {
            let text = key_text(value);
            (!text.is_empty()).then(|| ElementKey::hash_of([text.as_bytes()]))
        }
        _ => None,
    }
}

/// `value[x]` members are named by the element's name without the type.
fn is_member_of(json_name: &str, element_name: &str) -> bool {
    json_name == element_name
        || json_name
            .strip_prefix(element_name)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// The identifying part of a key member: a concept's first coding, a reference's target, else all.
fn key_text(value: &Value) -> String {
    let coding = value.get("coding").and_then(|coding| coding.at(0)).unwrap_or(value);
    if let Some(code) = coding.get("code").and_then(Value::as_str) {
        let system = coding.get("system").and_then(Value::as_str).unwrap_or_default();
        return format!("{system}|{code}");
    }
    match value.get("reference").and_then(Value::as_str) {
        Some(reference) => reference.to_owned(),
        None => canonical::text(value),
    }
}

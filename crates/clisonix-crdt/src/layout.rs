//! Where the cells of a resource are: which members are one cell, which nest, which list keys hold.

use std::borrow::Cow;
use std::sync::OnceLock;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::{ElementId, Member, Scope, TypeId, type_named};

use crate::address::ElementKey;
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
/// backbone elements merge member by member unless the table says `whole` (design: what is one
/// cell).
pub(crate) fn shape(element: ElementId) -> Shape {
    match natural_shape(element) {
        Shape::Thing if Policy::r4().is_whole(element) => Shape::Atomic,
        shape => shape,
    }
}

/// The shape without the table's `whole` rows.
pub(crate) fn natural_shape(element: ElementId) -> Shape {
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

/// What identifies an element of the list at `member`: its business key where the table has one,
/// else its `id`, else its first content.
pub(crate) fn key_hash<'t>(
    member: Member,
    value: &Value,
    text: impl FnOnce() -> Cow<'t, str>,
) -> [u8; 8] {
    let policy = Policy::r4();
    let key = policy.key(member.element, member.ty);
    if let Some(parts) = key.and_then(|key| key.parts(value, policy)) {
        return ElementKey::hash_of(parts.iter().map(String::as_bytes));
    }
    match value.get("id").and_then(Value::as_str) {
        Some(id) => ElementKey::hash_of([b"id".as_slice(), id.as_bytes()]),
        None => ElementKey::hash_of([b"content".as_slice(), text().as_bytes()]),
    }
}

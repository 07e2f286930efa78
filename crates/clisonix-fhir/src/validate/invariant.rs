//! The rules across elements that the standard marks as errors, by the standard's keys.
//!
//! Each is a plain function beside its key, its place and what it reads. The keys, places and
//! meanings are those of the `StructureDefinition`s of FHIR R4 4.0.1.

mod datatypes;
mod resources;

use std::sync::LazyLock;

use crate::json::{Object, Value};
use crate::schema::{ElementId, Member, Scope, TypeId, type_named};

/// One rule of one type or backbone element.
pub(super) struct Rule {
    pub(super) key: &'static str,
    /// The type, or the path of the backbone element.
    pub(super) at: &'static str,
    /// The names of the elements that it reads, each a member of the object at `at`.
    pub(super) reads: &'static [&'static str],
    pub(super) message: &'static str,
    pub(super) holds: fn(&At<'_>) -> bool,
}

/// An object that a rule is about, and what its members are.
pub(super) struct At<'a> {
    pub(super) object: &'a Object,
    pub(super) members: &'a [Member],
}

impl<'a> At<'a> {
    /// Whether the element is there, in any of its JSON forms.
    fn has(&self, element: &str) -> bool {
        self.members.iter().any(|member| member.element.element().name == element)
    }

    fn has_any(&self, elements: &[&str]) -> bool {
        elements.iter().any(|element| self.has(element))
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    fn items(&self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).unwrap_or_default()
    }

    fn number(&self, name: &str) -> Option<f64> {
        Some(self.get(name)?.as_number()?.as_f64())
    }

    /// Whether the text of the member is one of `texts`.
    fn is(&self, name: &str, texts: &[&str]) -> bool {
        self.text(name).is_some_and(|text| texts.contains(&text))
    }
}

/// Whether the object has the element `name`, which is no choice, itself or as `_name`.
fn there(object: &Value, name: &str) -> bool {
    let is_name = |key: &str| key.strip_prefix('_').unwrap_or(key) == name;
    object.as_object().is_some_and(|object| object.keys().any(is_name))
}

fn text_of<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// Whether the `CodeableConcept` has a coding of the system with one of the codes.
fn has_code(concept: Option<&Value>, system: &str, codes: &[&str]) -> bool {
    let codings = concept.and_then(|concept| concept.get("coding")).and_then(Value::as_array);
    codings.unwrap_or_default().iter().any(|coding| {
        text_of(coding, "system") == Some(system)
            && text_of(coding, "code").is_some_and(|code| codes.contains(&code))
    })
}

/// All rules, in no order.
pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    datatypes::RULES.iter().chain(resources::RULES)
}

/// The rules of the type, also those that it inherits, or of the backbone element.
pub(super) fn rules_of(scope: Scope) -> &'static [&'static Rule] {
    let rules = match scope {
        Scope::Type(ty) => PLACED.types.get(usize::from(ty.0)),
        Scope::Element(element) => {
            let found = PLACED.elements.binary_search_by_key(&element, |(id, _)| *id);
            found.ok().and_then(|index| PLACED.elements.get(index)).map(|(_, rules)| rules)
        }
    };
    rules.map(Vec::as_slice).unwrap_or_default()
}

struct Placed {
    types: Vec<Vec<&'static Rule>>,
    elements: Vec<(ElementId, Vec<&'static Rule>)>,
}

/// The rules by the number of the type and by backbone element.
static PLACED: LazyLock<Placed> = LazyLock::new(|| {
    let types = TypeId::all().map(|ty| {
        let is_of = |rule: &&Rule| type_named(rule.at).is_some_and(|at| ty.is_a(at));
        rules().filter(is_of).collect()
    });
    let inner: Vec<&Rule> = rules().filter(|rule| rule.at.contains('.')).collect();
    let elements = ElementId::all().filter_map(|id| {
        let path = id.element().path;
        let of: Vec<_> = inner.iter().copied().filter(|rule| rule.at == path).collect();
        (!of.is_empty()).then_some((id, of))
    });
    Placed { types: types.collect(), elements: elements.collect() }
});

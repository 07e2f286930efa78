//! Business keys: what identifies an element of a list, whoever writes it first.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{Scope, TypeId};

use super::Policy;
use super::error::PolicyErrorKind;
use super::place::member_of;
use crate::canonical;

/// How the elements of one list, or of all lists of one datatype, are told apart.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// The first that an element has the members for counts.
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug)]
enum Alternative {
    /// The first element is the first element everywhere.
    Place,
    Parts(Vec<Part>),
}

#[derive(Clone, Debug)]
struct Part {
    name: Box<str>,
    /// Without it the key does not apply.
    must: bool,
    /// Only the first element of the list counts.
    first: bool,
    choice: bool,
    ty: TypeId,
}

impl Key {
    /// Reads `system code! / text!`: members, `!` after one that must be there, `[0]` after a list
    /// of which only the first element counts, `/` before what counts where the former are missing;
    /// `(place)` for the place in the list.
    pub(super) fn new<'w>(
        words: impl Iterator<Item = &'w str>,
        path: &str,
        scope: Scope,
    ) -> Result<Self, PolicyErrorKind> {
        let mut alternatives = Vec::new();
        let mut parts = Vec::new();
        for word in words {
            match word {
                "/" => alternatives.push(Alternative::Parts(std::mem::take(&mut parts))),
                "(place)" => alternatives.push(Alternative::Place),
                _ => parts.push(Part::new(word, path, scope)?),
            }
        }
        if !parts.is_empty() {
            alternatives.push(Alternative::Parts(parts));
        }
        Ok(Self { alternatives })
    }

    /// The parts of the key that `value` has; `None` if it has no business key.
    pub(crate) fn parts(&self, value: &Value, policy: &Policy) -> Option<Vec<String>> {
        let object = value.as_object()?;
        self.alternatives.iter().find_map(|alternative| match alternative {
            Alternative::Place => Some(vec!["(place)".to_owned()]),
            Alternative::Parts(parts) => texts(parts, object, policy),
        })
    }
}

impl Part {
    fn new(word: &str, path: &str, scope: Scope) -> Result<Self, PolicyErrorKind> {
        let (rest, must) = word.strip_suffix('!').map_or((word, false), |rest| (rest, true));
        let (name, first) = rest.strip_suffix("[0]").map_or((rest, false), |name| (name, true));
        let error = || PolicyErrorKind::Member { path: path.into(), name: name.into() };
        let definition = member_of(scope, name).ok_or_else(error)?.element();
        if first && !definition.is_list() {
            return Err(PolicyErrorKind::NoList(definition.path.into()));
        }
        let ty = definition.types.first().copied().ok_or_else(error)?;
        Ok(Self { name: name.into(), must, first, choice: definition.choice, ty })
    }

    fn value<'v>(&self, object: &'v Object) -> Option<&'v Value> {
        if !self.choice {
            return object.get(&self.name);
        }
        let is_it = |name: &str| {
            name.strip_prefix(&*self.name)
                .is_some_and(|ty| ty.starts_with(|first: char| first.is_ascii_uppercase()))
        };
        object.iter().find_map(|(name, value)| is_it(name).then_some(value))
    }

    fn write(&self, value: &Value, policy: &Policy, out: &mut String) {
        match value {
            Value::Array(items) if self.first => {
                items.first().into_iter().for_each(|item| self.write(item, policy, out));
            }
            Value::Array(items) => {
                let text = |item| {
                    let mut text = String::new();
                    self.write(item, policy, &mut text);
                    text
                };
                let mut texts: Vec<String> = items.iter().map(text).collect();
                texts.sort_unstable();
                out.push_str(&texts.join("\n"));
            }
            // A choice's type is seen in its content: no two of the keys' types look alike.
            _ => {
                let ty = if self.choice { chosen(value) } else { Some(self.ty) };
                let parts = ty.and_then(|ty| policy.type_key(ty)?.parts(value, policy));
                match parts {
                    Some(parts) => out.push_str(&parts.join("|")),
                    None => canonical::write(value, out),
                }
            }
        }
    }
}

fn texts(parts: &[Part], object: &Object, policy: &Policy) -> Option<Vec<String>> {
    let mut texts = Vec::with_capacity(parts.len());
    for part in parts {
        match part.value(object) {
            Some(value) => {
                let mut text = String::with_capacity(48);
                text.extend([&part.name, "="]);
                part.write(value, policy, &mut text);
                texts.push(text);
            }
            None if part.must => return None,
            None => {}
        }
    }
    (!texts.is_empty()).then_some(texts)
}

/// The datatype of a choice's value, as far as its own key is of use here.
fn chosen(value: &Value) -> Option<TypeId> {
    let object = value.as_object()?;
    let name = if object.contains_key("reference") {
        "Reference"
    } else if object.contains_key("coding") {
        "CodeableConcept"
    } else {
        return None;
    };
    clisonix_fhir::schema::type_named(name)
}

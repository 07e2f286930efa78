//! Edits of a resource at a place.

use clisonix_fhir::json::{self, Value};

use super::place::Place;
use super::shape::{Shapes, clear, member_name};

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// What an author does to one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Sets it to value number `n`.
    Set(usize),
    /// Sets a choice to value number `n` of its type number `choice`.
    Choose { choice: usize, n: usize },
    /// Takes it out.
    Clear,
    /// Changes one leaf of its value, or of one element of the list, to that of value number `n`.
    Leaf { choice: usize, item: usize, leaf: usize, n: usize },
    /// Adds value number `n` at the end of the list.
    Add(usize),
    /// Sets one element of the list to value number `n`.
    Replace { item: usize, n: usize },
    /// Takes one element out of the list.
    Drop(usize),
    /// Turns the list round.
    Turn,
    /// Says instead of a primitive why it has no value.
    Absent,
    /// Sets extension number `n` of a primitive.
    Extend(usize),
}

impl Edit {
    /// The short form in case names.
    pub(crate) fn name(&self) -> String {
        match self {
            Edit::Set(n) => format!("set{n}"),
            Edit::Choose { choice, n } => format!("type{choice}.{n}"),
            Edit::Clear => "clear".into(),
            Edit::Leaf { choice, item, leaf, n } => format!("leaf{choice}.{item}.{leaf}.{n}"),
            Edit::Add(n) => format!("add{n}"),
            Edit::Replace { item, n } => format!("put{item}.{n}"),
            Edit::Drop(item) => format!("drop{item}"),
            Edit::Turn => "turn".into(),
            Edit::Absent => "absent".into(),
            Edit::Extend(n) => format!("extend{n}"),
        }
    }

    /// Makes the edit; `None` if it cannot be made here.
    pub(crate) fn apply(&self, shapes: &Shapes, resource: &mut Value, place: &Place) -> Option<()> {
        match *self {
            Edit::Set(n) => shapes.set(resource, place, 0, n),
            Edit::Choose { choice, n } => shapes.set(resource, place, choice, n),
            Edit::Clear => {
                clear(place.owner(resource)?, place.element());
                Some(())
            }
            Edit::Leaf { choice, item, leaf, n } => {
                let (_, donor) = shapes.value(place, choice, n)?;
                let name = member_name(place.element(), choice)?;
                let mut target = place.owner(resource)?.get_mut(&name)?;
                if place.element().element().is_list() {
                    target = target.at_mut(item)?;
                }
                let step = leaves(&donor).into_iter().nth(leaf)?;
                let value = at(&donor, &step)?.clone();
                *at_mut(target, &step)? = value;
                Some(())
            }
            Edit::Add(n) => {
                let (name, value) = shapes.value(place, 0, n)?;
                if place.owner(resource)?.get(&name).is_none() {
                    return shapes.set(resource, place, 0, n);
                }
                place.owner(resource)?.get_mut(&name)?.as_array_mut()?.push(value);
                Some(())
            }
            Edit::Replace { item, n } => {
                let (name, value) = shapes.value(place, 0, n)?;
                *place.owner(resource)?.get_mut(&name)?.at_mut(item)? = value;
                Some(())
            }
            Edit::Drop(item) => {
                let name = place.element().element().name;
                let owner = place.owner(resource)?;
                let items = owner.get_mut(name)?.as_array_mut()?;
                (item < items.len()).then(|| items.remove(item))?;
                if items.is_empty() {
                    owner.remove(name);
                }
                Some(())
            }
            Edit::Turn => {
                let name = place.element().element().name;
                place.owner(resource)?.get_mut(name)?.as_array_mut()?.reverse();
                Some(())
            }
            Edit::Absent => {
                let reason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
                let text =
                    format!(r#"{{"extension":[{{"url":"{reason}","valueCode":"unknown"}}]}}"#);
                sibling(resource, place, &text, false)
            }
            Edit::Extend(n) => {
                let text = format!(
                    r#"{{"extension":[{{"url":"http://example.org/how","valueString":"how {n}"}}]}}"#
                );
                sibling(resource, place, &text, true)
            }
        }
    }
}

/// Sets the `_name` form of a primitive, beside its value or instead of it.
fn sibling(resource: &mut Value, place: &Place, text: &str, beside: bool) -> Option<()> {
    let name = member_name(place.element(), 0)?;
    let owner = place.owner(resource)?;
    if !beside {
        clear(owner, place.element());
    }
    owner.insert(format!("_{name}"), json::parse(text.as_bytes()).ok()?);
    Some(())
}

/// The number of primitive values inside of a value.
pub(crate) fn leaf_count(value: &Value) -> usize {
    leaves(value).len()
}

/// The way to each primitive value.
fn leaves(value: &Value) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    walk(value, &mut Vec::new(), &mut found);
    found
}

fn walk(value: &Value, way: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                way.push(Step::Name(name.to_owned()));
                walk(value, way, found);
                way.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                way.push(Step::Index(index));
                walk(value, way, found);
                way.pop();
            }
        }
        _ => found.push(way.clone()),
    }
}

fn at<'v>(value: &'v Value, way: &[Step]) -> Option<&'v Value> {
    way.iter().try_fold(value, |value, step| match step {
        Step::Name(name) => value.get(name),
        Step::Index(index) => value.at(*index),
    })
}

fn at_mut<'v>(value: &'v mut Value, way: &[Step]) -> Option<&'v mut Value> {
    way.iter().try_fold(value, |value, step| match step {
        Step::Name(name) => value.get_mut(name),
        Step::Index(index) => value.at_mut(*index),
    })
}

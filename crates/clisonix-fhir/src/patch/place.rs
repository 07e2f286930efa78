//! Where an element stands in a resource, and changes there.
//!
//! In JSON a list of primitives is two arrays, one of values and one of what their `_` siblings
//! hold, paired by position (FHIR R4 2.6.2.3); a place hides that.

use super::PatchFault;
use crate::fhirpath::{Node, Step};
use crate::json::{Object, Value};

/// Where an element stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The way to the object around it.
    parent: Vec<Step>,
    /// The member's name, without a `_`.
    pub(super) name: Box<str>,
    /// Its position, if it stands in a list.
    pub(super) index: Option<usize>,
}

/// A value with what its `_` sibling holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Paired {
    pub(super) value: Option<Value>,
    pub(super) sibling: Option<Value>,
}

/// Where the object of an element is: the whole resource is at no place, but has a way.
pub(super) struct Way(Vec<Step>);

impl Way {
    /// The way to an element that is an object.
    pub(super) fn to(document: &Value, node: &Node<'_>) -> Option<Self> {
        if node.value().is_some_and(|value| std::ptr::eq(value, document)) {
            return Some(Self(Vec::new()));
        }
        let place = Place::of(document, node)?;
        let mut way = place.parent;
        way.push(Step::Member(place.name));
        way.extend(place.index.map(Step::Index));
        Some(Self(way))
    }

    /// The object at the end of the way.
    pub(super) fn object<'v>(&self, document: &'v mut Value) -> Result<&'v mut Object, PatchFault> {
        at(document, &self.0).and_then(Value::as_object_mut).ok_or(PatchFault::NotFound)
    }

    /// How many objects and arrays are around it.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }
}

impl Place {
    /// The place of an element that an expression found in this very document.
    pub(super) fn of(document: &Value, node: &Node<'_>) -> Option<Self> {
        let mut way = node.location_in(document)?;
        let index = match way.last() {
            Some(Step::Index(index)) => Some(*index),
            _ => None,
        };
        if index.is_some() {
            way.pop();
        }
        let Some(Step::Member(name)) = way.pop() else { return None };
        let name = name.strip_prefix('_').unwrap_or(&name).into();
        Some(Self { parent: way, name, index })
    }

    /// Whether both stand in one list.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.index.is_some() && self.parent == other.parent && self.name == other.name
    }

    /// How many objects and arrays are around it.
    pub(super) fn depth(&self) -> usize {
        self.parent.len() + 2
    }

    /// Puts something else there, under the name `name` if that changes.
    pub(super) fn replace(
        &self,
        document: &mut Value,
        name: &str,
        new: Paired,
    ) -> Result<(), PatchFault> {
        let object = self.object(document)?;
        match self.index {
            None => {
                if name != &*self.name {
                    object.remove(&self.name);
                    object.remove(&format!("_{}", self.name));
                }
                put_single(object, name, new);
            }
            Some(index) => {
                let mut items = take_list(object, &self.name);
                *items.get_mut(index).ok_or(PatchFault::Index)? = new;
                put_list(object, &self.name, items);
            }
        }
        Ok(())
    }

    /// Takes it away, and what is empty then around it.
    pub(super) fn delete(&self, document: &mut Value) -> Result<(), PatchFault> {
        let object = self.object(document)?;
        match self.index {
            None => put_single(object, &self.name, Paired::default()),
            Some(index) => {
                let mut items = take_list(object, &self.name);
                if index >= items.len() {
                    return Err(PatchFault::Index);
                }
                items.remove(index);
                put_list(object, &self.name, items);
            }
        }
        if object.is_empty() && !self.parent.is_empty() {
            prune(document, &self.parent);
        }
        Ok(())
    }

    /// Puts something into its list, before the position `index`.
    pub(super) fn insert(
        &self,
        document: &mut Value,
        index: usize,
        new: Paired,
    ) -> Result<(), PatchFault> {
        let object = self.object(document)?;
        let mut items = take_list(object, &self.name);
        let fits = index <= items.len();
        if fits {
            items.insert(index, new);
        }
        put_list(object, &self.name, items);
        if fits { Ok(()) } else { Err(PatchFault::Index) }
    }

    /// Moves an element of its list from one position to another.
    pub(super) fn shift(
        &self,
        document: &mut Value,
        from: usize,
        to: usize,
    ) -> Result<(), PatchFault> {
        let object = self.object(document)?;
        let mut items = take_list(object, &self.name);
        let fits = from < items.len() && to < items.len();
        if fits {
            let item = items.remove(from);
            items.insert(to, item);
        }
        put_list(object, &self.name, items);
        if fits { Ok(()) } else { Err(PatchFault::Index) }
    }

    fn object<'v>(&self, document: &'v mut Value) -> Result<&'v mut Object, PatchFault> {
        at(document, &self.parent).and_then(Value::as_object_mut).ok_or(PatchFault::NotFound)
    }
}

/// Adds a value to the end of the list `name`.
pub(super) fn append(object: &mut Object, name: &str, new: Paired) {
    let mut items = take_list(object, name);
    items.push(new);
    put_list(object, name, items);
}

/// Sets or removes the single element `name`.
pub(super) fn put_single(object: &mut Object, name: &str, new: Paired) {
    put(object, name, new.value);
    put(object, &format!("_{name}"), new.sibling);
}

fn put(object: &mut Object, name: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(object.insert(name, value)),
        None => drop(object.remove(name)),
    }
}

/// The elements of a list with what their siblings hold; what is there stays until it is put back.
fn take_list(object: &Object, name: &str) -> Vec<Paired> {
    let items = |name: &str| object.get(name).and_then(Value::as_array).unwrap_or_default();
    let (values, siblings) = (items(name), items(&format!("_{name}")));
    let present = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
    (0..values.len().max(siblings.len()))
        .map(|index| Paired {
            value: present(values.get(index)),
            sibling: present(siblings.get(index)),
        })
        .collect()
}

fn put_list(object: &mut Object, name: &str, items: Vec<Paired>) {
    let (values, siblings): (Vec<_>, Vec<_>) =
        items.into_iter().map(|item| (item.value, item.sibling)).unzip();
    let array = |items: Vec<Option<Value>>| {
        let any = items.iter().any(Option::is_some);
        any.then(|| items.into_iter().map(Option::unwrap_or_default).collect::<Value>())
    };
    put(object, name, array(values));
    put(object, &format!("_{name}"), array(siblings));
}

fn at<'v>(document: &'v mut Value, way: &[Step]) -> Option<&'v mut Value> {
    way.iter().try_fold(document, |value, step| match step {
        Step::Member(name) => value.get_mut(name),
        Step::Index(index) => value.at_mut(*index),
    })
}

/// Takes away what the way leads to, and what is empty then around it.
fn prune(document: &mut Value, way: &[Step]) {
    let Some((last, above)) = way.split_last() else { return };
    let Some(holder) = at(document, above) else { return };
    match (holder, last) {
        (Value::Object(object), Step::Member(name)) => drop(object.remove(name)),
        (Value::Array(items), Step::Index(index)) if *index < items.len() => {
            drop(items.remove(*index));
        }
        _ => {}
    }
    let is_empty = at(document, above).is_some_and(|holder| match holder {
        Value::Object(object) => object.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    });
    if is_empty {
        prune(document, above);
    }
}

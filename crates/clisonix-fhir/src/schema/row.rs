//! How a line of the generated table becomes a row: types and bindings while compiling, elements
//! at first use.

use std::sync::LazyLock;

use super::{
    Binding, Compartment, CompartmentMember, Element, ElementId, Kind, Type, TypeId, table,
};

/// A stretch of one of the table's pools.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) start: u16,
    pub(super) len: u16,
}

/// `start` and `len` of a [`Range`].
pub(super) type At = (u16, u16);

pub(super) const CHOICE: u16 = 1;
pub(super) const MODIFIER: u16 = 2;
pub(super) const SUMMARY: u16 = 4;

/// Stands for the base of a type without one, and for no binding.
pub(super) const NONE: u16 = u16::MAX;

/// What an id outside the table stands for.
pub(super) const NO_ELEMENT: Element =
    element(&("", [0, 0, 0, 0, 0, 0, 0, 0, NONE, NONE, 0, 0, NONE]));

/// [`NO_ELEMENT`] with one address.
pub(super) static UNKNOWN_ELEMENT: Element = NO_ELEMENT;

/// What an id outside the table stands for.
pub(super) static NO_TYPE: Type = ty("", Kind::Datatype, true, NONE, (0, 0));

impl Range {
    /// The stretch of `pool`.
    pub(super) fn of<T>(self, pool: &'static [T]) -> &'static [T] {
        let start = usize::from(self.start);
        pool.get(start..start + usize::from(self.len)).unwrap_or_default()
    }
}

pub(super) const fn ty(
    name: &'static str,
    kind: Kind,
    is_abstract: bool,
    base: u16,
    children: At,
) -> Type {
    let base = if base == NONE { None } else { Some(TypeId(base)) };
    Type { name, kind, is_abstract, base, children: range(children) }
}

/// A line of the table of elements: the path, then where the name begins in it, min, max, flags,
/// types, targets, binding, owner, children, content.
pub(super) type ElementRow = (&'static str, [u16; 13]);

const fn element(row: &ElementRow) -> Element {
    let (path, columns) = *row;
    let [
        name_at,
        min,
        max,
        flags,
        type_at,
        type_len,
        target_at,
        target_len,
        binding,
        owner,
        child_at,
        child_len,
        content,
    ] = columns;
    Element {
        name: path.split_at(name_at as usize).1,
        path,
        min,
        max,
        choice: flags & CHOICE != 0,
        types: stretch(&TYPE_POOL, (type_at, type_len)),
        modifier: flags & MODIFIER != 0,
        summary: flags & SUMMARY != 0,
        binding: if binding == NONE { None } else { Some(one_of(table::BINDINGS, binding)) },
        targets: stretch(&TYPE_POOL, (target_at, target_len)),
        owner: TypeId(owner),
        children: range((child_at, child_len)),
        content: ElementId(content),
    }
}

/// All elements, by type; made at first use, because the compiler takes minutes over it.
pub(super) static ELEMENTS: LazyLock<Box<[Element]>> =
    LazyLock::new(|| table::ELEMENT_ROWS.iter().map(element).collect());

/// Types of elements and targets.
static TYPE_POOL: [TypeId; table::TYPE_NUMBERS.len()] = type_ids(table::TYPE_NUMBERS);

/// What may stand in a scope, in the order of the standard.
pub(super) static CHILDREN: [ElementId; table::CHILD_NUMBERS.len()] =
    element_ids(table::CHILD_NUMBERS);

/// The same stretches, each in byte order of the names.
pub(super) static CHILDREN_BY_NAME: [ElementId; table::CHILD_NUMBERS_BY_NAME.len()] =
    element_ids(table::CHILD_NUMBERS_BY_NAME);

// These loops run only while compiling: a wrong number in the table does not compile.
#[allow(clippy::indexing_slicing)]
const fn type_ids<const N: usize>(numbers: &[u16]) -> [TypeId; N] {
    let mut ids = [TypeId(NONE); N];
    let mut index = 0;
    while index < N {
        ids[index] = TypeId(numbers[index]);
        index += 1;
    }
    ids
}

#[allow(clippy::indexing_slicing)]
const fn element_ids<const N: usize>(numbers: &[u16]) -> [ElementId; N] {
    let mut ids = [ElementId(NONE); N];
    let mut index = 0;
    while index < N {
        ids[index] = ElementId(numbers[index]);
        index += 1;
    }
    ids
}

pub(super) const fn binding(value_set: &'static str, systems: At, codes: At) -> Binding {
    Binding {
        value_set,
        systems: stretch(table::TEXT_POOL, systems),
        codes: stretch(table::TEXT_POOL, codes),
    }
}

pub(super) const fn compartment(
    name: &'static str,
    members: &'static [CompartmentMember],
) -> Compartment {
    Compartment { name, members }
}

pub(super) const fn compartment_member(ty: u16, parameters: At, paths: At) -> CompartmentMember {
    CompartmentMember {
        ty: TypeId(ty),
        parameters: stretch(table::TEXT_POOL, parameters),
        paths: stretch(table::TEXT_POOL, paths),
    }
}

const fn range((start, len): At) -> Range {
    Range { start, len }
}

const fn stretch<T>(pool: &'static [T], (start, len): At) -> &'static [T] {
    pool.split_at(start as usize).1.split_at(len as usize).0
}

// Runs only while compiling: a wrong number in the table does not compile.
#[allow(clippy::indexing_slicing)]
const fn one_of<T>(pool: &'static [T], index: u16) -> &'static T {
    &pool[index as usize]
}

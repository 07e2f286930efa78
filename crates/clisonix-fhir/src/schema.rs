//! The element table: what FHIR R4 says about every type and element, as static data.
//!
//! The rows come from HL7's structure, value set and compartment definitions of FHIR
//! 4.0.1 by `cargo xtask codegen`. There is no Rust struct per resource type: whoever needs to know
//! what may stand in a `Patient` walks this table with a [`Scope`].
//!
//! An [`ElementId`] is part of stored data. It counts the snapshot elements of all types, types in
//! byte order of their names, and must never change for a given FHIR version.

mod row;
mod scope;
#[rustfmt::skip]
mod table;

#[cfg(test)]
mod tests;

pub use scope::{Member, Scope};

/// The FHIR version of the table.
pub const FHIR_VERSION: &str = table::FHIR_VERSION;

/// The number of an element in the table.
///
/// An id that is not in the table stands for an element without a name that allows nothing; use
/// [`ElementId::checked`] for a number that comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementId(pub u16);

/// The number of a type in the table, in byte order of the types' names.
///
/// An id that is not in the table stands for a type without a name that allows nothing; use
/// [`TypeId::checked`] for a number that comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u16);

/// What a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A JSON string, number or boolean with `id` and extensions in a `_` sibling (FHIR R4 2.24.0.1).
    Primitive,
    /// An object inside a resource (FHIR R4 2.24.0.2 and following).
    Datatype,
    /// An object with a `resourceType`.
    Resource,
}

/// One type: a primitive, a datatype or a resource.
#[derive(Debug)]
pub struct Type {
    /// `Patient`, `HumanName`, `dateTime`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whether only types made from it occur: `Resource`, `DomainResource`, `Element`,
    /// `BackboneElement`.
    pub is_abstract: bool,
    /// The type that it is made from; `None` for `Resource` and `Element`.
    pub base: Option<TypeId>,
    children: row::Range,
}

/// One element of a type's snapshot.
#[derive(Debug)]
pub struct Element {
    /// The last step of the path: `deceased`.
    pub name: &'static str,
    /// The path from the type, without `[x]`: `Patient.deceased`.
    pub path: &'static str,
    /// How many there must be.
    pub min: u16,
    /// How many there may be; `u16::MAX` stands for `*`.
    pub max: u16,
    /// Whether the JSON name ends with the type: `deceasedBoolean` (`deceased[x]` in the standard).
    pub choice: bool,
    /// The types that it may have; never empty for an id of the table.
    pub types: &'static [TypeId],
    /// Whether it changes what its parent means (FHIR R4 2.1.0.1).
    pub modifier: bool,
    /// Whether it belongs to a summary (FHIR R4 3.1.1.5.8).
    pub summary: bool,
    /// The codes that it must be one of, for a binding of strength `required` that can be listed.
    pub binding: Option<&'static Binding>,
    /// The resource types that it may refer to; `Resource` for any; empty where it is no reference.
    pub targets: &'static [TypeId],
    /// The type whose snapshot it stands in.
    pub owner: TypeId,
    children: row::Range,
    /// The element whose members it has: itself, or the target of its `contentReference`.
    content: ElementId,
}

/// The codes of a value set that an element is bound to with strength `required`.
#[derive(Debug)]
pub struct Binding {
    /// The canonical address of the value set, without a version.
    pub value_set: &'static str,
    /// The code systems that the codes are from.
    pub systems: &'static [&'static str],
    /// The codes in byte order.
    pub codes: &'static [&'static str],
}

/// Which resources belong to one patient, practitioner, ... (FHIR R4 5.7 and 3.1.0.3).
#[derive(Debug)]
pub struct Compartment {
    /// The resource type that it is about: `Patient`.
    pub name: &'static str,
    members: &'static [CompartmentMember],
}

/// How resources of one type belong to a compartment.
#[derive(Debug)]
pub struct CompartmentMember {
    /// The type of the resources.
    pub ty: TypeId,
    /// The search parameters any of which makes a resource belong.
    pub parameters: &'static [&'static str],
    /// The paths of the references that those search parameters look at: `Observation.subject`.
    pub paths: &'static [&'static str],
}

impl ElementId {
    /// The element of that number, if there is one.
    #[inline]
    pub fn checked(number: u16) -> Option<Self> {
        (usize::from(number) < row::ELEMENTS.len()).then_some(Self(number))
    }

    /// All elements, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..row::ELEMENTS.len()).map(|number| Self(number as u16))
    }

    /// The table's row.
    #[inline]
    pub fn element(self) -> &'static Element {
        row::ELEMENTS.get(usize::from(self.0)).unwrap_or(&row::UNKNOWN_ELEMENT)
    }
}

impl TypeId {
    /// The type of that number, if there is one.
    pub fn checked(number: u16) -> Option<Self> {
        (usize::from(number) < table::TYPES.len()).then_some(Self(number))
    }

    /// All types, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..table::TYPES.len()).map(|number| Self(number as u16))
    }

    /// The table's row.
    #[inline]
    pub fn definition(self) -> &'static Type {
        table::TYPES.get(usize::from(self.0)).unwrap_or(&row::NO_TYPE)
    }

    /// The type's name.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Whether this is `ancestor` or is made from it, directly or not.
    pub fn is_a(self, ancestor: TypeId) -> bool {
        std::iter::successors(Some(self), |ty| ty.definition().base).any(|ty| ty == ancestor)
    }
}

impl Element {
    /// Whether JSON writes it as an array.
    #[inline]
    pub fn is_list(&self) -> bool {
        self.max > 1
    }

    /// Whether its members are told here and not by its type (`BackboneElement`, `Element`).
    #[inline]
    pub fn is_backbone(&self) -> bool {
        self.children.len > 0
    }
}

impl Binding {
    /// Whether `code` is one of the codes.
    pub fn allows(&self, code: &str) -> bool {
        self.codes.binary_search(&code).is_ok()
    }
}

impl Compartment {
    /// How resources of the type `ty` belong to it; `None` if they do not.
    pub fn member(&self, ty: TypeId) -> Option<&'static CompartmentMember> {
        let index = self.members.binary_search_by_key(&ty, |member| member.ty).ok()?;
        self.members.get(index)
    }

    /// All types of resources that belong to it, in order.
    pub fn members(&self) -> &'static [CompartmentMember] {
        self.members
    }
}

/// The type of that name: primitive, datatype or resource, abstract ones too.
pub fn type_named(name: &str) -> Option<TypeId> {
    let index = table::TYPES.binary_search_by_key(&name, |ty| ty.name).ok()?;
    Some(TypeId(index as u16))
}

/// The concrete resource type of that name.
pub fn resource_named(name: &str) -> Option<TypeId> {
    type_named(name).filter(|ty| {
        let definition = ty.definition();
        definition.kind == Kind::Resource && !definition.is_abstract
    })
}

/// The compartment of that name: `Patient`, `Encounter`, `RelatedPerson`, `Practitioner`, `Device`.
pub fn compartment(name: &str) -> Option<&'static Compartment> {
    table::COMPARTMENTS.iter().find(|compartment| compartment.name == name)
}

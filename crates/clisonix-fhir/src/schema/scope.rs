//! Where an object stands, and what a member's JSON name means there.

use super::row::{self, Range};
use super::{ElementId, Kind, TypeId, table, type_named};

/// Where a JSON object stands: its members are those of a type, or those of a backbone element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The members of a resource or datatype.
    Type(TypeId),
    /// The members of a backbone element; never an element with a `contentReference`, but the
    /// element that it points to.
    Element(ElementId),
}

/// What the name of a JSON member means in a [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The element.
    pub element: ElementId,
    /// The element's type: `Quantity` for `valueQuantity`.
    pub ty: TypeId,
    /// Whether it is the `_name` form, which holds `id` and `extension` of a primitive
    /// (FHIR R4 2.6.2.3).
    pub sibling: bool,
}

impl Scope {
    /// The elements that may stand here, in the order of the standard, inherited ones first.
    pub fn elements(self) -> &'static [ElementId] {
        self.children().of(&row::CHILDREN)
    }

    /// What the member `json_name` is here; `None` if it may not stand here (`resourceType`, which
    /// is no element, too).
    pub fn member(self, json_name: &str) -> Option<Member> {
        let (name, sibling) =
            json_name.strip_prefix('_').map_or((json_name, false), |name| (name, true));
        let by_name = self.children().of(&row::CHILDREN_BY_NAME);
        // The elements with a name up to the one asked for; a choice's name is a true prefix of it.
        let end = by_name.partition_point(|id| id.element().name <= name);
        let candidates = by_name.get(..end).unwrap_or_default();
        let exact = candidates.last().and_then(|&id| plain(id, name));
        let (element, ty) = exact.or_else(|| {
            candidates
                .iter()
                .rev()
                .filter(|id| id.element().choice)
                .find_map(|&id| chosen(id, name))
        })?;
        let fits = !sibling || ty.definition().kind == Kind::Primitive;
        fits.then_some(Member { element, ty, sibling })
    }

    fn children(self) -> Range {
        match self {
            Self::Type(ty) => ty.definition().children,
            Self::Element(element) => element.element().children,
        }
    }
}

impl Member {
    /// Where the member's object stands: `None` for a primitive's own value and for a whole
    /// resource (`contained`, `Bundle.entry.resource`), whose `resourceType` tells.
    pub fn scope(&self) -> Option<Scope> {
        let element = self.element.element();
        if element.is_backbone() {
            return Some(Scope::Element(element.content));
        }
        match self.ty.definition().kind {
            Kind::Datatype => Some(Scope::Type(self.ty)),
            Kind::Primitive if self.sibling => type_named("Element").map(Scope::Type),
            Kind::Primitive | Kind::Resource => None,
        }
    }
}

/// The element under its own name, unless a type must follow the name.
fn plain(id: ElementId, name: &str) -> Option<(ElementId, TypeId)> {
    let element = id.element();
    let ty = element.types.first().filter(|_| !element.choice && element.name == name)?;
    Some((id, *ty))
}

/// The choice element whose name and one of its types make up `name`.
fn chosen(id: ElementId, name: &str) -> Option<(ElementId, TypeId)> {
    let element = id.element();
    let suffix = name.strip_prefix(element.name)?;
    let ty = type_of_suffix(suffix).filter(|ty| element.types.contains(ty))?;
    Some((id, ty))
}

/// The type whose name with a capital first letter is `suffix`.
fn type_of_suffix(suffix: &str) -> Option<TypeId> {
    suffix.starts_with(|first: char| first.is_ascii_uppercase()).then_some(())?;
    type_named(suffix).or_else(|| {
        // Only primitives begin with a small letter, and there are 20 of them at the table's end.
        let first = table::TYPES.partition_point(|ty| ty.name < "a");
        let primitives = table::TYPES.get(first..)?;
        let index = primitives.iter().position(|ty| {
            ty.name.len() == suffix.len()
                && ty.name.get(1..) == suffix.get(1..)
                && ty.name.as_bytes().first().map(u8::to_ascii_uppercase)
                    == suffix.as_bytes().first().copied()
        })?;
        Some(TypeId((first + index) as u16))
    })
}

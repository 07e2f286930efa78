//! Where an object stands, and what a member's JSON name means there.

use super::row::{self, Range};
use super::{Element, ElementId, Kind, TypeId, type_named};

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

    /// The elements that must stand here, in the order of the standard.
    pub fn required(self) -> impl Iterator<Item = ElementId> {
        self.elements().iter().copied().filter(|id| id.element().min > 0)
    }

    /// Whether the element may stand here.
    pub fn has(self, element: ElementId) -> bool {
        // Every element stands in one scope only, next to its siblings.
        self.elements().contains(&element)
    }

    /// What the member `json_name` is here; `None` if it may not stand here (`resourceType`, which
    /// is no element, too).
    pub fn member(self, json_name: &str) -> Option<Member> {
        let (name, sibling) =
            json_name.strip_prefix('_').map_or((json_name, false), |name| (name, true));
        // Scopes are small: comparing lengths and then bytes beats any search by order or hash.
        let elements = row::ELEMENTS.as_ref();
        let members = || {
            let ids = self.children().of(&row::CHILDREN_BY_NAME).iter();
            ids.filter_map(|&id| Some((id, elements.get(usize::from(id.0))?)))
        };
        let plain = members().find(|(_, element)| element.name == name && !element.choice);
        let (element, ty) = match plain {
            Some((id, element)) => (id, *element.types.first()?),
            None => members()
                .filter(|(_, element)| element.choice)
                .find_map(|(id, element)| Some((id, chosen(element, name)?)))?,
        };
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

/// The type whose name, with a capital first letter, follows the choice element's name in `name`.
fn chosen(element: &Element, name: &str) -> Option<TypeId> {
    let suffix = name.strip_prefix(element.name)?.as_bytes();
    let (first, rest) = suffix.split_first().filter(|(first, _)| first.is_ascii_uppercase())?;
    element.types.iter().copied().find(|ty| {
        let name = ty.name().as_bytes();
        name.len() == suffix.len()
            && name.split_first().is_some_and(|(letter, letters)| {
                letters == rest && letter.eq_ignore_ascii_case(first)
            })
    })
}

//! Finding the elements that a row names.

use clisonix_fhir::schema::{ElementId, Scope, TypeId, resource_named, type_named};

use super::error::PolicyErrorKind;
use crate::layout;

/// The element at a path from a resource type, datatypes' members included: `Patient.name`.
pub(super) fn element_at(path: &str) -> Option<ElementId> {
    let mut names = path.split('.');
    let mut scope = Scope::Type(resource_named(names.next()?)?);
    let mut found = None;
    for name in names {
        let element = member_of(scope, name)?;
        scope = layout::thing_scope(element);
        found = Some(element);
    }
    found
}

/// The object that the members named in a `group` or `apart` row stand in.
pub(super) fn scope_at(path: &str) -> Result<Scope, PolicyErrorKind> {
    if let Some(ty) = resource_named(path) {
        return Ok(Scope::Type(ty));
    }
    let element = element_at(path).filter(|&e| layout::natural_shape(e) == layout::Shape::Thing);
    element.map(layout::thing_scope).ok_or_else(|| PolicyErrorKind::Path(path.into()))
}

/// The datatype (or `Resource`) of that name.
pub(super) fn datatype_named(name: &str) -> Option<TypeId> {
    type_named(name).filter(|_| resource_named(name).is_none())
}

pub(super) fn member_of(scope: Scope, name: &str) -> Option<ElementId> {
    scope.elements().iter().copied().find(|element| element.element().name == name)
}

/// The element, its parent, and so on, with the way down to the element from each.
pub(super) fn ancestors(element: ElementId) -> impl Iterator<Item = (ElementId, &'static str)> {
    let path = element.element().path;
    let ends = path.match_indices('.').map(|(at, _)| at).skip(1).collect::<Vec<_>>();
    let above = ends.into_iter().rev().filter_map(move |at| {
        let (parent, _) = path.split_at_checked(at)?;
        let parent = element_at(parent)?;
        let start = at - parent.element().name.len();
        Some((parent, path.get(start..)?))
    });
    std::iter::once((element, element.element().name)).chain(above)
}

//! Places: which element of a resource an edit is about.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{ElementId, Kind, Member, Scope, TypeId};

/// Deepest backbone that the suite goes into.
const MAX_DEPTH: usize = 3;

/// An element, with the backbone elements around it from the outermost in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: Vec<ElementId>,
    /// Which element of the innermost list around it; of lists further out always the first.
    pub(crate) item: usize,
}

impl Place {
    pub(crate) fn element(&self) -> ElementId {
        *self.path.last().expect("a place names an element")
    }

    pub(crate) fn around(&self) -> &[ElementId] {
        &self.path[..self.path.len() - 1]
    }

    pub(crate) fn in_item(&self, item: usize) -> Self {
        Self { path: self.path.clone(), item }
    }

    /// Whether the element has members of its own that are edited one by one.
    pub(crate) fn is_thing(&self) -> bool {
        is_thing(self.element())
    }

    /// `contact.name`
    pub(crate) fn name(&self) -> String {
        let names: Vec<&str> = self.path.iter().map(|id| id.element().name).collect();
        names.join(".")
    }

    /// The type, or the path of the backbone element, that the element is a member of.
    pub(crate) fn at(&self, ty: TypeId) -> &'static str {
        match self.around().last().and_then(|&id| scope_of(id)) {
            Some(Scope::Element(element)) => element.element().path,
            Some(Scope::Type(inner)) => inner.name(),
            None => ty.name(),
        }
    }

    /// The object that has the element as a member.
    pub(crate) fn owner<'v>(&self, resource: &'v mut Value) -> Option<&'v mut Object> {
        let mut at = resource;
        let depth = self.around().len();
        for (level, id) in self.around().iter().enumerate() {
            let item = if level + 1 == depth { self.item } else { 0 };
            let element = id.element();
            at = at.get_mut(element.name)?;
            if element.is_list() {
                at = at.at_mut(item)?;
            }
        }
        at.as_object_mut()
    }
}

/// Backbone elements, and `Meta`, whose labels are set one by one.
pub(crate) fn is_thing(id: ElementId) -> bool {
    matches!(scope_of(id), Some(Scope::Element(_))) || is_meta(id)
}

fn is_meta(id: ElementId) -> bool {
    id.element().types.first().is_some_and(|ty| ty.name() == "Meta")
}

/// The scope of the members of a thing.
pub(crate) fn scope_of(id: ElementId) -> Option<Scope> {
    let ty = *id.element().types.first()?;
    let scope = Member { element: id, ty, sibling: false }.scope();
    scope.filter(|scope| matches!(scope, Scope::Element(_)) || is_meta(id))
}

/// All places of a type, outermost first.
pub(crate) fn places(ty: TypeId) -> Vec<Place> {
    let mut found = Vec::new();
    walk(Scope::Type(ty), &mut Vec::new(), &mut found);
    found
}

/// The places directly inside of a thing.
pub(crate) fn children(all: &[Place], thing: &Place) -> Vec<Place> {
    all.iter().filter(|place| place.around() == thing.path).cloned().collect()
}

fn walk(scope: Scope, around: &mut Vec<ElementId>, found: &mut Vec<Place>) {
    for &id in scope.elements() {
        if !is_edited(id, around.is_empty()) {
            continue;
        }
        around.push(id);
        found.push(Place { path: around.clone(), item: 0 });
        if around.len() < MAX_DEPTH
            && let Some(inner) = scope_of(id)
        {
            walk(inner, around, found);
        }
        around.pop();
    }
}

/// Ids name, text and contained resources have cases of their own, and the server sets the version.
fn is_edited(id: ElementId, is_top: bool) -> bool {
    let element = id.element();
    let is_own = matches!(element.name, "id" | "text" | "contained" | "versionId" | "lastUpdated");
    let is_inner_extension = matches!(element.name, "extension") && !is_top;
    let is_resource = element.types.iter().any(|ty| ty.definition().kind == Kind::Resource);
    !is_own && !is_inner_extension && !is_resource && element.max > 0
}

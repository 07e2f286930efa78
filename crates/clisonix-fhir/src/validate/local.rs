//! References and contained resources: what `#id` points to, what is pointed to, and to what type.

use super::walk::Walk;
use crate::issue::IssueCode;
use crate::json::Value;
use crate::schema::{Element, ElementId, Kind, Member, Scope, TypeId, resource_named};

/// A resource that its own references of the form `#id` look into, and which of them were seen.
#[derive(Default)]
pub(super) struct Root<'a> {
    contained: &'a [Value],
    ty: Option<TypeId>,
    /// The texts after `#` that the walk came by, with the contained resource they stand in.
    seen: Vec<(&'a str, Option<usize>)>,
}

impl<'a> Root<'a> {
    pub(super) fn of(resource: &'a Value, ty: TypeId) -> Self {
        let contained = resource.get("contained").and_then(Value::as_array).unwrap_or_default();
        Self { contained, ty: Some(ty), seen: Vec::new() }
    }

    /// Notes a text that may point to a contained resource, or from one to the resource around it.
    pub(super) fn note(&mut self, text: &'a str, contained: Option<usize>) {
        if let Some(id) = text.strip_prefix('#')
            && !self.contained.is_empty()
        {
            self.seen.push((id, contained));
        }
    }

    fn named(&self, id: &str) -> Option<&'a Value> {
        let is_named = |resource: &&Value| resource.get("id").and_then(Value::as_str) == Some(id);
        self.contained.iter().find(is_named)
    }

    /// FHIR R4 2.4.0.1, dom-3: pointed to from elsewhere, or pointing to the resource around it.
    fn is_tied(&self, index: usize, id: Option<&str>) -> bool {
        self.seen.iter().any(
            |&(text, inside)| {
                if inside == Some(index) { text.is_empty() } else { Some(text) == id }
            },
        )
    }
}

/// The form of a reference's text.
enum Form<'a> {
    /// `#id`, without the `#`.
    Local(&'a str),
    /// `Patient/1`, `Patient/1/_history/2`, and `Patient?identifier=..` of a transaction.
    Relative(TypeId),
    /// Any absolute URL.
    Absolute,
}

/// FHIR R4 2.3.0.1: the forms of a literal reference.
fn form(text: &str) -> Option<Form<'_>> {
    if let Some(id) = text.strip_prefix('#') {
        return Some(Form::Local(id));
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| !scheme.contains(['/', '?'])) {
        return super::primitive::is_uri(text).then_some(Form::Absolute);
    }
    if let Some((ty, query)) = text.split_once('?') {
        return resource_named(ty).filter(|_| !query.is_empty()).map(Form::Relative);
    }
    let mut steps = text.split('/');
    let ty = steps.next().and_then(resource_named)?;
    let is_id = |step: Option<&str>| step.is_some_and(super::primitive::is_id);
    let fits = is_id(steps.next())
        && match steps.next() {
            None => true,
            Some("_history") => is_id(steps.next()) && steps.next().is_none(),
            Some(_) => false,
        };
    fits.then_some(Form::Relative(ty))
}

/// Checks the text of a Reference that stands where `element` is.
pub(super) fn reference<'a>(walk: &mut Walk<'a>, element: &Element, value: &'a Value) {
    let Some(text) = value.get("reference").and_then(Value::as_str) else { return };
    let target = match form(text) {
        None => {
            let message = "reference is neither relative, nor absolute, nor local";
            return walk.fault(("form", IssueCode::Value), message, &[]);
        }
        Some(Form::Absolute) => return,
        Some(Form::Relative(ty)) => ty,
        Some(Form::Local(id)) => {
            walk.root.note(text, walk.contained);
            let found = if id.is_empty() && walk.contained.is_some() {
                walk.root.ty
            } else if let Some(resource) = walk.root.named(id) {
                // Without a type of its own the contained resource is at fault, not the reference.
                let ty = resource.resource_type().and_then(resource_named);
                if ty.is_none() {
                    return;
                }
                ty
            } else {
                None
            };
            let Some(ty) = found else {
                let message = "no contained resource has this id";
                return walk.fault_with_contained(("ref-1", IssueCode::Invariant), message);
            };
            ty
        }
    };
    let targets = element.targets;
    if !targets.is_empty() && !targets.iter().any(|&allowed| target.is_a(allowed)) {
        // Four of the official examples of R4 do so; it says nothing wrong of the patient.
        let message = "refers to a type of resource that it may not refer to here";
        walk.warning(IssueCode::Value, message);
    }
}

/// dom-2, dom-4 and dom-5 of one contained resource.
pub(super) fn contained(walk: &mut Walk<'_>, resource: &Value) {
    if resource.get("contained").is_some() {
        let message = "a contained resource may not contain others";
        walk.fault(("dom-2", IssueCode::Invariant), message, &[]);
    }
    let has = |name: &str| {
        let meta = resource.get("meta").and_then(Value::as_object);
        meta.is_some_and(|meta| meta.keys().any(|key| key.strip_prefix('_').unwrap_or(key) == name))
    };
    if has("versionId") || has("lastUpdated") {
        let message = "a contained resource has no version of its own";
        walk.fault(("dom-4", IssueCode::Invariant), message, &[]);
    }
    if has("security") {
        let message = "a contained resource has no security labels of its own";
        walk.fault(("dom-5", IssueCode::Invariant), message, &[]);
    }
}

/// dom-3 of all contained resources, after the walk over `root`.
pub(super) fn check(walk: &mut Walk<'_>, root: &Root<'_>) {
    for (index, resource) in root.contained.iter().enumerate() {
        let id = resource.get("id").and_then(Value::as_str);
        if root.is_tied(index, id) {
            continue;
        }
        let path = format!("{}.contained[{index}]", walk.path);
        let ty = resource.resource_type().and_then(resource_named);
        let reads = referring(root.ty, ty);
        let message = "nothing refers to this contained resource";
        walk.fault_at(path, ("dom-3", IssueCode::Invariant), message, &reads);
    }
}

/// The top-level elements of `root` from which a resource of the type `target` can be referred to.
fn referring(root: Option<TypeId>, target: Option<TypeId>) -> Vec<&'static str> {
    let elements = root.map(|root| Scope::Type(root).elements()).unwrap_or_default();
    let reads = elements.iter().filter(|id| {
        let name = id.element().name;
        matches!(name, "contained" | "extension" | "modifierExtension")
            || can_refer(**id, target, &mut Vec::new())
    });
    reads.map(|id| id.element().name).collect()
}

/// Whether a resource of the type `target` can be referred to from the element or from what it
/// holds; extensions of inner elements do not count.
fn can_refer(id: ElementId, target: Option<TypeId>, passed: &mut Vec<ElementId>) -> bool {
    let element = id.element();
    let fits = |allowed: &TypeId| target.is_none_or(|target| target.is_a(*allowed));
    if element.targets.iter().any(fits) {
        return true;
    }
    if matches!(element.name, "extension" | "modifierExtension") || passed.contains(&id) {
        return false;
    }
    passed.push(id);
    let scopes = element.types.iter().filter_map(|&ty| {
        let is_inner = ty.definition().kind == Kind::Datatype && ty.name() != "Reference";
        is_inner.then(|| Member { element: id, ty, sibling: false }.scope()).flatten()
    });
    let mut inner = scopes.flat_map(|scope| scope.elements().iter().copied());
    inner.any(|inner| can_refer(inner, target, passed))
}

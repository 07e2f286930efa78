//! The walk over one resource, with the rules beside it: what goes out is made anew, nothing is taken
//! over that no rule lets through.

mod contained;
mod datatype;
mod extension;
mod primitive;

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{Element, ElementId, Kind, Member, Scope, TypeId};

use crate::project::Project;
use crate::report::{Event, Withheld};
use crate::rules::{Method, ROOT};
use crate::target::{Target, Targets};
use contained::Contained;

pub use contained::MAX_CONTAINED;

/// The deepest nesting of objects in a resource.
pub const MAX_DEPTH: usize = 64;

/// Why a resource goes out in no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Modifier,
    TooDeep,
}

impl From<Stop> for Withheld {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Modifier => Self::Modifier,
            Stop::TooDeep => Self::TooDeep,
        }
    }
}

/// A resource that may go out, and what is to be counted of it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) resource: Value,
    pub(crate) events: Vec<(ElementId, Event)>,
    pub(crate) unknown: u64,
    /// The resources of the call that it refers to.
    pub(crate) refers: Vec<usize>,
}

/// What becomes of one value.
pub(super) enum Fate {
    Kept(Value),
    Changed(Value),
    /// A `_` sibling stands in its place.
    Sibling(Object),
    Withheld,
}

/// What a whole call's dates and ages depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// The days that the patient's dates are shifted by; `None` for what patients share.
    pub(crate) shift: Option<i32>,
    /// Whether the patient was born so long ago that the year tells an age over 89.
    pub(crate) old: bool,
}

pub(crate) struct Pass<'a> {
    project: &'a Project<'a>,
    targets: &'a Targets,
    shown: Shown,
    /// Whether all that goes is masked, required or not.
    mask_all: bool,
    events: Vec<(ElementId, Event)>,
    unknown: u64,
    refers: Vec<usize>,
    /// The contained resources of the resource that the walk is in.
    contained: Vec<Contained<'a>>,
    /// Those of them that what was made so far refers to.
    local: Vec<usize>,
    depth: usize,
}

/// One member of an object, with all that decides about it.
#[derive(Clone, Copy)]
struct Place<'a> {
    around: &'a Object,
    name: &'a str,
    member: Member,
    method: &'a Method,
    node: u32,
}

impl Place<'_> {
    fn element(&self) -> &'static Element {
        self.member.element.element()
    }

    /// Whether something must stand there: because it is required, or because a modifier that is
    /// missing would change what the rest means.
    fn must_stay(&self) -> bool {
        let element = self.element();
        let named = !matches!(self.method, Method::Redact);
        element.min > 0 || (element.modifier && named) || *self.method == Method::Mask
    }

    /// Whether an element without a value may stand there: one that asks for members may not.
    fn may_be_masked(&self) -> bool {
        let bare = |scope: Scope| scope.required().next().is_none();
        self.element().name != "id" && self.member.scope().is_none_or(bare)
    }
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        project: &'a Project<'a>,
        targets: &'a Targets,
        shown: Shown,
        mask_all: bool,
    ) -> Self {
        Self {
            project,
            targets,
            shown,
            mask_all,
            events: Vec::new(),
            unknown: 0,
            refers: Vec::new(),
            contained: Vec::new(),
            local: Vec::new(),
            depth: 0,
        }
    }

    /// A resource that nothing is around.
    pub(crate) fn whole(
        mut self,
        resource: &'a Value,
        ty: TypeId,
        id: Option<&str>,
    ) -> Result<Made, Stop> {
        let inner = self.contained_in(resource)?;
        let mut object = self.resource(resource, ty, id)?;
        label(&mut object);
        self.put_contained(&mut object, inner);
        let resource = object.into();
        let Self { events, unknown, refers, .. } = self;
        Ok(Made { resource, events, unknown, refers })
    }

    /// The members of a resource, but for its contained ones; `id` is what it is called outside.
    fn resource(
        &mut self,
        resource: &'a Value,
        ty: TypeId,
        id: Option<&str>,
    ) -> Result<Object, Stop> {
        let mut out = Object::with_capacity(16);
        out.insert("resourceType", ty.name());
        if let Some(id) = id {
            out.insert("id", id);
            if let Some(member) = Scope::Type(ty).member("id") {
                self.note(member.element, Event::Changed);
            }
        }
        if let Some(object) = resource.as_object() {
            self.members(object, Scope::Type(ty), ROOT, &mut out)?;
        }
        Ok(out)
    }

    fn note(&mut self, element: ElementId, event: Event) {
        self.events.push((element, event));
    }

    /// What goes out of an object's members.
    fn members(
        &mut self,
        object: &'a Object,
        scope: Scope,
        node: u32,
        out: &mut Object,
    ) -> Result<(), Stop> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::TooDeep);
        }
        self.depth += 1;
        let made = self.each_member(object, scope, node, out);
        self.depth -= 1;
        made
    }

    fn each_member(
        &mut self,
        object: &'a Object,
        scope: Scope,
        node: u32,
        out: &mut Object,
    ) -> Result<(), Stop> {
        let is_resource =
            matches!(scope, Scope::Type(ty) if ty.definition().kind == Kind::Resource);
        for name in object.keys() {
            let plain = name.strip_prefix('_').unwrap_or(name);
            let met = plain.len() != name.len() && object.contains_key(plain);
            // Contained resources are made before, and ids of resources are never taken over.
            let apart = is_resource && matches!(plain, "resourceType" | "id" | "contained");
            if met || apart {
                continue;
            }
            match scope.member(name) {
                Some(member) => self.member(object, plain, member, node, out)?,
                None => self.unknown += 1,
            }
        }
        Ok(())
    }

    /// One member, with its `_` sibling.
    fn member(
        &mut self,
        around: &'a Object,
        name: &'a str,
        member: Member,
        node: u32,
        out: &mut Object,
    ) -> Result<(), Stop> {
        let project = self.project;
        let step = project.rules.step(node, member.element, member.ty);
        let method = step.method.unwrap_or(&Method::Redact);
        let place = Place { around, name, member, method, node: step.node };
        match method {
            Method::Withhold => return Err(Stop::Modifier),
            Method::Redact | Method::Mask => self.note(member.element, Event::Withheld),
            Method::Contained => return Ok(()),
            Method::Extension => {
                let items = self.extensions(place)?;
                if !items.is_empty() {
                    out.insert(name, items);
                }
                return Ok(());
            }
            _ if member.ty.definition().kind == Kind::Primitive => self.primitives(place, out)?,
            _ => self.objects(place, out)?,
        }
        if place.must_stay() || (self.mask_all && place.may_be_masked()) {
            mask(place, out);
        }
        Ok(())
    }

    /// The objects of a datatype or backbone element.
    fn objects(&mut self, place: Place<'a>, out: &mut Object) -> Result<(), Stop> {
        let Some(value) = place.around.get(place.name) else { return Ok(()) };
        let is_list = place.element().is_list();
        let items = match value {
            Value::Array(items) if is_list => items.as_slice(),
            Value::Object(_) if !is_list => std::slice::from_ref(value),
            _ => {
                self.note(place.member.element, Event::Withheld);
                return Ok(());
            }
        };
        let mut made = Vec::with_capacity(items.len());
        for item in items {
            let object = item.as_object().filter(|object| !object.is_empty());
            match object.map(|object| self.object(place, object)).transpose()?.flatten() {
                Some(object) => made.push(Value::from(object)),
                None => self.note(place.member.element, Event::Withheld),
            }
        }
        match made.pop() {
            None => {}
            Some(one) if !is_list => drop(out.insert(place.name, one)),
            Some(last) => {
                made.push(last);
                out.insert(place.name, made);
            }
        }
        Ok(())
    }

    fn object(&mut self, place: Place<'a>, object: &'a Object) -> Result<Option<Object>, Stop> {
        let element = place.member.element;
        let made = match place.method {
            Method::Quantity => self.quantity(place, object),
            Method::Coded => self.coding(object),
            Method::Reference => self.reference(object),
            Method::Pseudonym => self.identifier(object),
            Method::Text if !self.project.free_text => return Ok(None),
            Method::Walk | Method::Text => {
                let Some(scope) = place.member.scope() else { return Ok(None) };
                let mut out = Object::with_capacity(object.len());
                self.members(object, scope, place.node, &mut out)?;
                return Ok(Some(out).filter(|out| says_something(place, out)));
            }
            _ => return Ok(None),
        };
        let Some(made) = made else { return Ok(None) };
        let event = if &made == object { Event::Kept } else { Event::Changed };
        self.note(element, event);
        Ok(Some(made))
    }

    fn find(&self, text: &str) -> Option<&'a Target> {
        self.targets.find(text).or_else(|| self.project.known.find(text))
    }
}

/// Whether something is left of an object; a code that must be of a value set is one with a coding.
fn says_something(place: Place<'_>, out: &Object) -> bool {
    let coded = place.member.ty.name() == "CodeableConcept" && place.element().binding.is_some();
    !out.is_empty() && (!coded || out.contains_key("coding"))
}

/// Says that a value is masked, where something must stand (FHIR's extension `data-absent-reason`).
fn mask(place: Place<'_>, out: &mut Object) {
    let sibling = format!("_{}", place.name);
    if out.contains_key(place.name) || out.contains_key(&sibling) {
        return;
    }
    let primitive = place.member.ty.definition().kind == Kind::Primitive;
    let name = if primitive { sibling } else { place.name.to_owned() };
    let masked = Value::from(masked());
    let masked = if place.element().is_list() { Value::from(vec![masked]) } else { masked };
    out.insert(name, masked);
}

/// An element without a value, and why.
fn masked() -> Object {
    let reason = [
        ("url", "http://hl7.org/fhir/StructureDefinition/data-absent-reason".into()),
        ("valueCode", "masked".into()),
    ];
    let reason = Value::from(reason.into_iter().collect::<Object>());
    [("extension", Value::from(vec![reason]))].into_iter().collect()
}

/// Adds the security label that says that what goes out is pseudonymized.
fn label(resource: &mut Object) {
    let coding = [
        ("system", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue".into()),
        ("code", "PSEUDED".into()),
    ];
    let coding = Value::from(coding.into_iter().collect::<Object>());
    if !resource.contains_key("meta") {
        resource.insert("meta", Object::new());
    }
    let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) else { return };
    match meta.get_mut("security").and_then(Value::as_array_mut) {
        Some(labels) => labels.push(coding),
        None => drop(meta.insert("security", vec![coding])),
    }
}

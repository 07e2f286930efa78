//! Contained resources: de-identified in their place, called by a number, and kept only where what
//! goes out refers to them (FHIR R4 2.4.0.1, dom-3).

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{ElementId, Scope, TypeId, resource_named};

use super::{Pass, Stop};
use crate::report::Event;

/// The most contained resources of one resource; what comes after them does not go out.
pub const MAX_CONTAINED: usize = 1_000;

/// One contained resource as it came in.
pub(super) struct Contained<'a> {
    id: &'a str,
    resource: &'a Value,
    /// `None` if it does not go out.
    ty: Option<TypeId>,
}

/// One contained resource that may go out.
pub(super) struct Inner {
    index: usize,
    object: Object,
    events: Vec<(ElementId, Event)>,
    refers: Vec<usize>,
    local: Vec<usize>,
}

impl<'a> Pass<'a> {
    /// Makes the contained resources of a resource, before its own members.
    pub(super) fn contained_in(&mut self, resource: &'a Value) -> Result<Vec<Inner>, Stop> {
        let items = resource.get("contained").and_then(Value::as_array).unwrap_or_default();
        let rules = &self.project.rules;
        let contained = items.iter().take(MAX_CONTAINED).map(|inner| {
            let ty = inner.resource_type().and_then(resource_named);
            let ty = ty.filter(|&ty| rules.releases(ty));
            let id = inner.get("id").and_then(Value::as_str).unwrap_or_default();
            Contained { id, resource: inner, ty }
        });
        self.contained = contained.collect();
        let made = self.contained_once()?;
        if made.len() == self.contained.iter().filter(|one| one.ty.is_some()).count() {
            return Ok(made);
        }
        // One that turned out not to go out may be what another refers to: all others again.
        for index in 0..self.contained.len() {
            if made.binary_search_by_key(&index, |inner| inner.index).is_err()
                && let Some(one) = self.contained.get_mut(index)
            {
                one.ty = None;
            }
        }
        self.contained_once()
    }

    /// All of them that may go out, in order.
    fn contained_once(&mut self) -> Result<Vec<Inner>, Stop> {
        let mut all = Vec::new();
        for index in 0..self.contained.len() {
            let Some(one) = self.contained.get(index) else { break };
            let (resource, Some(ty)) = (one.resource, one.ty) else { continue };
            let events = std::mem::take(&mut self.events);
            let refers = std::mem::take(&mut self.refers);
            let made = self.resource(resource, ty, Some(&name(index)));
            let inner_events = std::mem::replace(&mut self.events, events);
            let inner_refers = std::mem::replace(&mut self.refers, refers);
            let local = std::mem::take(&mut self.local);
            match made {
                Ok(mut object) => {
                    unversioned(&mut object);
                    let (events, refers) = (inner_events, inner_refers);
                    all.push(Inner { index, object, events, refers, local });
                }
                Err(Stop::Modifier) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(all)
    }

    /// Puts those into the resource that it refers to, directly or through another.
    pub(super) fn put_contained(&mut self, object: &mut Object, inner: Vec<Inner>) {
        let mut needed = vec![false; self.contained.len()];
        let mut open = std::mem::take(&mut self.local);
        while let Some(index) = open.pop() {
            if let Some(one) = needed.get_mut(index).filter(|one| !**one) {
                *one = true;
                let found = inner.binary_search_by_key(&index, |made| made.index).ok();
                let made = found.and_then(|found| inner.get(found));
                open.extend(made.into_iter().flat_map(|made| &made.local));
            }
        }
        let mut items = Vec::new();
        for made in inner {
            if needed.get(made.index) == Some(&true) {
                self.events.extend(made.events);
                self.refers.extend(made.refers);
                items.push(Value::from(made.object));
            }
        }
        let element = resource_type(object)
            .and_then(|ty| Scope::Type(ty).member("contained"))
            .map(|member| member.element);
        if let Some(element) = element {
            let gone = self.contained.len().saturating_sub(items.len());
            self.events.extend(std::iter::repeat_n((element, Event::Withheld), gone));
        }
        if !items.is_empty() {
            object.insert("contained", items);
        }
    }

    /// What a reference `#id` becomes.
    pub(super) fn local_reference(&mut self, id: &str) -> Option<String> {
        let found = self.contained.iter().position(|one| one.id == id && one.ty.is_some());
        let index = found.filter(|_| !id.is_empty())?;
        self.local.push(index);
        Some(format!("#{}", name(index)))
    }
}

fn resource_type(object: &Object) -> Option<TypeId> {
    object.get("resourceType").and_then(Value::as_str).and_then(resource_named)
}

/// What a contained resource is called.
fn name(index: usize) -> String {
    format!("c{}", index + 1)
}

/// A contained resource has no version and no labels of its own (dom-4, dom-5).
fn unversioned(object: &mut Object) {
    object.remove("meta");
}

//! Minimal valid instances of a type and of its backbone elements, found by asking the validator.

use std::cell::RefCell;
use std::collections::HashMap;

use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{ElementId, Scope, TypeId};
use clisonix_fhir::validate;

use super::place::{Place, is_thing, scope_of};
use super::sample;

/// Most members that an instance of a backbone element is given beyond what it must have.
const MEMBERS: usize = 4;
/// Most rounds of mending a minimal instance.
const ROUNDS: usize = 6;

/// The logical id of the resource that a case is about.
pub(crate) const ID: &str = "x1";

/// Makes instances of one type.
pub(crate) struct Shapes {
    pub(crate) ty: TypeId,
    minimal: Value,
    /// The members that an instance of a backbone element has.
    things: RefCell<HashMap<Vec<ElementId>, Option<Vec<ElementId>>>>,
}

pub(crate) fn is_valid(resource: &Value) -> bool {
    !validate::validate(resource).iter().any(Issue::is_error)
}

/// The name of the element's member in JSON.
pub(crate) fn member_name(id: ElementId, choice: usize) -> Option<String> {
    let element = id.element();
    let ty = element.types.get(choice)?.name();
    if !element.choice {
        return Some(element.name.to_owned());
    }
    let (first, rest) = ty.split_at_checked(1)?;
    Some(format!("{}{}{rest}", element.name, first.to_ascii_uppercase()))
}

/// Takes the element out of the object, in all its JSON forms.
pub(crate) fn clear(object: &mut Object, id: ElementId) {
    let element = id.element();
    for choice in 0..element.types.len() {
        if let Some(name) = member_name(id, choice) {
            object.remove(&name);
            object.remove(&format!("_{name}"));
        }
    }
}

impl Shapes {
    pub(crate) fn new(ty: TypeId) -> Self {
        let mut object = Object::new();
        object.insert("resourceType", ty.name());
        object.insert("id", ID);
        let mut shapes =
            Self { ty, minimal: Value::Object(object), things: RefCell::new(HashMap::new()) };
        let mut resource = shapes.minimal.clone();
        for id in Scope::Type(ty).required() {
            shapes.set(&mut resource, &Place { path: vec![id], item: 0 }, 0, 0);
        }
        for _ in 0..ROUNDS {
            shapes.mend(&mut resource);
        }
        assert!(is_valid(&resource), "no minimal {}: {resource:?}", ty.name());
        shapes.minimal = resource;
        shapes
    }

    /// The minimal instance.
    pub(crate) fn minimal(&self) -> Value {
        self.minimal.clone()
    }

    /// Adds or changes one element that a broken rule reads, if that helps.
    fn mend(&self, resource: &mut Value) {
        let broken = validate::broken_rules(resource);
        let Some(rule) = broken.first() else { return };
        let elements = Scope::Type(self.ty).elements().iter();
        for &id in elements.filter(|id| rule.reads.iter().any(|name| **name == *id.element().name))
        {
            for n in 0..8 {
                let mut tried = resource.clone();
                self.set(&mut tried, &Place { path: vec![id], item: 0 }, 0, n);
                if validate::broken_rules(&tried).len() < broken.len() {
                    *resource = tried;
                    return;
                }
            }
        }
    }

    /// The member of value number `n` at a place; of a list one element.
    pub(crate) fn value(&self, place: &Place, choice: usize, n: usize) -> Option<(String, Value)> {
        let id = place.element();
        let name = member_name(id, choice)?;
        if is_thing(id) {
            let members = self.members(place)?;
            return Some((name, self.thing(place, &members, n)?));
        }
        let element = id.element();
        Some((name, sample::value(element, *element.types.get(choice)?, n)?))
    }

    /// Sets the element at a place to value number `n`, opening the things around it.
    pub(crate) fn set(
        &self,
        resource: &mut Value,
        place: &Place,
        choice: usize,
        n: usize,
    ) -> Option<()> {
        self.open(resource, place)?;
        let (name, value) = self.value(place, choice, n)?;
        let owner = place.owner(resource)?;
        clear(owner, place.element());
        let is_list = place.element().element().is_list();
        owner.insert(name, if is_list { Value::Array(vec![value]) } else { value });
        Some(())
    }

    /// Makes the things around a place, where they are missing.
    fn open(&self, resource: &mut Value, place: &Place) -> Option<()> {
        for depth in 1..place.path.len() {
            let around = Place { path: place.path.get(..depth)?.to_vec(), item: 0 };
            let name = around.element().element().name;
            if around.owner(resource)?.get(name).is_none() {
                self.set(resource, &around, 0, 0)?;
            }
        }
        Some(())
    }

    fn thing(&self, place: &Place, members: &[ElementId], n: usize) -> Option<Value> {
        let mut object = Object::new();
        for &member in members {
            let mut path = place.path.clone();
            path.push(member);
            let (name, value) = self.value(&Place { path, item: 0 }, 0, n)?;
            let is_list = member.element().is_list();
            object.insert(name, if is_list { Value::Array(vec![value]) } else { value });
        }
        Some(Value::Object(object))
    }

    /// The members that an instance of the thing has: the required ones, what its rules ask for,
    /// and the first few others.
    fn members(&self, place: &Place) -> Option<Vec<ElementId>> {
        if let Some(known) = self.things.borrow().get(&place.path) {
            return known.clone();
        }
        let found = self.search(place);
        self.things.borrow_mut().insert(place.path.clone(), found.clone());
        found
    }

    fn search(&self, place: &Place) -> Option<Vec<ElementId>> {
        let scope = scope_of(place.element())?;
        let mut chosen: Vec<ElementId> = scope.required().collect();
        let mut valid = self.fits(place, &chosen);
        for &id in scope.elements() {
            let element = id.element();
            let plain = !matches!(
                element.name,
                "id" | "extension" | "modifierExtension" | "versionId" | "lastUpdated"
            );
            if !plain || is_thing(id) || chosen.contains(&id) || chosen.len() >= MEMBERS && valid {
                continue;
            }
            let tried: Vec<ElementId> = chosen.iter().copied().chain([id]).collect();
            if self.fits(place, &tried) {
                (chosen, valid) = (tried, true);
            }
        }
        valid.then_some(chosen)
    }

    /// Whether a thing with these members breaks no rule inside of the element at the place.
    fn fits(&self, place: &Place, members: &[ElementId]) -> bool {
        let fits = || {
            let mut resource = self.minimal.clone();
            self.open(&mut resource, place)?;
            let item = self.thing(place, members, 0)?;
            let element = place.element().element();
            let item = if element.is_list() { Value::Array(vec![item]) } else { item };
            place.owner(&mut resource)?.insert(element.name, item);
            let top = format!("{}.{}", self.ty.name(), place.path.first()?.element().name);
            let is_inside = |path: &str| {
                path.strip_prefix(&top)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let broken = validate::broken_rules(&resource);
            Some(!broken.iter().any(|rule| is_inside(&rule.issue.path)))
        };
        fits().unwrap_or(false)
    }
}

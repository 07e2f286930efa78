//! The walk over a resource with the element table beside it.

use std::fmt::Write;

use super::invariant::{self, At};
use super::local::{self, Root};
use super::{BrokenRule, MAX_ISSUES, expression, narrative, primitive};
use crate::issue::{Issue, IssueCode};
use crate::json::{Object, Value};
use crate::schema::{Element, Kind, Member, Scope, TypeId, resource_named};

/// The invariants that the walk itself and its parts check, and where they hold.
pub(super) const INVARIANTS: &[(&str, &str)] = &[
    ("ele-1", "Element"),
    ("dom-2", "DomainResource"),
    ("dom-3", "DomainResource"),
    ("dom-4", "DomainResource"),
    ("dom-5", "DomainResource"),
    ("ref-1", "Reference"),
    ("txt-1", "Narrative.div"),
    ("txt-2", "Narrative.div"),
];

/// What was found so far, and where the walk is.
#[derive(Default)]
pub(super) struct Walk<'a> {
    pub(super) broken: Vec<BrokenRule>,
    /// What may be wrong, but breaks no rule of the resource by itself.
    pub(super) warnings: Vec<Issue>,
    pub(super) path: String,
    /// The name of the top-level element that the walk is inside of.
    pub(super) top: Option<&'a str>,
    /// The resource that references of the form `#id` are looked up in.
    pub(super) root: Root<'a>,
    /// The resource that the walk is in and that no other one contains.
    outer: Option<&'a Value>,
    /// Whether the walk is inside a contained resource, and in the how-manieth.
    pub(super) contained: Option<usize>,
    /// The members of the objects that the walk is in; each object's stand together.
    members: Vec<Member>,
    /// How many resources of the form of [`Walk::whole`] the walk is in.
    wholes: usize,
}

/// The key and the code of a fault.
pub(super) type Rule = (&'static str, IssueCode);

const KIND: Rule = ("kind", IssueCode::Structure);
const EMPTY: Rule = ("empty", IssueCode::Structure);

impl<'a> Walk<'a> {
    /// Notes a broken rule at the path; `reads` counts only outside of any top-level element.
    pub(super) fn fault(&mut self, rule: Rule, message: &str, reads: &[&str]) {
        self.fault_at(self.path.clone(), rule, message, reads);
    }

    /// Notes a broken rule of the element `name` of the object at the path.
    fn fault_of(&mut self, name: &str, rule: Rule, message: &str) {
        self.fault_at(format!("{}.{name}", self.path), rule, message, &[name]);
    }

    /// Notes a broken rule somewhere else than at the path.
    pub(super) fn fault_at(
        &mut self,
        path: String,
        (key, code): Rule,
        message: &str,
        reads: &[&str],
    ) {
        if self.broken.len() >= MAX_ISSUES {
            return;
        }
        let reads = match self.top {
            Some(top) => vec![top.into()],
            None => reads.iter().map(|&name| name.into()).collect(),
        };
        self.broken.push(BrokenRule { key, reads, issue: Issue::error(code, path, message) });
    }

    /// Notes a broken rule between the element at the path and the contained resources.
    pub(super) fn fault_with_contained(&mut self, rule: Rule, message: &str) {
        let top = self.top.take_if(|top| self.wholes == 1 && *top != "contained");
        match top {
            Some(name) => self.fault(rule, message, &[name, "contained"]),
            None => self.fault(rule, message, &[]),
        }
        self.top = self.top.or(top);
    }

    /// Notes what may be wrong at the path.
    pub(super) fn warning(&mut self, code: IssueCode, message: &str) {
        if self.warnings.len() < MAX_ISSUES {
            self.warnings.push(Issue::warning(code, self.path.clone(), message));
        }
    }

    /// Walks the resource that nothing is around.
    pub(super) fn outermost(&mut self, value: &'a Value, ty: TypeId) {
        self.path.push_str(ty.name());
        self.whole(value, ty);
    }

    /// A resource that its own references of the form `#id` look into: the outermost one, or one
    /// in a Bundle.
    fn whole(&mut self, value: &'a Value, ty: TypeId) {
        let around = std::mem::replace(&mut self.root, Root::of(value, ty));
        let outer = self.outer.replace(value);
        let contained = self.contained.take();
        self.wholes += 1;
        self.resource(value, ty);
        self.wholes -= 1;
        self.contained = contained;
        self.outer = outer;
        let root = std::mem::replace(&mut self.root, around);
        local::check(self, &root);
    }

    fn resource(&mut self, value: &'a Value, ty: TypeId) {
        match value.as_object() {
            Some(object) => {
                self.object(object, Scope::Type(ty), true);
                expression::check(self, value, self.outer.unwrap_or(value), ty);
            }
            None => self.fault(KIND, "must be an object", &[]),
        }
    }

    fn object(&mut self, object: &'a Object, scope: Scope, is_resource: bool) {
        if object.is_empty() {
            self.fault(EMPTY, "an object may not be empty", &[]);
        }
        let is_top = is_resource && self.top.is_none();
        let (first, len) = (self.members.len(), self.path.len());
        for (name, value) in object {
            if is_resource && name == "resourceType" {
                continue;
            }
            let member = scope.member(name);
            if is_top {
                self.top = Some(member.map_or(name, |member| member.element.element().name));
            }
            self.path.push('.');
            self.path.push_str(name);
            if let Some(member) = member {
                self.members.push(member);
                self.member(object, name, member, value);
            } else {
                let rule = ("unknown", IssueCode::Structure);
                self.fault(rule, "no element of this name may stand here", &[]);
            }
            self.path.truncate(len);
            if is_top {
                self.top = None;
            }
        }
        self.required(scope, first);
        self.choices(first);
        self.invariants(object, scope, first);
        self.members.truncate(first);
    }

    /// Whether the required elements are there.
    fn required(&mut self, scope: Scope, first: usize) {
        for id in scope.required() {
            let there = self.members.get(first..).unwrap_or_default();
            if there.iter().all(|member| member.element != id) {
                self.fault_of(id.element().name, ("min", IssueCode::Required), "is required");
            }
        }
    }

    /// Whether each choice has one type only.
    fn choices(&mut self, first: usize) {
        let mut index = first;
        while let Some(&member) = self.members.get(index) {
            index += 1;
            let element = member.element.element();
            let others = self.members.get(index..).unwrap_or_default();
            let differs = |other: &Member| other.element == member.element && other.ty != member.ty;
            if element.choice && others.iter().any(differs) {
                let rule = ("choice", IssueCode::Structure);
                self.fault_of(element.name, rule, "may have one type only");
            }
        }
    }

    fn invariants(&mut self, object: &'a Object, scope: Scope, first: usize) {
        let rules = invariant::rules_of(scope);
        if rules.is_empty() {
            return;
        }
        let members = self.members.get(first..).unwrap_or_default();
        let at = At { object, members };
        let broken: Vec<_> = rules.iter().filter(|rule| !(rule.holds)(&at)).collect();
        for rule in broken {
            self.fault((rule.key, IssueCode::Invariant), rule.message, rule.reads);
        }
    }

    fn member(&mut self, around: &'a Object, name: &str, member: Member, value: &'a Value) {
        let element = member.element.element();
        let is_primitive = member.ty.definition().kind == Kind::Primitive;
        let other = || match name.strip_prefix('_') {
            Some(plain) if member.sibling => around.get(plain),
            _ => around.get(&format!("_{name}")),
        };
        if !element.is_list() {
            if value.is_array() {
                return self.fault(KIND, "must not be an array", &[]);
            }
            let valued = member.sibling && other().is_some();
            return self.single(member, value, valued);
        }
        let Some(items) = value.as_array() else {
            return self.fault(KIND, "must be an array", &[]);
        };
        if items.is_empty() {
            self.fault(EMPTY, "an array may not be empty", &[]);
        }
        let others = if is_primitive { other().and_then(Value::as_array) } else { None };
        if others.is_some_and(|others| others.len() != items.len()) {
            let rule = ("sibling", IssueCode::Structure);
            self.fault(rule, "the array and its _ sibling differ in length", &[]);
        }
        let len = self.path.len();
        for (index, item) in items.iter().enumerate() {
            // FHIR R4 2.6.2.3: null keeps the place where the sibling array has a value.
            let filled = others.and_then(|others| others.get(index)).is_some_and(|o| !o.is_null());
            let pads = is_primitive && item.is_null() && (filled || member.sibling);
            if !pads {
                // Writing to a String cannot fail.
                let _ = write!(self.path, "[{index}]");
                if element.name == "contained" && self.contained.is_none() {
                    self.contained = Some(index);
                    self.single(member, item, filled);
                    self.contained = None;
                } else {
                    self.single(member, item, filled);
                }
                self.path.truncate(len);
            }
        }
    }

    /// One value; `valued` tells of a `_` sibling whether its primitive has a value.
    fn single(&mut self, member: Member, value: &'a Value, valued: bool) {
        let element = member.element.element();
        if let Some(scope) = member.scope() {
            let Some(object) = value.as_object() else {
                return self.fault(KIND, "must be an object", &[]);
            };
            self.object(object, scope, false);
            if !valued && object.len() == 1 && object.contains_key("id") {
                let rule = ("ele-1", IssueCode::Invariant);
                self.fault(rule, "an element must hold more than an id", &[]);
            }
            return self.datatype(element, member.ty, value);
        }
        if member.ty.definition().kind == Kind::Resource {
            return self.nested(value, element.name == "contained");
        }
        self.primitive(element, member.ty, value);
    }

    /// What a datatype's place asks for beyond the datatype.
    fn datatype(&mut self, element: &'static Element, ty: TypeId, value: &'a Value) {
        if let Some(binding) = element.binding
            && !primitive::is_bound(binding, ty.name(), value)
        {
            let message = format!("has no code of {}", binding.value_set);
            self.fault(("binding", IssueCode::CodeInvalid), &message, &[]);
        }
        if ty.name() == "Reference" {
            local::reference(self, element, value);
        }
    }

    fn primitive(&mut self, element: &'static Element, ty: TypeId, value: &'a Value) {
        match primitive::check(ty.name(), value) {
            Ok(()) => {}
            Err(primitive::Fault::Kind) => {
                return self.fault(KIND, "is not of the JSON kind that its type asks for", &[]);
            }
            Err(primitive::Fault::Form) => {
                let message = format!("is not a {}", ty.name());
                return self.fault(("form", IssueCode::Value), &message, &[]);
            }
        }
        let Some(text) = value.as_str() else { return };
        match ty.name() {
            "code" => {
                if let Some(binding) = element.binding
                    && !binding.allows(text)
                {
                    let message = format!("is not a code of {}", binding.value_set);
                    self.fault(("binding", IssueCode::CodeInvalid), &message, &[]);
                }
            }
            "xhtml" => {
                if let Err((key, message)) = narrative::check(text) {
                    self.fault((key, IssueCode::Invariant), message, &[]);
                }
            }
            "uri" | "url" | "canonical" => self.root.note(text, self.contained),
            _ => {}
        }
    }

    fn nested(&mut self, value: &'a Value, contained: bool) {
        let Some(ty) = value.resource_type().and_then(resource_named) else {
            let message = "resourceType is missing or names no resource of FHIR R4";
            return self.fault(("type", IssueCode::Structure), message, &[]);
        };
        if contained {
            local::contained(self, value);
            self.resource(value, ty);
        } else {
            self.whole(value, ty);
        }
    }
}

//! The walk over a resource with the element table beside it.

use super::{BrokenRule, MAX_ISSUES, primitive};
use crate::issue::{Issue, IssueCode};
use crate::json::{Object, Value};
use crate::schema::{Element, Kind, Member, Scope, TypeId, resource_named};

/// What was found so far, and under which top-level member the walk is.
pub(super) struct Walk {
    pub(super) broken: Vec<BrokenRule>,
    top: Option<Box<str>>,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self { broken: Vec::new(), top: None }
    }

    /// Notes a broken rule; `reads` counts only outside of any top-level member.
    pub(super) fn fault(
        &mut self,
        key: &'static str,
        code: IssueCode,
        path: &str,
        message: &str,
        reads: &[&str],
    ) {
        if self.broken.len() >= MAX_ISSUES {
            return;
        }
        let reads = match &self.top {
            Some(top) => vec![top.clone()],
            None => reads.iter().map(|&name| name.into()).collect(),
        };
        self.broken.push(BrokenRule { key, reads, issue: Issue::error(code, path, message) });
    }

    /// A resource of the type `ty`: the outermost one, one in a Bundle, or a contained one.
    pub(super) fn resource(&mut self, value: &Value, ty: TypeId, path: &str, contained: bool) {
        let Some(object) = value.as_object() else {
            return self.fault("kind", IssueCode::Structure, path, "must be an object", &[]);
        };
        if contained && object.contains_key("contained") {
            let message = "a contained resource may not contain others";
            self.fault("dom-2", IssueCode::Invariant, path, message, &["contained"]);
        }
        self.object(object, Scope::Type(ty), path, true);
    }

    fn object(&mut self, object: &Object, scope: Scope, path: &str, is_resource: bool) {
        if object.is_empty() {
            self.fault("empty", IssueCode::Structure, path, "an object may not be empty", &[]);
        }
        let is_top = is_resource && self.top.is_none();
        for (name, value) in object {
            if is_resource && name == "resourceType" {
                continue;
            }
            if is_top {
                self.top = Some(name.into());
            }
            let at = format!("{path}.{name}");
            if let Some(member) = scope.member(name) {
                self.member(object, name, member, value, &at);
            } else {
                let message = "no element of this name may stand here";
                self.fault("unknown", IssueCode::Structure, &at, message, &[]);
            }
            if is_top {
                self.top = None;
            }
        }
        for id in scope.elements() {
            self.presence(object, id.element(), path);
        }
    }

    /// Whether a required element is there, and a choice at most once.
    fn presence(&mut self, object: &Object, element: &Element, path: &str) {
        if element.min == 0 && !element.choice {
            return;
        }
        let names = json_names(element);
        let has =
            |name: &&String| object.contains_key(name) || object.contains_key(&format!("_{name}"));
        let present: Vec<&str> = names.iter().filter(has).map(String::as_str).collect();
        let at = format!("{path}.{}", element.name);
        if present.is_empty() && element.min > 0 {
            let reads: Vec<&str> = names.iter().map(String::as_str).collect();
            self.fault("min", IssueCode::Required, &at, "is required", &reads);
        }
        if present.len() > 1 {
            let message = "may have one type only";
            self.fault("choice", IssueCode::Structure, &at, message, &present);
        }
    }

    fn member(&mut self, around: &Object, name: &str, member: Member, value: &Value, path: &str) {
        let element = member.element.element();
        if !element.is_list() {
            if value.is_array() {
                return self.fault("kind", IssueCode::Structure, path, "must not be an array", &[]);
            }
            return self.single(member, value, path);
        }
        let Some(items) = value.as_array() else {
            return self.fault("kind", IssueCode::Structure, path, "must be an array", &[]);
        };
        if items.is_empty() {
            self.fault("empty", IssueCode::Structure, path, "an array may not be empty", &[]);
        }
        let is_primitive = member.ty.definition().kind == Kind::Primitive;
        let other = if member.sibling {
            name.strip_prefix('_').and_then(|name| around.get(name))
        } else {
            around.get(&format!("_{name}"))
        };
        let others = other.and_then(Value::as_array);
        if is_primitive && others.is_some_and(|others| others.len() != items.len()) {
            let message = "the array and its _ sibling differ in length";
            self.fault("sibling", IssueCode::Structure, path, message, &[]);
        }
        for (index, item) in items.iter().enumerate() {
            let at = format!("{path}[{index}]");
            // FHIR R4 2.6.2.3: null keeps the place where the sibling array has a value.
            let filled = others.and_then(|others| others.get(index)).is_some_and(|o| !o.is_null());
            let pads = is_primitive && item.is_null() && (filled || member.sibling);
            if !pads {
                self.single(member, item, &at);
            }
        }
    }

    fn single(&mut self, member: Member, value: &Value, path: &str) {
        let element = member.element.element();
        if let Some(scope) = member.scope() {
            match value.as_object() {
                Some(object) => self.object(object, scope, path, false),
                None => self.fault("kind", IssueCode::Structure, path, "must be an object", &[]),
            }
            return;
        }
        if member.ty.definition().kind == Kind::Resource {
            return self.nested(value, path, element.name == "contained");
        }
        match primitive::check(member.ty.name(), value) {
            Ok(()) => {}
            Err(primitive::Fault::Kind) => {
                let message = "is not of the JSON kind that its type asks for";
                self.fault("kind", IssueCode::Structure, path, message, &[]);
            }
            Err(primitive::Fault::Form) => {
                let message = format!("is not a {}", member.ty.name());
                self.fault("form", IssueCode::Value, path, &message, &[]);
            }
        }
        let code = value.as_str().filter(|_| member.ty.name() == "code");
        if let (Some(binding), Some(code)) = (element.binding, code)
            && !binding.allows(code)
        {
            let message = format!("is not a code of {}", binding.value_set);
            self.fault("binding", IssueCode::CodeInvalid, path, &message, &[]);
        }
    }

    fn nested(&mut self, value: &Value, path: &str, contained: bool) {
        if let Some(ty) = value.resource_type().and_then(resource_named) {
            self.resource(value, ty, path, contained);
        } else {
            let message = "resourceType is missing or names no resource of FHIR R4";
            self.fault("type", IssueCode::Structure, path, message, &[]);
        }
    }
}

/// The names under which JSON may have the element.
fn json_names(element: &Element) -> Vec<String> {
    if !element.choice {
        return vec![element.name.to_owned()];
    }
    let names = element.types.iter().map(|ty| {
        let (first, rest) = ty.name().split_at(1);
        format!("{}{}{rest}", element.name, first.to_ascii_uppercase())
    });
    names.collect()
}

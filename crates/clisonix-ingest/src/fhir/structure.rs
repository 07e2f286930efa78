//! Whether a resource has the shape that FHIR's JSON asks for (FHIR R4 2.6.2).
//!
//! Only the shape: members that exist, lists and objects where they belong. A resource whose
//! shape is wrong cannot be merged element by element. Codes, cardinalities and invariants are
//! judged elsewhere and stop nothing here.

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{self, Kind, Member, Scope};

/// Most issues reported of one resource.
const MAX_ISSUES: usize = 20;

/// What is wrong with the shape; nothing when the resource can be taken in.
pub(super) fn check(resource: &Value, place: &str) -> Vec<Issue> {
    let mut checker = Checker { path: place.to_owned(), issues: Vec::new() };
    checker.resource(resource);
    checker.issues
}

struct Checker {
    path: String,
    issues: Vec<Issue>,
}

impl Checker {
    fn resource(&mut self, value: &Value) {
        let Some(object) = value.as_object() else { return self.wrong("no object") };
        let Some(name) = value.resource_type() else {
            return self.wrong("`resourceType` is missing or no text");
        };
        match schema::resource_named(name) {
            Some(_) if name == "Bundle" => self.wrong("a Bundle within a Bundle is not taken in"),
            Some(ty) => self.object(object, Scope::Type(ty), true),
            None => self.wrong("`resourceType` names no FHIR R4 resource"),
        }
    }

    fn object(&mut self, object: &Object, scope: Scope, is_resource: bool) {
        let length = self.path.len();
        for (name, value) in object {
            if is_resource && name == "resourceType" {
                continue;
            }
            if !self.path.is_empty() {
                self.path.push('.');
            }
            // A member's name is the sender's text: in a path only as far as FHIR knows it.
            if let Some(member) = scope.member(name) {
                self.path.push_str(name);
                self.member(value, member);
            } else {
                self.path.push('?');
                self.wrong("a member that FHIR R4 does not know here");
            }
            self.path.truncate(length);
        }
    }

    fn member(&mut self, value: &Value, member: Member) {
        match (value, member.element.element().is_list()) {
            (Value::Array(list), true) => {
                if list.is_empty() {
                    self.wrong("an empty list");
                }
                for inner in list {
                    self.single(inner, member, true);
                }
            }
            (Value::Array(_), false) => self.wrong("a list where one value is asked for"),
            (_, true) => self.wrong("one value where a list is asked for"),
            (_, false) => self.single(value, member, false),
        }
    }

    fn single(&mut self, value: &Value, member: Member, in_list: bool) {
        // FHIR R4 2.6.2.3: lists of primitives and of their siblings hold null as place holders.
        let primitive = member.ty.definition().kind == Kind::Primitive;
        if value.is_null() && in_list && primitive {
            return;
        }
        match (value, member.scope()) {
            (Value::Object(object), Some(scope)) => self.object(object, scope, false),
            (Value::Object(_), None) if !primitive => self.resource(value),
            (Value::Object(_), None) => self.wrong("an object where a plain value is asked for"),
            (Value::Null, _) => self.wrong("null"),
            (_, None) if primitive => {}
            _ => self.wrong("a plain value where an object is asked for"),
        }
    }

    fn wrong(&mut self, message: &str) {
        if self.issues.len() < MAX_ISSUES {
            self.issues.push(Issue::error(IssueCode::Structure, self.path.clone(), message));
        }
    }
}

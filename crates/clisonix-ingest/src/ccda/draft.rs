//! What one document has said so far: resources that refer to each other by name, and issues.

use std::collections::HashMap;

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::validate::validate;

use super::source::Elem;
use crate::identity::{self, settle};
use crate::{Statement, ccda::datatypes::key};

/// Most resources one document may become.
pub(crate) const MAX_RESOURCES: usize = 100_000;
/// The name of the patient among the drafts.
const PATIENT: &str = "Patient/document";

/// The resources and issues collected from one document.
pub(crate) struct Draft {
    drafts: Vec<identity::Draft>,
    patient_keys: Vec<(String, String)>,
    /// Who an identifier stood for where it was spelled out.
    actors: HashMap<(String, String), String>,
    /// Problems that did not stop the document.
    pub(crate) issues: Vec<Issue>,
}

impl Draft {
    /// An empty draft about the patient of a `patientRole`.
    pub(crate) fn about(patient_role: Elem<'_>) -> Self {
        Self {
            drafts: Vec::new(),
            patient_keys: patient_role.children("id").filter_map(key).collect(),
            actors: HashMap::new(),
            issues: Vec::new(),
        }
    }

    /// The `Reference` to the patient.
    pub(crate) fn patient() -> Value {
        reference(PATIENT)
    }

    /// A fresh resource body.
    pub(crate) fn body(resource_type: &str) -> Object {
        let mut body = Object::new();
        body.insert("resourceType", resource_type);
        body
    }

    /// Adds a resource that was read from `from`; gives the name by which others refer to it.
    ///
    /// A resource that breaks FHIR's rules is reported and not added, and the leaves of `from`
    /// are taken back, so that they count as kept.
    pub(crate) fn add(&mut self, body: Object, from: Elem<'_>) -> Option<String> {
        let resource_type = body.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let name = match resource_type {
            "Patient" => PATIENT.to_owned(),
            _ => format!("{resource_type}/{}", self.drafts.len()),
        };
        let resource = Value::Object(body);
        let errors: Vec<Issue> = validate(&resource).into_iter().filter(Issue::is_error).collect();
        let address = from.address();
        if self.drafts.len() >= MAX_RESOURCES {
            from.unmark();
            let message = "the document becomes more resources than the limit";
            self.issues.push(Issue::error(IssueCode::TooCostly, address, message));
            return None;
        }
        if errors.is_empty() {
            self.drafts.push(identity::Draft::new(resource, name.as_str(), address));
            return Some(name);
        }
        from.unmark();
        for error in errors {
            let message = format!("not taken over: {} at {}", error.message, error.path);
            self.issues.push(Issue { message, path: address.clone(), ..error });
        }
        None
    }

    /// Adds a resource about someone or something with an identifier of its own.
    pub(crate) fn add_actor(
        &mut self,
        body: Object,
        key: &(String, String),
        from: Elem<'_>,
    ) -> Option<String> {
        let resource_type = body.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        // A reference by identifier says the same in every document, one by number does not.
        let (system, value) = key;
        let is_shared = resource_type != "Device" && !value.contains('&') && !value.is_empty();
        let stable = is_shared.then(|| format!("{resource_type}?identifier={system}|{value}"));
        let name = self.add(body, from)?;
        let name = stable.unwrap_or(name);
        self.actors.entry(key.clone()).or_insert_with(|| name.clone());
        Some(name)
    }

    /// What an identifier stood for: the patient, or an actor that was spelled out before.
    pub(crate) fn known_actor(&self, key: &(String, String)) -> Option<String> {
        if self.patient_keys.contains(key) {
            return Some(PATIENT.to_owned());
        }
        self.actors.get(key).cloned()
    }

    /// Reports something about an element of the document.
    pub(crate) fn report(&mut self, code: IssueCode, at: Elem<'_>, message: &str) {
        self.issues.push(Issue::warning(code, at.address(), message));
    }

    /// The statements, one for each record, with ids derived from meaning.
    pub(crate) fn into_statements(self, feed: &str) -> (Vec<Statement>, Vec<Issue>) {
        let mut issues = self.issues;
        let statements = settle(feed, self.drafts, &mut issues);
        (statements, issues)
    }
}

/// A `Reference` to a target by its name.
pub(crate) fn reference(target: &str) -> Value {
    let mut reference = Object::new();
    reference.insert("reference", target);
    reference.into()
}

//! A resource as read from a message, before it has an id and a record.

use clisonix_fhir::json::Value;

/// A resource as read from a message, before it has an id and a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The resource with its `resourceType`.
    pub resource: Value,
    /// The texts by which references of the other drafts call it: `#3`, `urn:uuid:…`,
    /// `Patient/1`.
    pub names: Vec<String>,
    /// The source's own `Type/id`, where it had one.
    pub origin: Option<String>,
    /// Where it stands in the message, for issues.
    pub place: String,
}

impl Draft {
    /// A draft that has one name and no id of the source's own.
    pub fn new(resource: Value, name: impl Into<String>, place: impl Into<String>) -> Self {
        Self { resource, names: vec![name.into()], origin: None, place: place.into() }
    }

    /// The resource's type; empty when it has none.
    pub fn resource_type(&self) -> &str {
        self.resource.resource_type().unwrap_or_default()
    }
}

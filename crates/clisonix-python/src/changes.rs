//! What a caller hands to `apply_edit`: changes, the version they were made against, their source.

use clisonix_crdt::{ChangeId, Patch, Source};
use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::{self, Object, ParseError, Value};
use clisonix_fhir::schema::resource_named;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::value;

/// Changes as they come from Python.
pub(crate) enum Given {
    /// JSON text, parsed later, without the interpreter's lock.
    Text(String),
    /// A resource, a Bundle or a patch.
    Value(Value),
    /// Another replica's changes.
    Bytes(PyBackedBytes),
}

/// The version that an edit was made against.
#[derive(Clone)]
pub(crate) enum GivenBase {
    /// Not said: `meta.versionId` counts, if it is one of this document's versions.
    Unsaid,
    /// Heads, in hexadecimal.
    Heads(Vec<String>),
    /// A version id.
    Version(String),
}

/// A message of a feed that states the changes.
pub(crate) struct GivenSource {
    pub(crate) feed: String,
    /// Identity of the message; derived from its content if the caller gives none.
    pub(crate) message: Option<[u8; 16]>,
    pub(crate) time_ms: Option<u64>,
}

/// Changes, ready to be applied.
pub(crate) enum Changes {
    Resource(Value),
    Patch(Operations),
    Bytes(PyBackedBytes),
}

/// A patch as it was given.
pub(crate) enum Operations {
    /// RFC 6902: an array of operations.
    Json(Value),
    /// FHIR R4 3.1.0.9.1: a `Parameters` resource.
    FhirPath(Value),
    /// RFC 7396: the members that change.
    Merge(Value),
}

impl Operations {
    /// An array is a JSON Patch, `Parameters` with operations a `FHIRPath` Patch, any other object a
    /// merge patch.
    fn of(value: Value) -> Result<Self, Failure> {
        match value {
            Value::Array(_) => Ok(Self::Json(value)),
            Value::Object(_) if is_fhirpath_patch(&value) => Ok(Self::FhirPath(value)),
            Value::Object(_) => Ok(Self::Merge(value)),
            _ => Err(Failure::invalid("", "no patch")),
        }
    }

    pub(crate) fn patch(&self) -> Patch<'_> {
        match self {
            Self::Json(value) => Patch::Json(value),
            Self::FhirPath(value) => Patch::FhirPath(value),
            Self::Merge(value) => Patch::Merge(value),
        }
    }

    /// What the caller gave.
    pub(crate) fn content(&self) -> &Value {
        match self {
            Self::Json(value) | Self::FhirPath(value) | Self::Merge(value) => value,
        }
    }
}

fn is_fhirpath_patch(value: &Value) -> bool {
    let first = value.get("parameter").and_then(|parameters| parameters.at(0));
    let name = first.and_then(|first| first.get("name")).and_then(Value::as_str);
    value.resource_type() == Some("Parameters") && name == Some("operation")
}

impl Given {
    pub(crate) fn read(object: &Bound<'_, PyAny>) -> Result<Self, Failure> {
        if let Ok(text) = object.cast::<PyString>() {
            let text = text.extract();
            return text.map(Self::Text).map_err(|_| Failure::invalid("", "not Unicode text"));
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone().into()));
        }
        value::read(object).map(Self::Value)
    }

    pub(crate) fn changes(self) -> Result<Changes, Failure> {
        let value = match self {
            Self::Bytes(bytes) => return Ok(Changes::Bytes(bytes)),
            Self::Value(value) => value,
            Self::Text(text) => json::parse(text.as_bytes()).map_err(|error| unreadable(&error))?,
        };
        match &value {
            Value::Object(object) if !is_fhirpath_patch(&value) && !names_types(object) => {
                Ok(Changes::Resource(value))
            }
            Value::Array(_) | Value::Object(_) => Ok(Changes::Patch(Operations::of(value)?)),
            _ => Err(Failure::invalid("", "neither a resource nor a patch")),
        }
    }

    /// A patch of one entry.
    pub(crate) fn operations(self) -> Result<Operations, Failure> {
        match self {
            Self::Bytes(_) => Err(Failure::Type("a patch is no bytes".into())),
            Self::Value(value) => Operations::of(value),
            Self::Text(text) => {
                Operations::of(json::parse(text.as_bytes()).map_err(|error| unreadable(&error))?)
            }
        }
    }
}

/// Whether an object is `{Type: {id: members}}`, a merge patch of entries by name.
fn names_types(object: &Object) -> bool {
    !object.is_empty() && object.keys().all(|name| resource_named(name).is_some())
}

fn unreadable(error: &ParseError) -> Failure {
    let mut issue = Issue::unreadable(error, "");
    issue.path = format!("line {}, column {}", error.line, error.column);
    Failure::Invalid(vec![issue])
}

impl GivenBase {
    pub(crate) fn read(object: Option<&Bound<'_, PyAny>>) -> Result<Self, Failure> {
        let Some(object) = object.filter(|object| !object.is_none()) else {
            return Ok(Self::Unsaid);
        };
        if let Ok(version) = object.extract::<String>() {
            return Ok(Self::Version(version));
        }
        let wrong = || Failure::Type("a base is a list of heads or a version id".into());
        object.extract().map(Self::Heads).map_err(|_| wrong())
    }
}

/// Heads as `heads()` gives them.
pub(crate) fn read_heads(heads: &[String]) -> Result<Vec<ChangeId>, Failure> {
    let heads: Result<_, _> = heads.iter().map(|head| head.parse()).collect();
    heads.map_err(|_| Failure::UnknownVersion)
}

impl GivenSource {
    /// The source of one edit; without an identity of the message it is a hash of feed and content,
    /// so that the same message again is the same.
    pub(crate) fn source(&self, content: &Value, now_ms: u64) -> Source {
        let message = self.message.unwrap_or_else(|| {
            let mut hasher = Sha256::new();
            hasher.update(self.feed.as_bytes());
            hasher.update([0]);
            hasher.update(content.to_text().as_bytes());
            let mut message = [0; 16];
            for (to, from) in message.iter_mut().zip(hasher.finalize()) {
                *to = from;
            }
            message
        });
        let event_time_ms = self.time_ms.unwrap_or(now_ms);
        Source { feed: self.feed.as_str().into(), message, event_time_ms }
    }
}

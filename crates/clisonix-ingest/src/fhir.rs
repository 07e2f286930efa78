//! FHIR R4 Bundles, single resources and NDJSON into statements.
//!
//! FHIR needs no mapping: a resource passes as it is, but for its id, the references to other
//! resources, and `meta.versionId` and `meta.lastUpdated`, which tell about the sender's storage
//! and not about the patient. Those two are kept aside.

pub mod lines;
mod structure;

use std::ops::Range;

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{self, Object, Value};

use crate::identity::{Draft, Known, settle_within};
use crate::{Extent, Hint, Intake, Kept, Outcome, message_id, timestamp};

/// Most resources in one Bundle.
pub const MAX_ENTRIES: usize = 200_000;
/// The feed of a FHIR message when neither the caller nor the message names one.
pub const DEFAULT_FEED: &str = "fhir";

/// Takes in one JSON document: a Bundle or a single resource.
pub(crate) fn take_in(bytes: &[u8], hint: &Hint) -> Outcome {
    document(bytes, 0..bytes.len(), 1, hint, &Known::default())
}

/// `line` is the line of the input that the document begins on, `known` what the other documents
/// of the same file name.
fn document(bytes: &[u8], range: Range<usize>, line: u32, hint: &Hint, known: &Known) -> Outcome {
    let value = match json::parse(bytes) {
        Ok(value) => value,
        Err(error) => {
            let mut issue = Issue::unreadable(&error, hint.file_name());
            if let Some(at) = &mut issue.at {
                at.line += line - 1;
            }
            return Outcome::rejected(range, issue);
        }
    };
    let feed = feed_of(&value, hint);
    let mut reading = Reading::default();
    let control_id = if value.resource_type() == Some("Bundle") {
        let control_id = bundle_id(&value);
        reading.event_time_ms = time_at(&value, &["timestamp"]);
        reading.bundle(value);
        control_id
    } else {
        reading.resource(value, None, "");
        None
    };
    if reading.drafts.is_empty() && reading.issues.iter().any(Issue::is_error) {
        return Outcome::Rejected(crate::Rejected { raw: range, issues: reading.issues });
    }
    let statements = settle_within(&feed, reading.drafts, known, &mut reading.issues);
    let message = message_id(&feed, bytes);
    Outcome::Taken(Intake {
        feed,
        message,
        control_id,
        extent: Extent::Whole,
        event_time_ms: reading.event_time_ms.or(reading.newest_ms),
        statements,
        issues: reading.issues,
        kept: reading.kept,
        used: reading.used,
    })
}

fn feed_of(value: &Value, hint: &Hint) -> String {
    let source = || value.get("meta")?.get("source")?.as_str();
    hint.feed.clone().unwrap_or_else(|| match source() {
        Some(source) => format!("{DEFAULT_FEED}:{source}"),
        None => DEFAULT_FEED.to_owned(),
    })
}

fn bundle_id(bundle: &Value) -> Option<String> {
    let identifier = || bundle.get("identifier")?.get("value");
    let id = identifier().or_else(|| bundle.get("id"))?;
    id.as_str().map(str::to_owned)
}

fn time_at(value: &Value, members: &[&str]) -> Option<i64> {
    let found = members.iter().try_fold(value, |value, member| value.get(member))?;
    timestamp::epoch_ms(found.as_str()?)
}

/// What is read of one document.
#[derive(Default)]
struct Reading {
    drafts: Vec<Draft>,
    issues: Vec<Issue>,
    kept: Vec<Kept>,
    used: usize,
    event_time_ms: Option<i64>,
    newest_ms: Option<i64>,
}

impl Reading {
    fn bundle(&mut self, bundle: Value) {
        let Value::Object(members) = bundle else { return };
        for (name, value) in members {
            match (&*name, value) {
                ("entry", Value::Array(entries)) => self.entries(entries),
                ("resourceType", _) => self.used += 1,
                ("entry", other) => {
                    self.reject("Bundle.entry", "`entry` is no list", &other);
                }
                (_, other) => self.keep(&format!("Bundle.{name}"), &other),
            }
        }
    }

    fn entries(&mut self, entries: Vec<Value>) {
        if entries.len() > MAX_ENTRIES {
            let message = "the Bundle has more entries than the limit";
            self.issues.push(Issue::error(IssueCode::TooCostly, "Bundle.entry", message));
            return;
        }
        self.drafts.reserve(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            let place = format!("Bundle.entry[{index}]");
            match entry {
                Value::Object(entry) => self.entry(entry, &place),
                other => self.reject(&place, "the entry is no object", &other),
            }
        }
    }

    fn entry(&mut self, mut entry: Object, place: &str) {
        let resource = entry.remove("resource");
        let full_url = entry.remove("fullUrl");
        let request = entry.remove("request");
        let method = request.as_ref().and_then(|request| request.get("method")?.as_str());
        for (name, value) in entry {
            self.keep(&format!("{place}.{name}"), &value);
        }
        if matches!(method, Some("DELETE" | "PATCH" | "GET" | "HEAD")) {
            let message = "only entries that state a resource (POST, PUT) are taken in";
            self.issues.push(Issue::warning(IssueCode::NotSupported, place, message));
            for (name, value) in [("resource", &resource), ("request", &request)] {
                if let Some(value) = value {
                    self.keep(&format!("{place}.{name}"), value);
                }
            }
            return;
        }
        let full_url = full_url.as_ref().and_then(Value::as_str);
        match resource {
            Some(resource) => self.resource(resource, full_url, &format!("{place}.resource")),
            None => self.issues.push(Issue::warning(
                IssueCode::Required,
                place,
                "the entry has no resource",
            )),
        }
    }

    /// One resource; `place` is empty for a single one.
    fn resource(&mut self, resource: Value, full_url: Option<&str>, place: &str) {
        let wrong = structure::check(&resource, place);
        if !wrong.is_empty() {
            self.issues.extend(wrong);
            let whole = resource.to_text();
            let address = if place.is_empty() { "resource" } else { place };
            self.kept.push(Kept { address: address.to_owned(), value: whole });
            return;
        }
        let ty = resource.resource_type().unwrap_or_default().to_owned();
        let place = if place.is_empty() { ty.clone() } else { place.to_owned() };
        let id = resource.get("id").and_then(Value::as_str);
        let origin = id.map(|id| format!("{ty}/{id}"));
        let names = full_url.map(str::to_owned).into_iter().chain(origin.clone()).collect();
        let resource = self.without_versions(resource, &place);
        self.used += leaves(&resource);
        self.drafts.push(Draft { resource, names, origin, place });
    }

    /// Takes `meta.versionId` and `meta.lastUpdated` off and keeps them.
    fn without_versions(&mut self, mut resource: Value, place: &str) -> Value {
        self.newest_ms = self.newest_ms.max(time_at(&resource, &["meta", "lastUpdated"]));
        let Some(object) = resource.as_object_mut() else { return resource };
        let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) else {
            return resource;
        };
        for name in ["versionId", "lastUpdated"] {
            if let Some(value) = meta.remove(name) {
                self.keep(&format!("{place}.meta.{name}"), &value);
            }
        }
        if meta.is_empty() {
            object.remove("meta");
        }
        resource
    }

    fn reject(&mut self, place: &str, message: &str, value: &Value) {
        self.issues.push(Issue::error(IssueCode::Structure, place, message));
        self.kept.push(Kept { address: place.to_owned(), value: value.to_text() });
    }

    /// Keeps every leaf of a value under its address.
    fn keep(&mut self, address: &str, value: &Value) {
        match value {
            Value::Array(list) => {
                for (index, inner) in list.iter().enumerate() {
                    self.keep(&format!("{address}[{index}]"), inner);
                }
            }
            Value::Object(object) => {
                for (name, inner) in object {
                    self.keep(&format!("{address}.{name}"), inner);
                }
            }
            leaf => {
                let value = leaf.as_str().map_or_else(|| leaf.to_text(), str::to_owned);
                self.kept.push(Kept { address: address.to_owned(), value });
            }
        }
    }
}

/// How many values a value has that hold no others.
fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(leaves).sum(),
        Value::Object(object) => object.values().map(leaves).sum(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests;

//! The few things that are done with resources.

use anyhow::{Context as _, Result};
use clisonix_fhir::json::{self, Value};

/// The patient in a bundle.
pub fn patient(bundle: &str) -> Result<Value> {
    let bundle = json::parse(bundle.as_bytes()).ok().context("no JSON")?;
    let entries = bundle.get("entry").and_then(Value::as_array).context("no entries")?;
    let mut all = entries.iter().filter_map(|entry| entry.get("resource"));
    let patient = all.find(|resource| resource.resource_type() == Some("Patient"));
    Ok(patient.context("no patient")?.clone())
}

/// Says whether a patient's record is in use.
pub fn set_active(patient: &mut Value, is_active: bool) {
    if let Some(object) = patient.as_object_mut() {
        object.insert("active", Value::Bool(is_active));
    }
}

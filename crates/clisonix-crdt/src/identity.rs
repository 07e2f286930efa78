//! Ids of entries whose source gives none: derived from meaning, never random.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::TypeId;
use sha2::{Digest, Sha256};

use crate::canonical;

/// The natural key of a type: elements whose content says which fact it is. A list gives its first
/// element, a concept its first coding.
const NATURAL_KEYS: &[(&str, &[&str])] = &[
    ("AllergyIntolerance", &["code"]),
    ("CarePlan", &["category", "title"]),
    ("Condition", &["code", "bodySite", "onsetDateTime"]),
    ("Coverage", &["type", "subscriberId"]),
    ("DiagnosticReport", &["code", "effectiveDateTime"]),
    ("Encounter", &["class", "period"]),
    ("FamilyMemberHistory", &["relationship", "name"]),
    ("Immunization", &["vaccineCode", "occurrenceDateTime"]),
    ("MedicationRequest", &["medicationCodeableConcept", "authoredOn"]),
    ("MedicationStatement", &["medicationCodeableConcept", "effectiveDateTime"]),
    ("Observation", &["code", "effectiveDateTime", "bodySite", "specimen"]),
    ("Procedure", &["code", "performedDateTime", "bodySite"]),
];

/// A FHIR id of 32 hexadecimal digits: a hash of the type and its business identifier, else its
/// natural key, else its content. The same statement made at two sites is the same entry;
/// `occurrence` tells apart those that one edit holds several times.
pub(crate) fn derived_id(ty: TypeId, resource: &Object, occurrence: u32) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"clisonix entry 1\0");
    hasher.update(ty.name());
    for part in meaning(ty.name(), resource) {
        hasher.update([0]);
        hasher.update(part);
    }
    if occurrence > 0 {
        hasher.update([1]);
        hasher.update(occurrence.to_be_bytes());
    }
    canonical::hex(hasher.finalize().get(..16).unwrap_or_default())
}

fn meaning(ty: &str, resource: &Object) -> Vec<String> {
    let identifier = resource.get("identifier");
    let identifier = identifier.map(|list| list.at(0).unwrap_or(list));
    if let Some(value) = identifier.and_then(|id| id.get("value")).and_then(Value::as_str) {
        let system = identifier.and_then(|id| id.get("system")).and_then(Value::as_str);
        return vec!["identifier".into(), system.unwrap_or_default().into(), value.into()];
    }
    let natural = NATURAL_KEYS.iter().find(|(name, _)| *name == ty);
    if let Some((_, elements)) = natural {
        let parts: Vec<Option<String>> =
            elements.iter().map(|name| resource.get(name).map(key_text)).collect();
        if parts.first().is_some_and(Option::is_some) {
            return parts.into_iter().map(Option::unwrap_or_default).collect();
        }
    }
    vec![canonical::text(&Value::Object(resource.clone()))]
}

fn key_text(value: &Value) -> String {
    let value = value.at(0).unwrap_or(value);
    let coding = value.get("coding").and_then(|coding| coding.at(0)).unwrap_or(value);
    match coding.get("code").and_then(Value::as_str) {
        Some(code) => {
            let system = coding.get("system").and_then(Value::as_str).unwrap_or_default();
            format!("{system}|{code}")
        }
        None => canonical::text(value),
    }
}

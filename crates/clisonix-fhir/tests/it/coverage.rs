//! How many of the standard's invariants of the clinical types are checked.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::validate;

use crate::data;

const ARCHIVE: &str = "fhir/r4-definitions/hl7-fhir-r4-4.0.1-definitions.tar.xz";

const CLINICAL: &[&str] = &[
    "AllergyIntolerance",
    "Appointment",
    "CarePlan",
    "CareTeam",
    "Communication",
    "Composition",
    "Condition",
    "Consent",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "FamilyMemberHistory",
    "Goal",
    "Immunization",
    "List",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
    "Task",
];

/// Invariants of severity error that are not checked. The list may only shrink.
const UNCOVERED: &[&str] = &[];

/// How many different keys there are; a smaller number would mean that the definitions were not
/// read as they should.
const KEYS: usize = 72;

#[test]
fn the_invariants_of_the_clinical_types_are_checked() {
    let Some(archive) = data::path(ARCHIVE) else { return };
    let mut needed: BTreeMap<String, String> = BTreeMap::new();
    for (name, bytes) in data::unpack(&archive) {
        if !matches!(&*name, "profiles-types.json" | "profiles-resources.json") {
            continue;
        }
        let bundle = json::parse(&bytes).unwrap();
        for entry in list(&bundle, "entry") {
            add_invariants(entry.get("resource").unwrap(), &mut needed);
        }
    }
    assert_eq!(needed.len(), KEYS, "{needed:#?}");
    let checked: BTreeSet<&str> = validate::coded_invariants().map(|(key, _)| key).collect();
    let missing: Vec<_> = needed.keys().filter(|key| !checked.contains(key.as_str())).collect();
    assert_eq!(missing, UNCOVERED);
}

/// Adds the keys of severity error of a clinical type or of a datatype, with one of their places.
fn add_invariants(structure: &Value, needed: &mut BTreeMap<String, String>) {
    let name = text(structure, "name");
    let is_datatype = text(structure, "kind") == "complex-type"
        && text(structure, "derivation") != "constraint"
        // What defines profiles is no part of a record.
        && name != "ElementDefinition";
    if !is_datatype && !CLINICAL.contains(&name) {
        return;
    }
    for element in list(structure.get("snapshot").unwrap(), "element") {
        for constraint in list(element, "constraint") {
            if text(constraint, "severity") == "error" {
                needed.insert(text(constraint, "key").to_owned(), text(element, "path").to_owned());
            }
        }
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

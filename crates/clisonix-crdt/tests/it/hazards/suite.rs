//! The hazard suite: concurrent edits that a generator derives from the element table, and an
//! oracle that judges what a merge made of them.
//!
//! Nothing here knows the merge layer or its policies: a case is three records (what both authors
//! saw, and what each made of it), and the oracle is written from FHIR R4 and these three alone.
//! The comparison with other engines under `benches/` compiles the same files.

mod edit;
mod judge;
pub(crate) mod kind;
mod list;
mod oracle;
mod place;
mod recipe;
mod recipe_entry;
mod recipe_list;
pub(crate) mod rules;
mod sample;
mod selection;
mod shape;

pub(crate) use oracle::{Fault, Outcome, Problem, Shown, judge};
pub(crate) use selection::{Case, Selection};

/// The clinical types that the suite covers.
pub(crate) const TYPES: &[&str] = &[
    "Patient",
    "Practitioner",
    "Organization",
    "RelatedPerson",
    "Encounter",
    "EpisodeOfCare",
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "MedicationDispense",
    "Medication",
    "Immunization",
    "Observation",
    "DiagnosticReport",
    "Specimen",
    "ServiceRequest",
    "Procedure",
    "CarePlan",
    "CareTeam",
    "Goal",
    "Composition",
    "DocumentReference",
    "Appointment",
    "Coverage",
    "Consent",
    "Provenance",
    "Device",
    "FamilyMemberHistory",
    "Task",
    "Communication",
    "List",
    "QuestionnaireResponse",
];

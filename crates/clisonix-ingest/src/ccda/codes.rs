//! Small code maps between CDA's and FHIR's own vocabularies.
//!
//! Source: HL7 "C-CDA on FHIR" R2 concept maps and the FHIR R4 value sets they end in. SNOMED CT
//! codes are carried as keys only.

use clisonix_fhir::json::Value;

use super::datatypes::fixed_concept;
use super::source::Elem;

/// SNOMED CT's URI.
pub(crate) const SNOMED: &str = "http://snomed.info/sct";

/// Looks `code` up in a map of pairs.
fn lookup(pairs: &[(&str, &'static str)], code: &str) -> Option<&'static str> {
    pairs.iter().find(|(from, _)| *from == code).map(|(_, to)| *to)
}

/// Looks an element's `@code` up; the leaf counts as used when the map knows it.
pub(crate) fn mapped(
    element: Option<Elem<'_>>,
    pairs: &[(&str, &'static str)],
) -> Option<&'static str> {
    let element = element?;
    let to = lookup(pairs, element.peek("code")?)?;
    take_whole(element);
    Some(to)
}

/// Marks a code together with what only names it.
pub(crate) fn take_whole(code: Elem<'_>) {
    for name in ["code", "codeSystem", "codeSystemName", "displayName", "type"] {
        code.mark_attribute(name);
    }
}

/// `ActStatus` of an observation to `Observation.status`.
pub(crate) const OBSERVATION_STATUS: &[(&str, &str)] = &[
    ("completed", "final"),
    ("active", "registered"),
    ("held", "registered"),
    ("new", "registered"),
    ("suspended", "registered"),
    ("aborted", "cancelled"),
    ("cancelled", "cancelled"),
    ("nullified", "entered-in-error"),
];

/// `ActStatus` of a substance administration to `MedicationStatement.status`.
pub(crate) const STATEMENT_STATUS: &[(&str, &str)] = &[
    ("active", "active"),
    ("completed", "completed"),
    ("aborted", "stopped"),
    ("suspended", "on-hold"),
    ("held", "on-hold"),
    ("new", "intended"),
    ("nullified", "entered-in-error"),
];

/// `ActStatus` of a substance administration to `MedicationRequest.status`.
pub(crate) const REQUEST_STATUS: &[(&str, &str)] = &[
    ("active", "active"),
    ("completed", "completed"),
    ("aborted", "stopped"),
    ("cancelled", "cancelled"),
    ("suspended", "on-hold"),
    ("held", "on-hold"),
    ("new", "draft"),
    ("nullified", "entered-in-error"),
];

/// `ActStatus` to `Procedure.status` (FHIR event status).
pub(crate) const PROCEDURE_STATUS: &[(&str, &str)] = &[
    ("completed", "completed"),
    ("active", "in-progress"),
    ("new", "preparation"),
    ("held", "on-hold"),
    ("suspended", "on-hold"),
    ("aborted", "stopped"),
    ("cancelled", "not-done"),
    ("nullified", "entered-in-error"),
];

/// `ActStatus` of an event in an encounters section to `Encounter.status`.
pub(crate) const ENCOUNTER_STATUS: &[(&str, &str)] = &[
    ("completed", "finished"),
    ("active", "in-progress"),
    ("new", "planned"),
    ("aborted", "cancelled"),
    ("cancelled", "cancelled"),
    ("nullified", "entered-in-error"),
];

/// Problem and allergy status (value set 2.16.840.1.113883.3.88.12.80.68) to `clinicalStatus`.
pub(crate) const CLINICAL_STATUS: &[(&str, &str)] = &[
    ("55561003", "active"),
    ("73425007", "inactive"),
    ("413322009", "resolved"),
    ("246455001", "recurrence"),
    ("263855007", "relapse"),
    ("277022003", "remission"),
];

/// Criticality observation (v3 `ObservationValue`) to `AllergyIntolerance.criticality`.
pub(crate) const CRITICALITY: &[(&str, &str)] =
    &[("CRITL", "low"), ("CRITH", "high"), ("CRITU", "unable-to-assess")];

/// Severity observation (SNOMED CT) to `AllergyIntolerance.reaction.severity`.
pub(crate) const SEVERITY: &[(&str, &str)] = &[
    ("255604002", "mild"),
    ("371923003", "moderate"),
    ("6736007", "moderate"),
    ("371924009", "severe"),
    ("24484000", "severe"),
    ("399166001", "severe"),
];

/// `AdministrativeGender` to `Patient.gender`.
pub(crate) const GENDER: &[(&str, &str)] = &[("M", "male"), ("F", "female"), ("UN", "other")];

/// EIVL events to `Timing.repeat.when` (both HL7 v3 `TimingEvent`; FHIR has no interval codes).
pub(crate) const TIMING_EVENT: &[(&str, &str)] = &[
    ("AC", "AC"),
    ("ACM", "ACM"),
    ("ACD", "ACD"),
    ("ACV", "ACV"),
    ("C", "C"),
    ("CM", "CM"),
    ("CD", "CD"),
    ("CV", "CV"),
    ("HS", "HS"),
    ("PC", "PC"),
    ("PCM", "PCM"),
    ("PCD", "PCD"),
    ("PCV", "PCV"),
    ("WAKE", "WAKE"),
];

/// Null flavors to the code system `data-absent-reason`.
const ABSENT: &[(&str, &str)] = &[
    ("UNK", "unknown"),
    ("NI", "unknown"),
    ("NA", "not-applicable"),
    ("ASKU", "asked-unknown"),
    ("NASK", "not-asked"),
    ("NAV", "temp-unknown"),
    ("MSK", "masked"),
    ("NINF", "negative-infinity"),
    ("PINF", "positive-infinity"),
    ("OTH", "unsupported"),
    ("NP", "not-performed"),
];

/// The `dataAbsentReason` for an element's null flavor.
pub(crate) fn absent_reason(element: Elem<'_>) -> Option<Value> {
    let code = lookup(ABSENT, element.peek("nullFlavor")?)?;
    element.mark_attribute("nullFlavor");
    element.mark_attribute("type");
    let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
    Some(fixed_concept(system, code, None))
}

/// `type` and `category` of an allergy by the SNOMED CT code of its observation value.
pub(crate) fn allergy_kind(code: &str) -> Option<(Option<&'static str>, Option<&'static str>)> {
    Some(match code {
        "419199007" => (Some("allergy"), None),
        "416098002" => (Some("allergy"), Some("medication")),
        "414285001" => (Some("allergy"), Some("food")),
        "426232007" => (Some("allergy"), Some("environment")),
        "59037007" => (Some("intolerance"), Some("medication")),
        "235719002" => (Some("intolerance"), Some("food")),
        "419511003" => (None, Some("medication")),
        "418471000" => (None, Some("food")),
        "420134006" | "418038007" => (None, None),
        _ => return None,
    })
}

/// The SNOMED CT concept that says "no known allergy" of the kind the value names.
pub(crate) fn no_known_allergy(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "416098002" | "419511003" | "59037007" => ("409137002", "No known drug allergy"),
        "414285001" | "418471000" | "235719002" => ("429625007", "No known food allergy"),
        "426232007" => ("428607008", "No known environmental allergy"),
        _ => ("716186003", "No known allergy"),
    }
}

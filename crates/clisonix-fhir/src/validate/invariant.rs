//! Rules across elements that the standard marks as errors, by the standard's keys.

use super::walk::Walk;
use crate::issue::IssueCode;
use crate::json::Value;

/// One rule of one resource type.
struct Rule {
    key: &'static str,
    ty: &'static str,
    /// The top-level members that it reads.
    reads: &'static [&'static str],
    message: &'static str,
    holds: fn(&Value) -> bool,
}

const CONDITION: &[&str] = &[
    "clinicalStatus",
    "verificationStatus",
    "abatementDateTime",
    "abatementAge",
    "abatementPeriod",
    "abatementRange",
    "abatementString",
];

const RULES: &[Rule] = &[
    Rule {
        key: "con-4",
        ty: "Condition",
        reads: CONDITION,
        message: "an abated condition must be inactive, in remission or resolved",
        holds: |condition| {
            !CONDITION.iter().skip(2).any(|name| condition.get(name).is_some())
                || ["resolved", "remission", "inactive"]
                    .iter()
                    .any(|code| has_code(condition, "clinicalStatus", code))
        },
    },
    Rule {
        key: "con-5",
        ty: "Condition",
        reads: &["clinicalStatus", "verificationStatus"],
        message: "a condition entered in error has no clinical status",
        holds: |condition| {
            !has_code(condition, "verificationStatus", "entered-in-error")
                || condition.get("clinicalStatus").is_none()
        },
    },
    Rule {
        key: "ait-1",
        ty: "AllergyIntolerance",
        reads: &["clinicalStatus", "verificationStatus"],
        message: "an allergy that is not entered in error has a clinical status",
        holds: |allergy| {
            has_code(allergy, "verificationStatus", "entered-in-error")
                || allergy.get("clinicalStatus").is_some()
        },
    },
    Rule {
        key: "ait-2",
        ty: "AllergyIntolerance",
        reads: &["clinicalStatus", "verificationStatus"],
        message: "an allergy entered in error has no clinical status",
        holds: |allergy| {
            !has_code(allergy, "verificationStatus", "entered-in-error")
                || allergy.get("clinicalStatus").is_none()
        },
    },
    Rule {
        key: "obs-6",
        ty: "Observation",
        reads: &[
            "dataAbsentReason",
            "valueQuantity",
            "valueCodeableConcept",
            "valueString",
            "valueBoolean",
            "valueInteger",
            "valueRange",
            "valueRatio",
            "valueSampledData",
            "valueTime",
            "valueDateTime",
            "valuePeriod",
        ],
        message: "an observation has a value or the reason why there is none, not both",
        holds: |observation| {
            observation.get("dataAbsentReason").is_none()
                || !observation
                    .as_object()
                    .is_some_and(|object| object.keys().any(|name| name.starts_with("value")))
        },
    },
    Rule {
        key: "org-1",
        ty: "Organization",
        reads: &["identifier", "name"],
        message: "an organization has a name or an identifier",
        holds: |organization| {
            organization.get("name").is_some() || organization.get("identifier").is_some()
        },
    },
];

/// Checks the rules of the resource's type.
pub(super) fn check(resource: &Value, ty: &str, walk: &mut Walk) {
    for rule in RULES.iter().filter(|rule| rule.ty == ty) {
        if !(rule.holds)(resource) {
            walk.fault(rule.key, IssueCode::Invariant, ty, rule.message, rule.reads);
        }
    }
}

/// Whether the concept `name` has a coding with the code.
fn has_code(resource: &Value, name: &str, code: &str) -> bool {
    let codings = resource.get(name).and_then(|concept| concept.get("coding"));
    codings
        .and_then(Value::as_array)
        .unwrap_or_default()
        .iter()
        .any(|coding| coding.get("code").and_then(Value::as_str) == Some(code))
}

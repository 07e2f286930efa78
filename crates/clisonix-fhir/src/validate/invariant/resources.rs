//! The rules of the resources of the clinical record and of Bundle.

use std::collections::BTreeSet;

use super::{At, Rule, has_code, text_of, there};
use crate::json::Value;
use crate::validate::moment;

const ALLERGY_VERIFICATION: &str =
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const CONDITION_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const CONDITION_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";

const CONSENT: &[&str] = &["patient", "scope"];
const CONSENT_MESSAGE: &str = "a consent of this scope must have a patient";

pub(super) const RULES: &[Rule] = &[
    Rule {
        key: "ait-1",
        at: "AllergyIntolerance",
        reads: &["clinicalStatus", "verificationStatus"],
        message: "an allergy that is not entered in error has a clinical status",
        holds: |allergy| is_wrong_allergy(allergy) || allergy.has("clinicalStatus"),
    },
    Rule {
        key: "ait-2",
        at: "AllergyIntolerance",
        reads: &["clinicalStatus", "verificationStatus"],
        message: "an allergy entered in error has no clinical status",
        holds: |allergy| !is_wrong_allergy(allergy) || !allergy.has("clinicalStatus"),
    },
    Rule {
        key: "app-1",
        at: "Appointment.participant",
        reads: &["type", "actor"],
        message: "a participant has a type or an actor",
        holds: |participant| participant.has_any(&["type", "actor"]),
    },
    Rule {
        key: "app-2",
        at: "Appointment",
        reads: &["start", "end"],
        message: "start and end stand together",
        holds: |appointment| appointment.has("start") == appointment.has("end"),
    },
    Rule {
        key: "app-3",
        at: "Appointment",
        reads: &["start", "end", "status"],
        message: "an appointment of this status has a start and an end",
        holds: |appointment| {
            (appointment.has("start") && appointment.has("end"))
                || appointment.is("status", &["proposed", "cancelled", "waitlist"])
        },
    },
    Rule {
        key: "app-4",
        at: "Appointment",
        reads: &["cancelationReason", "status"],
        message: "only a cancelled or missed appointment has a reason for that",
        holds: |appointment| {
            !appointment.has("cancelationReason")
                || appointment.is("status", &["noshow", "cancelled"])
        },
    },
    Rule {
        key: "bdl-1",
        at: "Bundle",
        reads: &["total", "type"],
        message: "only a search or a history has a total",
        holds: |bundle| !bundle.has("total") || bundle.is("type", &["searchset", "history"]),
    },
    Rule {
        key: "bdl-2",
        at: "Bundle",
        reads: &["entry", "type"],
        message: "only the entries of a search have a search",
        holds: |bundle| {
            bundle.is("type", &["searchset"])
                || !bundle.items("entry").iter().any(|entry| there(entry, "search"))
        },
    },
    Rule {
        key: "bdl-3",
        at: "Bundle",
        reads: &["entry", "type"],
        message: "entries have a request in a batch, transaction or history, and nowhere else",
        holds: |bundle| all_or_none(bundle, "request", &["batch", "transaction", "history"]),
    },
    Rule {
        key: "bdl-4",
        at: "Bundle",
        reads: &["entry", "type"],
        message: "entries have a response in an answer or history, and nowhere else",
        holds: |bundle| {
            all_or_none(bundle, "response", &["batch-response", "transaction-response", "history"])
        },
    },
    Rule {
        key: "bdl-5",
        at: "Bundle.entry",
        reads: &["resource", "request", "response"],
        message: "an entry has a resource, a request or a response",
        holds: |entry| entry.has_any(&["resource", "request", "response"]),
    },
    Rule {
        key: "bdl-7",
        at: "Bundle",
        reads: &["entry", "type"],
        message: "two entries have the same fullUrl and version",
        holds: |bundle| bundle.is("type", &["history"]) || has_distinct_urls(bundle),
    },
    Rule {
        key: "bdl-8",
        at: "Bundle.entry",
        reads: &["fullUrl"],
        message: "a fullUrl names no version",
        holds: |entry| !entry.text("fullUrl").is_some_and(|url| url.contains("/_history/")),
    },
    Rule {
        key: "bdl-9",
        at: "Bundle",
        reads: &["identifier", "type"],
        message: "a document has an identifier with system and value",
        holds: |bundle| {
            let identifier = bundle.get("identifier");
            let has = |name| identifier.is_some_and(|identifier| there(identifier, name));
            !bundle.is("type", &["document"]) || (has("system") && has("value"))
        },
    },
    Rule {
        key: "bdl-10",
        at: "Bundle",
        reads: &["timestamp", "type"],
        message: "a document has a timestamp",
        holds: |bundle| !bundle.is("type", &["document"]) || bundle.text("timestamp").is_some(),
    },
    Rule {
        key: "bdl-11",
        at: "Bundle",
        reads: &["entry", "type"],
        message: "a document begins with a Composition",
        holds: |bundle| !bundle.is("type", &["document"]) || begins_with(bundle, "Composition"),
    },
    Rule {
        key: "bdl-12",
        at: "Bundle",
        reads: &["entry", "type"],
        message: "a message begins with a MessageHeader",
        holds: |bundle| !bundle.is("type", &["message"]) || begins_with(bundle, "MessageHeader"),
    },
    Rule {
        key: "cmp-1",
        at: "Composition.section",
        reads: &["text", "entry", "section"],
        message: "a section has a text, entries or sections",
        holds: |section| section.has_any(&["text", "entry", "section"]),
    },
    Rule {
        key: "cmp-2",
        at: "Composition.section",
        reads: &["emptyReason", "entry"],
        message: "only an empty section has a reason for that",
        holds: |section| !section.has("emptyReason") || !section.has("entry"),
    },
    Rule {
        key: "con-1",
        at: "Condition.stage",
        reads: &["summary", "assessment"],
        message: "a stage has a summary or an assessment",
        holds: |stage| stage.has_any(&["summary", "assessment"]),
    },
    Rule {
        key: "con-2",
        at: "Condition.evidence",
        reads: &["code", "detail"],
        message: "evidence has a code or details",
        holds: |evidence| evidence.has_any(&["code", "detail"]),
    },
    Rule {
        key: "con-4",
        at: "Condition",
        reads: &["clinicalStatus", "abatement"],
        message: "an abated condition must be inactive, in remission or resolved",
        holds: |condition| {
            let ended = ["resolved", "remission", "inactive"];
            !condition.has("abatement")
                || has_code(condition.get("clinicalStatus"), CONDITION_CLINICAL, &ended)
        },
    },
    Rule {
        key: "con-5",
        at: "Condition",
        reads: &["clinicalStatus", "verificationStatus"],
        message: "a condition entered in error has no clinical status",
        holds: |condition| {
            let verification = condition.get("verificationStatus");
            !has_code(verification, CONDITION_VERIFICATION, &["entered-in-error"])
                || !condition.has("clinicalStatus")
        },
    },
    Rule {
        key: "cpl-3",
        at: "CarePlan.activity",
        reads: &["detail", "reference"],
        message: "an activity has a detail or a reference, not both",
        holds: |activity| !activity.has("detail") || !activity.has("reference"),
    },
    Rule {
        key: "ctm-1",
        at: "CareTeam.participant",
        reads: &["onBehalfOf", "member"],
        message: "only a Practitioner takes part on behalf of an organization",
        holds: |participant| {
            let reference = participant.get("member").and_then(|who| text_of(who, "reference"));
            // Of a reference that is not relative nothing is known here.
            let ty = reference.and_then(|text| text.split_once('/')).map(|(ty, _)| ty);
            let is_other = |ty: &str| ty != "Practitioner" && !ty.contains(':');
            !participant.has("onBehalfOf") || !ty.is_some_and(is_other)
        },
    },
    Rule {
        key: "fhs-1",
        at: "FamilyMemberHistory",
        reads: &["age", "born"],
        message: "an age and a birth exclude each other",
        holds: |history| !history.has("age") || !history.has("born"),
    },
    Rule {
        key: "fhs-2",
        at: "FamilyMemberHistory",
        reads: &["estimatedAge", "age"],
        message: "only an age can be estimated",
        holds: |history| !history.has("estimatedAge") || history.has("age"),
    },
    Rule {
        key: "gol-1",
        at: "Goal.target",
        reads: &["detail", "measure"],
        message: "a detail must have a measure",
        holds: |target| !target.has("detail") || target.has("measure"),
    },
    Rule {
        key: "imm-1",
        at: "Immunization.education",
        reads: &["documentType", "reference"],
        message: "a documentType or a reference must be there",
        holds: |education| education.has_any(&["documentType", "reference"]),
    },
    Rule {
        key: "inv-1",
        at: "Task",
        reads: &["lastModified", "authoredOn"],
        message: "the last change is before the beginning",
        holds: |task| in_order(task, "authoredOn", "lastModified"),
    },
    Rule {
        key: "lst-1",
        at: "List",
        reads: &["emptyReason", "entry"],
        message: "only an empty list has a reason for that",
        holds: |list| !list.has("emptyReason") || !list.has("entry"),
    },
    Rule {
        key: "lst-2",
        at: "List",
        reads: &["mode", "entry"],
        message: "only the entries of a list of changes can be deleted",
        holds: |list| {
            list.is("mode", &["changes"])
                || !list.items("entry").iter().any(|entry| there(entry, "deleted"))
        },
    },
    Rule {
        key: "lst-3",
        at: "List",
        reads: &["mode", "entry"],
        message: "only the entries of a working list have a date",
        holds: |list| {
            list.is("mode", &["working"])
                || !list.items("entry").iter().any(|entry| there(entry, "date"))
        },
    },
    Rule {
        key: "mad-1",
        at: "MedicationAdministration.dosage",
        reads: &["dose", "rate"],
        message: "a dosage has a dose or a rate",
        holds: |dosage| dosage.has_any(&["dose", "rate"]),
    },
    Rule {
        key: "mdd-1",
        at: "MedicationDispense",
        reads: &["whenPrepared", "whenHandedOver"],
        message: "it was handed over before it was prepared",
        holds: |dispense| in_order(dispense, "whenPrepared", "whenHandedOver"),
    },
    Rule {
        key: "obs-3",
        at: "Observation.referenceRange",
        reads: &["low", "high", "text"],
        message: "a reference range has a low end, a high end or a text",
        holds: |range| range.has_any(&["low", "high", "text"]),
    },
    Rule {
        key: "obs-6",
        at: "Observation",
        reads: &["value", "dataAbsentReason"],
        message: "an observation has a value or the reason why there is none, not both",
        holds: |observation| !observation.has("dataAbsentReason") || !observation.has("value"),
    },
    Rule {
        key: "obs-7",
        at: "Observation",
        reads: &["value", "code", "component"],
        message: "a component has the code of the observation, which has a value of its own",
        holds: |observation| {
            let codings = codings_of(observation.get("code"));
            let is_same = |component: &Value| {
                codings_of(component.get("code")).iter().any(|coding| codings.contains(coding))
            };
            !observation.has("value") || !observation.items("component").iter().any(is_same)
        },
    },
    Rule {
        key: "org-1",
        at: "Organization",
        reads: &["identifier", "name"],
        message: "an organization has a name or an identifier",
        holds: |organization| organization.has_any(&["identifier", "name"]),
    },
    Rule {
        key: "org-2",
        at: "Organization",
        reads: &["address"],
        message: "an organization has no home address",
        holds: |organization| !has_home(organization.items("address")),
    },
    Rule {
        key: "org-3",
        at: "Organization",
        reads: &["telecom"],
        message: "an organization is not reached at home",
        holds: |organization| !has_home(organization.items("telecom")),
    },
    Rule {
        key: "pat-1",
        at: "Patient.contact",
        reads: &["name", "telecom", "address", "organization"],
        message: "a contact has details or an organization",
        holds: |contact| contact.has_any(&["name", "telecom", "address", "organization"]),
    },
    Rule {
        key: "ppc-1",
        at: "Consent",
        reads: &["policy", "policyRule"],
        message: "a consent has a policy or a policyRule",
        holds: |consent| consent.has_any(&["policy", "policyRule"]),
    },
    Rule {
        key: "ppc-2",
        at: "Consent",
        reads: CONSENT,
        message: CONSENT_MESSAGE,
        holds: |consent| has_patient(consent, "patient-privacy"),
    },
    Rule {
        key: "ppc-3",
        at: "Consent",
        reads: CONSENT,
        message: CONSENT_MESSAGE,
        holds: |consent| has_patient(consent, "research"),
    },
    Rule {
        key: "ppc-4",
        at: "Consent",
        reads: CONSENT,
        message: CONSENT_MESSAGE,
        holds: |consent| has_patient(consent, "adr"),
    },
    Rule {
        key: "ppc-5",
        at: "Consent",
        reads: CONSENT,
        message: CONSENT_MESSAGE,
        holds: |consent| has_patient(consent, "treatment"),
    },
    Rule {
        key: "prr-1",
        at: "ServiceRequest",
        reads: &["orderDetail", "code"],
        message: "order details must have a code",
        holds: |request| !request.has("orderDetail") || request.has("code"),
    },
    Rule {
        key: "qrs-1",
        at: "QuestionnaireResponse.item",
        reads: &["answer", "item"],
        message: "items stand below an item or below its answer, not both",
        holds: |item| !item.has("answer") || !item.has("item"),
    },
];

fn is_wrong_allergy(allergy: &At<'_>) -> bool {
    has_code(allergy.get("verificationStatus"), ALLERGY_VERIFICATION, &["entered-in-error"])
}

/// The standard's own expression names the system `something`, so a checker that follows it finds
/// fault with no real code system; neither does this one.
fn has_patient(consent: &At<'_>, scope: &str) -> bool {
    consent.has("patient") || !has_code(consent.get("scope"), "something", &[scope])
}

fn has_home(items: &[Value]) -> bool {
    items.iter().any(|item| text_of(item, "use") == Some("home"))
}

fn in_order(at: &At<'_>, earlier: &str, later: &str) -> bool {
    match (at.text(earlier), at.text(later)) {
        (Some(earlier), Some(later)) => moment::in_order(earlier, later),
        _ => true,
    }
}

fn codings_of(concept: Option<&Value>) -> &[Value] {
    let codings = concept.and_then(|concept| concept.get("coding")).and_then(Value::as_array);
    codings.unwrap_or_default()
}

fn begins_with(bundle: &At<'_>, ty: &str) -> bool {
    let first = bundle.items("entry").first().and_then(|entry| entry.get("resource"));
    first.and_then(Value::resource_type) == Some(ty)
}

/// Whether all entries have the element in a Bundle of these types, and none in one of another;
/// entries of a Bundle without a type are right in neither way.
fn all_or_none(bundle: &At<'_>, name: &str, types: &[&str]) -> bool {
    let expected = bundle.text("type").map(|ty| types.contains(&ty));
    bundle.items("entry").iter().all(|entry| Some(there(entry, name)) == expected)
}

fn has_distinct_urls(bundle: &At<'_>) -> bool {
    let mut seen = BTreeSet::new();
    bundle.items("entry").iter().all(|entry| {
        let Some(url) = text_of(entry, "fullUrl") else { return true };
        let meta = entry.get("resource").and_then(|resource| resource.get("meta"));
        seen.insert((url, meta.and_then(|meta| text_of(meta, "versionId"))))
    })
}

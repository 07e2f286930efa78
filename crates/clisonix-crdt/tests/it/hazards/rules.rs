//! What belongs together, from the standard: the invariants of severity error across elements, and
//! elements that make one statement by their definitions.

use clisonix_fhir::schema::ElementId;

/// An invariant of FHIR R4 of severity error that names several elements of one object.
pub(crate) struct Rule {
    pub(crate) key: &'static str,
    /// The type, or the path of the backbone element.
    pub(crate) at: &'static str,
    pub(crate) elements: &'static [&'static str],
    /// Whether the elements speak of each other, so that one author's cannot stand beside the
    /// other's. Else the rule only asks that something is there, or looks into a list's elements.
    pub(crate) whole: bool,
}

/// From the `StructureDefinition`s of FHIR R4 4.0.1; datatypes are one statement anyway.
pub(crate) const RULES: &[Rule] = &[
    whole("ait-1", "AllergyIntolerance", &["clinicalStatus", "verificationStatus"]),
    whole("ait-2", "AllergyIntolerance", &["clinicalStatus", "verificationStatus"]),
    whole("app-2", "Appointment", &["start", "end"]),
    whole("app-3", "Appointment", &["start", "end", "status"]),
    whole("app-4", "Appointment", &["cancelationReason", "status"]),
    apart("app-1", "Appointment.participant", &["type", "actor"]),
    whole("cpl-3", "CarePlan.activity", &["detail", "reference"]),
    whole("ctm-1", "CareTeam.participant", &["onBehalfOf", "member"]),
    apart("cmp-1", "Composition.section", &["text", "entry", "section"]),
    whole("cmp-2", "Composition.section", &["emptyReason", "entry"]),
    whole("con-4", "Condition", &["clinicalStatus", "abatement"]),
    whole("con-5", "Condition", &["clinicalStatus", "verificationStatus"]),
    apart("con-1", "Condition.stage", &["summary", "assessment"]),
    apart("con-2", "Condition.evidence", &["code", "detail"]),
    apart("ppc-1", "Consent", &["policy", "policyRule"]),
    apart("ppc-2", "Consent", &["patient", "scope"]),
    apart("ppc-3", "Consent", &["patient", "scope"]),
    apart("ppc-4", "Consent", &["patient", "scope"]),
    apart("ppc-5", "Consent", &["patient", "scope"]),
    whole("fhs-1", "FamilyMemberHistory", &["age", "born"]),
    whole("fhs-2", "FamilyMemberHistory", &["estimatedAge", "age"]),
    whole("gol-1", "Goal.target", &["detail", "measure"]),
    apart("imm-1", "Immunization.education", &["documentType", "reference"]),
    whole("lst-1", "List", &["emptyReason", "entry"]),
    apart("lst-2", "List", &["mode", "entry"]),
    apart("lst-3", "List", &["mode", "entry"]),
    whole("mad-1", "MedicationAdministration.dosage", &["dose", "rate"]),
    whole("mdd-1", "MedicationDispense", &["whenPrepared", "whenHandedOver"]),
    whole("obs-6", "Observation", &["value", "dataAbsentReason"]),
    apart("obs-7", "Observation", &["value", "code", "component"]),
    whole("obs-3", "Observation.referenceRange", &["low", "high", "text"]),
    apart("org-1", "Organization", &["identifier", "name"]),
    apart("pat-1", "Patient.contact", &["name", "telecom", "address", "organization"]),
    apart("qrs-1", "QuestionnaireResponse.item", &["answer", "item"]),
    whole("prr-1", "ServiceRequest", &["orderDetail", "code"]),
    whole("inv-1", "Task", &["lastModified", "authoredOn"]),
];

/// Elements of one object that make one statement by their definitions though no rule names them:
/// whether they may conflict with each other is left to policy. A merge that groups others than
/// these raises a false alarm.
const STATEMENTS: &[(&str, &[&str])] = &[
    // The lot, its expiry and its maker are those of the vaccine that was given.
    ("Immunization", &["vaccineCode", "lotNumber", "expirationDate", "manufacturer"]),
    // "Concise and clinically contextualized summary" and the codes of the same.
    ("DiagnosticReport", &["conclusion", "conclusionCode", "result"]),
    ("MedicationDispense", &["quantity", "daysSupply", "medication", "dosageInstruction"]),
    ("MedicationRequest", &["medication", "dosageInstruction", "dispenseRequest"]),
    ("MedicationStatement", &["medication", "dosage"]),
    ("MedicationAdministration", &["medication", "dosage"]),
    ("ServiceRequest", &["code", "quantity", "asNeeded", "occurrence"]),
    ("Observation", &["code", "value", "component", "interpretation", "referenceRange", "method"]),
    ("Encounter", &["class", "period", "length", "hospitalization"]),
    ("Goal", &["startDate", "start", "target"]),
    ("Task", &["for", "focus", "code", "reason", "owner"]),
    ("Consent", &["policy", "policyRule", "provision", "scope"]),
    // One product; one lot; one member of the team in one role.
    ("Medication", &["code", "form", "amount"]),
    ("Device", &["manufactureDate", "expirationDate", "lotNumber"]),
    ("CareTeam.participant", &["member", "role", "onBehalfOf"]),
    // A dose number counts in its series, against its disease.
    (
        "Immunization.protocolApplied",
        &["series", "authority", "targetDisease", "doseNumber", "seriesDoses", "modifierExtension"],
    ),
    // How grave the reaction was that is described by its manifestations.
    ("AllergyIntolerance.reaction", &["manifestation", "severity"]),
];

const fn whole(key: &'static str, at: &'static str, elements: &'static [&'static str]) -> Rule {
    Rule { key, at, elements, whole: true }
}

const fn apart(key: &'static str, at: &'static str, elements: &'static [&'static str]) -> Rule {
    Rule { key, at, elements, whole: false }
}

/// The rules of the object at `at`, a type or the path of a backbone element.
pub(crate) fn rules_at(at: &str) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.at == at)
}

/// Whether a rule or a statement names the element.
pub(crate) fn is_named(at: &str, element: ElementId) -> bool {
    let name = element.element().name;
    together(at).any(|names| names.contains(&name))
        || words(name).iter().any(|word| word == "status")
}

/// Whether two elements of the object at `at` may speak of each other.
pub(crate) fn are_tied(at: &str, one: ElementId, other: ElementId) -> bool {
    let (one, other) = (one.element(), other.element());
    let share_rule =
        together(at).any(|names| names.contains(&one.name) && names.contains(&other.name));
    share_rule
        || [one, other].iter().any(|element| element.modifier || is_status(element.name))
        || words(one.name).iter().any(|word| words(other.name).contains(word))
}

/// Whether the element says in what state of its life the thing is.
pub(crate) fn is_status(name: &str) -> bool {
    name == "status" || name.ends_with("Status")
}

fn together(at: &str) -> impl Iterator<Item = &'static [&'static str]> {
    let statements = STATEMENTS.iter().filter(move |(place, _)| *place == at);
    rules_at(at).map(|rule| rule.elements).chain(statements.map(|(_, names)| *names))
}

/// `statusReason`: `status`, `reason`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words
}

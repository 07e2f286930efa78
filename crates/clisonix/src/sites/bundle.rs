//! What the demo's sites are told: small bundles with words that can be searched for.

use clisonix_fhir::json::{Object, Value};

use crate::outside;

const LETTERS: &[u8; 16] = b"qxzjkvwyQXZJKVWY";
const PATIENT: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

/// A word that stands nowhere else.
pub(super) fn word() -> String {
    let mut bytes = [0; 18];
    outside::random(&mut bytes);
    // Letters that seldom stand together, so that packing leaves them as they are.
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 16)).copied().unwrap_or(b'q');
    bytes.iter().map(|byte| char::from(letter(byte))).collect()
}

/// One message about one patient.
pub(super) struct Message {
    number: usize,
    patient: Object,
    entries: Vec<Object>,
}

impl Message {
    /// About a patient by number.
    pub(super) fn new(number: usize) -> Self {
        let mut patient = Object::new();
        patient.insert("resourceType", "Patient");
        let own = identifier("urn:demo:mrn", &number_of(number));
        patient.insert("identifier", Value::Array(vec![own]));
        Self { number, patient, entries: Vec::new() }
    }

    /// How commands name the patient.
    pub(super) fn name(&self) -> String {
        format!("urn:demo:mrn|{}", number_of(self.number))
    }

    pub(super) fn patient(mut self, family: &str) -> Self {
        let mut name = Object::new();
        name.insert("family", family);
        self.patient.insert("name", Value::Array(vec![Value::Object(name)]));
        self
    }

    pub(super) fn marital_status(mut self, words: &str) -> Self {
        self.patient.insert("maritalStatus", text(words));
        self
    }

    pub(super) fn allergy(mut self, substance: &str) -> Self {
        let mut allergy = Self::entry("AllergyIntolerance", substance);
        allergy.insert(
            "clinicalStatus",
            coding("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
        );
        allergy.insert("code", text(substance));
        allergy.insert("patient", reference());
        self.entries.push(allergy);
        self
    }

    pub(super) fn finding(mut self, words: &str) -> Self {
        let mut finding = Self::entry("Observation", words);
        finding.insert("status", "final");
        finding.insert("code", text("finding"));
        finding.insert("subject", reference());
        finding.insert("valueString", words);
        self.entries.push(finding);
        self
    }

    /// The patient forbids that an organization gets anything.
    pub(super) fn withdrawal(mut self, organization: &str) -> Self {
        let mut consent = Self::entry("Consent", &word());
        consent.insert("status", "active");
        consent.insert(
            "scope",
            coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        );
        let category = coding("http://loinc.org", "59284-0");
        consent.insert("category", Value::Array(vec![category]));
        consent.insert("patient", reference());
        consent.insert("dateTime", "2024-05-02T08:00:00Z");
        consent.insert(
            "policyRule",
            coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN"),
        );
        let (system, value) = organization.split_once('|').unwrap_or_default();
        let mut who = Object::new();
        who.insert("identifier", identifier(system, value));
        let mut actor = Object::new();
        let role = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
        actor.insert("role", coding(role, "IRCP"));
        actor.insert("reference", Value::Object(who));
        let mut provision = Object::new();
        provision.insert("type", "deny");
        provision.insert("actor", Value::Array(vec![Value::Object(actor)]));
        consent.insert("provision", Value::Object(provision));
        self.entries.push(consent);
        self
    }

    fn entry(kind: &str, key: &str) -> Object {
        let mut entry = Object::new();
        entry.insert("resourceType", kind);
        entry.insert("identifier", Value::Array(vec![identifier("urn:demo:entry", key)]));
        entry
    }

    /// The bundle; each one is a message of its own.
    pub(super) fn to_text(&self) -> String {
        let mut bundle = Object::new();
        bundle.insert("resourceType", "Bundle");
        bundle.insert("identifier", identifier("urn:demo:message", &word()));
        bundle.insert("type", "collection");
        bundle.insert("timestamp", "2024-05-01T08:00:00Z");
        let patient = (PATIENT.to_owned(), self.patient.clone());
        let others = self.entries.iter().enumerate().map(|(at, entry)| {
            (format!("urn:uuid:00000000-0000-4000-8000-{:012}", at + 2), entry.clone())
        });
        let entries = std::iter::once(patient).chain(others).map(|(name, resource)| {
            let mut entry = Object::new();
            entry.insert("fullUrl", name);
            entry.insert("resource", Value::Object(resource));
            Value::Object(entry)
        });
        bundle.insert("entry", Value::Array(entries.collect()));
        Value::Object(bundle).to_text()
    }
}

fn number_of(number: usize) -> String {
    format!("MRN-{number}")
}

fn identifier(system: &str, value: &str) -> Value {
    let mut identifier = Object::new();
    identifier.insert("system", system);
    identifier.insert("value", value);
    Value::Object(identifier)
}

fn text(words: &str) -> Value {
    let mut concept = Object::new();
    concept.insert("text", words);
    Value::Object(concept)
}

fn coding(system: &str, code: &str) -> Value {
    let (mut coding, mut concept) = (Object::new(), Object::new());
    coding.insert("system", system);
    coding.insert("code", code);
    concept.insert("coding", Value::Array(vec![Value::Object(coding)]));
    Value::Object(concept)
}

fn reference() -> Value {
    let mut reference = Object::new();
    reference.insert("reference", PATIENT);
    Value::Object(reference)
}

//! The third system's FHIR R4 server: what it exports, with its own ids.
//!
//! Bundles are `collection` in the middle of the period and `transaction` at its end. Blood
//! pressure is written as two Observations, as gateways of monitoring devices do.

use clisonix_fhir::json::{Object, Value};

use super::hl7v2::{FILLER_OID, PLACER_OID, VISIT_OID};
use super::{Export, Message, halfway, horizon, known, stated};
use crate::calendar::{Instant, Moment};
use crate::chance::Chance;
use crate::compose::{list, number, object, set};
use crate::population::{
    Allergy, Body, Coding, Diagnosis, Fact, Measure, Person, Prescription, Route, SHARED_OID,
    Vaccination, Visit,
};

/// The FHIR server's own patient numbers.
pub const SERVER_SYSTEM: &str = "https://fhir.third.example.org/patient-number";
/// The FHIR server's base address.
pub const SERVER_BASE: &str = "https://fhir.third.example.org/r4";
const UCUM: &str = "http://unitsofmeasure.org";

/// Puts one person's bundles into files.
pub(super) fn render(person: &Person, seed: u64, export: &mut Export) {
    let mut chance = Chance::child(seed, "fhir arrival", u64::from(person.number));
    let mut messages = Vec::new();
    if chance.percent(60) {
        messages.push(message(person, None, halfway(), "collection"));
        messages.push(message(person, Some(halfway()), horizon(), "transaction"));
    } else {
        messages.push(message(person, None, horizon(), "transaction"));
    }
    if messages.len() == 2 && chance.percent(25) {
        messages.swap(0, 1);
    }
    if chance.percent(20)
        && let Some(again) = messages.first().cloned()
    {
        messages.push(Message { resend: true, ..again });
    }
    for (place, message) in messages.into_iter().enumerate() {
        let file = format!("fhir/{:04}-{}.json", person.number, place + 1);
        export.add(&file, person, Route::Fhir, message);
    }
}

fn message(person: &Person, after: Option<Instant>, at: Instant, kind: &str) -> Message {
    let facts = known(person, Route::Fhir, after, at);
    let mut resources = vec![patient(person, at)];
    resources.extend(facts.iter().map(|fact| resource(person, fact, at)));
    resources.extend(reports(person, &facts, at));
    let bundle = bundle(kind, at, resources);
    let mut bytes = bundle.to_pretty().into_bytes();
    bytes.push(b'\n');
    let facts = facts.into_iter().map(|fact| stated(fact, at)).collect();
    Message { at, resend: false, facts, bytes }
}

fn bundle(kind: &str, at: Instant, resources: Vec<Value>) -> Value {
    let entries = resources.into_iter().map(|resource| {
        let id = format!(
            "{}/{}",
            resource.get("resourceType").and_then(Value::as_str).unwrap_or_default(),
            resource.get("id").and_then(Value::as_str).unwrap_or_default()
        );
        let mut entry = object! { "fullUrl": format!("{SERVER_BASE}/{id}"), "resource": resource };
        if kind == "transaction" {
            set(&mut entry, "request", object! { "method": "PUT", "url": id });
        }
        entry
    });
    object! {
        "resourceType": "Bundle",
        "type": kind,
        "timestamp": at.fhir_utc(),
        "entry": Value::Array(entries.collect()),
    }
}

/// The person as this server writes a Patient.
pub fn patient(person: &Person, at: Instant) -> Value {
    let mut patient = start("Patient", server_id(person), at);
    let identifiers = list([
        identifier("PI", &format!("urn:oid:{SHARED_OID}"), &person.shared),
        identifier("MR", SERVER_SYSTEM, person.local_id(Route::Fhir)),
    ]);
    let name = object! {
        "use": "official",
        "family": person.family,
        "given": list([person.given.into()]),
    };
    set(&mut patient, "identifier", identifiers);
    set(&mut patient, "active", true.into());
    set(&mut patient, "name", list([name]));
    if let Some(phone) = person.phone_at(at) {
        let number = format!("+1-{}", phone.number);
        let phone = object! { "system": "phone", "value": number, "use": "home" };
        set(&mut patient, "telecom", list([phone]));
    }
    set(&mut patient, "gender", if person.female { "female" } else { "male" }.into());
    set(&mut patient, "birthDate", person.birth.fhir().into());
    if let Some(address) = person.address_at(at) {
        let address = object! {
            "use": "home",
            "line": list([address.line.clone().into()]),
            "city": address.city,
            "state": "AZ",
            "postalCode": address.zip,
            "country": "USA",
        };
        set(&mut patient, "address", list([address]));
    }
    patient
}

/// A fact as this server writes it, with what is known at `at`.
pub fn resource(person: &Person, fact: &Fact, at: Instant) -> Value {
    let id = resource_id(fact);
    match &fact.body {
        Body::Encounter(visit) => encounter(start("Encounter", id, at), person, fact, visit),
        Body::Condition(diagnosis) => {
            condition(start("Condition", id, at), person, fact, diagnosis)
        }
        Body::Allergy(body) => allergy(start("AllergyIntolerance", id, at), person, fact, body),
        Body::Medication(body) => {
            medication(start("MedicationRequest", id, at), person, fact, body)
        }
        Body::Measure(body) => observation(start("Observation", id, at), person, fact, body, at),
        Body::Immunization(body) => immunization(start("Immunization", id, at), person, fact, body),
    }
}

fn encounter(mut it: Value, person: &Person, fact: &Fact, visit: &Visit) -> Value {
    let (code, display) =
        if visit.inpatient { ("IMP", "inpatient encounter") } else { ("AMB", "ambulatory") };
    set(
        &mut it,
        "identifier",
        list([identifier("VN", &format!("urn:oid:{VISIT_OID}"), &visit.number)]),
    );
    set(&mut it, "status", "finished".into());
    let class = object! {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "code": code,
        "display": display,
    };
    set(&mut it, "class", class);
    set(&mut it, "subject", subject(person));
    set(&mut it, "period", object! { "start": moment(fact), "end": visit.end.fhir_local() });
    it
}

fn condition(mut it: Value, person: &Person, fact: &Fact, diagnosis: &Diagnosis) -> Value {
    let status = if diagnosis.abatement.is_some() { "resolved" } else { "active" };
    set(&mut it, "clinicalStatus", status_concept("condition-clinical", status));
    set(&mut it, "verificationStatus", status_concept("condition-ver-status", "confirmed"));
    let category = concept_of(
        "http://terminology.hl7.org/CodeSystem/condition-category",
        "problem-list-item",
        "Problem List Item",
    );
    set(&mut it, "category", list([category]));
    set(&mut it, "code", concept(&[diagnosis.problem.snomed, diagnosis.problem.icd]));
    if let Some(site) = diagnosis.problem.site {
        set(&mut it, "bodySite", list([concept(&[site])]));
    }
    set(&mut it, "subject", subject(person));
    set(&mut it, "onsetDateTime", moment(fact).into());
    if let Some(day) = diagnosis.abatement {
        set(&mut it, "abatementDateTime", day.fhir().into());
    }
    it
}

fn allergy(mut it: Value, person: &Person, fact: &Fact, allergy: &Allergy) -> Value {
    let category = if allergy.allergen.is_drug() { "medication" } else { "food" };
    set(&mut it, "clinicalStatus", status_concept("allergyintolerance-clinical", "active"));
    set(
        &mut it,
        "verificationStatus",
        status_concept("allergyintolerance-verification", "confirmed"),
    );
    set(&mut it, "type", "allergy".into());
    set(&mut it, "category", list([category.into()]));
    set(&mut it, "criticality", if allergy.high { "high" } else { "low" }.into());
    // This server's users choose substances in SNOMED CT; the drug's ingredient stands second.
    let codings: Vec<Coding> =
        [allergy.allergen.substance].into_iter().chain(allergy.allergen.ingredient).collect();
    set(&mut it, "code", concept(&codings));
    set(&mut it, "patient", subject(person));
    set(&mut it, "onsetDateTime", moment(fact).into());
    let reaction = object! { "manifestation": list([concept(&[allergy.allergen.reaction])]) };
    set(&mut it, "reaction", list([reaction]));
    it
}

fn medication(mut it: Value, person: &Person, fact: &Fact, body: &Prescription) -> Value {
    set(&mut it, "status", "active".into());
    set(&mut it, "intent", "order".into());
    set(&mut it, "medicationCodeableConcept", concept(&[body.drug.coding]));
    set(&mut it, "subject", subject(person));
    set(&mut it, "authoredOn", moment(fact).into());
    set(&mut it, "dosageInstruction", list([dosage(body)]));
    it
}

/// The dosage as ordered.
pub fn dosage(body: &Prescription) -> Value {
    let dose = quantity(&body.drug.milligrams.to_string(), "mg", "mg");
    let repeat = object! { "frequency": body.per_day, "period": 1_i64, "periodUnit": "d" };
    object! {
        "text": format!("{} mg by mouth {} times a day", body.drug.milligrams, body.per_day),
        "timing": object! { "repeat": repeat },
        "route": concept_of("http://snomed.info/sct", "26643006", "Oral route"),
        "doseAndRate": list([object! { "doseQuantity": dose }]),
    }
}

fn observation(mut it: Value, person: &Person, fact: &Fact, body: &Measure, at: Instant) -> Value {
    let version = stated(fact, at).version;
    set(&mut it, "status", if version > 0 { "corrected" } else { "final" }.into());
    let category = if body.order.is_some() { "laboratory" } else { "vital-signs" };
    let system = "http://terminology.hl7.org/CodeSystem/observation-category";
    set(&mut it, "category", list([concept_of(system, category, category)]));
    set(&mut it, "code", concept(&[body.analyte.coding]));
    set(&mut it, "subject", subject(person));
    set(&mut it, "effectiveDateTime", moment(fact).into());
    let Some(value) = body.value_at(Some(at)) else { return it };
    if body.order.is_some() {
        set(&mut it, "issued", value.at.fhir_utc().into());
    }
    let other = body.other_unit.then(|| body.other_text(value)).flatten();
    let (text, unit) = other.unwrap_or_else(|| (body.text(value), body.analyte.unit));
    set(&mut it, "valueQuantity", quantity(&text, unit.shown, unit.ucum));
    it
}

fn immunization(mut it: Value, person: &Person, fact: &Fact, body: &Vaccination) -> Value {
    set(&mut it, "status", "completed".into());
    set(&mut it, "vaccineCode", concept(&[body.vaccine.coding]));
    set(&mut it, "patient", subject(person));
    set(&mut it, "occurrenceDateTime", moment(fact).into());
    set(&mut it, "primarySource", true.into());
    set(&mut it, "lotNumber", body.lot.clone().into());
    let tenths = crate::population::decimal(body.vaccine.tenths_ml, 1);
    set(&mut it, "doseQuantity", quantity(&tenths, "mL", "mL"));
    it
}

/// One `DiagnosticReport` for each order among the facts.
fn reports(person: &Person, facts: &[&Fact], at: Instant) -> Vec<Value> {
    let mut reports: Vec<(String, Value)> = Vec::new();
    for fact in facts {
        let Body::Measure(Measure { order: Some(order), .. }) = &fact.body else { continue };
        let result = object! { "reference": format!("Observation/{}", resource_id(fact)) };
        if let Some((_, report)) = reports.iter_mut().find(|(filler, _)| *filler == order.filler) {
            crate::compose::append(report, "result", result);
            continue;
        }
        let mut report = start("DiagnosticReport", format!("rep-{}", order.filler), at);
        let identifiers = list([
            identifier("PLAC", &format!("urn:oid:{PLACER_OID}"), &order.placer),
            identifier("FILL", &format!("urn:oid:{FILLER_OID}"), &order.filler),
        ]);
        set(&mut report, "identifier", identifiers);
        set(&mut report, "status", "final".into());
        set(&mut report, "code", concept(&[order.panel.coding]));
        set(&mut report, "subject", subject(person));
        set(&mut report, "effectiveDateTime", moment(fact).into());
        set(&mut report, "result", list([result]));
        reports.push((order.filler.clone(), report));
    }
    reports.into_iter().map(|(_, report)| report).collect()
}

fn start(kind: &str, id: String, at: Instant) -> Value {
    object! { "resourceType": kind, "id": id, "meta": object! { "lastUpdated": at.fhir_utc() } }
}

fn server_id(person: &Person) -> String {
    person.local_id(Route::Fhir).replace("F-", "")
}

/// The server's own id of a fact's resource.
fn resource_id(fact: &Fact) -> String {
    format!("{}", 300_000 + u64::from(fact.id) * 7)
}

fn subject(person: &Person) -> Value {
    object! { "reference": format!("Patient/{}", server_id(person)) }
}

/// Days as days; instants of even facts in UTC, of odd ones with the local offset.
fn moment(fact: &Fact) -> String {
    match fact.when {
        Moment::Day(day) => day.fhir(),
        Moment::Instant(instant) if fact.id.is_multiple_of(2) => instant.fhir_utc(),
        Moment::Instant(instant) => instant.fhir_local(),
    }
}

fn identifier(kind: &str, system: &str, value: &str) -> Value {
    let table = "http://terminology.hl7.org/CodeSystem/v2-0203";
    let coding = object! { "system": table, "code": kind };
    object! { "type": object! { "coding": list([coding]) }, "system": system, "value": value }
}

/// A concept with these codings; the text is the first one's display.
pub(crate) fn concept(codings: &[Coding]) -> Value {
    let text = codings.first().map_or("", |coding| coding.display);
    let codings = codings.iter().map(|coding| {
        object! { "system": coding.system.uri(), "code": coding.code, "display": coding.display }
    });
    object! { "coding": Value::Array(codings.collect()), "text": text }
}

fn concept_of(system: &str, code: &str, display: &str) -> Value {
    object! { "coding": list([object! { "system": system, "code": code, "display": display }]) }
}

/// A status concept of an HL7 terminology code system.
pub(crate) fn status_concept(system: &str, code: &str) -> Value {
    let system = format!("http://terminology.hl7.org/CodeSystem/{system}");
    object! { "coding": list([object! { "system": system, "code": code }]) }
}

/// A UCUM quantity.
pub(crate) fn quantity(value: &str, shown: &str, ucum: &str) -> Value {
    let mut quantity = Object::new();
    quantity.insert("value", number(value));
    quantity.insert("unit", shown);
    quantity.insert("system", UCUM);
    quantity.insert("code", ucum);
    Value::Object(quantity)
}

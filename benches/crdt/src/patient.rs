//! Made-up FHIR R4 Patients of about 2.2 KB and plausible edits of their fields.

use anyhow::Result;
use serde_json::{Value, json};

use crate::engine::{Engine, plain::Plain};
use crate::op::{Op, path};
use crate::seed::Seed;

const GIVEN: &[&str] = &["Amina", "Bertil", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hana"];
const FAMILY: &[&str] = &["Okafor", "Lindqvist", "Rossi", "Petrov", "Yilmaz", "Haddad", "Weber"];
const CITY: &[&str] = &["Springfield", "Riverton", "Lakewood", "Fairview", "Georgetown", "Milton"];
const STATE: &[&str] = &["MA", "OH", "CA", "TX", "NY", "WA", "IL"];
const STREET: &[&str] = &["Maple Avenue", "Station Road", "Harbour Street", "Mill Lane"];
const MARITAL: &[(&str, &str)] =
    &[("M", "Married"), ("S", "Never Married"), ("D", "Divorced"), ("W", "Widowed")];

/// One Patient as JSON text.
pub fn text(seed: &mut Seed) -> String {
    let (given, second, family) = (seed.pick(GIVEN), seed.pick(GIVEN), seed.pick(FAMILY));
    let id = seed.uuid();
    let gender = seed.pick(&["female", "male"]);
    let (marital, marital_text) = MARITAL[seed.below(MARITAL.len() as u64) as usize];
    let patient = json!({
        "resourceType": "Patient",
        "id": id,
        "text": {
            "status": "generated",
            "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{given} {family}, {gender}</div>"),
        },
        "extension": [
            group("us-core-race", seed.pick(&["2106-3", "2054-5", "2028-9"]), "White or other"),
            { "url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName",
              "valueString": format!("{} {}", seed.pick(GIVEN), seed.pick(FAMILY)) },
            { "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
              "valueAddress": { "city": seed.pick(CITY), "state": seed.pick(STATE), "country": "US" } },
        ],
        "identifier": [
            identifier("MR", "Medical Record Number", "http://hospital.example.org/mrn", seed.digits(9)),
            identifier("SS", "Social Security Number", "http://hl7.org/fhir/sid/us-ssn", seed.digits(9)),
        ],
        "active": true,
        "name": [{ "use": "official", "family": family, "given": [given, second], "prefix": ["Mx."] }],
        "telecom": [
            { "system": "phone", "value": phone(seed), "use": "home" },
            { "system": "phone", "value": phone(seed), "use": "mobile" },
            { "system": "email", "value": format!("{}@example.org", seed.digits(6)) },
        ],
        "gender": gender,
        "birthDate": date(seed),
        "address": [{
            "use": "home",
            "line": [street(seed)],
            "city": seed.pick(CITY),
            "state": seed.pick(STATE),
            "postalCode": seed.digits(5),
            "country": "US",
        }],
        "maritalStatus": {
            "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
                         "code": marital, "display": marital_text }],
            "text": marital_text,
        },
        "multipleBirthBoolean": false,
        "contact": [{
            "relationship": [{ "text": "Next of kin" }],
            "name": { "family": seed.pick(FAMILY), "given": [seed.pick(GIVEN)] },
            "telecom": [{ "system": "phone", "value": phone(seed) }],
        }],
        "communication": [{
            "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "en-US",
                                       "display": "English" }], "text": "English" },
            "preferred": true,
        }],
        "generalPractitioner": [{ "reference": format!("Practitioner/{}", seed.uuid()),
                                  "display": format!("Dr. {}", seed.pick(FAMILY)) }],
        "managingOrganization": { "reference": format!("Organization/{}", seed.uuid()),
                                  "display": format!("{} General Hospital", seed.pick(CITY)) },
    });
    patient.to_string()
}

/// Someone who edits one Patient, and never writes what is already there.
pub struct Editor(Value);

impl Editor {
    /// Opens a Patient.
    pub fn new(text: &str) -> Result<Self> {
        Ok(Self(serde_json::from_str(text)?))
    }

    /// The next edit.
    pub fn next(&mut self, seed: &mut Seed) -> Result<Op> {
        loop {
            let op = edit(seed);
            let before = self.0.clone();
            Plain::apply(&mut self.0, std::slice::from_ref(&op))?;
            if self.0 != before {
                return Ok(op);
            }
        }
    }
}

/// One edit of one field: what people change most, with values that FHIR allows.
fn edit(seed: &mut Seed) -> Op {
    let (place, value): (&str, Value) = match seed.below(14) {
        0 => ("telecom/0/value", json!(phone(seed))),
        1 => ("telecom/1/value", json!(phone(seed))),
        2 => ("telecom/2/value", json!(format!("{}@example.org", seed.digits(6)))),
        3 => ("address/0/city", json!(seed.pick(CITY))),
        4 => ("address/0/postalCode", json!(seed.digits(5))),
        5 => ("address/0/text", json!(format!("{}, {}", street(seed), seed.pick(CITY)))),
        6 => ("name/0/family", json!(seed.pick(FAMILY))),
        7 => ("name/0/text", json!(format!("{} {}", seed.pick(GIVEN), seed.pick(FAMILY)))),
        8 => ("birthDate", json!(date(seed))),
        9 => ("gender", json!(seed.pick(&["female", "male", "other", "unknown"]))),
        10 => ("maritalStatus/text", json!(MARITAL[seed.below(4) as usize].1)),
        11 => ("contact/0/name/family", json!(seed.pick(FAMILY))),
        12 => ("communication/0/preferred", json!(seed.below(2) == 0)),
        _ => {
            let name = format!("{} Clinic, Department {}", seed.pick(CITY), seed.below(20));
            ("managingOrganization/display", json!(name))
        }
    };
    Op::Set(path(place), value)
}

fn group(name: &str, code: &str, text: &str) -> Value {
    json!({
        "url": format!("http://hl7.org/fhir/us/core/StructureDefinition/{name}"),
        "extension": [
            { "url": "ombCategory", "valueCoding": { "system": "urn:oid:2.16.840.1.113883.6.238",
                                                     "code": code, "display": text } },
            { "url": "text", "valueString": text },
        ],
    })
}

fn identifier(code: &str, display: &str, system: &str, value: String) -> Value {
    json!({
        "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                               "code": code, "display": display }], "text": display },
        "system": system,
        "value": value,
    })
}

fn phone(seed: &mut Seed) -> String {
    format!("555-{}-{}", seed.digits(3), seed.digits(4))
}

fn street(seed: &mut Seed) -> String {
    format!("{} {}", seed.digits(3), seed.pick(STREET))
}

fn date(seed: &mut Seed) -> String {
    format!("{}-{:02}-{:02}", 1930 + seed.below(90), 1 + seed.below(12), 1 + seed.below(28))
}

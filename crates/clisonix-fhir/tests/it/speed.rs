//! Prints what the hot paths cost; asserts nothing. Worth reading in a release build only:
//! `cargo test --release -p clisonix-fhir --test it speed -- --nocapture --test-threads 1`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clisonix_fhir::fhirpath;
use clisonix_fhir::json::{Value, parse};
use clisonix_fhir::schema::{ElementId, Scope, resource_named};
use clisonix_fhir::validate::{second_opinion, validate};

/// A Patient of about 2 KB.
const PATIENT: &str = r#"{"resourceType":"Patient","id":"speed","meta":{"versionId":"1",
"lastUpdated":"2024-01-01T10:00:00Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},
"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>A patient.</p></div>"},
"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Alpha"},
{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"city":"Town","state":"MA","country":"US"}}],
"identifier":[{"system":"http://example.org/a","value":"a1"},
{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR","display":"Medical Record Number"}],"text":"Medical Record Number"},"system":"http://example.org/mr","value":"b2"},
{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"DL","display":"Driver's License"}],"text":"Driver's License"},"system":"urn:oid:2.16.840.1.113883.4.3.25","value":"c3"}],
"active":true,"name":[{"use":"official","family":"Alpha","given":["Beta","Gamma"],"prefix":["Mrs."]},
{"use":"maiden","family":"Delta","given":["Beta"],"period":{"start":"1990","end":"2010-05-01"}}],
"telecom":[{"system":"phone","value":"555-1","use":"home"},{"system":"email","value":"a@example.org","use":"work"}],
"gender":"female","birthDate":"1970-01-02","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1970-01-02T14:35:45-05:00"}]},
"deceasedBoolean":false,"address":[{"use":"home","line":["1 Road"],"city":"Town","state":"MA","postalCode":"01000","country":"US"}],
"maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M","display":"Married"}],"text":"M"},
"multipleBirthBoolean":false,"communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en-US"}],"text":"English"}}],
"generalPractitioner":[{"reference":"Practitioner/1"}],"managingOrganization":{"reference":"Organization/1"}}"#;

fn questionnaire() -> Value {
    let items: Vec<_> = (0..20)
        .map(|number| {
            format!(r#"{{"linkId":"{number}","text":"Question","type":"string","required":true}}"#)
        })
        .collect();
    let items = items.join(",");
    let text = format!(r#"{{"resourceType":"Questionnaire","status":"draft","item":[{items}]}}"#);
    parse(text.as_bytes()).unwrap()
}

const ROUNDS: u32 = 20_000;
/// The best of so many batches counts: what else runs on the machine only adds.
const BATCHES: u32 = 20;

fn print(what: &str, work: impl FnMut()) {
    print_rounds(what, ROUNDS, work);
}

fn print_rounds(what: &str, rounds: u32, mut work: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..rounds / BATCHES {
            work();
        }
        best = best.min(start.elapsed());
    }
    eprintln!("{what}: {} ns", best.as_nanos() / u128::from(rounds / BATCHES));
}

#[test]
fn speed() {
    let start = Instant::now();
    black_box(ElementId(0).element());
    eprintln!("first use of the element table: {} us", start.elapsed().as_micros());
    let start = Instant::now();
    let patient = parse(PATIENT.as_bytes()).unwrap();
    assert_eq!(validate(&patient), []);
    eprintln!("first validation: {} us", start.elapsed().as_micros());

    print(&format!("parse of {} bytes", PATIENT.len()), || {
        black_box(parse(black_box(PATIENT.as_bytes())).unwrap());
    });
    print("write", || {
        let mut out = Vec::with_capacity(4096);
        black_box(&patient).write(&mut out);
        black_box(&out);
    });
    print("validate", || {
        black_box(validate(black_box(&patient)));
    });
    let text = "Patient.name.where(use = 'official').given.first() = 'Beta'";
    let expression = fhirpath::parse(text).unwrap();
    print("FHIRPath parse", || {
        black_box(fhirpath::parse(black_box(text)).unwrap());
    });
    print("FHIRPath evaluate", || {
        let context = fhirpath::Context::new(black_box(&patient));
        black_box(expression.is_true(&context).unwrap());
    });
    assert_eq!(second_opinion(&patient, None), []);
    print_rounds("second opinion", ROUNDS / 20, || {
        black_box(second_opinion(black_box(&patient), None));
    });
    let questionnaire = questionnaire();
    assert_eq!(validate(&questionnaire), []);
    print_rounds("validate a Questionnaire of 20 items, by expression", ROUNDS / 20, || {
        black_box(validate(black_box(&questionnaire)));
    });
    let scope = Scope::Type(resource_named("Patient").unwrap());
    let names: Vec<&str> =
        patient.as_object().map(|object| object.keys().skip(1).collect()).unwrap_or_default();
    print(&format!("Scope::member of {} names", names.len()), || {
        for name in &names {
            black_box(scope.member(black_box(name)));
        }
    });
    let ids = scope.elements();
    print(&format!("Scope::has of {} elements", ids.len()), || {
        for &id in ids {
            black_box(scope.has(black_box(id)));
        }
    });
}

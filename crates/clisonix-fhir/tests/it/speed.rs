//! Prints what the hot paths cost; asserts nothing. Worth reading in a release build only:
//! `cargo test --release -p clisonix-fhir --test it speed -- --nocapture --test-threads 1`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clisonix_fhir::json::parse;
use clisonix_fhir::schema::{ElementId, Scope, resource_named};
use clisonix_fhir::validate::validate;

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

const ROUNDS: u32 = 20_000;
/// The best of so many batches counts: what else runs on the machine only adds.
const BATCHES: u32 = 20;

fn print(what: &str, mut work: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..ROUNDS / BATCHES {
            work();
        }
        best = best.min(start.elapsed());
    }
    eprintln!("{what}: {} ns", best.as_nanos() / u128::from(ROUNDS / BATCHES));
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

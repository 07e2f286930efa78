//! Derived ids: one fact by two routes, repeats, shared resources, and the table itself.

use clisonix_fhir::json::{Value, parse};

use super::{Draft, natural_key, resource_id, settle, table};
use crate::{RecordKey, Statement};

fn value(text: &str) -> Value {
    parse(text.as_bytes()).unwrap()
}

fn key(text: &str) -> Vec<String> {
    natural_key(&value(text)).unwrap()
}

fn settled(drafts: &[(&str, &str)]) -> Vec<Statement> {
    let drafts = drafts.iter().map(|(name, text)| Draft::new(value(text), *name, *name)).collect();
    settle("feed", drafts, &mut Vec::new())
}

fn ids(statement: &Statement) -> Vec<&str> {
    let ids = statement.resources.iter().map(|stated| stated.resource.get("id").unwrap());
    ids.map(|id| id.as_str().unwrap()).collect()
}

#[test]
fn the_table_has_no_malformed_line() {
    assert_eq!(table::malformed(), Vec::<&str>::new());
}

#[test]
fn two_routes_give_one_key() {
    let fhir = key(r#"{"resourceType":"Observation","code":{"coding":[
        {"system":"urn:local","code":"GLU"},{"system":"http://loinc.org","code":"2345-7","display":"Glucose"}]},
        "effectiveDateTime":"2020-03-01T05:30:00+01:00","valueQuantity":{"value":5}}"#);
    let ccda = key(r#"{"resourceType":"Observation","code":{"coding":[
        {"system":"http://loinc.org","code":"2345-7"},{"system":"http://snomed.info/sct","code":"33747003"}],"text":"Glu"},
        "effectivePeriod":{"start":"2020-02-29T23:30:30-05:00"},"valueString":"5"}"#);
    assert_eq!(fhir, ccda);
    let record = RecordKey::patient("m", "7");
    assert_eq!(
        resource_id(&record, "Observation", &fhir, 0),
        resource_id(&record, "Observation", &ccda, 0)
    );
    assert_ne!(
        resource_id(&record, "Observation", &fhir, 0),
        resource_id(&record, "Observation", &fhir, 1)
    );
}

#[test]
fn what_differs_in_meaning_differs_in_key() {
    let observation = |rest: &str| {
        natural_key(&value(&format!(
            r#"{{"resourceType":"Observation","code":{{"text":"Heart  Rate"}}{rest}}}"#
        )))
    };
    let plain = observation(r#","effectiveDateTime":"2020-03-01""#);
    assert!(plain.is_some());
    assert_ne!(
        plain,
        observation(r#","effectiveDateTime":"2020-03-01","bodySite":{"text":"left"}"#)
    );
    assert_ne!(plain, observation(r#","effectiveDateTime":"2020-03-02""#));
    assert_eq!(observation(""), None);
    let condition = key(r#"{"resourceType":"Condition","code":{"coding":[
        {"system":"http://snomed.info/sct","code":"44054006"},{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"E11.9"}]},
        "onsetDateTime":"2019-05-04T08:00:00Z"}"#);
    assert_eq!(condition, ["0", "http://hl7.org/fhir/sid/icd-10-cm|E11.9", "", "2019-05-04"]);
}

#[test]
fn repeats_are_numbered_by_content() {
    let patient = r#"{"resourceType":"Patient","identifier":[{"system":"m","value":"7"}]}"#;
    let observation = |value: u8| {
        format!(
            r##"{{"resourceType":"Observation","code":{{"text":"x"}},"subject":{{"reference":"#p"}},"effectiveDateTime":"2020","valueInteger":{value}}}"##
        )
    };
    let (one, two) = (observation(1), observation(2));
    let forward = settled(&[("#p", patient), ("#a", &one), ("#b", &two)]);
    let backward = settled(&[("#a", &two), ("#b", &one), ("#p", patient)]);
    assert_eq!(forward, backward);
    assert_eq!(ids(forward.first().unwrap()).len(), 3);
    // The same said twice is one.
    let twice = settled(&[("#p", patient), ("#a", &one), ("#b", &one)]);
    assert_eq!(ids(twice.first().unwrap()).len(), 2);
}

#[test]
fn shared_resources_with_one_key_become_one() {
    let name = r#"{"resourceType":"Practitioner","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1"}],"name":[{"family":"A"}]}"#;
    let phone = r#"{"resourceType":"Practitioner","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1"}],"telecom":[{"value":"2"}]}"#;
    let forward = settled(&[("#1", name), ("#2", phone)]);
    assert_eq!(forward, settled(&[("#1", phone), ("#2", name)]));
    let text = forward.first().unwrap().resources.first().unwrap().resource.to_text();
    assert!(text.contains("family") && text.contains("telecom") && forward.len() == 1, "{text}");
    // Without an identifier the content is the key, and what it refers to counts.
    let role = |to: &str| {
        format!(r#"{{"resourceType":"PractitionerRole","practitioner":{{"reference":"{to}"}}}}"#)
    };
    let other = name.replace(r#""1""#, r#""9""#);
    let roles = settled(&[
        ("#1", name),
        ("#2", &other),
        ("#3", &role("#1")),
        ("#4", &role("#2")),
        ("#5", &role("#1")),
    ]);
    assert_eq!(roles.len(), 4);
}

#[test]
fn a_medication_is_found_through_its_reference() {
    let patient = r#"{"resourceType":"Patient","identifier":[{"system":"m","value":"7"}]}"#;
    let medication = r#"{"resourceType":"Medication","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"1"}]}}"#;
    let by_reference = r##"{"resourceType":"MedicationRequest","subject":{"reference":"#p"},"authoredOn":"2020-01-01","medicationReference":{"reference":"#m"}}"##;
    let by_code = r##"{"resourceType":"MedicationRequest","subject":{"reference":"#p"},"authoredOn":"2020-01-01T10:00:00Z","medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"1"}]}}"##;
    let first = settled(&[("#p", patient), ("#m", medication), ("#r", by_reference)]);
    let second = settled(&[("#p", patient), ("#r", by_code)]);
    assert_eq!(ids(first.first().unwrap()), ids(second.first().unwrap()));
}

#[test]
fn what_only_a_patients_resource_refers_to_is_the_patients() {
    let patient = r#"{"resourceType":"Patient","identifier":[{"system":"m","value":"7"}]}"#;
    let document = r##"{"resourceType":"DocumentReference","status":"current","subject":{"reference":"#p"},"content":[{"attachment":{"url":"urn:uuid:b"}}]}"##;
    let binary = r#"{"resourceType":"Binary","contentType":"text/plain","data":"AA=="}"#;
    let statements = settled(&[("urn:uuid:b", binary), ("#d", document), ("#p", patient)]);
    assert_eq!(statements.len(), 1);
    let text = statements.first().unwrap().resources.get(1).unwrap().resource.to_text();
    assert!(text.contains(r#""url":"Binary/"#), "{text}");
}

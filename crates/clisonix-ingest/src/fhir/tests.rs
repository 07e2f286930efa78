//! FHIR intake: what comes in goes out, apart from ids, references and storage metadata.

use crate::{Hint, Intake, Outcome, RecordKind, take_in};

fn taken(text: &str) -> Intake {
    let mut outcomes = take_in(text.as_bytes(), &Hint::for_feed("test"));
    assert_eq!(outcomes.len(), 1);
    match outcomes.remove(0) {
        Outcome::Taken(intake) => intake,
        Outcome::Rejected(rejected) => panic!("{:?}", rejected.issues),
    }
}

fn bundle(entries: &[&str]) -> String {
    let entries: Vec<String> = entries.iter().map(|entry| format!("{{{entry}}}")).collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"transaction","timestamp":"1970-01-01T00:00:01Z","identifier":{{"value":"m-1"}},"entry":[{}]}}"#,
        entries.join(",")
    )
}

const PATIENT: &str = r#""fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","id":"p","meta":{"versionId":"1","lastUpdated":"2020-01-01T00:00:00Z"},"identifier":[{"system":"s","value":"9"},{"type":{"coding":[{"code":"MR"}]},"system":"m","value":"7"}]},"request":{"method":"POST","url":"Patient"}"#;
const OBSERVATION: &str = r#""fullUrl":"urn:uuid:o","resource":{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:p"},"performer":[{"reference":"Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|42"}],"effectiveDateTime":"2020-01-01T00:00:00Z","valueQuantity":{"value":1.0}}"#;
const PRACTITIONER: &str = r#""fullUrl":"urn:uuid:d","resource":{"resourceType":"Practitioner","identifier":[{"system":"x","value":"1"},{"system":"http://hl7.org/fhir/sid/us-npi","value":"42"}]}"#;

#[test]
fn a_bundle_becomes_records() {
    let intake = taken(&bundle(&[PATIENT, OBSERVATION, PRACTITIONER]));
    assert_eq!(intake.control_id.as_deref(), Some("m-1"));
    assert_eq!(intake.event_time_ms, Some(1000));
    let [patient, practitioner] = intake.statements.as_slice() else { panic!("two records") };
    assert_eq!((patient.record.kind, patient.record.value.as_str()), (RecordKind::Patient, "7"));
    assert_eq!(practitioner.record.value, "Practitioner/42");
    let [observation, person] = patient.resources.as_slice() else { panic!("two resources") };
    let id = patient.record.id();
    assert_eq!(person.resource.get("id").unwrap().as_str(), Some(id.as_str()));
    assert!(person.resource.get("meta").is_none());
    assert_eq!(person.origin.as_deref(), Some("Patient/p"));
    let text = observation.resource.to_text();
    assert!(text.contains(&format!(r#""subject":{{"reference":"Patient/{id}"}}"#)), "{text}");
    let doctor = practitioner.record.id();
    assert!(text.contains(&format!(r#""reference":"Practitioner/{doctor}""#)), "{text}");
    assert!(text.contains(r#""value":1.0"#), "{text}");
    let kept: Vec<_> = intake.kept.iter().map(|kept| kept.address.as_str()).collect();
    assert!(kept.contains(&"Bundle.entry[0].resource.meta.versionId"), "{kept:?}");
    assert!(intake.issues.is_empty(), "{:?}", intake.issues);
}

#[test]
fn order_and_repetition_change_nothing() {
    let forward = taken(&bundle(&[PATIENT, OBSERVATION, PRACTITIONER]));
    let backward = taken(&bundle(&[PRACTITIONER, OBSERVATION, PATIENT]));
    assert_eq!(forward.statements, backward.statements);
    assert_eq!(forward, taken(&bundle(&[PATIENT, OBSERVATION, PRACTITIONER])));
    assert_ne!(forward.message, backward.message);
}

#[test]
fn a_broken_resource_spoils_no_other() {
    let broken = r#""resource":{"resourceType":"Observation","status":["final"],"surprise":1}"#;
    let unknown = r#""resource":{"resourceType":"Spell"}"#;
    let deleted = r#""resource":{"resourceType":"Basic"},"request":{"method":"DELETE"}"#;
    let intake = taken(&bundle(&[broken, PATIENT, unknown, deleted]));
    assert_eq!(intake.statements.len(), 1);
    let issues: Vec<_> = intake.issues.iter().map(|issue| issue.path.as_str()).collect();
    assert_eq!(
        issues,
        [
            "Bundle.entry[0].resource.status",
            "Bundle.entry[0].resource.?",
            "Bundle.entry[2].resource",
            "Bundle.entry[3]"
        ]
    );
    assert!(intake.kept.iter().any(|kept| kept.value.contains("surprise")));
    assert!(!format!("{:?}", intake.issues).contains("surprise"));
}

#[test]
fn a_dangling_reference_stays_and_is_reported() {
    let lonely = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/12"},"encounter":{"reference":"Encounter/4"}}"#;
    let intake = taken(lonely);
    let [statement] = intake.statements.as_slice() else { panic!("one record") };
    assert_eq!(statement.record.value, "Patient/12");
    let text = statement.resources.first().unwrap().resource.to_text();
    assert!(text.contains(r#""reference":"Encounter/4""#));
    assert_eq!(intake.issues.len(), 1);
}

#[test]
fn each_line_has_its_own_outcome() {
    let lines = "{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"a\"}}\r\n\n{\"resourceType\":\n{\"resourceType\":\"Basic\",\"id\":\"2\",\"code\":{\"text\":\"b\"}}";
    let outcomes = take_in(lines.as_bytes(), &Hint::default());
    let [Outcome::Taken(_), Outcome::Rejected(rejected), Outcome::Taken(_)] = outcomes.as_slice()
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!(lines.get(rejected.raw.clone()), Some("{\"resourceType\":"));
    let at = rejected.issues.first().and_then(|issue| issue.at.as_ref()).unwrap();
    assert_eq!(at.line, 3);
}

#[test]
fn a_patient_without_identifier_is_known_by_the_source_id() {
    let intake = taken(r#"{"resourceType":"Patient","id":"12"}"#);
    let record = &intake.statements.first().unwrap().record;
    assert_eq!(
        (record.system.as_str(), record.value.as_str()),
        ("urn:clisonix:feed:test", "Patient/12")
    );
}

#[test]
fn pseudonyms_are_the_ids_and_lines_of_one_year_stay_apart() {
    let (patient, doctor) = ("abcdefghijklmnop".repeat(2), "ponmlkjihgfedcba".repeat(2));
    let result = |letter: &str, value: u8| {
        let id = letter.repeat(32);
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"2345-7"}}]}},
"subject":{{"reference":"Patient/{patient}"}},"performer":[{{"reference":"Practitioner/{doctor}"}}],"encounter":{{"reference":"Encounter/{patient}"}},
"effectiveDateTime":"2024","valueInteger":{value}}}"#
        )
        .replace('\n', "")
    };
    let lines = [
        format!(r#"{{"resourceType":"Practitioner","id":"{doctor}","gender":"female"}}"#),
        format!(r#"{{"resourceType":"Patient","id":"{patient}","gender":"male"}}"#),
        result("b", 5),
        result("c", 6),
    ]
    .join("\n");
    let keys = |feed: &str| {
        let hint = Hint { feed: Some(feed.to_owned()), ..Hint::default() };
        let outcomes = crate::take_in(lines.as_bytes(), &hint);
        let intakes: Vec<Intake> = outcomes.iter().map(|it| it.taken().unwrap().clone()).collect();
        assert!(intakes.iter().all(|intake| intake.issues.is_empty()), "{intakes:?}");
        let statements = intakes.into_iter().flat_map(|intake| intake.statements);
        statements.map(|it| (it.record, it.resources[0].resource.clone())).collect::<Vec<_>>()
    };
    let stated = keys("one");
    assert_eq!(stated, keys("another"));
    let text = |at: usize, name: &str| stated[at].1.get(name).unwrap().to_text();
    assert_eq!(text(0, "id"), format!("\"{doctor}\""));
    assert_eq!(text(1, "id"), format!("\"{patient}\""));
    assert_ne!(text(2, "id"), text(3, "id"));
    for at in [2, 3] {
        assert_eq!(stated[at].0, stated[1].0, "in the patient's record");
        assert_eq!(text(at, "subject"), format!(r#"{{"reference":"Patient/{patient}"}}"#));
        assert_eq!(text(at, "performer"), format!(r#"[{{"reference":"Practitioner/{doctor}"}}]"#));
        assert_eq!(text(at, "encounter"), format!(r#"{{"reference":"Encounter/{patient}"}}"#));
    }
}

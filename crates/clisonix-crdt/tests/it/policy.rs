//! What the policy table does to concurrent edits: combinations that nobody wrote are not shown.

use std::sync::Arc;

use clisonix_crdt::{Conflict, ConflictSeverity, Policy};

use crate::site::{Site, exchange, without_version};

/// Two sites edit `start` without seeing each other; returns the merged site.
fn merged(start: &str, first: fn(&mut Site), second: fn(&mut Site)) -> Site {
    let mut origin = Site::new(b'0');
    origin.put(start);
    let (mut a, mut b) = (origin.fork(b'A'), origin.fork(b'B'));
    first(&mut a);
    second(&mut b);
    exchange(&mut a, &mut b);
    a
}

fn only(site: &Site) -> Conflict {
    let mut conflicts = site.conflicts();
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    conflicts.remove(0)
}

const RESULT: &str = r#"{"resourceType":"Observation","id":"o","status":"preliminary",
    "code":{"text":"potassium"},"valueQuantity":{"value":7.5,"unit":"mmol/L"},
    "interpretation":[{"text":"high"}]}"#;

#[test]
fn a_later_state_is_shown_and_the_conflict_is_less_grave() {
    let site = merged(
        RESULT,
        |a| a.set("Observation/o", "status", Some(r#""amended""#)),
        |b| b.set("Observation/o", "status", Some(r#""final""#)),
    );
    assert_eq!(site.member("Observation/o", "status").unwrap(), r#""amended""#);
    let conflict = only(&site);
    assert_eq!(conflict.why, "the later state of its life cycle");
    assert_eq!(conflict.severity, ConflictSeverity::Medium);
}

#[test]
fn states_that_cannot_be_compared_keep_their_severity() {
    let site = merged(
        RESULT,
        |a| a.set("Observation/o", "status", Some(r#""cancelled""#)),
        |b| b.set("Observation/o", "status", Some(r#""final""#)),
    );
    assert_eq!(site.member("Observation/o", "status").unwrap(), r#""cancelled""#);
    let conflict = only(&site);
    assert_eq!(conflict.why, "the safer value by policy");
    assert_eq!(conflict.severity, ConflictSeverity::High);
}

#[test]
fn an_interpretation_stays_with_its_value() {
    let site = merged(
        RESULT,
        |a| a.set("Observation/o", "valueQuantity", Some(r#"{"value":4.5,"unit":"mmol/L"}"#)),
        |b| b.set("Observation/o", "interpretation", Some(r#"[{"text":"critically high"}]"#)),
    );
    let shown = site.content("Observation/o").unwrap().to_text();
    assert!(!(shown.contains("4.5") && shown.contains("critically")), "{shown}");
    assert_eq!(only(&site).path, "Observation.value");
}

const ORDER: &str = r#"{"resourceType":"MedicationRequest","id":"m","status":"active",
    "intent":"order","medicationCodeableConcept":{"text":"warfarin"},
    "subject":{"reference":"Patient/patient-123"}}"#;

#[test]
fn two_first_dosages_are_never_shown_side_by_side() {
    let site = merged(
        ORDER,
        |a| a.set("MedicationRequest/m", "dosageInstruction", Some(r#"[{"text":"5 mg daily"}]"#)),
        |b| b.set("MedicationRequest/m", "dosageInstruction", Some(r#"[{"text":"10 mg daily"}]"#)),
    );
    let shown = site.member("MedicationRequest/m", "dosageInstruction").unwrap();
    assert_eq!(shown.matches("daily").count(), 1, "{shown}");
    let conflict = only(&site);
    assert_eq!(conflict.path, "MedicationRequest.dosageInstruction[0]");
    assert_eq!((conflict.severity, conflict.sides.len()), (ConflictSeverity::High, 2));
}

#[test]
fn not_to_give_speaks_of_the_drug_it_was_said_of() {
    let site = merged(
        ORDER,
        |a| a.set("MedicationRequest/m", "doNotPerform", Some("true")),
        |b| {
            b.set(
                "MedicationRequest/m",
                "medicationCodeableConcept",
                Some(r#"{"text":"heparin"}"#),
            );
        },
    );
    let shown = site.content("MedicationRequest/m").unwrap().to_text();
    assert!(shown.contains("warfarin") && shown.contains("doNotPerform"), "{shown}");
    assert_eq!(only(&site).path, "MedicationRequest.medication");
}

#[test]
fn an_amount_is_not_given_by_the_route_of_another() {
    let site = merged(
        r#"{"resourceType":"MedicationAdministration","id":"g","status":"completed",
            "medicationCodeableConcept":{"text":"morphine"},
            "subject":{"reference":"Patient/patient-123"},"effectiveDateTime":"2024-05-01",
            "dosage":{"route":{"text":"oral"},"dose":{"value":10,"unit":"mg"}}}"#,
        |a| {
            let dosage = r#"{"route":{"text":"intravenous"},"dose":{"value":2,"unit":"mg"}}"#;
            a.set("MedicationAdministration/g", "dosage", Some(dosage));
        },
        |b| {
            let dosage = r#"{"route":{"text":"oral"},"dose":{"value":30,"unit":"mg"}}"#;
            b.set("MedicationAdministration/g", "dosage", Some(dosage));
        },
    );
    let shown = site.member("MedicationAdministration/g", "dosage").unwrap();
    assert_eq!(shown.contains("oral"), shown.contains("30"), "{shown}");
    assert_eq!(only(&site).severity, ConflictSeverity::High);
}

#[test]
fn two_sides_of_the_body_are_a_conflict_and_not_both() {
    let site = merged(
        r#"{"resourceType":"ServiceRequest","id":"s","status":"active","intent":"order",
            "code":{"text":"knee arthroscopy"},"subject":{"reference":"Patient/patient-123"}}"#,
        |a| a.set("ServiceRequest/s", "bodySite", Some(r#"[{"text":"left knee"}]"#)),
        |b| b.set("ServiceRequest/s", "bodySite", Some(r#"[{"text":"right knee"}]"#)),
    );
    let shown = site.member("ServiceRequest/s", "bodySite").unwrap();
    assert!(shown.contains("left") != shown.contains("right"), "{shown}");
    assert_eq!(only(&site).path, "ServiceRequest.code");
}

#[test]
fn two_answers_to_one_question_are_a_conflict_and_not_both() {
    let answer = |site: &mut Site, value: &str| {
        let item = format!(r#"[{{"linkId":"pregnant","answer":[{{"valueBoolean":{value}}}]}}]"#);
        site.set("QuestionnaireResponse/q", "item", Some(&item));
    };
    let mut origin = Site::new(b'0');
    origin.put(
        r#"{"resourceType":"QuestionnaireResponse","id":"q","status":"in-progress",
            "item":[{"linkId":"pregnant"}]}"#,
    );
    let (mut a, mut b) = (origin.fork(b'A'), origin.fork(b'B'));
    answer(&mut a, "true");
    answer(&mut b, "false");
    exchange(&mut a, &mut b);
    let shown = a.member("QuestionnaireResponse/q", "item").unwrap();
    assert_eq!(shown.matches("valueBoolean").count(), 1, "{shown}");
    assert_eq!(only(&a).path, "QuestionnaireResponse.item[0].answer[0].value");
}

#[test]
fn a_denial_stands_and_a_rule_is_one_author_s() {
    let site = merged(
        r#"{"resourceType":"Consent","id":"c","status":"active","scope":{"text":"research"},
            "category":[{"text":"r"}],"patient":{"reference":"Patient/patient-123"},
            "policyRule":{"text":"p"},"provision":{"type":"permit","action":[{"text":"read"}]}}"#,
        |a| a.set("Consent/c", "provision", Some(r#"{"type":"deny","action":[{"text":"read"}]}"#)),
        |b| {
            let wider = r#"{"type":"permit","action":[{"text":"read"},{"text":"copy"}]}"#;
            b.set("Consent/c", "provision", Some(wider));
        },
    );
    let shown = site.member("Consent/c", "provision").unwrap();
    assert!(shown.contains("deny") && !shown.contains("copy"), "{shown}");
    let conflict = only(&site);
    assert_eq!(conflict.why, "the safer value by policy");
    assert_eq!((&*conflict.path, conflict.severity), ("Consent.provision", ConflictSeverity::High));
}

#[test]
fn a_death_is_shown_unless_the_site_says_otherwise() {
    let patient = r#"{"resourceType":"Patient","id":"patient-123","gender":"female"}"#;
    let mut site = merged(
        patient,
        |a| a.set("Patient/patient-123", "deceasedDateTime", Some(r#""2024-05-01""#)),
        |b| b.set("Patient/patient-123", "deceasedBoolean", Some("false")),
    );
    assert!(site.member("Patient/patient-123", "deceasedDateTime").is_some());
    let version = |site: &Site| site.member("Patient/patient-123", "meta").unwrap();
    let (bytes, before) = (site.record.state_bytes(), version(&site));

    let table = "failsafe | Patient.deceased | false true [dateTime] | | each death is confirmed";
    let policy = Policy::with_site_table("site.policy", table).unwrap();
    site.record = site.record.fork().with_policy(Arc::new(policy));
    assert_eq!(site.member("Patient/patient-123", "deceasedBoolean").unwrap(), "false");
    assert!(site.member("Patient/patient-123", "deceasedDateTime").is_none());
    assert_eq!(site.record.state_bytes(), bytes, "policy never changes history");
    assert_ne!(version(&site), before, "another policy is another version");
    assert!(without_version(site.shown("Patient/patient-123").unwrap()).get("gender").is_some());
}

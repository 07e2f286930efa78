//! The six clinical cases that general CRDT engines get wrong, in every order of actors and arrival.

use clisonix_crdt::{ConflictKind, ConflictSeverity};

use crate::site::{Site, exchange};

type Edit = fn(&mut Site);

/// Plays `first` and `second` concurrently, with either author as the later one, either actor id as
/// the smaller one, and either arriving first at a third site; hands both merged sites to `check`.
fn concurrently(create: &str, first: Edit, second: Edit, check: fn(&Site)) {
    for names in [(b'A', b'B'), (b'B', b'A')] {
        for lead in [0, 60_000] {
            let mut origin = Site::new(b'0');
            if !create.is_empty() {
                origin.put(create);
            }
            let (mut a, mut b) = (origin.fork(names.0), origin.fork(names.1));
            a.now += lead;
            b.now += 60_000 - lead;
            first(&mut a);
            second(&mut b);
            let (mut early, mut late) = (origin.fork(b'X'), origin.fork(b'Y'));
            early.pull(&a);
            early.pull(&b);
            late.pull(&b);
            late.pull(&a);
            exchange(&mut a, &mut b);
            exchange(&mut early, &mut late);
            assert_eq!(a.record.state_bytes(), early.record.state_bytes());
            check(&a);
            check(&early);
        }
    }
}

const PRESCRIPTION: &str = r#"{"resourceType":"MedicationRequest","id":"m1","status":"active",
    "intent":"order","medicationCodeableConcept":{"text":"warfarin"},
    "subject":{"reference":"Patient/patient-123"},
    "dosageInstruction":[{"text":"daily","doseAndRate":[{"doseQuantity":{"value":5,"unit":"mg"}}]}]}"#;

fn dose(site: &mut Site, value: &str, unit: &str) {
    let dosage = format!(
        r#"[{{"text":"daily","doseAndRate":[{{"doseQuantity":{{"value":{value},"unit":"{unit}"}}}}]}}]"#
    );
    site.set("MedicationRequest/m1", "dosageInstruction", Some(&dosage));
}

#[test]
fn case_1_dose() {
    concurrently(
        PRESCRIPTION,
        |a| dose(a, "5000", "mcg"),
        |b| dose(b, "10", "mg"),
        |site| {
            let shown = site.member("MedicationRequest/m1", "dosageInstruction").expect("dosage");
            let whole = shown.contains(r#"{"unit":"mcg","value":5000}"#)
                || shown.contains(r#"{"unit":"mg","value":10}"#);
            assert!(whole, "a dose that nobody wrote: {shown}");
            let conflicts = site.conflicts();
            assert_eq!(conflicts.len(), 1, "{conflicts:?}");
            assert_eq!(conflicts[0].path, "MedicationRequest.dosageInstruction[0]");
            assert_eq!(conflicts[0].severity, ConflictSeverity::High);
            let sides: Vec<String> = conflicts[0]
                .sides
                .iter()
                .map(|side| side.value.as_ref().unwrap().to_text())
                .collect();
            assert!(sides.iter().any(|side| side.contains("5000") && side.contains("mcg")));
            assert!(sides.iter().any(|side| side.contains("10") && side.contains("\"mg\"")));
        },
    );
}

#[test]
fn case_2_value_choice() {
    const RESULT: &str = r#"{"resourceType":"Observation","id":"o1","status":"preliminary",
        "code":{"text":"culture"}}"#;
    concurrently(
        RESULT,
        |a| a.set("Observation/o1", "valueString", Some(r#""positive""#)),
        |b| b.set("Observation/o1", "valueQuantity", Some(r#"{"value":3.10,"unit":"g"}"#)),
        |site| {
            let shown = site.shown("Observation/o1").expect("there");
            let values =
                shown.as_object().unwrap().keys().filter(|k| k.starts_with("value")).count();
            assert_eq!(values, 1, "value[x] is one choice");
            let conflicts = site.conflicts();
            assert_eq!(conflicts.len(), 1);
            assert_eq!(conflicts[0].path, "Observation.value");
            assert_eq!(conflicts[0].sides.len(), 2);
        },
    );
}

#[test]
fn case_3_relapse_against_resolution() {
    const PROBLEM: &str = r#"{"resourceType":"Condition","id":"c1",
        "clinicalStatus":{"coding":[{"code":"active"}]},"code":{"text":"asthma"},
        "subject":{"reference":"Patient/patient-123"}}"#;
    concurrently(
        PROBLEM,
        |a| {
            let mut resource = a.shown("Condition/c1").unwrap();
            let object = resource.as_object_mut().unwrap();
            object.insert(
                "clinicalStatus",
                crate::site::value(r#"{"coding":[{"code":"resolved"}]}"#),
            );
            object.insert("abatementDateTime", "2024-05-01");
            a.put(&resource.to_text());
        },
        |b| b.set("Condition/c1", "clinicalStatus", Some(r#"{"coding":[{"code":"relapse"}]}"#)),
        |site| {
            let status = site.member("Condition/c1", "clinicalStatus").unwrap();
            let abated = site.member("Condition/c1", "abatementDateTime");
            assert!(status.contains("relapse"), "the problem is assumed to be present");
            assert_eq!(abated, None, "no relapse with abatement");
            assert_eq!(site.conflicts().len(), 1);
        },
    );
}

#[test]
fn case_4_retraction() {
    const RESULT: &str = r#"{"resourceType":"Observation","id":"o1","status":"preliminary",
        "code":{"text":"potassium"}}"#;
    concurrently(
        RESULT,
        |a| a.set("Observation/o1", "status", Some(r#""entered-in-error""#)),
        |b| b.set("Observation/o1", "status", Some(r#""final""#)),
        |site| {
            assert_eq!(site.member("Observation/o1", "status").unwrap(), r#""entered-in-error""#);
            let conflicts = site.conflicts();
            assert_eq!(conflicts.len(), 1);
            assert_eq!(conflicts[0].why, "the safer value by policy");
        },
    );
}

#[test]
fn case_5_removed_allergy_that_became_graver() {
    const ALLERGY: &str = r#"{"resourceType":"AllergyIntolerance","id":"a1","criticality":"low",
        "code":{"text":"penicillin"},"patient":{"reference":"Patient/patient-123"}}"#;
    concurrently(
        ALLERGY,
        |a| a.remove("AllergyIntolerance/a1"),
        |b| b.set("AllergyIntolerance/a1", "criticality", Some(r#""high""#)),
        |site| {
            assert_eq!(site.member("AllergyIntolerance/a1", "criticality").unwrap(), r#""high""#);
            assert!(site.member("AllergyIntolerance/a1", "code").is_some(), "it stays, whole");
            let conflicts = site.conflicts();
            assert_eq!(conflicts.len(), 1);
            assert_eq!(conflicts[0].kind, ConflictKind::Removal);
            assert!(conflicts[0].sides.iter().any(|side| side.removed));
        },
    );
}

#[test]
fn case_6_same_allergy_twice() {
    fn add(site: &mut Site) {
        site.put_at(
            r#"{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/patient-123"},
                "code":{"coding":[{"system":"http://snomed.info/sct","code":"91936005"}]}}"#,
            &clisonix_crdt::Base::Assertion,
        )
        .unwrap();
    }
    concurrently("", add, add, |site| {
        assert_eq!(site.record.view().entries().count(), 1, "one allergy");
        assert!(site.conflicts().is_empty(), "equal values are never a conflict");
    });
}

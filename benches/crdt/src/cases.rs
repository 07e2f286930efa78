//! Six concurrent clinical edits that a general merge gets wrong. A case is
//! safe when, in both orders of the actors, both replicas show the same, what
//! they show is right, and a reader can see that there was a disagreement.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::engine::Engine;

/// One case: what both saw, what each made of it, and what may come of it.
struct Case {
    base: Value,
    a: Value,
    b: Value,
    right: fn(&[Value]) -> bool,
    /// False where the edits agree and there is nothing to show.
    disputed: bool,
}

/// How many of the six cases an engine handles safely.
pub fn safe<E: Engine>() -> Result<u32> {
    let mut safe = 0;
    for case in six() {
        let both = is_safe::<E>(&case, 1, 2)? && is_safe::<E>(&case, 2, 1)?;
        safe += u32::from(both);
    }
    Ok(safe)
}

fn is_safe<E: Engine>(case: &Case, site_a: u64, site_b: u64) -> Result<bool> {
    let stored = E::save(&mut E::create(&case.base.to_string(), 7)?)?;
    let mut a = E::load(&stored, site_a)?;
    let mut b = E::load(&stored, site_b)?;
    let (mark_a, mark_b) = (E::mark(&mut a), E::mark(&mut b));
    E::rewrite(&mut a, &case.base, &case.a)?;
    E::rewrite(&mut b, &case.base, &case.b)?;
    let (from_a, from_b) = (E::batch(&mut a, &mark_a)?, E::batch(&mut b, &mark_b)?);
    E::merge(&mut a, &from_b)?;
    E::merge(&mut b, &from_a)?;

    let (seen_a, seen_b) = (resources::<E>(&mut a)?, resources::<E>(&mut b)?);
    let shown = !case.disputed || (E::shows_conflict(&mut a)? && E::shows_conflict(&mut b)?);
    Ok(seen_a == seen_b && (case.right)(&seen_a) && shown)
}

fn resources<E: Engine>(doc: &mut E::Doc) -> Result<Vec<Value>> {
    let bundle: Value = serde_json::from_str(&E::read(doc)?)?;
    let entries = bundle["entry"].as_array().context("no entries")?;
    Ok(entries.iter().map(|entry| entry["resource"].clone()).collect())
}

fn six() -> [Case; 6] {
    [dose(), value_types(), relapse(), retraction(), removal(), same_allergy()]
}

/// A writes the same dose in another unit, B doubles it.
fn dose() -> Case {
    let order = |value: u32, unit: &str| {
        json!({
            "resourceType": "MedicationAdministration", "id": "m1", "status": "completed",
            "subject": { "reference": "Patient/p1" },
            "medicationCodeableConcept": { "text": "drug" },
            "effectiveDateTime": "2026-01-01",
            "dosage": { "dose": { "value": value, "unit": unit,
                                  "system": "http://unitsofmeasure.org", "code": unit } },
        })
    };
    Case {
        base: bundle(&[order(5, "mg")]),
        a: bundle(&[order(5_000, "ug")]),
        b: bundle(&[order(10, "mg")]),
        right: |seen| {
            let dose = &seen[0]["dosage"]["dose"];
            let pair = (dose["value"].as_f64(), dose["unit"].as_str(), dose["code"].as_str());
            pair == (Some(5_000.0), Some("ug"), Some("ug"))
                || pair == (Some(10.0), Some("mg"), Some("mg"))
        },
        disputed: true,
    }
}

/// A gives the result as text, B as a quantity.
fn value_types() -> Case {
    let observation = |name: &str, value: Value| {
        let mut resource = json!({
            "resourceType": "Observation", "id": "o1", "status": "final",
            "code": { "coding": [{ "system": "http://loinc.org", "code": "2345-7" }] },
            "subject": { "reference": "Patient/p1" },
        });
        if !name.is_empty() {
            resource[name] = value;
        }
        resource
    };
    Case {
        base: bundle(&[observation("", Value::Null)]),
        a: bundle(&[observation("valueString", json!("high"))]),
        b: bundle(&[observation("valueQuantity", json!({ "value": 9, "unit": "mmol/L" }))]),
        right: |seen| {
            seen[0].get("valueString").is_some() != seen[0].get("valueQuantity").is_some()
        },
        disputed: true,
    }
}

/// A resolves a problem with a date, B records a relapse.
fn relapse() -> Case {
    let condition = |status: &str, abated: Option<&str>| {
        let mut resource = json!({
            "resourceType": "Condition", "id": "c1",
            "clinicalStatus": { "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                "code": status }] },
            "code": { "text": "asthma" }, "subject": { "reference": "Patient/p1" },
        });
        if let Some(date) = abated {
            resource["abatementDateTime"] = json!(date);
        }
        resource
    };
    Case {
        base: bundle(&[condition("active", None)]),
        a: bundle(&[condition("resolved", Some("2026-02-01"))]),
        b: bundle(&[condition("relapse", None)]),
        right: |seen| {
            let status = seen[0]["clinicalStatus"]["coding"][0]["code"].as_str();
            let abated = seen[0].get("abatementDateTime").is_some();
            (status == Some("relapse") && !abated) || (status == Some("resolved") && abated)
        },
        disputed: true,
    }
}

/// A retracts a result, B completes it.
fn retraction() -> Case {
    let procedure = |status: &str| {
        json!({
            "resourceType": "Procedure", "id": "i1", "status": status,
            "code": { "text": "suture" }, "subject": { "reference": "Patient/p1" },
        })
    };
    Case {
        base: bundle(&[procedure("in-progress")]),
        a: bundle(&[procedure("entered-in-error")]),
        b: bundle(&[procedure("completed")]),
        right: |seen| seen[0]["status"] == "entered-in-error",
        disputed: true,
    }
}

/// A removes an allergy, B raises its criticality.
fn removal() -> Case {
    let patient = json!({ "resourceType": "Patient", "id": "p1", "active": true });
    Case {
        base: bundle(&[patient.clone(), allergy(Some("low"))]),
        a: bundle(std::slice::from_ref(&patient)),
        b: bundle(&[patient, allergy(Some("high"))]),
        right: |seen| seen.iter().any(|resource| resource["criticality"] == "high"),
        disputed: true,
    }
}

/// Both add the same allergy.
fn same_allergy() -> Case {
    let patient = json!({ "resourceType": "Patient", "id": "p1", "active": true });
    Case {
        base: bundle(std::slice::from_ref(&patient)),
        a: bundle(&[patient.clone(), allergy(None)]),
        b: bundle(&[patient, allergy(None)]),
        right: |seen| {
            let allergies = seen.iter().filter(|it| it["resourceType"] == "AllergyIntolerance");
            allergies.count() == 1
        },
        disputed: false,
    }
}

fn allergy(criticality: Option<&str>) -> Value {
    let mut resource = json!({
        "resourceType": "AllergyIntolerance", "id": "a1",
        "code": { "coding": [{ "system": "http://snomed.info/sct", "code": "91936005" }] },
        "patient": { "reference": "Patient/p1" },
    });
    if let Some(criticality) = criticality {
        resource["criticality"] = json!(criticality);
    }
    resource
}

fn bundle(resources: &[Value]) -> Value {
    let entries = resources.iter().map(|resource| json!({ "resource": resource }));
    json!({ "resourceType": "Bundle", "type": "collection", "entry": entries.collect::<Vec<_>>() })
}

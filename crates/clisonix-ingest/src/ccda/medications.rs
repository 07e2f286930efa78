//! Medication activities into `MedicationStatement` (mood event) and `MedicationRequest` (intent,
//! request, promise), as HL7's C-CDA on FHIR guide reads the mood.

use clisonix_fhir::issue::IssueCode;
use clisonix_fhir::json::{Object, Value};

use super::actors::authorship;
use super::codes::{REQUEST_STATUS, SNOMED, STATEMENT_STATUS, mapped};
use super::datatypes::{concept, fixed_concept, put, put_list};
use super::dosage::{dosage, treatment_time};
use super::draft::Draft;
use super::source::Elem;
use super::statements::{
    open, put_identifiers, put_notes, reasons, refers_to, related, related_with,
};

/// Medications of an act that wraps a medication activity (admission or discharge medication).
pub(crate) fn wrapped(act: Elem<'_>, draft: &mut Draft) -> Vec<String> {
    let activities = related(act, |_, inner| inner.name() == "substanceAdministration");
    if !activities.is_empty() {
        open(act, &["35", "36"]);
        if let Some(code) = act.child("code") {
            super::codes::take_whole(code);
        }
    }
    activities.into_iter().filter_map(|activity| medication(activity, draft)).collect()
}

/// One medication activity.
pub(crate) fn medication(activity: Elem<'_>, draft: &mut Draft) -> Option<String> {
    let is_event = activity.peek("moodCode").is_none_or(|mood| mood == "EVN");
    open(activity, &["16", "42"]);
    let is_negated = activity.peek("negationInd") == Some("true");
    activity.mark_attribute("negationInd");
    let code = medication_code(activity, is_negated);
    let Some(code) = code else {
        activity.unmark();
        draft.report(IssueCode::Incomplete, activity, "the medication has no code and no name");
        return None;
    };
    let body = if is_event {
        statement(activity, code, is_negated, draft)
    } else {
        request(activity, code, is_negated, draft)
    };
    draft.add(body, activity)
}

fn statement(
    activity: Elem<'_>,
    (code, is_none_known): (Value, bool),
    is_negated: bool,
    draft: &mut Draft,
) -> Object {
    let mut body = Draft::body("MedicationStatement");
    put_identifiers(activity, &mut body);
    let status = mapped(activity.child("statusCode"), STATEMENT_STATUS).unwrap_or("unknown");
    let status = match (is_negated, is_none_known) {
        (true, true) => "unknown",
        (true, false) => "not-taken",
        _ => status,
    };
    body.insert("status", status);
    body.insert("medicationCodeableConcept", code);
    body.insert("subject", Draft::patient());
    if let Some(time) = treatment_time(activity) {
        time.write_choice("effective", &mut body);
        if time.is_reversed {
            let message = "the end is before the start; end kept aside";
            draft.report(IssueCode::Invariant, activity, message);
        }
    }
    let author = authorship(activity, draft);
    put(&mut body, "dateAsserted", author.when);
    let may_inform =
        ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Organization"];
    put(&mut body, "informationSource", author.who.filter(|who| refers_to(who, &may_inform)));
    put_list(&mut body, "reasonCode", reasons(activity));
    put_notes(activity, draft, &mut body);
    put_list(&mut body, "dosage", dosage(activity, false).into_iter().collect());
    body
}

fn request(
    activity: Elem<'_>,
    (code, _): (Value, bool),
    is_negated: bool,
    draft: &mut Draft,
) -> Object {
    let mut body = Draft::body("MedicationRequest");
    put_identifiers(activity, &mut body);
    let status = mapped(activity.child("statusCode"), REQUEST_STATUS).unwrap_or("unknown");
    body.insert("status", status);
    let intent = match activity.peek("moodCode") {
        Some("RQO") => "order",
        Some("PRP") => "proposal",
        _ => "plan",
    };
    body.insert("intent", intent);
    if is_negated {
        body.insert("doNotPerform", true);
    }
    body.insert("medicationCodeableConcept", code);
    body.insert("subject", Draft::patient());
    let author = authorship(activity, draft);
    put(&mut body, "authoredOn", author.when);
    let may_request =
        ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Organization", "Device"];
    put(&mut body, "requester", author.who.filter(|who| refers_to(who, &may_request)));
    put_list(&mut body, "reasonCode", reasons(activity));
    put_notes(activity, draft, &mut body);
    put_list(&mut body, "dosageInstruction", dosage(activity, true).into_iter().collect());
    put(&mut body, "dispenseRequest", dispense_request(activity));
    body
}

/// The medication, and whether it is "no known medication".
fn medication_code(activity: Elem<'_>, is_negated: bool) -> Option<(Value, bool)> {
    let product = activity.path(&["consumable", "manufacturedProduct"]);
    let code = product.and_then(product_code);
    let has_any_code = code.is_some();
    if is_negated && !has_any_code {
        // HL7 C-CDA on FHIR: a negated medication without a code says that there is none.
        let none = fixed_concept(SNOMED, "787481004", Some("No known medications"));
        return Some((none, true));
    }
    code.map(|code| (code, false))
}

/// The code, or the name, of a manufactured product.
pub(crate) fn product_code(product: Elem<'_>) -> Option<Value> {
    let material = product
        .child("manufacturedMaterial")
        .or_else(|| product.child("manufacturedLabeledDrug"))?;
    let mut concept =
        material.child("code").and_then(concept).and_then(|code| code.as_object().cloned());
    if let Some(name) = material.child("name")
        && concept.as_ref().is_none_or(|concept| !concept.contains_key("text"))
        && let Some(name) = name.text()
    {
        concept.get_or_insert_with(Object::new).insert("text", name);
    }
    if concept.is_some() {
        material.visit();
        product.visit().take_templates(|root| {
            matches!(root, "2.16.840.1.113883.10.20.22.4.23" | "2.16.840.1.113883.10.20.22.4.54")
        });
    }
    concept.map(Value::Object)
}

/// A supply order (template 4.17) for the same medication: refills and quantity.
fn dispense_request(activity: Elem<'_>) -> Option<Value> {
    let supply = related_with(activity, "17").into_iter().next()?;
    let mut request = Object::new();
    let repeats = supply.child("repeatNumber").and_then(|repeats| {
        let text = repeats.peek("value")?;
        let count: u64 = text.parse().ok()?;
        repeats.mark_attribute("value");
        Some(count)
    });
    // C-CDA counts all fills, FHIR the repeats after the first.
    put(&mut request, "numberOfRepeatsAllowed", repeats.map(|count| count.saturating_sub(1)));
    put(&mut request, "quantity", supply.child("quantity").and_then(super::datatypes::quantity));
    if request.is_empty() {
        supply.unmark();
        return None;
    }
    Some(request.into())
}

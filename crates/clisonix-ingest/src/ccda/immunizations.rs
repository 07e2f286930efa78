//! Immunization activities into `Immunization`.

use clisonix_fhir::issue::IssueCode;
use clisonix_fhir::json::{Object, Value};

use super::actors::{authorship, organization, performers};
use super::codes::mapped;
use super::datatypes::{concept, put, put_list};
use super::draft::Draft;
use super::medications::product_code;
use super::source::Elem;
use super::statements::{
    open, put_identifiers, put_notes, reasons, refers_to, related_with, take_status,
};
use super::time::Interval;

/// One immunization activity (template 4.52). Planned ones are kept as they are.
pub(crate) fn immunization(activity: Elem<'_>, draft: &mut Draft) -> Option<String> {
    if activity.peek("moodCode").is_some_and(|mood| mood != "EVN") {
        draft.report(IssueCode::NotSupported, activity, "a planned immunization is kept as it is");
        return None;
    }
    open(activity, &["52"]);
    let is_negated = activity.peek("negationInd") == Some("true");
    activity.mark_attribute("negationInd");
    let product = activity.path(&["consumable", "manufacturedProduct"]);
    let Some(vaccine) = product.and_then(product_code) else {
        activity.unmark();
        draft.report(IssueCode::Incomplete, activity, "the immunization names no vaccine");
        return None;
    };
    let mut body = Draft::body("Immunization");
    put_identifiers(activity, &mut body);
    body.insert("status", status(activity, is_negated));
    put(&mut body, "statusReason", refusal(activity));
    body.insert("vaccineCode", vaccine);
    body.insert("patient", Draft::patient());
    put_occurrence(activity, &mut body);
    put_product(product, draft, &mut body);
    put(&mut body, "site", activity.child("approachSiteCode").and_then(concept));
    put(&mut body, "route", activity.child("routeCode").and_then(concept));
    put(&mut body, "doseQuantity", super::dosage::dose(activity));
    put_performers(activity, draft, &mut body);
    put_notes(activity, draft, &mut body);
    put_list(&mut body, "reasonCode", reasons(activity));
    put_dose_number(activity, &mut body);
    draft.add(body, activity)
}

fn status(activity: Elem<'_>, is_negated: bool) -> &'static str {
    let stated = mapped(
        activity.child("statusCode"),
        &[
            ("completed", "completed"),
            ("active", "completed"),
            ("aborted", "not-done"),
            ("cancelled", "not-done"),
            ("nullified", "entered-in-error"),
        ],
    );
    if is_negated { "not-done" } else { stated.unwrap_or("completed") }
}

/// Why it was not given (template 4.53).
fn refusal(activity: Elem<'_>) -> Option<Value> {
    let reason = related_with(activity, "53").into_iter().next()?;
    take_status(reason);
    reason.child("code").and_then(concept)
}

/// `occurrence[x]` is required; when the source does not say it, that is what is said.
fn put_occurrence(activity: Elem<'_>, body: &mut Object) {
    let time = activity.child("effectiveTime").map(Interval::read).unwrap_or_default();
    if let Some(at) = time.start().or_else(|| time.end()) {
        body.insert("occurrenceDateTime", at);
        return;
    }
    let mut extension = Object::new();
    extension.insert("url", "http://hl7.org/fhir/StructureDefinition/data-absent-reason");
    extension.insert("valueCode", "unknown");
    let mut absent = Object::new();
    absent.insert("extension", vec![Value::Object(extension)]);
    body.insert("_occurrenceDateTime", absent);
}

fn put_product(product: Option<Elem<'_>>, draft: &mut Draft, body: &mut Object) {
    let Some(product) = product else { return };
    if let Some(maker) = product.child("manufacturerOrganization") {
        put(body, "manufacturer", organization(maker, draft));
    }
    let material = product.child("manufacturedMaterial");
    let lot = material.and_then(|material| material.child("lotNumberText"));
    put(body, "lotNumber", lot.and_then(Elem::text));
}

fn put_performers(activity: Elem<'_>, draft: &mut Draft, body: &mut Object) {
    let mut who = performers(activity, draft);
    let _ = authorship(activity, draft);
    who.retain(|who| refers_to(who, &["Practitioner", "PractitionerRole", "Organization"]));
    let list = who.into_iter().map(|actor| {
        let mut performer = Object::new();
        performer.insert("actor", actor);
        Value::Object(performer)
    });
    put_list(body, "performer", list.collect());
}

fn put_dose_number(activity: Elem<'_>, body: &mut Object) {
    let Some(repeat) = activity.child("repeatNumber") else { return };
    let Some(number) = repeat.peek("value").and_then(|text| text.parse::<u32>().ok()) else {
        return;
    };
    // FHIR positiveInt.
    if number == 0 || number > i32::MAX.unsigned_abs() {
        return;
    }
    repeat.mark_attribute("value");
    let mut protocol = Object::new();
    protocol.insert("doseNumberPositiveInt", i64::from(number));
    body.insert("protocolApplied", vec![Value::Object(protocol)]);
}

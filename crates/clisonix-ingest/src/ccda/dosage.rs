//! Dose, rate, route and timing of a substance administration into `Dosage`.
//!
//! HL7 v3 data types R1 (PIVL, EIVL, RTO); FHIR R4 2.24.0.13 (Timing, invariants tim-1 to tim-10).

use clisonix_fhir::json::{Object, Value};

use super::codes::{TIMING_EVENT, mapped};
use super::datatypes::{Bounds, bounds, concept, decimal, put, put_list, quantity, ratio};
use super::narrative::text_of;
use super::source::Elem;
use super::statements::{related_with, take_status};
use super::time::Interval;

/// The time over which the treatment goes: the first effective time that is an interval or point.
pub(crate) fn treatment_time(activity: Elem<'_>) -> Option<Interval<'_>> {
    let element = activity.children("effectiveTime").find(|time| !is_schedule(*time))?;
    Some(Interval::read(element))
}

/// One `Dosage`; `None` when nothing is said. A request has its period inside the timing.
pub(crate) fn dosage(activity: Elem<'_>, with_bounds: bool) -> Option<Value> {
    let mut dosage = Object::new();
    put(&mut dosage, "text", free_text(activity));
    let timing = timing(activity, with_bounds);
    put(&mut dosage, "patientInstruction", instruction(activity));
    put(&mut dosage, "timing", timing);
    put_as_needed(activity, &mut dosage);
    put(&mut dosage, "site", activity.child("approachSiteCode").and_then(concept));
    put(&mut dosage, "route", activity.child("routeCode").and_then(concept));
    put_list(&mut dosage, "doseAndRate", dose_and_rate(activity).into_iter().collect());
    let most = activity.child("maxDoseQuantity").and_then(ratio);
    put(&mut dosage, "maxDosePerPeriod", most);
    (!dosage.is_empty()).then_some(dosage.into())
}

fn is_schedule(time: Elem<'_>) -> bool {
    let kind = time.peek("type").unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    matches!(kind, "PIVL_TS" | "EIVL_TS" | "SXPR_TS") || time.child("period").is_some()
}

/// A free-text sig (template 4.147), else the text of the activity itself.
fn free_text(activity: Elem<'_>) -> Option<String> {
    let sig = related_with(activity, "147").into_iter().next();
    if let Some(words) = sig.and_then(|sig| sig.child("text")).and_then(text_of) {
        if let Some(code) = sig.and_then(|sig| sig.child("code")) {
            super::codes::take_whole(code);
        }
        return Some(words);
    }
    activity.child("text").and_then(text_of)
}

/// An instruction for the patient (template 4.20).
fn instruction(activity: Elem<'_>) -> Option<String> {
    let act = related_with(activity, "20").into_iter().next()?;
    let words = act.child("text").and_then(text_of);
    if words.is_some() {
        take_status(act);
    }
    words
}

fn timing(activity: Elem<'_>, with_bounds: bool) -> Option<Value> {
    let mut repeat = Object::new();
    if with_bounds && let Some(period) = treatment_time(activity).and_then(|time| time.period()) {
        repeat.insert("boundsPeriod", period);
    }
    // FHIR has one schedule in a timing; a second one stays kept.
    if let Some(schedule) = activity.children("effectiveTime").find(|time| is_schedule(*time)) {
        put_schedule(schedule, &mut repeat);
    }
    if repeat.is_empty() {
        return None;
    }
    let mut timing = Object::new();
    timing.insert("repeat", repeat);
    Some(timing.into())
}

fn put_schedule(schedule: Elem<'_>, repeat: &mut Object) {
    if let Some(when) = mapped(schedule.child("event"), TIMING_EVENT) {
        repeat.insert("when", vec![Value::from(when)]);
        for name in ["type", "operator"] {
            schedule.mark_attribute(name);
        }
        return;
    }
    let Some(period) = schedule.child("period") else { return };
    let ends = [Some(period), period.child("low"), period.child("high")];
    let values: Vec<(Elem<'_>, &str)> =
        ends.into_iter().flatten().filter_map(|end| Some((end, end.peek("value")?))).collect();
    let Some((first, text)) = values.first() else { return };
    let last = values.last().filter(|_| values.len() > 1);
    let unit = first.peek("unit").and_then(time_unit);
    let same_unit = last.is_none_or(|(end, _)| end.peek("unit") == first.peek("unit"));
    let (Some(value), Some(unit), true) = (decimal(text), unit, same_unit) else { return };
    // FHIR tim-4: a period is not negative; zero would mean without pause.
    if value.as_f64() <= 0.0 {
        return;
    }
    repeat.insert("frequency", 1_i64);
    repeat.insert("period", value);
    if let Some(most) = last.and_then(|(_, text)| decimal(text)) {
        repeat.insert("periodMax", most);
    }
    repeat.insert("periodUnit", unit);
    for (end, _) in values.iter().copied() {
        end.mark_attribute("value");
        end.mark_attribute("unit");
    }
    period.mark_attribute("type");
    for name in ["type", "operator"] {
        schedule.mark_attribute(name);
    }
}

/// UCUM time units that `Timing` knows (value set units-of-time).
fn time_unit(unit: &str) -> Option<&'static str> {
    ["s", "min", "h", "d", "wk", "mo", "a"].into_iter().find(|known| *known == unit)
}

/// A precondition means "as needed"; its value or text says for what.
fn put_as_needed(activity: Elem<'_>, dosage: &mut Object) {
    let Some(precondition) = activity.child("precondition") else { return };
    let criterion = precondition.child("criterion");
    let value = criterion.and_then(|criterion| criterion.child("value"));
    let words = criterion.and_then(|criterion| criterion.child("text")).and_then(text_of);
    let reason = value.and_then(concept).or_else(|| {
        let mut concept = Object::new();
        concept.insert("text", words?);
        Some(concept.into())
    });
    precondition.visit();
    precondition.take_templates(|root| root == "2.16.840.1.113883.10.20.22.4.25");
    if let Some(criterion) = criterion {
        criterion.take_templates(|root| root == "2.16.840.1.113883.10.20.22.4.25");
        if let Some(code) =
            criterion.child("code").filter(|code| code.peek("code") == Some("ASSERTION"))
        {
            super::codes::take_whole(code);
        }
    }
    match reason {
        Some(reason) => dosage.insert("asNeededCodeableConcept", reason),
        None => dosage.insert("asNeededBoolean", true),
    };
}

fn dose_and_rate(activity: Elem<'_>) -> Option<Value> {
    let mut both = Object::new();
    for (source, name) in [("doseQuantity", "dose"), ("rateQuantity", "rate")] {
        match activity.child(source).and_then(bounds) {
            Some(Bounds::Range(range)) => {
                both.insert(format!("{name}Range"), range);
            }
            // FHIR's SimpleQuantity has no comparator: an open end becomes a range.
            Some(Bounds::Quantity(quantity)) if quantity.contains_key("comparator") => {
                both.insert(format!("{name}Range"), open_range(quantity));
            }
            Some(Bounds::Quantity(quantity)) => {
                both.insert(format!("{name}Quantity"), quantity);
            }
            None => {}
        }
    }
    (!both.is_empty()).then_some(both.into())
}

/// A quantity with a comparator as a range with one end.
pub(crate) fn open_range(mut quantity: Object) -> Value {
    let comparator = quantity.remove("comparator");
    let is_low = comparator.as_ref().and_then(Value::as_str).is_some_and(|it| it.starts_with('>'));
    let mut range = Object::new();
    range.insert(if is_low { "low" } else { "high" }, quantity);
    range.into()
}

/// The dose of a vaccine as one quantity.
pub(crate) fn dose(activity: Elem<'_>) -> Option<Object> {
    activity.child("doseQuantity").and_then(quantity)
}

//! Result organizers, vital signs and single observations into `DiagnosticReport` and
//! `Observation`.

use clisonix_fhir::issue::IssueCode;
use clisonix_fhir::json::{Object, Value};

use super::actors::{authorship, performers};
use super::codes::{OBSERVATION_STATUS, absent_reason, mapped};
use super::datatypes::{
    Bounds, bounds, concept, decimal, fixed_concept, put, put_list, quantity, ratio,
};
use super::dosage::open_range;
use super::draft::{Draft, reference};
use super::narrative::text_of;
use super::source::Elem;
use super::statements::{open, put_identifiers, put_notes, refers_to};
use super::time::{Interval, date_time};

const TEMPLATES: &[&str] = &[
    "1", "2", "26", "27", "38", "78", "85", "66", "67", "68", "69", "74", "75", "86", "109", "111",
    "123", "127", "200", "5", "13", "501", "505", "506",
];

/// The `category` of observations by where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    /// `laboratory`
    Laboratory,
    /// `vital-signs`
    VitalSigns,
    /// `social-history`
    SocialHistory,
    /// `survey`
    Survey,
    /// `exam`
    Exam,
    /// `procedure`
    Procedure,
}

impl Category {
    fn concepts(self) -> Vec<Value> {
        let code = match self {
            Self::Laboratory => "laboratory",
            Self::VitalSigns => "vital-signs",
            Self::SocialHistory => "social-history",
            Self::Survey => "survey",
            Self::Exam => "exam",
            Self::Procedure => "procedure",
        };
        let system = "http://terminology.hl7.org/CodeSystem/observation-category";
        vec![fixed_concept(system, code, None)]
    }
}

/// A result organizer as a report that refers to its observations.
pub(crate) fn report(organizer: Elem<'_>, draft: &mut Draft) -> Vec<String> {
    open(organizer, TEMPLATES);
    let results = components(organizer, Category::Laboratory, draft);
    let mut body = Draft::body("DiagnosticReport");
    put_identifiers(organizer, &mut body);
    let status = match mapped(organizer.child("statusCode"), OBSERVATION_STATUS) {
        None => "unknown",
        Some(status) => status,
    };
    body.insert("status", status);
    let lab = "http://terminology.hl7.org/CodeSystem/v2-0074";
    body.insert("category", vec![fixed_concept(lab, "LAB", Some("Laboratory"))]);
    let code = organizer.child("code").and_then(concept);
    if code.is_none() {
        draft.report(IssueCode::Incomplete, organizer, "the result organizer has no code");
        return results;
    }
    put(&mut body, "code", code);
    body.insert("subject", Draft::patient());
    if let Some(time) = organizer.child("effectiveTime") {
        Interval::read(time).write_choice("effective", &mut body);
    }
    put_performers(organizer, draft, &mut body);
    put_list(&mut body, "result", results.iter().map(|name| reference(name)).collect());
    match draft.add(body, organizer_head(organizer)) {
        Some(name) => vec![name],
        None => results,
    }
}

/// A vital signs, functional or mental status organizer as a panel observation with members.
pub(crate) fn panel(organizer: Elem<'_>, category: Category, draft: &mut Draft) -> Vec<String> {
    open(organizer, TEMPLATES);
    let members = components(organizer, category, draft);
    let code = organizer.child("code").and_then(concept);
    let (Some(code), false) = (code, members.is_empty()) else { return members };
    let mut body = Draft::body("Observation");
    put_identifiers(organizer, &mut body);
    let status = mapped(organizer.child("statusCode"), OBSERVATION_STATUS).unwrap_or("unknown");
    body.insert("status", status);
    body.insert("category", category.concepts());
    body.insert("code", code);
    body.insert("subject", Draft::patient());
    if let Some(time) = organizer.child("effectiveTime") {
        Interval::read(time).write_choice("effective", &mut body);
    }
    put_performers(organizer, draft, &mut body);
    body.insert("hasMember", members.iter().map(|name| reference(name)).collect::<Value>());
    match draft.add(body, organizer_head(organizer)) {
        Some(name) => vec![name],
        None => members,
    }
}

/// What a refused organizer takes back: its own code only, as its members stand on their own.
fn organizer_head(organizer: Elem<'_>) -> Elem<'_> {
    organizer.child("code").unwrap_or(organizer)
}

fn components(organizer: Elem<'_>, category: Category, draft: &mut Draft) -> Vec<String> {
    let mut made = Vec::new();
    for component in organizer.children("component") {
        for inner in component.elements() {
            component.visit();
            match inner.name() {
                "observation" => made.extend(observation(inner, category, draft)),
                "organizer" => made.extend(panel(inner, category, draft)),
                _ => {}
            }
        }
    }
    made
}

/// One observation.
pub(crate) fn observation(
    element: Elem<'_>,
    category: Category,
    draft: &mut Draft,
) -> Option<String> {
    open(element, TEMPLATES);
    if element.peek("negationInd") == Some("true") {
        element.unmark();
        let message = "a negated observation is kept as it is";
        draft.report(IssueCode::NotSupported, element, message);
        return None;
    }
    element.mark_attribute("negationInd");
    let mut body = Draft::body("Observation");
    put_identifiers(element, &mut body);
    let status = mapped(element.child("statusCode"), OBSERVATION_STATUS).unwrap_or("unknown");
    body.insert("status", status);
    body.insert("category", category.concepts());
    let code = element.child("code").and_then(concept);
    let code = code.or_else(|| element.child("text").and_then(text_of).map(text_concept));
    let Some(code) = code else {
        element.unmark();
        draft.report(IssueCode::Incomplete, element, "the observation has no code");
        return None;
    };
    body.insert("code", code);
    body.insert("subject", Draft::patient());
    if let Some(time) = element.child("effectiveTime") {
        Interval::read(time).write_choice("effective", &mut body);
    }
    put_performers(element, draft, &mut body);
    put_value(element, &mut body);
    put_list(
        &mut body,
        "interpretation",
        element.children("interpretationCode").filter_map(concept).collect(),
    );
    put_notes(element, draft, &mut body);
    put(&mut body, "bodySite", element.child("targetSiteCode").and_then(concept));
    put(&mut body, "method", element.child("methodCode").and_then(concept));
    put_list(
        &mut body,
        "referenceRange",
        element.children("referenceRange").filter_map(reference_range).collect(),
    );
    draft.add(body, element)
}

fn text_concept(words: String) -> Value {
    let mut concept = Object::new();
    concept.insert("text", words);
    concept.into()
}

fn put_performers(element: Elem<'_>, draft: &mut Draft, body: &mut Object) {
    let mut who = performers(element, draft);
    let author = authorship(element, draft);
    who.extend(author.who.filter(|author| !who.contains(author)));
    let allowed = ["Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson"];
    who.retain(|who| refers_to(who, &allowed));
    put_list(body, "performer", who);
}

/// Writes `value[x]` by the value's own type, or why it is absent.
fn put_value(element: Elem<'_>, body: &mut Object) {
    let Some(value) = element.child("value") else { return };
    if !write_value(value, body)
        && let Some(reason) = absent_reason(value)
    {
        body.insert("dataAbsentReason", reason);
    }
}

fn write_value(value: Elem<'_>, body: &mut Object) -> bool {
    let kind = value.peek("type").unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    let before = body.len();
    match kind {
        "CD" | "CE" | "CV" | "CS" | "CO" => put(body, "valueCodeableConcept", concept(value)),
        "PQ" => put(body, "valueQuantity", quantity(value)),
        "IVL_PQ" => match bounds(value) {
            Some(Bounds::Range(range)) => put(body, "valueRange", Some(range)),
            Some(Bounds::Quantity(quantity)) => put(body, "valueQuantity", Some(quantity)),
            None => {}
        },
        "RTO" | "RTO_PQ_PQ" => put(body, "valueRatio", ratio(value)),
        "INT" | "REAL" => put_number(value, kind, body),
        "BL" => {
            if let Some(flag @ ("true" | "false")) = value.peek("value") {
                value.mark_attribute("value");
                put(body, "valueBoolean", Some(flag == "true"));
            }
        }
        "TS" => put(body, "valueDateTime", date_time(value)),
        "IVL_TS" => put(body, "valuePeriod", Interval::read(value).period()),
        "ST" | "ED" | "" => put(body, "valueString", text_of(value)),
        _ => {}
    }
    if body.len() > before {
        value.mark_attribute("type");
    }
    body.len() > before
}

/// An INT within FHIR's `integer`, else a number as a quantity without unit.
fn put_number(value: Elem<'_>, kind: &str, body: &mut Object) {
    let Some(text) = value.peek("value") else { return };
    let Some(number) = decimal(text) else { return };
    value.mark_attribute("value");
    if kind == "INT" && number.as_str().parse::<i32>().is_ok() {
        body.insert("valueInteger", number);
    } else {
        let mut quantity = Object::new();
        quantity.insert("value", number);
        body.insert("valueQuantity", quantity);
    }
}

/// FHIR obs-3: a reference range has a low, a high or a text.
fn reference_range(range: Elem<'_>) -> Option<Value> {
    let observed = range.child("observationRange")?;
    let mut out = Object::new();
    if let Some(value) = observed.child("value") {
        let said = match bounds(value) {
            Some(Bounds::Range(range)) => Some(range),
            Some(Bounds::Quantity(quantity)) if quantity.contains_key("comparator") => {
                Some(open_range(quantity))
            }
            _ => None,
        };
        for end in ["low", "high"] {
            put(&mut out, end, said.as_ref().and_then(|range| range.get(end)).cloned());
        }
        if out.is_empty() && value.peek("type").is_some_and(|kind| kind.ends_with("ST")) {
            put(&mut out, "text", value.text());
            value.mark_attribute("type");
        }
    }
    if !out.contains_key("text") {
        put(&mut out, "text", observed.child("text").and_then(text_of));
    }
    if out.is_empty() {
        return None;
    }
    range.visit();
    observed.visit();
    Some(out.into())
}

//! Problem concerns and problem observations into `Condition`.

use clisonix_fhir::issue::IssueCode;
use clisonix_fhir::json::{Object, Value};

use super::actors::authorship;
use super::codes::{CLINICAL_STATUS, SNOMED, mapped, take_whole};
use super::datatypes::{concept, fixed_concept, put, put_list, quantity};
use super::draft::Draft;
use super::source::Elem;
use super::statements::{
    aspect, is_entry, open, put_identifiers, put_notes, refers_to, related, take_status,
};
use super::time::Interval;

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
/// SNOMED CT codes that only say "a problem"; negated they mean that there is none.
const ANY_PROBLEM: [&str; 4] = ["55607006", "64572001", "404684003", "409586006"];

/// What `category` a condition gets from where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    /// `problem-list-item`
    ProblemList,
    /// `encounter-diagnosis`
    EncounterDiagnosis,
}

/// Conditions of an act that wraps problem observations: a problem concern, an encounter
/// diagnosis, an admission or discharge diagnosis.
pub(crate) fn concern(act: Elem<'_>, category: Category, draft: &mut Draft) -> Vec<String> {
    let observations =
        related(act, |_, inner| inner.name() == "observation" && is_entry(inner, "4"));
    if observations.is_empty() {
        return Vec::new();
    }
    open(act, &["3", "80", "33", "34", "65", "51"]);
    if let Some(code) = act.child("code") {
        take_whole(code);
    }
    let status = concern_status(act);
    let made = observations.into_iter();
    made.filter_map(|observation| condition(observation, category, status, draft)).collect()
}

/// The concern's own status: whether somebody still cares for it.
pub(crate) fn concern_status(act: Elem<'_>) -> Option<&'static str> {
    mapped(
        act.child("statusCode"),
        &[
            ("active", "active"),
            ("suspended", "inactive"),
            ("aborted", "inactive"),
            ("completed", "inactive"),
        ],
    )
}

/// One condition; `concern` is the status of the act around it.
pub(crate) fn condition(
    observation: Elem<'_>,
    category: Category,
    concern: Option<&'static str>,
    draft: &mut Draft,
) -> Option<String> {
    open(observation, &["4"]);
    take_status(observation);
    let mut body = Draft::body("Condition");
    put_identifiers(observation, &mut body);
    let time = observation.child("effectiveTime").map(Interval::read).unwrap_or_default();
    let status = clinical_status(observation, concern, &time, draft);
    body.insert("clinicalStatus", fixed_concept(CLINICAL, status, None));
    let is_negated = observation.peek("negationInd") == Some("true");
    observation.mark_attribute("negationInd");
    let value = observation.child("value");
    let is_any =
        value.and_then(|value| value.peek("code")).is_none_or(|code| ANY_PROBLEM.contains(&code));
    if is_negated && !is_any {
        body.insert("verificationStatus", fixed_concept(VERIFICATION, "refuted", None));
    }
    body.insert("category", categories(observation, category));
    put(&mut body, "severity", aspect(observation, "8").and_then(concept));
    put(&mut body, "code", code(value, is_negated && is_any));
    put_list(
        &mut body,
        "bodySite",
        observation.children("targetSiteCode").filter_map(concept).collect(),
    );
    body.insert("subject", Draft::patient());
    put_times(observation, &time, status, &mut body, draft);
    let author = authorship(observation, draft);
    put(&mut body, "recordedDate", author.when);
    let may_record = ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"];
    put(&mut body, "recorder", author.who.filter(|who| refers_to(who, &may_record)));
    put_notes(observation, draft, &mut body);
    // A condition of which neither code nor words are known says nothing.
    if !body.contains_key("code") {
        observation.unmark();
        draft.report(IssueCode::Incomplete, observation, "the problem has no code and no text");
        return None;
    }
    draft.add(body, observation)
}

fn categories(observation: Elem<'_>, category: Category) -> Vec<Value> {
    let code = match category {
        Category::ProblemList => "problem-list-item",
        Category::EncounterDiagnosis => "encounter-diagnosis",
    };
    let system = "http://terminology.hl7.org/CodeSystem/condition-category";
    let mut categories = vec![fixed_concept(system, code, None)];
    categories.extend(observation.child("code").and_then(concept));
    categories
}

/// HL7 C-CDA on FHIR: a negated generic problem is said as "no current problems".
fn code(value: Option<Elem<'_>>, is_none_known: bool) -> Option<Value> {
    let value = value?;
    if !is_none_known {
        return concept(value);
    }
    take_whole(value);
    let mut code = fixed_concept(SNOMED, "160245001", Some("No current problems or disability"));
    let words = value.child("originalText").and_then(super::narrative::text_of);
    if let (Some(code), Some(words)) = (code.as_object_mut(), words) {
        code.insert("text", words);
    }
    Some(code)
}

/// What the problem's own status says, else the end of its time, else the concern around it.
/// FHIR con-4: a condition with an abatement is not active.
fn clinical_status(
    observation: Elem<'_>,
    concern: Option<&'static str>,
    time: &Interval<'_>,
    draft: &mut Draft,
) -> &'static str {
    let stated = mapped(aspect(observation, "6"), CLINICAL_STATUS);
    let has_ended = time.end().is_some() || time.ended_unknown;
    let is_over = matches!(stated, Some("inactive" | "resolved" | "remission"));
    if time.end().is_some() && stated.is_some() && !is_over {
        let message = "the problem is called active and has an end; taken as resolved";
        draft.report(IssueCode::BusinessRule, observation, message);
        return "resolved";
    }
    match stated {
        Some(stated) => stated,
        None if has_ended => "resolved",
        None => concern.unwrap_or("active"),
    }
}

fn put_times(
    observation: Elem<'_>,
    time: &Interval<'_>,
    status: &str,
    body: &mut Object,
    draft: &mut Draft,
) {
    put(body, "onsetDateTime", time.start());
    if status != "active" {
        put(body, "abatementDateTime", time.end());
    }
    if time.is_reversed {
        draft.report(
            IssueCode::Invariant,
            observation,
            "the end is before the start; end kept aside",
        );
    }
    if !body.contains_key("onsetDateTime") {
        put(body, "onsetAge", aspect(observation, "31").and_then(age));
    }
}

/// FHIR age-1: an age is positive and in UCUM time units.
fn age(value: Elem<'_>) -> Option<Value> {
    let unit = value.peek("unit")?;
    matches!(unit, "a" | "mo" | "wk" | "d" | "h" | "min").then(|| quantity(value))?.map(Value::from)
}

//! Allergy concerns and observations into `AllergyIntolerance`.

use clisonix_fhir::issue::IssueCode;
use clisonix_fhir::json::{Object, Value};

use super::actors::authorship;
use super::codes::{
    CLINICAL_STATUS, CRITICALITY, SEVERITY, SNOMED, allergy_kind, mapped, no_known_allergy,
    take_whole,
};
use super::datatypes::{concept, fixed_concept, put, put_list};
use super::draft::Draft;
use super::problems::concern_status;
use super::source::Elem;
use super::statements::{
    aspect, is_entry, open, put_identifiers, put_notes, refers_to, related, related_with,
    take_status,
};
use super::time::Interval;

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";

/// Allergies of a concern act.
pub(crate) fn concern(act: Elem<'_>, draft: &mut Draft) -> Vec<String> {
    let observations = related(act, |_, inner| is_entry(inner, "7") || is_entry(inner, "90"));
    if observations.is_empty() {
        return Vec::new();
    }
    open(act, &["30"]);
    if let Some(code) = act.child("code") {
        take_whole(code);
    }
    let status = concern_status(act);
    observations.into_iter().filter_map(|observation| allergy(observation, status, draft)).collect()
}

/// One allergy; `concern` is the status of the act around it.
pub(crate) fn allergy(
    observation: Elem<'_>,
    concern: Option<&'static str>,
    draft: &mut Draft,
) -> Option<String> {
    open(observation, &["7", "90"]);
    take_status(observation);
    if let Some(code) =
        observation.child("code").filter(|code| code.peek("code") == Some("ASSERTION"))
    {
        take_whole(code);
    }
    let mut body = Draft::body("AllergyIntolerance");
    put_identifiers(observation, &mut body);
    let time = observation.child("effectiveTime").map(Interval::read).unwrap_or_default();
    let stated = mapped(aspect(observation, "28"), CLINICAL_STATUS);
    let has_ended = time.end().is_some() || time.ended_unknown;
    let status = match stated {
        Some("inactive" | "remission") => "inactive",
        Some("resolved") => "resolved",
        Some(_) => "active",
        None if has_ended => "resolved",
        None => concern.unwrap_or("active"),
    };
    body.insert("clinicalStatus", fixed_concept(CLINICAL, status, None));
    let agent = agent(observation);
    let is_negated = observation.peek("negationInd") == Some("true");
    observation.mark_attribute("negationInd");
    if is_negated && agent.is_some() {
        body.insert("verificationStatus", fixed_concept(VERIFICATION, "refuted", None));
    }
    let kind = put_kind(observation, &mut body);
    put(&mut body, "criticality", mapped(aspect(observation, "145"), CRITICALITY));
    let code = if is_negated && agent.is_none() {
        let (code, display) = no_known_allergy(kind.unwrap_or_default());
        Some(fixed_concept(SNOMED, code, Some(display)))
    } else {
        agent
    };
    put(&mut body, "code", code);
    body.insert("patient", Draft::patient());
    put(&mut body, "onsetDateTime", time.start());
    let author = authorship(observation, draft);
    put(&mut body, "recordedDate", author.when);
    let may_record = ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"];
    put(&mut body, "recorder", author.who.filter(|who| refers_to(who, &may_record)));
    put_notes(observation, draft, &mut body);
    put_list(&mut body, "reaction", reactions(observation));
    if !body.contains_key("code") {
        observation.unmark();
        draft.report(IssueCode::Incomplete, observation, "the allergy names no substance");
        return None;
    }
    draft.add(body, observation)
}

/// The substance: the consumable participant's code, or its name.
fn agent(observation: Elem<'_>) -> Option<Value> {
    let participant =
        observation.children("participant").find(|it| it.peek("typeCode") == Some("CSM"))?;
    let role = participant.child("participantRole")?;
    let entity = role.child("playingEntity")?;
    let code = entity.child("code").and_then(concept);
    let name = entity.child("name").and_then(Elem::text);
    let mut concept = match (code, name) {
        (None, None) => return None,
        (code, name) => {
            let mut concept = code.and_then(|code| code.as_object().cloned()).unwrap_or_default();
            if let Some(name) = name.filter(|_| !concept.contains_key("text")) {
                concept.insert("text", name);
            }
            concept
        }
    };
    for element in [participant, role, entity] {
        element.visit();
    }
    if concept.is_empty() {
        concept = Object::new();
    }
    Some(concept.into())
}

/// Writes `type` and `category`; gives the code they came from.
fn put_kind<'s>(observation: Elem<'s>, body: &mut Object) -> Option<&'s str> {
    let value = observation.child("value")?;
    let code = value.peek("code")?;
    let (kind, category) = allergy_kind(code)?;
    take_whole(value);
    put(body, "type", kind);
    put_list(body, "category", category.map(Value::from).into_iter().collect());
    Some(code)
}

fn reactions(observation: Elem<'_>) -> Vec<Value> {
    let mut general = mapped(aspect(observation, "8"), SEVERITY);
    let mut reactions = Vec::new();
    for reaction in related_with(observation, "9") {
        let Some(manifestation) = reaction.child("value").and_then(concept) else {
            reaction.unmark();
            continue;
        };
        take_status(reaction);
        let mut out = Object::new();
        out.insert("manifestation", vec![manifestation]);
        let time = reaction.child("effectiveTime").map(Interval::read).unwrap_or_default();
        put(&mut out, "onset", time.start());
        // A severity of the allergy as a whole is said of its reaction, as R4 has no other place.
        let severity = mapped(aspect(reaction, "8"), SEVERITY).or_else(|| general.take());
        put(&mut out, "severity", severity);
        reactions.push(out.into());
    }
    if reactions.is_empty()
        && let Some(severity) = related(observation, |_, inner| is_entry(inner, "8")).first()
    {
        severity.unmark();
    }
    reactions
}

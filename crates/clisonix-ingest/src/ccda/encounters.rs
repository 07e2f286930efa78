//! Encounter activities and the encompassing encounter into `Encounter`.

use clisonix_fhir::json::{Object, Value};

use super::actors::{actor, performers};
use super::codes::{ENCOUNTER_STATUS, mapped};
use super::datatypes::{coding, concept, display, fixed_coding, identifiers, put, put_list};
use super::draft::{Draft, reference};
use super::problems::{Category, concern};
use super::source::Elem;
use super::statements::{is_entry, location, open, put_identifiers, reasons, refers_to, related};
use super::time::Interval;

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const NULL_FLAVOR: &str = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor";

/// One encounter of an encounters section (template 4.49), or a planned one.
pub(crate) fn encounter(activity: Elem<'_>, draft: &mut Draft) -> Option<String> {
    let is_planned = activity.peek("moodCode").is_some_and(|mood| mood != "EVN");
    open(activity, &["49", "40"]);
    let mut body = Draft::body("Encounter");
    put_identifiers(activity, &mut body);
    let stated = mapped(activity.child("statusCode"), ENCOUNTER_STATUS);
    let default = if is_planned { "planned" } else { "finished" };
    body.insert("status", if is_planned { default } else { stated.unwrap_or(default) });
    put_class(activity.child("code"), &mut body);
    body.insert("subject", Draft::patient());
    put_participants(performers(activity, draft), &mut body);
    let time = activity.child("effectiveTime").map(Interval::read).unwrap_or_default();
    put(&mut body, "period", time.period());
    put_list(&mut body, "reasonCode", reasons(activity));
    let diagnoses = diagnoses(activity, draft);
    put_list(&mut body, "diagnosis", diagnoses);
    put_discharge(activity.child("dischargeDispositionCode"), &mut body);
    put_location(location(activity), &mut body);
    draft.add(body, activity)
}

/// The encounter that the document was written for; gives its name.
pub(crate) fn encompassing(document: Elem<'_>, draft: &mut Draft) -> Option<String> {
    let around = document.path(&["componentOf"])?;
    let encounter = around.child("encompassingEncounter")?;
    around.visit();
    encounter.visit();
    let mut body = Draft::body("Encounter");
    put_list(&mut body, "identifier", identifiers(encounter));
    body.insert("status", "unknown");
    put_class(encounter.child("code"), &mut body);
    body.insert("subject", Draft::patient());
    let mut who = Vec::new();
    for (role, entity) in
        [("responsibleParty", "assignedEntity"), ("encounterParticipant", "assignedEntity")]
    {
        for party in encounter.children(role) {
            party.visit();
            let found = party.child(entity).and_then(|entity| actor(entity, draft));
            who.extend(found.filter(|found| !who.contains(found)));
        }
    }
    put_participants(who, &mut body);
    let time = encounter.child("effectiveTime").map(Interval::read).unwrap_or_default();
    put(&mut body, "period", time.period());
    put_discharge(encounter.child("dischargeDispositionCode"), &mut body);
    let place = encounter.path(&["location", "healthCareFacility"]);
    let name = place.and_then(|place| place.path(&["location", "name"])).and_then(Elem::text);
    put_location(name, &mut body);
    draft.add(body, encounter)
}

/// `class` is required: the `ActCode` among the codes, else that it is unknown.
fn put_class(code: Option<Elem<'_>>, body: &mut Object) {
    let translations = code.into_iter().flat_map(|code| code.children("translation"));
    let class = code.into_iter().chain(translations).find_map(|code| {
        let is_class = code.peek("codeSystem") == Some("2.16.840.1.113883.5.4");
        if is_class { coding(code) } else { None }
    });
    body.insert(
        "class",
        class.map_or_else(|| fixed_coding(NULL_FLAVOR, "UNK", Some("unknown")), Value::Object),
    );
    let kind = code.and_then(concept).filter(|kind| !is_only_class(kind));
    put_list(body, "type", kind.into_iter().collect());
}

fn is_only_class(kind: &Value) -> bool {
    let codings = kind.get("coding").and_then(Value::as_array).unwrap_or_default();
    kind.get("text").is_none()
        && codings.iter().all(|it| it.get("system").and_then(Value::as_str) == Some(ACT_CODE))
}

fn put_participants(who: Vec<Value>, body: &mut Object) {
    let individuals = who
        .into_iter()
        .filter(|who| refers_to(who, &["Practitioner", "PractitionerRole", "RelatedPerson"]));
    let list = individuals.map(|who| {
        let mut participant = Object::new();
        participant.insert("individual", who);
        Value::Object(participant)
    });
    put_list(body, "participant", list.collect());
}

fn diagnoses(activity: Elem<'_>, draft: &mut Draft) -> Vec<Value> {
    let acts = related(activity, |_, inner| is_entry(inner, "80"));
    let mut list = Vec::new();
    for act in acts {
        for name in concern(act, Category::EncounterDiagnosis, draft) {
            let mut diagnosis = Object::new();
            diagnosis.insert("condition", reference(&name));
            list.push(diagnosis.into());
        }
    }
    list
}

fn put_discharge(code: Option<Elem<'_>>, body: &mut Object) {
    let Some(disposition) = code.and_then(concept) else { return };
    let mut hospitalization = Object::new();
    hospitalization.insert("dischargeDisposition", disposition);
    body.insert("hospitalization", hospitalization);
}

fn put_location(name: Option<String>, body: &mut Object) {
    let Some(name) = name else { return };
    let mut location = Object::new();
    location.insert("location", display(&name));
    body.insert("location", vec![Value::Object(location)]);
}

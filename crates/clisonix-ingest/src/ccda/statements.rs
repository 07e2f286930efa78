//! What many kinds of clinical statements have in common: templates, notes, reasons, status.

use clisonix_fhir::json::{Object, Value};

use super::actors::Authorship;
use super::codes::take_whole;
use super::datatypes::{concept, identifiers, put_list};
use super::draft::Draft;
use super::narrative::text_of;
use super::source::Elem;

/// Where C-CDA registers its entry templates.
const ENTRY_TEMPLATES: &str = "2.16.840.1.113883.10.20.22.4.";

/// Whether the element claims the C-CDA entry template of that number.
pub(crate) fn is_entry(element: Elem<'_>, number: &str) -> bool {
    element.children("templateId").any(|template| {
        template.peek("root").and_then(|root| root.strip_prefix(ENTRY_TEMPLATES)) == Some(number)
    })
}

/// Starts the reading of a clinical statement: its class, mood and the templates that chose the
/// rule.
pub(crate) fn open(statement: Elem<'_>, templates: &[&str]) {
    statement.visit().take_templates(|root| {
        root.strip_prefix(ENTRY_TEMPLATES).is_some_and(|number| templates.contains(&number))
    });
}

/// The `identifier` list and nothing when there is none.
pub(crate) fn put_identifiers(statement: Elem<'_>, body: &mut Object) {
    put_list(body, "identifier", identifiers(statement));
}

/// Statements inside entry relationships, opened, that `chosen` accepts.
pub(crate) fn related<'s>(
    statement: Elem<'s>,
    chosen: impl Fn(Elem<'s>, Elem<'s>) -> bool,
) -> Vec<Elem<'s>> {
    let mut found = Vec::new();
    for relation in statement.children("entryRelationship") {
        for inner in relation.elements().filter(|inner| inner.name() != "templateId") {
            if chosen(relation, inner) {
                relation.visit();
                relation.mark_attribute("inversionInd");
                found.push(inner);
            }
        }
    }
    found
}

/// Statements inside entry relationships with the C-CDA template of that number.
pub(crate) fn related_with<'s>(statement: Elem<'s>, number: &str) -> Vec<Elem<'s>> {
    let found = related(statement, |_, inner| is_entry(inner, number));
    for inner in &found {
        open(*inner, &[number]);
    }
    found
}

/// The `value` of an observation about the statement, chosen by its template; the code of that
/// observation says no more than the template.
pub(crate) fn aspect<'s>(statement: Elem<'s>, number: &str) -> Option<Elem<'s>> {
    let observation = related_with(statement, number).into_iter().next()?;
    if let Some(code) = observation.child("code") {
        take_whole(code);
    }
    take_status(observation);
    observation.child("value")
}

/// Marks a status that FHIR has no place for and that is always `completed`.
pub(crate) fn take_status(statement: Elem<'_>) {
    if let Some(status) = statement.child("statusCode")
        && status.peek("code") == Some("completed")
    {
        status.mark_attribute("code");
    }
}

/// Comment activities (template 4.64) as `note`.
pub(crate) fn put_notes(statement: Elem<'_>, draft: &mut Draft, body: &mut Object) {
    let mut notes = Vec::new();
    for comment in related_with(statement, "64") {
        if let Some(code) = comment.child("code") {
            take_whole(code);
        }
        take_status(comment);
        let Some(words) = comment.child("text").and_then(text_of) else { continue };
        let mut note = Object::new();
        let Authorship { who, when } = super::actors::authorship(comment, draft);
        if let Some(who) = who.filter(is_annotation_author) {
            note.insert("authorReference", who);
        }
        if let Some(when) = when {
            note.insert("time", when);
        }
        note.insert("text", words);
        notes.push(Value::Object(note));
    }
    put_list(body, "note", notes);
}

fn is_annotation_author(who: &Value) -> bool {
    refers_to(who, &["Practitioner", "Patient", "RelatedPerson", "Organization"])
}

/// Whether a reference names nobody but in words, or one of these types.
pub(crate) fn refers_to(who: &Value, types: &[&str]) -> bool {
    who.get("reference").and_then(Value::as_str).is_none_or(|target| {
        target
            .split_once(['/', '?'])
            .is_some_and(|(resource_type, _)| types.contains(&resource_type))
    })
}

/// Indications (template 4.19) as concepts.
pub(crate) fn reasons(statement: Elem<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    for indication in related_with(statement, "19") {
        take_status(indication);
        found.extend(indication.child("value").and_then(concept));
    }
    found
}

/// The first name of a service delivery location (template 4.32) among the participants.
pub(crate) fn location(statement: Elem<'_>) -> Option<String> {
    let participant =
        statement.children("participant").find(|it| it.peek("typeCode") == Some("LOC"))?;
    participant.visit();
    let role = participant.child("participantRole")?.visit();
    role.take_templates(|root| root == "2.16.840.1.113883.10.20.22.4.32");
    let place = role.child("playingEntity")?.visit();
    place.child("name").and_then(Elem::text)
}

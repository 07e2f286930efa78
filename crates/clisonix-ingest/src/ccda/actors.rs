//! People and organisations of a document into shared resources and references to them.

use clisonix_fhir::json::{Object, Value};

use super::datatypes::{
    addresses, concept, contact_points, display, human_name, identifiers, key, name_line, put_list,
};
use super::draft::{Draft, reference};
use super::source::Elem;

/// The identifier system that US providers share; preferred, as it is the same in every feed.
const NPI: &str = "http://hl7.org/fhir/sid/us-npi";

/// Who wrote something and when.
pub(crate) struct Authorship {
    /// A `Reference` to the author.
    pub(crate) who: Option<Value>,
    /// When, as `dateTime`.
    pub(crate) when: Option<String>,
}

/// The first author of a clinical statement.
pub(crate) fn authorship(statement: Elem<'_>, draft: &mut Draft) -> Authorship {
    let Some(author) = statement.child("author") else {
        return Authorship { who: None, when: None };
    };
    author.visit().take_templates(|root| root == "2.16.840.1.113883.10.20.22.4.119");
    Authorship {
        who: author.child("assignedAuthor").and_then(|assigned| actor(assigned, draft)),
        when: author.child("time").and_then(super::time::date_time),
    }
}

/// A `Reference` to the person, device or organisation of an assigned author or entity.
pub(crate) fn actor(assigned: Elem<'_>, draft: &mut Draft) -> Option<Value> {
    assigned.visit();
    let key = best_key(assigned);
    let person = assigned.child("assignedPerson").map(Elem::visit);
    let device = assigned.child("assignedAuthoringDevice").map(Elem::visit);
    let represented = assigned.child("representedOrganization");
    if let Some(target) = key.as_ref().and_then(|key| draft.known_actor(key))
        && (target.starts_with("Patient/") || (person.is_none() && device.is_none()))
    {
        take_ids(assigned);
        return Some(reference(&target));
    }
    match (person, device, key) {
        (None, Some(device), Some(key)) => device_reference(assigned, device, &key, draft),
        (None, None, _) if represented.is_some() => {
            represented.and_then(|organization_| organization(organization_, draft))
        }
        (_, _, Some(key)) => practitioner(assigned, person, &key, draft),
        (_, _, None) => {
            let name = person.and_then(|person| person.child("name")).and_then(name_line);
            let model = device.and_then(|device| device.child("manufacturerModelName"));
            let shown = name.or_else(|| model.and_then(Elem::text));
            match (shown, represented) {
                (Some(shown), _) => Some(display(&shown)),
                (None, Some(represented)) => organization(represented, draft),
                (None, None) => None,
            }
        }
    }
}

/// A `Reference` to an organisation: shared when it has an identifier, else by name only.
pub(crate) fn organization(element: Elem<'_>, draft: &mut Draft) -> Option<Value> {
    element.visit();
    let name = element.child("name").and_then(Elem::text);
    let Some(key) = best_key(element) else { return name.as_deref().map(display) };
    let mut body = Draft::body("Organization");
    put_list(&mut body, "identifier", identifiers(element));
    if let Some(name) = &name {
        body.insert("name", name.as_str());
    }
    put_list(&mut body, "telecom", contact_points(element));
    put_list(&mut body, "address", addresses(element));
    // FHIR org-3 and org-2: the telecom and address of an organisation are never of use home.
    for member in ["telecom", "address"] {
        for value in body.get_mut(member).and_then(Value::as_array_mut).into_iter().flatten() {
            if value.get("use").and_then(Value::as_str) == Some("home")
                && let Some(value) = value.as_object_mut()
            {
                value.remove("use");
            }
        }
    }
    let target = draft.add_actor(body, &key, element)?;
    Some(named_reference(&target, name.as_deref()))
}

fn practitioner(
    assigned: Elem<'_>,
    person: Option<Elem<'_>>,
    key: &(String, String),
    draft: &mut Draft,
) -> Option<Value> {
    let mut body = Draft::body("Practitioner");
    put_list(&mut body, "identifier", identifiers(assigned));
    let name = person.and_then(|person| person.child("name"));
    put_list(&mut body, "name", name.and_then(human_name).into_iter().collect());
    put_list(&mut body, "telecom", contact_points(assigned));
    put_list(&mut body, "address", addresses(assigned));
    let target = draft.add_actor(body, key, assigned)?;
    role(assigned, &target, draft);
    Some(named_reference(&target, name.and_then(name_line).as_deref()))
}

/// What the person is and for whom: a `PractitionerRole` of its own.
fn role(assigned: Elem<'_>, target: &str, draft: &mut Draft) {
    let code = assigned.child("code").and_then(concept);
    let represented = assigned.child("representedOrganization");
    let employer = represented.and_then(|represented| organization(represented, draft));
    if code.is_none() && employer.is_none() {
        return;
    }
    let mut body = Draft::body("PractitionerRole");
    body.insert("practitioner", reference(target));
    if let Some(employer) = employer {
        body.insert("organization", employer);
    }
    put_list(&mut body, "code", code.into_iter().collect());
    draft.add(body, assigned);
}

fn device_reference(
    assigned: Elem<'_>,
    device: Elem<'_>,
    key: &(String, String),
    draft: &mut Draft,
) -> Option<Value> {
    let mut body = Draft::body("Device");
    put_list(&mut body, "identifier", identifiers(assigned));
    let model = device.child("manufacturerModelName").and_then(Elem::text);
    let software = device.child("softwareName").and_then(Elem::text);
    let names = [(&model, "model-name"), (&software, "other")];
    let names = names.into_iter().filter_map(|(name, kind)| {
        let mut entry = Object::new();
        entry.insert("name", name.as_deref()?);
        entry.insert("type", kind);
        Some(Value::Object(entry))
    });
    put_list(&mut body, "deviceName", names.collect());
    if let Some(owner) = assigned.child("representedOrganization")
        && let Some(owner) = organization(owner, draft)
    {
        body.insert("owner", owner);
    }
    let target = draft.add_actor(body, key, assigned)?;
    Some(named_reference(&target, model.or(software).as_deref()))
}

fn named_reference(target: &str, name: Option<&str>) -> Value {
    let mut out = Object::new();
    out.insert("reference", target);
    if let Some(name) = name {
        out.insert("display", name);
    }
    out.into()
}

fn best_key(of: Elem<'_>) -> Option<(String, String)> {
    let keys: Vec<_> = of.children("id").filter_map(key).collect();
    keys.iter().find(|(system, _)| system == NPI).or(keys.first()).cloned()
}

fn take_ids(of: Elem<'_>) {
    let _ = identifiers(of);
}

/// The performers of a clinical statement, each as a `Reference`.
pub(crate) fn performers(statement: Elem<'_>, draft: &mut Draft) -> Vec<Value> {
    let mut found = Vec::new();
    for performer in statement.children("performer") {
        performer.visit();
        if let Some(entity) = performer.child("assignedEntity")
            && let Some(who) = actor(entity, draft)
            && !found.contains(&who)
        {
            found.push(who);
        }
    }
    found
}

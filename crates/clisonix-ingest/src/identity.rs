//! Identity: ids derived from what a resource means, and the records it belongs to.
//!
//! The same fact gets the same type and id whatever route it comes by, in whatever order and at
//! whatever site, because nothing but the record's business key and the fact's own key go into
//! the id. What makes two resources the same fact stands in `mapping/identity.tbl`.

mod content;
mod digest;
mod draft;
mod key;
mod known;
mod owner;
mod pseudonym;
mod references;
mod table;

use std::collections::{BTreeMap, HashMap};

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{Object, Value};

pub use digest::{half_hash, short_hash};
pub use draft::Draft;
pub use known::{Known, MAX_KNOWN_NAMES};
pub(crate) use pseudonym::held as pseudonym_held;
pub(crate) use references::say_once;

use crate::intake::{RecordKey, RecordKind, Stated, Statement};
use owner::Owners;
use table::TABLE;

/// Identifier systems beginning so are Clisonix's own: a feed's name, or a hash of content.
pub(crate) const OWN_SYSTEM: &str = "urn:clisonix:";

/// The id of a resource in a patient's record: `key` are the facts that make it this fact,
/// `occurrence` counts equal keys within one message from zero.
pub fn resource_id(
    record: &RecordKey,
    resource_type: &str,
    key: &[String],
    occurrence: usize,
) -> String {
    let (record, occurrence) = (record.id(), occurrence.to_string());
    let mut parts = vec![record.as_str(), resource_type];
    parts.extend(key.iter().map(String::as_str));
    parts.push(&occurrence);
    short_hash("clisonix resource 1", &parts)
}

/// The key of a resource by the identity table; `None` when the type has no row there or the
/// resource lacks a part. References to other resources are not followed.
pub fn natural_key(resource: &Value) -> Option<Vec<String>> {
    key::natural_key(resource, &|_| None)
}

/// Gives drafts their ids and sorts them into records.
///
/// References between drafts, and conditional references to patients and shared resources, are
/// rewritten to the derived ids; one that leads nowhere stays as it is and is reported. Shared
/// resources with one key become one. Nothing here depends on the order of the drafts.
pub fn settle(feed: &str, drafts: Vec<Draft>, issues: &mut Vec<Issue>) -> Vec<Statement> {
    settle_within(feed, drafts, &Known::default(), issues)
}

/// [`settle`] for a message of a file whose other messages name patients and shared resources too.
pub(crate) fn settle_within(
    feed: &str,
    drafts: Vec<Draft>,
    known: &Known,
    issues: &mut Vec<Issue>,
) -> Vec<Statement> {
    let names = names(&drafts);
    let lookup = |text: &str| resolve(&names, text);
    let owners = Owners::of(feed, &drafts, &lookup, known);
    let ids = ids(feed, &drafts, &owners, &lookup);
    let targets: Vec<String> = drafts
        .iter()
        .zip(&ids)
        .map(|(draft, id)| format!("{}/{id}", draft.resource_type()))
        .collect();
    let mut records: BTreeMap<RecordKey, BTreeMap<(String, String), Stated>> = BTreeMap::new();
    for (index, draft) in drafts.into_iter().enumerate() {
        let Some(record) = owners.record(index) else { continue };
        let id = ids.get(index).map(String::as_str).unwrap_or_default();
        let ty = draft.resource_type().to_owned();
        let target = |text: &str| match resolve(&names, text) {
            Some(index) => targets.get(index).cloned(),
            None => conditional_target(text).or_else(|| known.target(text)),
        };
        let stated = finished(draft, id, &target, issues);
        let resources = records.entry(record.clone()).or_default();
        match resources.get_mut(&(ty.clone(), id.to_owned())) {
            Some(known) => unite(known, stated),
            None => drop(resources.insert((ty, id.to_owned()), stated)),
        }
    }
    let statement = |(record, resources): (RecordKey, BTreeMap<_, Stated>)| Statement {
        record,
        resources: resources.into_values().collect(),
    };
    records.into_iter().map(statement).collect()
}

/// All names of all drafts. Patients and shared resources also answer to conditional references.
fn names(drafts: &[Draft]) -> HashMap<String, usize> {
    let mut names = HashMap::with_capacity(drafts.len() * 2);
    for (index, draft) in drafts.iter().enumerate() {
        for name in &draft.names {
            names.entry(name.clone()).or_insert(index);
        }
        let ty = draft.resource_type();
        if ty != "Patient" && !TABLE.is_shared(ty) {
            continue;
        }
        for identifier in key::at(&draft.resource, &["identifier"]) {
            if let Some((system, value)) = key::parts(identifier) {
                names.entry(format!("{ty}?identifier={system}|{value}")).or_insert(index);
            }
        }
    }
    names
}

/// The draft that a reference's text means; a version at its end does not matter.
fn resolve(names: &HashMap<String, usize>, text: &str) -> Option<usize> {
    let versionless = || names.get(text.split_once("/_history/")?.0);
    names.get(text).or_else(versionless).copied()
}

/// The id of each draft.
fn ids(
    feed: &str,
    drafts: &[Draft],
    owners: &Owners,
    lookup: &dyn Fn(&str) -> Option<usize>,
) -> Vec<String> {
    let resource =
        |text: &str| lookup(text).and_then(|index| drafts.get(index)).map(|d| &d.resource);
    let mut ids = vec![String::new(); drafts.len()];
    let mut equal: HashMap<(&RecordKey, &str, Vec<String>), Vec<usize>> = HashMap::new();
    for (index, (draft, id)) in drafts.iter().zip(&mut ids).enumerate() {
        let Some(record) = owners.record(index) else { continue };
        if draft.resource_type() == "Patient" || record.kind == RecordKind::Shared {
            *id = record.resource_id();
            continue;
        }
        if let Some(pseudonym) = pseudonym::of(&draft.resource) {
            pseudonym.clone_into(id);
            continue;
        }
        let key =
            key::natural_key(&draft.resource, &resource).unwrap_or_else(|| match &draft.origin {
                Some(origin) => vec!["origin".to_owned(), feed.to_owned(), origin.clone()],
                None => vec!["content".to_owned(), content(draft, drafts, lookup)],
            });
        equal.entry((record, draft.resource_type(), key)).or_default().push(index);
    }
    for ((record, ty, key), members) in equal {
        for (index, occurrence) in occurrences(members, drafts, lookup) {
            if let Some(id) = ids.get_mut(index) {
                *id = resource_id(record, ty, &key, occurrence);
            }
        }
    }
    ids
}

/// Numbers drafts with equal keys by their content, then by the source's own id, so that the
/// order in the message does not matter. Drafts that say exactly the same are one, unless the
/// source gives each an id of its own.
fn occurrences(
    members: Vec<usize>,
    drafts: &[Draft],
    lookup: &dyn Fn(&str) -> Option<usize>,
) -> Vec<(usize, usize)> {
    if members.len() == 1 {
        return members.into_iter().map(|index| (index, 0)).collect();
    }
    let distinct = |index: usize| {
        drafts.get(index).map(|draft| (content(draft, drafts, lookup), draft.origin.as_deref()))
    };
    let mut sorted: Vec<_> = members.into_iter().map(|index| (distinct(index), index)).collect();
    sorted.sort();
    let mut numbered = Vec::with_capacity(sorted.len());
    let mut occurrence = 0;
    let mut before = None;
    for (says, index) in sorted {
        if before.as_ref().is_some_and(|before| *before != says) {
            occurrence += 1;
        }
        numbered.push((index, occurrence));
        before = Some(says);
    }
    numbered
}

fn content(draft: &Draft, drafts: &[Draft], lookup: &dyn Fn(&str) -> Option<usize>) -> String {
    content::content_hash(&draft.resource, &|text| {
        let target = drafts.get(lookup(text)?)?;
        Some(target.resource_type().to_owned())
    })
}

/// The resource with its id and with its references rewritten.
fn finished(
    draft: Draft,
    id: &str,
    target: &dyn Fn(&str) -> Option<String>,
    issues: &mut Vec<Issue>,
) -> Stated {
    let mut resource = references::with_id(draft.resource, id);
    let mut dangling = 0_usize;
    references::rewrite(&mut resource, &mut |text| {
        let target = target(text);
        let elsewhere = text.contains("://") || pseudonym::referred(text).is_some();
        let local = !text.starts_with('#') && !elsewhere;
        dangling += usize::from(target.is_none() && local);
        target
    });
    if dangling > 0 {
        let message = format!("{dangling} reference(s) lead to nothing in this message");
        issues.push(Issue::warning(IssueCode::NotFound, draft.place, message));
    }
    Stated { resource, origin: draft.origin }
}

/// The derived id behind `Practitioner?identifier=system|value`, known without the resource.
fn conditional_target(text: &str) -> Option<String> {
    let (ty, system, value) = references::conditional(text)?;
    let record = if ty == "Patient" {
        RecordKey::patient(system, value)
    } else if TABLE.is_shared(ty) {
        RecordKey::shared(ty, system, value)
    } else {
        return None;
    };
    Some(format!("{ty}/{}", record.resource_id()))
}

/// Adds what a second statement of the same resource says to the first: members that are not
/// there yet, elements that a list has not yet. Where they differ, the text that sorts first
/// stands, so that the order in the message does not matter.
fn unite(known: &mut Stated, other: Stated) {
    let Stated { mut resource, origin } = other;
    if resource.to_text() < known.resource.to_text() {
        std::mem::swap(&mut resource, &mut known.resource);
    }
    known.origin = known.origin.take().min(origin.clone()).or(origin);
    if let (Some(object), Value::Object(other)) = (known.resource.as_object_mut(), resource) {
        unite_members(object, other);
    }
}

fn unite_members(object: &mut Object, other: Object) {
    for (name, value) in other {
        match object.get_mut(&name) {
            None => drop(object.insert(name, value)),
            Some(Value::Array(list)) => {
                let Value::Array(more) = value else { continue };
                for element in more {
                    if !list.contains(&element) {
                        list.push(element);
                    }
                }
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;

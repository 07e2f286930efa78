//! JSON Patch on a document: on the Bundle that it shows, or on entries by name.

use std::collections::BTreeSet;

use clisonix_crdt::{Base, ChangeId, EntryId};
use clisonix_fhir::json::{self, Object, Value};
use clisonix_fhir::patch::{self, tokens};
use clisonix_fhir::schema::resource_named;

use crate::changes::GivenBase;
use crate::clock::now_ms;
use crate::edit::{Editor, check, edit, object, resources_of};
use crate::failure::Failure;
use crate::replica::Replica;

/// Applies the operations as one edit of the version that `base` names, else of the present state.
/// Entries that are changed or added make one change, each removed one another.
pub(crate) fn apply(
    replica: &mut Replica,
    operations: &Value,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    match named_entries(operations)? {
        Some(entries) => apply_to_entries(replica, operations, &entries, base, editor),
        None => apply_to_bundle(replica, operations, base, editor),
    }
}

/// The entries that the paths name: `/Patient/p1/birthDate` names `Patient/p1`. `None` if the paths
/// are those of the Bundle.
fn named_entries(operations: &Value) -> Result<Option<BTreeSet<EntryId>>, Failure> {
    let mut entries = BTreeSet::new();
    let mut in_bundle = false;
    for (index, operation) in operations.as_array().unwrap_or_default().iter().enumerate() {
        for member in ["path", "from"] {
            let pointer = operation.get(member).and_then(Value::as_str).and_then(tokens);
            match pointer.as_deref() {
                None => {}
                Some([ty, rest @ ..]) if resource_named(ty).is_some() => {
                    match (resource_named(ty), rest) {
                        (Some(ty), [id, ..]) => {
                            entries.insert(EntryId { ty, id: id.as_str().into() });
                        }
                        _ => {
                            return Err(Failure::Patch {
                                index,
                                reason: "the path lacks the entry's id".to_owned(),
                            });
                        }
                    }
                }
                Some(_) => in_bundle = true,
            }
        }
        if in_bundle && !entries.is_empty() {
            let reason = "paths of the Bundle and of entries by name cannot stand in one patch";
            return Err(Failure::Patch { index, reason: reason.to_owned() });
        }
    }
    Ok((!entries.is_empty()).then_some(entries))
}

fn apply_to_entries(
    replica: &mut Replica,
    operations: &Value,
    entries: &BTreeSet<EntryId>,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    let given = replica.base_or_now(base)?;
    let before = named_document(replica, entries, &given)?;
    let document = patch::json(&before, operations)?;
    let mut changed = Vec::new();
    let mut removed = Vec::new();
    for id in entries {
        match (entry_in(&before, id), entry_in(&document, id)) {
            (_, Some(resource))
                if resource.get("id").and_then(Value::as_str) != Some(&*id.id)
                    || resource.resource_type() != Some(id.ty.name()) =>
            {
                let message = "resourceType and id must be those of the path";
                return Err(Failure::invalid(id.to_string(), message));
            }
            (before, Some(resource)) if before != Some(resource) => changed.push(resource),
            (Some(_), None) => removed.push(id.clone()),
            _ => {}
        }
    }
    write(replica, &changed, &removed, &given, operations, editor)
}

/// `{Type: {id: resource}}` of the entries that are there.
fn named_document(
    replica: &Replica,
    entries: &BTreeSet<EntryId>,
    base: &Base,
) -> Result<Value, Failure> {
    let version = match base {
        Base::Heads(heads) => Some(replica.record.at(heads)?),
        _ => None,
    };
    let view = match &version {
        Some(version) => replica.record.view_of(version),
        None => replica.record.view(),
    };
    let mut document = Object::new();
    for id in entries {
        if !document.contains_key(id.ty.name()) {
            document.insert(id.ty.name(), Object::new());
        }
        let of_type = document.get_mut(id.ty.name()).and_then(Value::as_object_mut);
        if let (Some(of_type), Some(resource)) = (of_type, view.resource(id)) {
            of_type.insert(&*id.id, resource);
        }
    }
    Ok(Value::Object(document))
}

fn entry_in<'a>(document: &'a Value, id: &EntryId) -> Option<&'a Value> {
    document.get(id.ty.name())?.get(&id.id)
}

fn apply_to_bundle(
    replica: &mut Replica,
    operations: &Value,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    let given = replica.base_or_now(base)?;
    let text = replica.text(None, base)?;
    let shown = json::parse(text.as_bytes());
    let before =
        shown.map_err(|_| Failure::Edit("the document is too large for a patch".into()))?;
    let document = patch::json(&before, operations)?;
    if document.resource_type() != Some("Bundle") {
        return Err(Failure::invalid("", "the patched document is no Bundle"));
    }
    let (old, new) = (resources_of(&before)?, resources_of(&document)?);
    let name = |resource: &Value| {
        let id = resource.get("id").and_then(Value::as_str)?;
        Some(EntryId { ty: resource_named(resource.resource_type()?)?, id: id.into() })
    };
    let kept: BTreeSet<EntryId> = new.iter().filter_map(|resource| name(resource)).collect();
    let removed: Vec<EntryId> =
        old.iter().filter_map(|resource| name(resource)).filter(|id| !kept.contains(id)).collect();
    let unchanged: std::collections::BTreeMap<EntryId, &Value> =
        old.iter().filter_map(|resource| Some((name(resource)?, *resource))).collect();
    let changed: Vec<&Value> = new
        .into_iter()
        .filter(|resource| {
            name(resource).and_then(|id| unchanged.get(&id).copied()) != Some(resource)
        })
        .collect();
    write(replica, &changed, &removed, &given, operations, editor)
}

fn write(
    replica: &mut Replica,
    changed: &[&Value],
    removed: &[EntryId],
    base: &Base,
    operations: &Value,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    for resource in changed {
        let prefix = match resource.get("id").and_then(Value::as_str) {
            Some(id) => format!("{}/{id}: ", resource.resource_type().unwrap_or_default()),
            None => String::new(),
        };
        check(resource, &prefix)?;
    }
    let objects: Result<Vec<&Object>, Failure> = changed.iter().map(|r| object(r)).collect();
    let objects = objects?;
    if removed.is_empty() {
        let made = edit(replica, &objects, base, operations, editor)?;
        return Ok(Vec::from_iter(made));
    }
    replica.whole(|replica| {
        let mut made = Vec::from_iter(edit(replica, &objects, base, operations, editor)?);
        for id in removed {
            let source = editor.source.as_ref().map(|source| source.source(operations, now_ms()));
            let change = replica.write(&editor.author, source, |record, origin, actors| {
                record.remove(id, base, origin, actors)
            });
            made.extend(change?);
        }
        Ok(made)
    })
}

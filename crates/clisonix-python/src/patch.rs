//! Patches of a document: of the Bundle that it shows, of entries by name, or of one entry.

use std::collections::BTreeSet;

use clisonix_crdt::{Base, ChangeId, EditError, EntryId, Version};
use clisonix_fhir::json::{self, Object, Value};
use clisonix_fhir::patch::{target, tokens};
use clisonix_fhir::schema::{TypeId, resource_named};

use crate::changes::{GivenBase, Operations};
use crate::clock::now_ms;
use crate::edit::{Editor, check, edit, object, resources_of};
use crate::failure::Failure;
use crate::replica::Replica;

/// Applies the operations as one edit of the version that `base` names, else of the present state.
/// Entries that are changed or added make one change, each removed one another.
pub(crate) fn apply(
    replica: &mut Replica,
    operations: &Operations,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    let entries = match operations {
        Operations::Json(array) => named_entries(array)?,
        Operations::Merge(members) => Some(named_members(members)?),
        Operations::FhirPath(parameters) => {
            return match type_of_paths(parameters)? {
                Some(ty) => {
                    let entry = only_entry(replica, ty, base)?;
                    apply_to_entry(replica, operations, &entry, base, editor)
                }
                None => apply_to_bundle(replica, operations, base, editor),
            };
        }
    };
    match entries {
        Some(entries) => apply_to_entries(replica, operations, &entries, base, editor),
        None => apply_to_bundle(replica, operations, base, editor),
    }
}

/// Applies a patch of one entry, whose paths begin at the resource.
pub(crate) fn apply_to_entry(
    replica: &mut Replica,
    operations: &Operations,
    id: &EntryId,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    let given = replica.base_or_now(base)?;
    let version = version_at(replica, &given)?;
    let view =
        version.as_ref().map_or_else(|| replica.record.view(), |v| replica.record.view_of(v));
    let before = view.resource(id).ok_or(EditError::NoSuchEntry)?;
    if let Some(edits) = assignments(operations, &given, &before) {
        let patched = operations.patch().apply(before)?;
        return assign(replica, id, &patched, &edits, operations.content(), editor);
    }
    let patched = operations.patch().apply(before.clone())?;
    check_name(id, &patched)?;
    if patched == before {
        return Ok(Vec::new());
    }
    write(replica, &[&patched], &[], &given, operations.content(), editor)
}

/// The type that the paths of a `FHIRPath` Patch begin with; `None` for those of the Bundle.
fn type_of_paths(parameters: &Value) -> Result<Option<TypeId>, Failure> {
    let operations = parameters.get("parameter").and_then(Value::as_array).unwrap_or_default();
    let mut found: Option<&str> = None;
    for (index, operation) in operations.iter().enumerate() {
        let parts = operation.get("part").and_then(Value::as_array).unwrap_or_default();
        let path = parts.iter().find(|p| p.get("name").and_then(Value::as_str) == Some("path"));
        let path = path.and_then(|path| path.get("valueString")).and_then(Value::as_str);
        let root = path.map(|path| path.split(['.', '[', ' ']).next().unwrap_or_default());
        match (root, found) {
            (Some(root), None) if resource_named(root).is_some() => found = Some(root),
            (Some(root), Some(other)) if root == other => {}
            _ => {
                let reason = "all paths must begin with one resource type; name the entry";
                return Err(Failure::Patch { index, reason: reason.to_owned() });
            }
        }
    }
    Ok(found.filter(|root| *root != "Bundle").and_then(resource_named))
}

/// The one entry of a type at a version.
fn only_entry(replica: &Replica, ty: TypeId, base: &GivenBase) -> Result<EntryId, Failure> {
    let version = version_at(replica, &replica.base_or_now(base)?)?;
    let view =
        version.as_ref().map_or_else(|| replica.record.view(), |v| replica.record.view_of(v));
    let mut entries = view.entries().filter(|id| id.ty == ty);
    match (entries.next(), entries.next()) {
        (Some(only), None) => Ok(only.clone()),
        _ => Err(Failure::Patch {
            index: 0,
            reason: "the document does not hold exactly one entry of this type; name it".to_owned(),
        }),
    }
}

/// The entries of a merge patch `{Type: {id: members}}`.
fn named_members(members: &Value) -> Result<BTreeSet<EntryId>, Failure> {
    let mut entries = BTreeSet::new();
    for (name, of_type) in members.as_object().into_iter().flat_map(Object::iter) {
        let (Some(ty), Some(of_type)) = (resource_named(name), of_type.as_object()) else {
            return Err(Failure::invalid(name, "a merge patch names entries by type and id"));
        };
        entries.extend(of_type.keys().map(|id| EntryId { ty, id: id.into() }));
    }
    Ok(entries)
}

fn version_at(replica: &Replica, base: &Base) -> Result<Option<Version>, Failure> {
    match base {
        Base::Heads(heads) => Ok(Some(replica.record.at(heads)?)),
        _ => Ok(None),
    }
}

/// A patch may not make another entry of one.
fn check_name(id: &EntryId, resource: &Value) -> Result<(), Failure> {
    let same = resource.get("id").and_then(Value::as_str) == Some(&*id.id)
        && resource.resource_type() == Some(id.ty.name());
    let message = "resourceType and id must be those of the entry";
    if same { Ok(()) } else { Err(Failure::invalid(id.to_string(), message)) }
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
                            entries.insert(EntryId { ty, id: id.as_ref().into() });
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
    operations: &Operations,
    entries: &BTreeSet<EntryId>,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    let given = replica.base_or_now(base)?;
    let before = named_document(replica, entries, &given)?;
    if let Some(id) = only(entries)
        && let Some(mut edits) = assignments(operations, &given, &before)
        && edits.iter_mut().all(|(pointer, _)| strip_name(pointer, id))
    {
        let document = operations.patch().apply(before)?;
        let resource = entry_in(&document, id).ok_or(EditError::NoSuchEntry)?;
        return assign(replica, id, resource, &edits, operations.content(), editor);
    }
    let document = operations.patch().apply(before.clone())?;
    let mut changed = Vec::new();
    let mut removed = Vec::new();
    for id in entries {
        match (entry_in(&before, id), entry_in(&document, id)) {
            (before, Some(resource)) => {
                check_name(id, resource)?;
                if before != Some(resource) {
                    changed.push(resource);
                }
            }
            (Some(_), None) => removed.push(id.clone()),
            (None, None) => {}
        }
    }
    write(replica, &changed, &removed, &given, operations.content(), editor)
}

fn only(entries: &BTreeSet<EntryId>) -> Option<&EntryId> {
    entries.first().filter(|_| entries.len() == 1)
}

/// Takes the entry's name from the front of a pointer; `false` if it points to no part of the entry.
fn strip_name(pointer: &mut &str, id: &EntryId) -> bool {
    let rest = pointer.strip_prefix('/').and_then(|rest| rest.strip_prefix(id.ty.name()));
    let rest = rest.and_then(|rest| rest.strip_prefix('/')?.strip_prefix(&*id.id));
    match rest.filter(|rest| rest.starts_with('/')) {
        Some(rest) => *pointer = rest,
        None => return false,
    }
    true
}

/// The patch as values at places of what is there now, if it is no more than that and changes any.
fn assignments<'o>(
    operations: &'o Operations,
    base: &Base,
    before: &Value,
) -> Option<Vec<(&'o str, &'o Value)>> {
    if *base != Base::Current {
        return None;
    }
    let edits = operations.patch().assignments(before)?;
    let changes = |(pointer, value): &(&str, &Value)| {
        tokens(pointer).is_none_or(|tokens| target(before, &tokens) != Some(*value))
    };
    edits.iter().any(changes).then_some(edits)
}

/// Writes values at places of an entry, which make `patched` of it.
fn assign(
    replica: &mut Replica,
    id: &EntryId,
    patched: &Value,
    edits: &[(&str, &Value)],
    operations: &Value,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    check_name(id, patched)?;
    check(patched, &format!("{id}: "))?;
    let source = editor.source.as_ref().map(|source| source.source(operations, now_ms()));
    let change = replica.write(&editor.author, source, |record, origin, actors| {
        record.set_all(id, edits, origin, actors)
    });
    Ok(Vec::from_iter(change?))
}

/// `{Type: {id: resource}}` of the entries that are there.
fn named_document(
    replica: &Replica,
    entries: &BTreeSet<EntryId>,
    base: &Base,
) -> Result<Value, Failure> {
    let version = version_at(replica, base)?;
    let view =
        version.as_ref().map_or_else(|| replica.record.view(), |v| replica.record.view_of(v));
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
    operations: &Operations,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    let given = replica.base_or_now(base)?;
    let text = replica.text(None, base)?;
    let shown = json::parse(text.as_bytes());
    let before =
        shown.map_err(|_| Failure::Edit("the document is too large for a patch".into()))?;
    let document = operations.patch().apply(before.clone())?;
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
    write(replica, &changed, &removed, &given, operations.content(), editor)
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

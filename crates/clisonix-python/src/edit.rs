//! Edits as people make them: a resource, a Bundle, a patch or another replica's changes.

use std::collections::BTreeSet;

use clisonix_crdt::{Base, ChangeId, Coverage};
use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::validate::validate;

use crate::changes::{Changes, GivenBase, GivenSource};
use crate::clock::now_ms;
use crate::failure::Failure;
use crate::patch;
use crate::replica::Replica;

/// Who makes an edit, and on which feed's word.
pub(crate) struct Editor {
    pub(crate) author: String,
    pub(crate) source: Option<GivenSource>,
}

/// Applies several edits in order, all or none; the ids of the changes made, edit by edit.
pub(crate) fn apply_all(
    replica: &mut Replica,
    edits: Vec<(Changes, GivenBase)>,
    editor: &Editor,
) -> Result<Vec<Vec<ChangeId>>, Failure> {
    replica.settle()?;
    replica.whole(|replica| {
        edits.into_iter().map(|(changes, base)| apply(replica, changes, &base, editor)).collect()
    })
}

/// Applies one edit, whole or not at all. Only of another replica's changes those that are in order
/// stay although others were refused.
pub(crate) fn apply_one(
    replica: &mut Replica,
    changes: Changes,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    replica.settle()?;
    apply(replica, changes, base, editor)
}

fn apply(
    replica: &mut Replica,
    changes: Changes,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    match changes {
        Changes::Bytes(bytes) => replica.receive(&bytes),
        Changes::Patch(operations) => {
            patch::apply(replica, &operations, base, editor).map(Vec::from_iter)
        }
        Changes::Resource(resource) if resource.resource_type() == Some("Bundle") => {
            bundle(replica, &resource, base, editor)
        }
        Changes::Resource(resource) => one(replica, &resource, base, editor).map(Vec::from_iter),
    }
}

fn one(
    replica: &mut Replica,
    resource: &Value,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Option<ChangeId>, Failure> {
    check(resource, "")?;
    let object = object(resource)?;
    if let Some(source) = statement_of(editor, base) {
        return state(replica, &[object], resource, source, editor);
    }
    let base = version_in(replica, base, resource)?.map_or(Base::Assertion, Base::Heads);
    edit(replica, &[object], &base, resource, editor)
}

fn bundle(
    replica: &mut Replica,
    bundle: &Value,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    let resources = resources_of(bundle)?;
    check_all(&resources)?;
    let objects: Result<Vec<&Object>, Failure> = resources.iter().map(|r| object(r)).collect();
    let objects = objects?;
    if let Some(source) = statement_of(editor, base) {
        return state(replica, &objects, bundle, source, editor).map(Vec::from_iter);
    }
    if let Some(heads) = version_in(replica, base, bundle)? {
        let source = editor.source.as_ref().map(|source| source.source(bundle, now_ms()));
        let change = replica.write(&editor.author, source, |record, origin, actors| {
            record.edit_all(&objects, &Base::Heads(heads), origin, actors)
        });
        return Ok(Vec::from_iter(change?));
    }
    replica.whole(|replica| each(replica, &resources, bundle, base, editor))
}

/// Takes in each resource of a Bundle that has no version: by its own version, else as an assertion.
fn each(
    replica: &mut Replica,
    resources: &[&Value],
    bundle: &Value,
    base: &GivenBase,
    editor: &Editor,
) -> Result<Vec<ChangeId>, Failure> {
    let mut changes = Vec::new();
    let mut asserted = Vec::new();
    for resource in resources {
        let object = object(resource)?;
        match version_in(replica, base, resource)? {
            Some(heads) => {
                changes.extend(edit(replica, &[object], &Base::Heads(heads), resource, editor)?);
            }
            None if object.contains_key("id") => asserted.push(object),
            // Its id is derived from what it means, perhaps the same as another's here: each speaks
            // for itself, so that what differs is a conflict and not overwritten.
            None => changes.extend(edit(replica, &[object], &Base::Assertion, resource, editor)?),
        }
    }
    if !asserted.is_empty() {
        changes.extend(edit(replica, &asserted, &Base::Assertion, bundle, editor)?);
    }
    Ok(changes)
}

/// Writes what `resources` say against `base`; `content` is what the caller gave.
pub(crate) fn edit(
    replica: &mut Replica,
    resources: &[&Object],
    base: &Base,
    content: &Value,
    editor: &Editor,
) -> Result<Option<ChangeId>, Failure> {
    let source = editor.source.as_ref().map(|source| source.source(content, now_ms()));
    let change = replica.write(&editor.author, source, |record, origin, actors| {
        record.edit(resources, base, origin, actors)
    });
    Ok(change?)
}

/// A feed that states, as against a person whose edit at a version merely names its source.
fn statement_of<'a>(editor: &'a Editor, base: &GivenBase) -> Option<&'a GivenSource> {
    editor.source.as_ref().filter(|_| matches!(base, GivenBase::Unsaid))
}

fn state(
    replica: &mut Replica,
    objects: &[&Object],
    content: &Value,
    source: &GivenSource,
    editor: &Editor,
) -> Result<Option<ChangeId>, Failure> {
    let source = source.source(content, now_ms());
    let stated: Vec<(&Object, Coverage)> =
        objects.iter().map(|&object| (object, Coverage::Whole)).collect();
    let change = replica.write(&editor.author, Some(source), |record, origin, actors| {
        record.state(&stated, origin, actors)
    });
    Ok(change?)
}

/// The version that an edit was made against: what the caller says, else `meta.versionId`.
fn version_in(
    replica: &Replica,
    base: &GivenBase,
    resource: &Value,
) -> Result<Option<Vec<ChangeId>>, Failure> {
    if !matches!(base, GivenBase::Unsaid) {
        return replica.heads_of(base);
    }
    let version = resource.get("meta").and_then(|meta| meta.get("versionId"));
    match version.and_then(Value::as_str).filter(|version| is_ours(version)) {
        Some(version) => Ok(Some(replica.record.heads_of_version(version)?)),
        None => Ok(None),
    }
}

/// Whether a version id has the form that this program gives out. Another system's (`1`, `W/"3"`)
/// says nothing about this document, and a resource that carries one is an assertion.
fn is_ours(version: &str) -> bool {
    // Base 64 of 3 bytes of policy and 8 bytes for each of at most 5 heads, or of 33 hashed bytes.
    match (version.split_at_checked(1), version.len() - 1) {
        (Some(("v", _)), digits) => [4, 15, 26, 36, 47, 58].contains(&digits),
        (Some(("h", _)), digits) => digits == 44,
        _ => false,
    }
}

/// The resources of a Bundle.
pub(crate) fn resources_of(bundle: &Value) -> Result<Vec<&Value>, Failure> {
    let entries = match bundle.get("entry") {
        None => &[],
        Some(entries) => {
            let wrong = || Failure::invalid("Bundle.entry", "not an array");
            entries.as_array().ok_or_else(wrong)?
        }
    };
    let resources = entries.iter().enumerate().map(|(index, entry)| {
        entry.get("resource").ok_or_else(|| {
            let path = format!("Bundle.entry[{index}].resource");
            Failure::invalid(path, "each entry must hold a resource")
        })
    });
    resources.collect()
}

pub(crate) fn object(resource: &Value) -> Result<&Object, Failure> {
    resource.as_object().ok_or_else(|| Failure::invalid("", "a resource is an object"))
}

/// Checks a resource against FHIR R4; `prefix` is put before the paths of what is wrong.
pub(crate) fn check(resource: &Value, prefix: &str) -> Result<(), Failure> {
    let issues = faults(resource, prefix);
    if issues.is_empty() { Ok(()) } else { Err(Failure::Invalid(issues)) }
}

fn check_all(resources: &[&Value]) -> Result<(), Failure> {
    let mut issues = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, resource) in resources.iter().enumerate() {
        let prefix = format!("Bundle.entry[{index}].resource.");
        issues.extend(faults(resource, &prefix));
        let id = resource.get("id").and_then(Value::as_str);
        if id.is_some() && !seen.insert((resource.resource_type(), id)) {
            let message = "another entry has the same type and id";
            issues.push(Issue::error(IssueCode::Duplicate, format!("{prefix}id"), message));
        }
    }
    if issues.is_empty() { Ok(()) } else { Err(Failure::Invalid(issues)) }
}

fn faults(resource: &Value, prefix: &str) -> Vec<Issue> {
    let mut issues = validate(resource);
    issues.retain(Issue::is_error);
    for issue in &mut issues {
        issue.path.insert_str(0, prefix);
    }
    issues
}

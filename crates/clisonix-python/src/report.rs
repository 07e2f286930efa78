//! Conflicts, history and blame as JSON text.

use clisonix_crdt::{Blame, ChangeId, ChangeInfo, Conflict, HybridTime, Side, Source};
use clisonix_fhir::json::{Object, Value};
use sha2::{Digest, Sha256};

/// An array of what `conflicts()` gives.
pub(crate) fn conflicts(found: &[Conflict]) -> String {
    Value::Array(found.iter().map(|one| Value::Object(conflict(one))).collect()).to_text()
}

/// Stands for a conflict as it was read: place, kind and sides. With a further side it is another,
/// so that nobody settles what they have not seen.
pub(crate) fn conflict_id(conflict: &Conflict) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"clisonix conflict 1\0");
    for part in [conflict.entry.to_string().as_bytes(), conflict.address.as_bytes()] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.update(conflict.kind.as_str());
    let mut sides: Vec<ChangeId> = conflict.sides.iter().map(|side| side.change).collect();
    sides.sort_unstable();
    for change in sides {
        hasher.update(change.0);
    }
    let digest = hasher.finalize();
    format!("{}#{}", conflict.entry, hex(digest.iter().take(12).copied()))
}

/// An array of what `history()` gives.
pub(crate) fn history(changes: &[ChangeInfo]) -> String {
    let rows = changes.iter().map(|change| {
        let dependencies = change.dependencies.iter().map(|id| Value::from(id.to_string()));
        let entries = change.entries.iter().map(|entry| Value::from(entry.to_string()));
        object([
            ("id", change.id.to_string().into()),
            ("dependencies", dependencies.collect()),
            ("author", Value::from(&*change.author)),
            ("time", change.time.to_string().into()),
            ("source", source(change.source.as_ref())),
            ("entries", entries.collect()),
        ])
    });
    Value::Array(rows.map(Value::Object).collect()).to_text()
}

/// An array of what `blame()` gives.
pub(crate) fn blame(cells: &[Blame]) -> String {
    let rows = cells.iter().map(|cell| {
        object([
            ("path", cell.path.as_str().into()),
            ("author", Value::from(&*cell.author)),
            ("time", cell.time.to_string().into()),
            ("change", cell.change.to_string().into()),
            ("source", source(cell.source.as_ref())),
        ])
    });
    Value::Array(rows.map(Value::Object).collect()).to_text()
}

fn conflict(conflict: &Conflict) -> Object {
    object([
        ("entry", conflict.entry.to_string().into()),
        ("path", conflict.path.as_str().into()),
        ("kind", conflict.kind.as_str().into()),
        ("severity", conflict.severity.as_str().into()),
        ("shown", conflict.shown.clone().unwrap_or_default()),
        ("why", conflict.why.as_str().into()),
        ("id", conflict_id(conflict).into()),
        ("values", conflict.sides.iter().map(|one| Value::Object(side(one))).collect()),
    ])
}

fn side(side: &Side) -> Object {
    object([
        ("value", side.value.clone().unwrap_or_default()),
        ("author", Value::from(&*side.author)),
        ("time", side.time.to_string().into()),
        ("change", side.change.to_string().into()),
        ("source", source(side.source.as_ref())),
        ("removed", side.removed.into()),
    ])
}

fn source(source: Option<&Source>) -> Value {
    let Some(source) = source else { return Value::Null };
    let time = HybridTime::from_millis(source.event_time_ms);
    Value::Object(object([
        ("feed", Value::from(&*source.feed)),
        ("message", hex(source.message).into()),
        ("time", time.to_string().into()),
    ]))
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Object {
    members.into_iter().collect()
}

fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

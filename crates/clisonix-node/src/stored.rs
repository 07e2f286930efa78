//! The rows that the node puts into the store: states, record metadata, names and index rows.
//!
//! | table | key | value |
//! |---|---|---|
//! | states | record | length of the conflicts' JSON (4 bytes, big-endian), that JSON, the Bundle's JSON |
//! | records | record | JSON `{kind, system, value}` |
//! | aliases | identifier value, `0`, system, `0`, record | empty |
//! | index | `e`, `0`, `Type/id` | record |
//! | index | `m`, `0`, message id | the records it was taken into, each ended by a line feed |

use std::collections::{BTreeMap, BTreeSet};

use clisonix_crdt::{Conflict, EntryId, Record};
use clisonix_fhir::json::{self, Object, Value};
use clisonix_ingest::{RecordKey, RecordKind};
use clisonix_store::{Batch, MessageId, ReadError, Row, Snapshot, Table};

use crate::error::NodeError;

/// What is stored of a record beside its changes, so that reading needs no log.
pub(crate) struct State {
    pub(crate) conflicts: String,
    pub(crate) bundle: String,
}

/// What was rendered of each entry, with the version it was rendered at.
#[derive(Default)]
pub(crate) struct Faces(BTreeMap<EntryId, Face>);

struct Face {
    version: String,
    /// `None` for an entry that is gone.
    shown: Option<(String, Vec<Value>)>,
}

impl State {
    /// As [`Self::of`]; an entry whose version is the one in `faces` is not rendered again.
    pub(crate) fn with_faces(record: &Record, faces: &mut Faces) -> Self {
        let view = record.view();
        for id in view.all_entries() {
            let version = view.entry_version_id(id).unwrap_or_default();
            let known = faces.0.get(id).is_some_and(|face| face.version == version);
            if known && !view.is_marked(id) {
                continue;
            }
            let shown = view.face(id).map(|(text, conflicts)| {
                (text, conflicts.iter().map(Conflict::to_value).collect())
            });
            faces.0.insert(id.clone(), Face { version, shown });
        }
        let shown = || faces.0.values().filter_map(|face| face.shown.as_ref());
        let conflicts: Value = shown().flat_map(|(_, conflicts)| conflicts).cloned().collect();
        Self {
            conflicts: conflicts.to_text(),
            bundle: view.bundle_of(shown().map(|(text, _)| text)),
        }
    }

    pub(crate) fn of(record: &Record) -> Self {
        let view = record.view();
        let (mut texts, mut conflicts) = (Vec::new(), Vec::new());
        for (text, open) in view.all_entries().filter_map(|id| view.face(id)) {
            texts.push(text);
            conflicts.extend(open.iter().map(Conflict::to_value));
        }
        Self { conflicts: Value::Array(conflicts).to_text(), bundle: view.bundle_of(texts.iter()) }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.conflicts.len() + self.bundle.len());
        out.extend_from_slice(&(self.conflicts.len() as u32).to_be_bytes());
        out.extend_from_slice(self.conflicts.as_bytes());
        out.extend_from_slice(self.bundle.as_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (conflicts, bundle) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        Some(Self {
            conflicts: String::from_utf8(conflicts.to_vec()).ok()?,
            bundle: String::from_utf8(bundle.to_vec()).ok()?,
        })
    }
}

pub(crate) fn put_state(batch: &mut Batch, record: &Record) -> Result<(), NodeError> {
    batch.state(record.id(), State::of(record).encode())?;
    Ok(())
}

pub(crate) fn put_key(batch: &mut Batch, record: &str, key: &RecordKey) -> Result<(), NodeError> {
    let kind = match key.kind {
        RecordKind::Patient => "patient",
        RecordKind::Shared => "shared",
    };
    let object: Object = [
        ("kind", Value::from(kind)),
        ("system", Value::from(key.system.as_str())),
        ("value", Value::from(key.value.as_str())),
    ]
    .into_iter()
    .collect();
    batch.record(record, Value::Object(object).to_text().into_bytes())?;
    put_alias(batch, &key.value, &key.system, record)
}

/// Makes a record findable by an identifier.
pub(crate) fn put_alias(
    batch: &mut Batch,
    value: &str,
    system: &str,
    record: &str,
) -> Result<(), NodeError> {
    let key = [value, system, record].join("\0");
    // An identifier too long for a key cannot be looked up by; the record holds it all the same.
    if key.len() <= clisonix_store::limit::MAX_KEY_BYTES && !value.is_empty() {
        batch.put(Table::Aliases, key.as_bytes(), Vec::new())?;
    }
    Ok(())
}

pub(crate) fn alias_prefix(value: &str) -> Vec<u8> {
    [value.as_bytes(), &[0]].concat()
}

pub(crate) fn alias_record(row: &Row) -> Option<String> {
    let key = std::str::from_utf8(&row.key).ok()?;
    key.rsplit('\0').next().map(str::to_owned)
}

pub(crate) fn entry_key(entry: &str) -> Vec<u8> {
    [b"e\0", entry.as_bytes()].concat()
}

pub(crate) fn put_entry(batch: &mut Batch, entry: &EntryId, record: &str) -> Result<(), NodeError> {
    batch.put(Table::Index, &entry_key(&entry.to_string()), record.as_bytes().to_vec())?;
    Ok(())
}

fn settled_key(message: &MessageId) -> Vec<u8> {
    [b"m\0", message.as_slice()].concat()
}

/// Notes the records that a message was taken into, so that its repetition loads none of them.
pub(crate) fn put_settled(
    batch: &mut Batch,
    message: &MessageId,
    records: &BTreeSet<String>,
) -> Result<(), NodeError> {
    let value = records.iter().fold(String::new(), |text, record| text + record + "\n");
    batch.put(Table::Index, &settled_key(message), value.into_bytes())?;
    Ok(())
}

/// The records that a message is known to have been taken into.
pub(crate) fn settled(
    snapshot: &Snapshot,
    message: &MessageId,
) -> Result<BTreeSet<String>, NodeError> {
    let value = snapshot.value(Table::Index, &settled_key(message))?.unwrap_or_default();
    let text = String::from_utf8(value);
    let text = text.map_err(|_| ReadError::Damaged { table: Table::Index })?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Kind, system and value of a record.
pub(crate) fn read_key(bytes: &[u8]) -> Option<(RecordKind, String, String)> {
    let object = json::parse(bytes).ok()?;
    let text = |name| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = if text("kind")? == "patient" { RecordKind::Patient } else { RecordKind::Shared };
    Some((kind, text("system")?, text("value")?))
}

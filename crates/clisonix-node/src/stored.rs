//! The rows that the node puts into the store: states, record metadata, names and index rows.
//!
//! | table | key | value |
//! |---|---|---|
//! | states | record | its state as packed last, without its log |
//! | changes | record | the changes of one batch, or of several, as a segment of the log |
//! | records | record | JSON `{kind, system, value}` |
//! | aliases | identifier value, `0`, system, `0`, record | empty |
//! | index | `e`, `0`, `Type/id` | record |
//! | index | `b`, `0`, patient's own record, `0`, record of sensitive classes beside it | empty |
//! | index | `r`, `0`, record | rows of the log since the state was packed, their bytes, version |
//! | index | `s`, `0`, record, `0`, `Type/id` | what is shown of an entry: conflicts and resource |
//! | index | `g`, `0`, record | that it sets terms of its own, see [`has_terms`] |
//! | index | `d`, `0`, record | that its log is damaged, see `damage.rs` |
//! | index | `d`, `0`, record, `0`, number | a part of what was put aside then |
//! | index | `m`, `0`, message id | the records it was taken into, each ended by a line feed; `0`, the ids of the inputs it came in |
//! | meta | `erasing`, `0`, record | the keys that are to be destroyed, see `erasing.rs` |
//! | meta | `vault` | the newest generation of the vault that the store has seen |

use std::collections::BTreeSet;

use clisonix_crdt::{Conflict, EntryId, Record};
use clisonix_fhir::json::{self, Object, Value};
use clisonix_ingest::{RecordKey, RecordKind};
use clisonix_store::{Batch, MessageId, ReadError, Row, Snapshot, Span, Table};

use crate::consent;
use crate::error::NodeError;
use crate::version;

/// The rows of a record's log since its state was packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) rows: u32,
    /// Bytes in them.
    pub(crate) bytes: u32,
}

/// What is stored of a record as a whole.
pub(crate) struct Head {
    pub(crate) tail: Tail,
    /// The record's version id.
    pub(crate) version: String,
}

/// What is shown of one entry.
pub(crate) struct Shown {
    /// The open conflicts, as a JSON list.
    pub(crate) conflicts: String,
    /// The resource, as JSON.
    pub(crate) resource: String,
}

impl Shown {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.conflicts.len() + self.resource.len());
        out.extend_from_slice(&(self.conflicts.len() as u32).to_be_bytes());
        out.extend_from_slice(self.conflicts.as_bytes());
        out.extend_from_slice(self.resource.as_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (conflicts, resource) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        Some(Self {
            conflicts: String::from_utf8(conflicts.to_vec()).ok()?,
            resource: String::from_utf8(resource.to_vec()).ok()?,
        })
    }
}

fn head_key(record: &str) -> Vec<u8> {
    [b"r\0", record.as_bytes()].concat()
}

fn shown_prefix(record: &str) -> Vec<u8> {
    [b"s\0", record.as_bytes(), b"\0"].concat()
}

/// The record behind the key of a row of the index that holds content of it: what is shown of an
/// entry, or what was put aside because it is damaged; `None` for any other key.
pub(crate) fn record_of_content(key: &[u8]) -> Option<&[u8]> {
    let name = key.strip_prefix(b"s\0").or_else(|| key.strip_prefix(b"d\0"))?;
    name.split(|byte| *byte == 0).next()
}

fn shown_key(record: &str, entry: &str) -> Vec<u8> {
    [shown_prefix(record).as_slice(), entry.as_bytes()].concat()
}

pub(crate) fn put_head(batch: &mut Batch, record: &Record, tail: Tail) -> Result<(), NodeError> {
    let mut value = tail.rows.to_be_bytes().to_vec();
    value.extend_from_slice(&tail.bytes.to_be_bytes());
    value.extend_from_slice(record.view().version_id().as_bytes());
    batch.put(Table::Index, &head_key(record.id()), value)?;
    Ok(())
}

/// The head of a record; `None` if it has none.
pub(crate) fn head(snapshot: &Snapshot, record: &str) -> Result<Option<Head>, NodeError> {
    let Some(value) = snapshot.value(Table::Index, &head_key(record))? else { return Ok(None) };
    let read = || {
        let (rows, rest) = value.split_first_chunk::<4>()?;
        let (bytes, version) = rest.split_first_chunk::<4>()?;
        let tail = Tail { rows: u32::from_be_bytes(*rows), bytes: u32::from_be_bytes(*bytes) };
        Some(Head { tail, version: String::from_utf8(version.to_vec()).ok()? })
    };
    read().map(Some).ok_or_else(|| NodeError::Damaged(record.to_owned()))
}

/// Writes what is shown of the entries that the changes from number `first` on touched. What is
/// shown of an entry depends on others only while its removal is not settled.
pub(crate) fn put_shown(batch: &mut Batch, record: &Record, first: usize) -> Result<(), NodeError> {
    let view = record.view();
    let mut touched = record.entries_since(first);
    touched.extend(view.all_entries().filter(|id| view.is_marked(id)).cloned());
    put_shown_of(batch, record, &touched)
}

/// Removes everything that is derived from a record's log: its state, what is shown of it, its head.
pub(crate) fn remove_derived(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &str,
) -> Result<(), NodeError> {
    for row in snapshot.rows(Table::Index, &Span::prefix(&shown_prefix(record)))? {
        batch.remove(Table::Index, &row?.key)?;
    }
    batch.remove(Table::Index, &terms_key(record))?;
    batch.remove(Table::Index, &head_key(record))?;
    batch.remove(Table::States, record.as_bytes())?;
    Ok(())
}

/// Makes everything anew that is derived from a record's log: its state, what is shown of it, its
/// head.
pub(crate) fn put_derived(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &Record,
) -> Result<(), NodeError> {
    remove_derived(batch, snapshot, record.id())?;
    put_shown(batch, record, 0)?;
    batch.state(record.id(), record.save_state())?;
    put_head(batch, record, Tail::default())
}

/// Writes what is shown of these entries, and that the record sets terms if one of them does.
pub(crate) fn put_shown_of(
    batch: &mut Batch,
    record: &Record,
    entries: &BTreeSet<EntryId>,
) -> Result<(), NodeError> {
    let view = record.view();
    for id in entries {
        let key = shown_key(record.id(), &id.to_string());
        match view.face(id) {
            Some((resource, conflicts)) => {
                let conflicts: Value = conflicts.iter().map(Conflict::to_value).collect();
                let shown = Shown { conflicts: conflicts.to_text(), resource };
                if consent::sets_terms(&shown.resource) {
                    put_terms(batch, record.id())?;
                }
                batch.put(Table::Index, &key, shown.encode())?;
            }
            None => drop(batch.remove(Table::Index, &key)?),
        }
    }
    Ok(())
}

fn terms_key(record: &str) -> Vec<u8> {
    [b"g\0", record.as_bytes()].concat()
}

pub(crate) fn put_terms(batch: &mut Batch, record: &str) -> Result<(), NodeError> {
    batch.put(Table::Index, &terms_key(record), Vec::new())?;
    Ok(())
}

/// Whether a record sets terms. With the row something that is shown of it does
/// ([`consent::sets_terms`]), or once did; without it nothing does.
pub(crate) fn has_terms(snapshot: &Snapshot, record: &str) -> Result<bool, ReadError> {
    snapshot.contains(Table::Index, &terms_key(record))
}

/// What is shown of one entry; `None` if it is gone.
pub(crate) fn shown(
    snapshot: &Snapshot,
    record: &str,
    entry: &str,
) -> Result<Option<Shown>, NodeError> {
    let value = snapshot.value(Table::Index, &shown_key(record, entry))?;
    let read =
        |value: Vec<u8>| Shown::decode(&value).ok_or_else(|| NodeError::Damaged(record.to_owned()));
    value.map(read).transpose()
}

/// What is shown of each entry of a record.
pub(crate) fn all_shown(snapshot: &Snapshot, record: &str) -> Result<Vec<Shown>, NodeError> {
    let rows = snapshot.rows(Table::Index, &Span::prefix(&shown_prefix(record)))?;
    rows.map(|row| Shown::decode(&row?.value).ok_or_else(|| NodeError::Damaged(record.to_owned())))
        .collect()
}

/// Notes the key of a record, and makes the record findable by it.
pub(crate) fn put_key(batch: &mut Batch, key: &RecordKey) -> Result<(), NodeError> {
    let kind = match key.kind {
        RecordKind::Patient => "patient",
        RecordKind::Shared => "shared",
    };
    let mut object: Object = [
        ("kind", Value::from(kind)),
        ("system", Value::from(key.system.as_str())),
        ("value", Value::from(key.value.as_str())),
    ]
    .into_iter()
    .collect();
    if !key.classes.is_empty() {
        object.insert("classes", key.classes.as_str());
    }
    put_key_row(batch, key, Value::Object(object).to_text().into_bytes())?;
    // Who looks for an identifier means the patient, whose own record leads to the others.
    let is_own = key.classes.is_empty();
    if is_own { put_alias(batch, &key.value, &key.system, &key.id()) } else { Ok(()) }
}

/// Notes the key of a record as it was received.
pub(crate) fn put_key_row(
    batch: &mut Batch,
    key: &RecordKey,
    row: Vec<u8>,
) -> Result<(), NodeError> {
    let record = key.id();
    if !key.classes.is_empty() {
        batch.put(Table::Index, &beside_key(&key.whole().id(), &record), Vec::new())?;
    }
    batch.record(&record, row)?;
    Ok(())
}

fn beside_key(whole: &str, record: &str) -> Vec<u8> {
    [b"b\0", whole.as_bytes(), b"\0", record.as_bytes()].concat()
}

/// The records that hold sensitive classes of a patient apart, beside the patient's own.
pub(crate) fn beside(snapshot: &Snapshot, whole: &str) -> Result<Vec<String>, NodeError> {
    let prefix = beside_key(whole, "");
    let mut found = Vec::new();
    for row in snapshot.rows(Table::Index, &Span::prefix(&prefix))? {
        let name =
            row?.key.get(prefix.len()..).and_then(|name| String::from_utf8(name.into()).ok());
        found.push(name.ok_or_else(|| NodeError::Damaged(whole.to_owned()))?);
    }
    Ok(found)
}

/// The key of a record; `None` if it is not here.
pub(crate) fn key_of(snapshot: &Snapshot, record: &str) -> Result<Option<RecordKey>, NodeError> {
    let Some(row) = snapshot.record(record)? else { return Ok(None) };
    read_key(&row).map(Some).ok_or_else(|| NodeError::Damaged(record.to_owned()))
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

/// The record that holds an entry, `Type/id`.
pub(crate) fn record_of(snapshot: &Snapshot, entry: &str) -> Result<Option<String>, NodeError> {
    let holder = snapshot.value(Table::Index, &entry_key(entry))?;
    Ok(holder.and_then(|holder| String::from_utf8(holder).ok()))
}

pub(crate) fn put_entry(batch: &mut Batch, entry: &EntryId, record: &str) -> Result<(), NodeError> {
    batch.put(Table::Index, &entry_key(&entry.to_string()), record.as_bytes().to_vec())?;
    Ok(())
}

/// Makes an entry unfindable that is not in the record any more.
pub(crate) fn remove_entry(
    batch: &mut Batch,
    snapshot: &Snapshot,
    entry: &EntryId,
    record: &str,
) -> Result<(), NodeError> {
    let key = entry_key(&entry.to_string());
    let holder = snapshot.value(Table::Index, &key)?;
    if holder.is_some_and(|holder| holder == record.as_bytes()) {
        batch.remove(Table::Index, &key)?;
    }
    Ok(())
}

/// Removes every row that finds one of these records or is derived from it.
pub(crate) fn remove_records(
    batch: &mut Batch,
    snapshot: &Snapshot,
    records: &BTreeSet<String>,
) -> Result<(), NodeError> {
    if records.is_empty() {
        return Ok(());
    }
    let is_of = |name: &[u8]| str::from_utf8(name).is_ok_and(|name| records.contains(name));
    for row in snapshot.rows(Table::Aliases, &Span::all())? {
        let row = row?;
        if row.key.rsplit(|byte| *byte == 0).next().is_some_and(is_of) {
            batch.remove(Table::Aliases, &row.key)?;
        }
    }
    for row in snapshot.rows(Table::Index, &Span::prefix(b"e\0"))? {
        let row = row?;
        if is_of(&row.value) {
            batch.remove(Table::Index, &row.key)?;
        }
    }
    for row in snapshot.rows(Table::Index, &Span::prefix(b"b\0"))? {
        let row = row?;
        if row.key.rsplit(|byte| *byte == 0).next().is_some_and(is_of) {
            batch.remove(Table::Index, &row.key)?;
        }
    }
    for record in records {
        batch.remove(Table::Index, &head_key(record))?;
        batch.remove(Table::Index, &terms_key(record))?;
        version::remove(batch, record)?;
        batch.remove(Table::States, record.as_bytes())?;
        batch.remove(Table::Records, record.as_bytes())?;
    }
    Ok(())
}

/// Makes a record unfindable by identifiers that are not its own key's and are written nowhere in it.
pub(crate) fn remove_aliases(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &str,
    is_written: impl Fn(&str) -> bool,
) -> Result<(), NodeError> {
    let key = snapshot.record(record)?.and_then(|key| read_key(&key));
    let own = key.map(|key| [&*key.value, &*key.system, record].join("\0"));
    for row in snapshot.rows(Table::Aliases, &Span::all())? {
        let row = row?;
        let Ok(alias) = std::str::from_utf8(&row.key) else { continue };
        let is_own = own.as_deref() == Some(alias);
        if is_own || alias.rsplit('\0').next() != Some(record) {
            continue;
        }
        if !is_written(alias.split('\0').next().unwrap_or_default()) {
            batch.remove(Table::Aliases, &row.key)?;
        }
    }
    Ok(())
}

const SETTLED_PREFIX: &[u8] = b"m\0";

fn settled_key(message: &MessageId) -> Vec<u8> {
    [SETTLED_PREFIX, message.as_slice()].concat()
}

/// What is known of a message that was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The records it was taken into: its repetition loads none of them.
    pub(crate) records: BTreeSet<String>,
    /// The inputs it came in; none that an older program took in.
    pub(crate) inputs: BTreeSet<MessageId>,
}

impl Settled {
    fn encode(&self) -> Vec<u8> {
        let mut value: Vec<u8> = Vec::new();
        for record in &self.records {
            value.extend_from_slice(record.as_bytes());
            value.push(b'\n');
        }
        if !self.inputs.is_empty() {
            value.push(0);
        }
        value.extend(self.inputs.iter().flatten());
        value
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
        let (records, inputs) = value.split_at_checked(end)?;
        let records = std::str::from_utf8(records).ok()?.lines().map(str::to_owned).collect();
        let (inputs, rest) = inputs.get(1..).unwrap_or_default().as_chunks();
        rest.is_empty().then(|| Self { records, inputs: inputs.iter().copied().collect() })
    }
}

/// Notes what became of a message.
pub(crate) fn put_settled(
    batch: &mut Batch,
    message: &MessageId,
    settled: &Settled,
) -> Result<(), NodeError> {
    batch.put(Table::Index, &settled_key(message), settled.encode())?;
    Ok(())
}

/// What is known of a message.
pub(crate) fn settled(snapshot: &Snapshot, message: &MessageId) -> Result<Settled, NodeError> {
    let value = snapshot.value(Table::Index, &settled_key(message))?.unwrap_or_default();
    let damaged = ReadError::Damaged { table: Table::Index };
    Ok(Settled::decode(&value).ok_or(damaged)?)
}

/// The inputs that carried messages into a record, and how many of its messages came in inputs that
/// are not known. Reads what is known of every message.
pub(crate) fn inputs_of(
    snapshot: &Snapshot,
    record: &str,
) -> Result<(BTreeSet<MessageId>, u64), NodeError> {
    let (mut inputs, mut unknown) = (BTreeSet::new(), 0);
    for row in snapshot.rows(Table::Index, &Span::prefix(SETTLED_PREFIX))? {
        let damaged = ReadError::Damaged { table: Table::Index };
        let settled = Settled::decode(&row?.value).ok_or(damaged)?;
        if settled.records.contains(record) {
            unknown += u64::from(settled.inputs.is_empty());
            inputs.extend(settled.inputs);
        }
    }
    Ok((inputs, unknown))
}

/// Reads a record's key.
pub(crate) fn read_key(bytes: &[u8]) -> Option<RecordKey> {
    let object = json::parse(bytes).ok()?;
    let text = |name| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = if text("kind")? == "patient" { RecordKind::Patient } else { RecordKind::Shared };
    let classes = text("classes").unwrap_or_default();
    Some(RecordKey { kind, system: text("system")?, value: text("value")?, classes })
}

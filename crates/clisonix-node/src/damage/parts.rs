//! The rows in which it stands that a record is damaged, and what was put aside of it
//! (`docs/formats/store.md`).

use std::collections::{BTreeMap, BTreeSet};

use clisonix_crdt::wire::{Reader, put_u64};
use clisonix_crdt::{ActorId, ChangeId};
use clisonix_store::{Batch, Row, Snapshot, Span, StoredChange, Table};

use crate::error::NodeError;
use crate::signing::rows::{self, ChainRow, StatementRow};

/// Up to which change the record held an actor's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    last: u64,
    /// Whether they were made here.
    is_own: bool,
}

/// That a record's log is damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) found_ms: u64,
    pub(super) is_aside: bool,
    /// Whether `held` is everything.
    pub(super) is_known: bool,
    pub(super) held: BTreeMap<ActorId, Held>,
    /// The record's heads: they prove that what leads to them is what was written.
    pub(super) heads: BTreeSet<ChangeId>,
}

impl Note {
    /// The record held this actor's changes up to this one.
    pub(super) fn reach(&mut self, actor: ActorId, last: u64, is_own: bool) {
        let held = self.held.entry(actor).or_default();
        *held = Held { last: held.last.max(last), is_own };
    }

    /// What was noted before holds too.
    pub(super) fn add(&mut self, before: &Self) {
        for (actor, held) in &before.held {
            let is_own = self.held.get(actor).map_or(held.is_own, |now| now.is_own);
            self.reach(*actor, held.last, is_own);
        }
        self.heads.extend(before.heads.iter().copied());
        self.is_known &= before.is_known || before.held.is_empty();
    }

    /// How many changes are missing where this many of each actor are, and how many own ones.
    pub(super) fn missing(&self, mut here: impl FnMut(ActorId) -> u64) -> (u64, u64) {
        let (mut all, mut own) = (0, 0);
        for (actor, held) in &self.held {
            let missing = held.last.saturating_sub(here(*actor));
            all += missing;
            own += if held.is_own { missing } else { 0 };
        }
        (all, own)
    }

    pub(super) fn put(&self, batch: &mut Batch, record: &str) -> Result<(), NodeError> {
        let flags = u8::from(self.is_aside) | u8::from(self.is_known) << 1;
        let mut value = vec![flags];
        put_u64(&mut value, self.found_ms);
        put_u64(&mut value, self.held.len() as u64);
        for (actor, held) in &self.held {
            value.extend(actor.0);
            put_u64(&mut value, held.last << 1 | u64::from(held.is_own));
        }
        value.extend(self.heads.iter().flat_map(|head| head.0));
        batch.put(Table::Index, &note_key(record), value)?;
        Ok(())
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let flags = reader.byte().ok()?;
        let found_ms = reader.u64().ok()?;
        let mut held = BTreeMap::new();
        for _ in 0..reader.u64().ok()? {
            let (actor, number) = (ActorId(reader.array().ok()?), reader.u64().ok()?);
            held.insert(actor, Held { last: number >> 1, is_own: number & 1 == 1 });
        }
        let mut heads = BTreeSet::new();
        while !reader.is_empty() {
            heads.insert(ChangeId(reader.array().ok()?));
        }
        let (is_aside, is_known) = (flags & 1 != 0, flags & 2 != 0);
        Some(Self { found_ms, is_aside, is_known, held, heads })
    }
}

const PREFIX: &[u8] = b"d\0";

fn note_key(record: &str) -> Vec<u8> {
    [PREFIX, record.as_bytes()].concat()
}

fn parts_prefix(record: &str) -> Vec<u8> {
    [PREFIX, record.as_bytes(), b"\0"].concat()
}

/// What is noted of a record.
pub(super) fn note(snapshot: &Snapshot, record: &str) -> Result<Option<Note>, NodeError> {
    let value = snapshot.value(Table::Index, &note_key(record))?;
    let damaged = || NodeError::Damaged(record.to_owned());
    value.map(|value| Note::decode(&value).ok_or_else(damaged)).transpose()
}

/// Whether it is noted that a record is damaged.
pub(crate) fn is_noted(snapshot: &Snapshot, record: &str) -> Result<bool, NodeError> {
    Ok(snapshot.contains(Table::Index, &note_key(record))?)
}

/// Whether a record's log was put aside, and is not whole again.
pub(crate) fn is_aside(snapshot: &Snapshot, record: &str) -> Result<bool, NodeError> {
    Ok(note(snapshot, record)?.is_some_and(|note| note.is_aside))
}

/// What is noted of each record. Parts are passed over without being read.
pub(super) fn notes(snapshot: &Snapshot) -> Result<Vec<(String, Note)>, NodeError> {
    let (mut found, mut span) = (Vec::new(), Span::prefix(PREFIX));
    loop {
        let Some(row) = snapshot.rows(Table::Index, &span)?.next().transpose()? else {
            return Ok(found);
        };
        let name = row.key.strip_prefix(PREFIX).and_then(|name| str::from_utf8(name).ok());
        let name = name.unwrap_or_default().split('\0').next().unwrap_or_default().to_owned();
        let note = Note::decode(&row.value).filter(|_| row.key == note_key(&name));
        found.extend(note.map(|note| (name.clone(), note)));
        // Byte 1 is the next after the byte behind the name.
        span = span.after(&[PREFIX, name.as_bytes(), b"\x01"].concat());
    }
}

const SEGMENT: u8 = 1;
const STATE: u8 = 2;
const ROW: u8 = 3;

/// Puts a record's rows aside, behind what was put aside before.
pub(super) fn put(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &str,
    log: &[StoredChange],
    state: Option<Vec<u8>>,
    index: &[Row],
) -> Result<(), NodeError> {
    let prefix = parts_prefix(record);
    let last =
        snapshot.rows(Table::Index, &Span::prefix(&prefix).backwards())?.next().transpose()?;
    let last = last.and_then(|row| row.key.strip_prefix(&*prefix)?.try_into().ok());
    let mut number = last.map_or(0, |last| u32::from_be_bytes(last).saturating_add(1));
    let segments = log.iter().map(|row| [&[SEGMENT], &*row.bytes].concat());
    let state = state.map(|state| [&[STATE], &*state].concat());
    let index = index.iter().map(|row| {
        // The store takes no longer key.
        let length = (row.key.len() as u16).to_be_bytes();
        [&[ROW], &length[..], &row.key, &row.value].concat()
    });
    for part in segments.chain(state).chain(index) {
        let key = [&*prefix, &number.to_be_bytes()].concat();
        batch.put(Table::Index, &key, part)?;
        number = number.saturating_add(1);
    }
    Ok(())
}

/// Removes all that is noted and put aside of a record.
pub(super) fn remove(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &str,
) -> Result<(), NodeError> {
    remove_parts(batch, snapshot, record)?;
    batch.remove(Table::Index, &note_key(record))?;
    Ok(())
}

fn remove_parts(batch: &mut Batch, snapshot: &Snapshot, record: &str) -> Result<(), NodeError> {
    for row in snapshot.rows(Table::Index, &Span::prefix(&parts_prefix(record)))? {
        batch.remove(Table::Index, &row?.key)?;
    }
    Ok(())
}

/// Adds to a batch that erases content of a record that what was put aside of it goes, because it
/// may hold the same. That something is missing stays noted, under the record's next key.
pub(crate) fn strip(batch: &mut Batch, snapshot: &Snapshot, record: &str) -> Result<(), NodeError> {
    match note(snapshot, record)? {
        Some(note) => {
            remove_parts(batch, snapshot, record)?;
            note.put(batch, record)
        }
        None => Ok(()),
    }
}

/// What was put aside of a record, as far as it is of use.
#[derive(Default)]
pub(super) struct Aside {
    /// Rows of its log, whole or not.
    pub(super) segments: Vec<Vec<u8>>,
    pub(super) chains: BTreeMap<ActorId, ChainRow>,
    /// The rows of statements, and the statements.
    pub(super) statements: Vec<(Row, StatementRow)>,
    pub(super) statement_bytes: Vec<Vec<u8>>,
}

impl Aside {
    pub(super) fn load(snapshot: &Snapshot, record: &str) -> Result<Self, NodeError> {
        let mut aside = Self::default();
        for row in snapshot.rows(Table::Index, &Span::prefix(&parts_prefix(record)))? {
            let part = row?.value;
            match part.split_first() {
                Some((&SEGMENT, segment)) => aside.segments.push(segment.to_vec()),
                Some((&ROW, row)) => {
                    let Some(row) = read_row(row) else { continue };
                    aside.chains.extend(rows::read_chain(record, &row));
                    if let Some(statement) = rows::read_statement(record, &row) {
                        aside.statement_bytes.push(statement.bytes(snapshot, record)?);
                        aside.statements.push((row, statement));
                    }
                }
                _ => {}
            }
        }
        Ok(aside)
    }
}

fn read_row(part: &[u8]) -> Option<Row> {
    let (length, rest) = part.split_first_chunk()?;
    let (key, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some(Row { key: key.to_vec(), value: value.to_vec() })
}

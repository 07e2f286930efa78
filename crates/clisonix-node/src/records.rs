//! The records in memory: read from the store when first needed, let go when memory is short.
//!
//! The store keeps of each record its packed state, its log as rows of segments, and what is shown
//! of each entry. A batch adds one row to the log and rewrites what is shown of the entries it
//! touched; the state is packed again only when the log since has grown as large as it, so that
//! what a batch costs follows from what it changes. A record is loaded from its state and the rows
//! since; the rows before are read when something asks for the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use clisonix_crdt::{EntryId, LogSource, Record, join_segments};
use clisonix_store::{Batch, ChangePlace, ReadError, Reader, Snapshot, Store, StoredChange};

use crate::erasure::{Rewritten, put_erased};
use crate::error::NodeError;
use crate::stored::{self, Tail};
use crate::version::{self, Standing};

/// Records are let go when they together take more memory than this, in bytes.
pub(crate) const MAX_CACHED_BYTES: usize = 32 << 20;
/// What a record takes besides its state and its log, about: its tables, and what is held of it here.
const HELD_BYTES: usize = 4 << 10;
/// A state is not packed again before the log since holds this many bytes.
const MIN_TAIL_BYTES: u32 = 8 << 10;
/// Fewest rows of a log that are joined to one segment.
const MIN_JOINED_ROWS: usize = 8;
/// A row of a log of this size or less is joined with what follows it, whatever that is.
const SMALL_ROW_BYTES: usize = 16 << 10;
/// Largest segment that rows are joined to, in bytes; it is never written again.
const MAX_SEGMENT_BYTES: usize = 4 << 20;

#[derive(Default)]
pub(crate) struct Records {
    held: BTreeMap<Box<str>, Held>,
    /// The records in memory in order of their last use.
    by_turn: BTreeMap<u64, Box<str>>,
    /// What all of them take in memory.
    size_bytes: usize,
    unstored: BTreeMap<Box<str>, usize>,
    /// The records with a batch on its way to the store, of which nothing else is written meanwhile.
    in_flight: BTreeSet<Box<str>>,
    /// The records of which one load alone may apply messages.
    claimed: BTreeMap<Box<str>, u64>,
    turn: u64,
}

struct Held {
    record: Record,
    /// How many of its changes are in rows of the log.
    logged: usize,
    /// The rows since its state was packed.
    tail: Tail,
    /// Size of its packed state.
    state_bytes: usize,
    /// What it takes in memory, when it was read or written last.
    size_bytes: usize,
    /// Entries that lost content to an erasure that the store does not know.
    erased: BTreeSet<EntryId>,
    /// Whether all its rows are to be written anew, because they get another key.
    is_resealed: bool,
    /// How far its changes are final.
    standing: Standing,
    /// Whether `standing` speaks of changes that are not stored yet, too.
    is_stated: bool,
    /// When it was used last.
    turn: u64,
}

impl Records {
    /// The record, empty if the store has none of that name.
    pub(crate) fn record(&mut self, store: &Store, id: &str) -> Result<&mut Record, NodeError> {
        if !self.held.contains_key(id) {
            let held = Held::load(store, id)?;
            self.size_bytes += held.size_bytes;
            self.held.insert(id.into(), held);
        }
        self.turn += 1;
        let Some(held) = self.held.get_mut(id) else {
            return Err(NodeError::Damaged(id.to_owned()));
        };
        let name = self.by_turn.remove(&held.turn).unwrap_or_else(|| id.into());
        self.by_turn.insert(self.turn, name);
        held.turn = self.turn;
        Ok(&mut held.record)
    }

    /// Adds to a batch what the changes make of the record's rows that came since the last time.
    /// Returns whether its state was packed anew: then its log may be sealed, see [`seal`].
    /// The store must have every batch of this record before, if it lost content to an erasure.
    pub(crate) fn put(
        &mut self,
        store: &Store,
        id: &str,
        batch: &mut Batch,
    ) -> Result<bool, NodeError> {
        let Some(held) = self.held.get_mut(id) else { return Ok(false) };
        let before = held.size_bytes;
        let result = held.put(store, batch);
        self.size_bytes = self.size_bytes - before + held.size_bytes;
        result
    }

    /// As [`Self::put`], and joins rows of the record's log where that is due. The store must have
    /// every batch of this record before.
    pub(crate) fn put_joined(
        &mut self,
        store: &Store,
        id: &str,
        batch: &mut Batch,
    ) -> Result<(), NodeError> {
        if self.put(store, id, batch)? { seal(store, id, batch) } else { Ok(()) }
    }

    /// Adds to a batch that the changes of a record are final as far as this standing says. To be
    /// called before [`Self::put`].
    pub(crate) fn put_standing(
        &mut self,
        store: &Store,
        id: &str,
        standing: impl FnOnce(&Record) -> Standing,
        batch: &mut Batch,
    ) -> Result<(), NodeError> {
        self.record(store, id)?;
        if let Some(held) = self.held.get_mut(id) {
            held.standing = standing(&held.record);
            held.is_stated = held.record.change_count() > held.logged;
            // With changes the row comes with them.
            if !held.is_stated {
                version::put(batch, &held.record, &held.standing)?;
            }
        }
        Ok(())
    }

    /// Notes that entries of a record lost content, so that its rows are made anew without it.
    pub(crate) fn note_erased(&mut self, id: &str, entries: &[EntryId]) {
        if let Some(held) = self.held.get_mut(id) {
            held.erased.extend(entries.iter().cloned());
        }
    }

    /// Notes that all rows of a record are to be written anew.
    pub(crate) fn note_resealed(&mut self, id: &str) {
        if let Some(held) = self.held.get_mut(id) {
            held.is_resealed = true;
        }
    }

    /// Forgets a record, so that it is read from the store again: after a write that did not
    /// become durable.
    pub(crate) fn forget(&mut self, id: &str) {
        if let Some(held) = self.held.remove(id) {
            self.by_turn.remove(&held.turn);
            self.size_bytes -= held.size_bytes;
        }
    }

    /// Forgets every record that the store has as it is.
    pub(crate) fn forget_stored(&mut self) {
        let stored = self.held.keys().filter(|id| !self.is_held(id));
        for id in stored.cloned().collect::<Vec<_>>() {
            self.forget(&id);
        }
    }

    /// Notes that a load has changed the record and that the store does not have the change yet.
    pub(crate) fn hold(&mut self, id: &str) {
        *self.unstored.entry(id.into()).or_default() += 1;
    }

    /// Ends one [`Self::hold`].
    pub(crate) fn release(&mut self, id: &str) {
        if let Some(count) = self.unstored.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                self.unstored.remove(id);
            }
        }
    }

    /// Claims records for a load; `false`, and claims nothing, while another load has one of them.
    pub(crate) fn claim(&mut self, load: u64, ids: &BTreeSet<String>) -> bool {
        let is_taken = |id: &String| self.claimed.get(&**id).is_some_and(|owner| *owner != load);
        if ids.iter().any(is_taken) {
            return false;
        }
        self.claimed.extend(ids.iter().map(|id| (id.as_str().into(), load)));
        true
    }

    /// Ends the claims of a load but for these.
    pub(crate) fn unclaim(&mut self, load: u64, kept: &BTreeSet<String>) {
        self.claimed.retain(|id, owner| *owner != load || kept.contains(&**id));
    }

    /// Whether the record in memory is ahead of the store.
    pub(crate) fn is_held(&self, id: &str) -> bool {
        self.unstored.contains_key(id) || self.in_flight.contains(id)
    }

    /// Notes that a batch of the record is on its way, which is soon settled.
    pub(crate) fn begin_flight(&mut self, id: &str) {
        self.in_flight.insert(id.into());
    }

    /// Ends [`Self::begin_flight`]; what did not become durable is forgotten.
    pub(crate) fn end_flight(&mut self, id: &str, is_durable: bool) {
        self.in_flight.remove(id);
        if !is_durable {
            self.forget(id);
        }
    }

    /// Whether a batch of the record is on its way.
    pub(crate) fn is_in_flight(&self, id: &str) -> bool {
        self.in_flight.contains(id)
    }

    /// How many records are in memory.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.held.len()
    }

    /// Lets go of the records used longest ago, as far as memory asks for it; not of those that
    /// the store does not have as they are.
    pub(crate) fn shrink(&mut self) {
        while self.size_bytes > MAX_CACHED_BYTES && self.held.len() > 1 {
            let oldest = self.by_turn.values().find(|id| !self.is_held(id));
            let Some(id) = oldest.cloned() else { return };
            self.forget(&id);
        }
    }
}

impl Held {
    /// Reads a record from its state and the rows of its log since.
    fn load(store: &Store, id: &str) -> Result<Self, NodeError> {
        let snapshot = store.snapshot()?;
        let damaged = || NodeError::Damaged(id.to_owned());
        let tail = stored::head(&snapshot, id)?.map(|head| head.tail).unwrap_or_default();
        let state = snapshot.state(id)?;
        let state_bytes = state.as_ref().map_or(0, Vec::len);
        let mut record = match state {
            Some(state) => {
                let log = StoredLog { reader: store.reader(), record: id.into() };
                Record::load_state(&state, Arc::new(log)).map_err(|_| damaged())?
            }
            None => Record::new(id),
        };
        let rows = snapshot.latest_changes(id)?.take(tail.rows as usize);
        let rows: Vec<StoredChange> = rows.collect::<Result<_, ReadError>>()?;
        apply(&mut record, rows.iter().rev().map(|row| &*row.bytes)).ok_or_else(damaged)?;
        let logged = record.change_count();
        let (erased, is_resealed) = (BTreeSet::new(), false);
        let standing = version::standing(&snapshot, id)?;
        let size_bytes = record.size_bytes() + HELD_BYTES;
        Ok(Self {
            record,
            logged,
            tail,
            state_bytes,
            size_bytes,
            erased,
            is_resealed,
            standing,
            is_stated: false,
            turn: 0,
        })
    }

    fn put(&mut self, store: &Store, batch: &mut Batch) -> Result<bool, NodeError> {
        let record = &self.record;
        if record.has_lost_log() {
            return Err(NodeError::Damaged(record.id().to_owned()));
        }
        if record.change_count() == self.logged {
            return Ok(false);
        }
        let segment = record.segment(self.logged);
        self.tail.rows += 1;
        self.tail.bytes = self.tail.bytes.saturating_add(segment.len() as u32);
        batch.change(record.id(), segment)?;
        let erases = self.is_resealed || !self.erased.is_empty();
        if erases {
            let rows = Rewritten { logged: self.logged, all: self.is_resealed };
            put_erased(batch, &store.snapshot()?, record, rows, &self.erased)?;
        } else {
            stored::put_shown(batch, record, self.logged)?;
        }
        let is_packed = erases || self.tail.bytes >= MIN_TAIL_BYTES.max(self.state_bytes as u32);
        if is_packed {
            let state = record.save_state();
            self.state_bytes = state.len();
            self.tail = Tail::default();
            batch.state(record.id(), state)?;
        }
        stored::put_head(batch, record, self.tail)?;
        if !self.is_stated {
            self.standing.add(&record.places_since(self.logged));
        }
        self.is_stated = false;
        version::put(batch, record, &self.standing)?;
        self.logged = record.change_count();
        self.size_bytes = record.size_bytes() + HELD_BYTES;
        self.erased.clear();
        self.is_resealed = false;
        // The rows in the store are older than those of this batch.
        Ok(is_packed && !erases)
    }
}

/// Reads a record from its state and the rows of its log since.
pub(crate) fn load(store: &Store, id: &str) -> Result<Record, NodeError> {
    Ok(Held::load(store, id)?.record)
}

/// Applies rows of a log; `None` if they do not follow from what the record has.
fn apply<'a>(record: &mut Record, rows: impl Iterator<Item = &'a [u8]>) -> Option<()> {
    for row in rows {
        let received = record.receive(row).ok()?;
        if received.waiting > 0 || !received.refused.is_empty() {
            return None;
        }
    }
    Some(())
}

/// Reads a record from its whole log.
pub(crate) fn replay(snapshot: &Snapshot, id: &str) -> Result<Record, NodeError> {
    let rows: Vec<StoredChange> = snapshot.changes(id, 0)?.collect::<Result<_, ReadError>>()?;
    let damaged = || NodeError::Damaged(id.to_owned());
    let mut record = Record::new(id);
    if apply(&mut record, rows.iter().map(|row| &*row.bytes)).is_some() {
        return Ok(record);
    }
    // What was erased waits for the order to erase it, which may stand in a later row.
    let segments: Vec<Vec<u8>> = rows.into_iter().map(|row| row.bytes).collect();
    let whole = join_segments(&segments).map_err(|_| damaged())?;
    let mut record = Record::new(id);
    apply(&mut record, std::iter::once(&*whole)).ok_or_else(damaged)?;
    Ok(record)
}

/// Joins the latest rows of a record's log to one segment, if there are enough of them.
///
/// A row is joined only with at least half as much that came after it, so that the segments' sizes
/// fall geometrically and each change is rewritten a few times only. The batch must hold a state
/// that has seen all these rows, and the store must have every batch of this record before.
pub(crate) fn seal(store: &Store, id: &str, batch: &mut Batch) -> Result<(), NodeError> {
    let (mut places, mut segments): (Vec<ChangePlace>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for row in store.snapshot()?.latest_changes(id)? {
        let row = row?;
        let size = row.bytes.len();
        if size > SMALL_ROW_BYTES.max(2 * bytes) || bytes + size > MAX_SEGMENT_BYTES {
            break;
        }
        bytes += size;
        places.push(row.place);
        segments.push(row.bytes);
    }
    if places.len() < MIN_JOINED_ROWS {
        return Ok(());
    }
    places.reverse();
    segments.reverse();
    let joined = join_segments(&segments).map_err(|_| NodeError::Damaged(id.to_owned()))?;
    batch.seal(id, &places, joined)?;
    Ok(())
}

/// The log of a record in the store.
struct StoredLog {
    reader: Reader,
    record: Box<str>,
}

impl LogSource for StoredLog {
    fn segments(&self) -> Option<Vec<Vec<u8>>> {
        let snapshot = self.reader.snapshot().ok()?;
        let rows = snapshot.changes(&self.record, 0).ok()?;
        rows.map(|row| row.ok().map(|row| row.bytes)).collect()
    }
}

impl fmt::Debug for StoredLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredLog").field("record", &self.record).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

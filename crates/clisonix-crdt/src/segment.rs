//! A record whose log stands apart from its state, in segments: what a store keeps.
//!
//! A *segment* is a batch of changes that follow one another in the order in which one replica
//! applied them, and that can be read with the segments before it alone: no operation in it refers
//! to an earlier one. Reading and most edits need the state only; the segments are asked for when
//! something needs the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::TypeId;

use crate::actor::ActorId;
use crate::actor::keys::Keys;
use crate::batch;
use crate::change::raw_ops;
use crate::exchange::{Form, ReceiveError};
use crate::record::Record;
use crate::state::{ChangeNo, EntryId, Written};
use crate::travel::Incoming;
use crate::wire::DecodeError;

#[cfg(test)]
mod tests;

/// Where the log of a record stands that was loaded without it.
pub trait LogSource: Debug + Send + Sync {
    /// The segments in order, from the record's first change on; more than what was asked for may
    /// follow. `None` if they cannot be read.
    fn segments(&self) -> Option<Vec<Vec<u8>>>;
}

impl Record {
    /// The changes from number `first` on (in the order in which they were applied here) as one
    /// segment.
    pub fn segment(&self, first: usize) -> Vec<u8> {
        self.segment_of(first..self.change_count())
    }

    /// The changes with these numbers as one segment, without what was erased meanwhile.
    pub fn segment_of(&self, numbers: Range<usize>) -> Vec<u8> {
        let rows = self.log.rows_from(numbers.start as ChangeNo).take(numbers.len());
        batch::encode(&self.id, rows.map(|(_, row)| self.outgoing(row, Form::Whole)))
    }

    /// Whether some change wrote this text as a value into an entry of this type, and it was not
    /// erased since.
    pub fn has_written(&self, ty: TypeId, text: &str) -> bool {
        let text = Value::from(text).to_text();
        self.log.rows().any(|(_, row)| {
            let mut ops = raw_ops(&row.ops).filter(|op| op.entry.0 == ty);
            ops.any(|op| matches!(op.write, Some(Written::Set(cell)) if cell.contains(&text)))
        })
    }

    /// The entries that the changes from number `first` on wrote.
    pub fn entries_since(&self, first: usize) -> BTreeSet<EntryId> {
        let mut entries = BTreeSet::new();
        for (_, row) in self.log.rows_from(first as ChangeNo) {
            let mut before = None;
            for op in raw_ops(&row.ops).filter(|op| before.replace(op.entry) != Some(op.entry)) {
                entries.insert(EntryId { ty: op.entry.0, id: op.entry.1.into() });
            }
        }
        entries
    }

    /// Bytes of the operations of the changes from number `first` on.
    pub fn size_since(&self, first: usize) -> usize {
        self.log.rows_from(first as ChangeNo).map(|(_, row)| row.ops.len()).sum()
    }

    /// Reads what [`Self::save_state`] wrote; `log` is asked when something needs the log, once.
    /// The record writes as actors of its own, as after [`Self::load`].
    ///
    /// # Errors
    /// [`ReceiveError`] if the bytes are damaged.
    pub fn load_state(state: &[u8], log: Arc<dyn LogSource>) -> Result<Self, ReceiveError> {
        Self::load_parts(&Arc::from(state), Some(log))
    }

    /// Whether the log stands apart, was asked for, and could not be read. Then nothing that came of
    /// an operation since may be kept.
    pub fn has_lost_log(&self) -> bool {
        self.log.is_lost()
    }

    /// Whether something has asked for the part of the log that was not loaded.
    pub fn has_read_log(&self) -> bool {
        self.log.is_opened()
    }
}

/// Several segments that follow one another as one.
///
/// # Errors
/// [`DecodeError`] if one cannot be read, they are of several records, or they are too many changes
/// for one.
pub fn join_segments(segments: &[Vec<u8>]) -> Result<Vec<u8>, DecodeError> {
    let (mut name, mut changes, mut keys) = (None, Vec::new(), BTreeMap::<ActorId, Keys>::new());
    for segment in segments {
        let (record, run) = batch::decode(segment)?;
        if *name.get_or_insert_with(|| record.clone()) != record {
            return Err(DecodeError::Meaningless { what: "record name", at: 0 });
        }
        keys.extend(run.keys);
        changes.extend(run.changes);
    }
    if changes.len() > batch::MAX_BATCH_CHANGES {
        return Err(DecodeError::Limit { what: "changes", at: 0 });
    }
    let keys = |change: &Incoming| if change.seq == 1 { keys.get(&change.actor) } else { None };
    let name = name.unwrap_or_default();
    Ok(batch::encode(&name, changes.iter().map(|change| change.outgoing(keys(change)))))
}

/// How many changes a segment holds.
///
/// # Errors
/// [`DecodeError`] if it cannot be read.
pub fn segment_len(segment: &[u8]) -> Result<usize, DecodeError> {
    Ok(batch::decode(segment)?.1.changes.len())
}

/// By actor: the sequence numbers of the first and the last of its changes in a segment.
///
/// # Errors
/// [`DecodeError`] if the bytes are damaged.
pub fn segment_places(segment: &[u8]) -> Result<BTreeMap<ActorId, (u32, u32)>, DecodeError> {
    let mut places: BTreeMap<ActorId, (u32, u32)> = BTreeMap::new();
    for change in batch::decode(segment)?.1.changes {
        let place = places.entry(change.actor).or_insert((change.seq, change.seq));
        *place = (place.0.min(change.seq), place.1.max(change.seq));
    }
    Ok(places)
}

/// The first `count` changes of a log that stands apart.
pub(crate) fn first_changes(
    source: &dyn LogSource,
    record: &str,
    count: usize,
) -> Result<Vec<Incoming>, DecodeError> {
    let lost = DecodeError::Truncated(0);
    let mut changes = Vec::new();
    for segment in source.segments().ok_or(lost)? {
        if changes.len() >= count {
            break;
        }
        let (name, run) = batch::decode(&segment)?;
        if *name != *record {
            return Err(DecodeError::Meaningless { what: "record name", at: 0 });
        }
        changes.extend(run.changes);
    }
    changes.truncate(count);
    if changes.len() == count { Ok(changes) } else { Err(lost) }
}

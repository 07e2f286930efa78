//! What an erasure makes of a record's rows: nothing of the erased content stays in them.
//!
//! Rows of the log keep their places, and those that differ are written anew. What is shown of each
//! entry is written anew, and what would find an erased entry or identifier is removed.

use std::collections::BTreeSet;

use clisonix_crdt::{EntryId, Record, segment_len};
use clisonix_store::{Batch, Snapshot};

use crate::error::NodeError;
use crate::stored;

/// Which rows of a record's log are written anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rewritten {
    /// How many changes are in rows.
    pub(crate) logged: usize,
    /// All of them, or those that differ.
    pub(crate) all: bool,
}

/// Adds to a batch what the rows become of a record that lost content in `erased`.
pub(crate) fn put_erased(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &Record,
    rows: Rewritten,
    erased: &BTreeSet<EntryId>,
) -> Result<(), NodeError> {
    put_log(batch, snapshot, record, rows)?;
    let mut entries: BTreeSet<EntryId> = record.view().all_entries().cloned().collect();
    for gone in erased.difference(&entries) {
        stored::remove_entry(batch, snapshot, gone, record.id())?;
    }
    entries.extend(erased.iter().cloned());
    stored::put_shown_of(batch, record, &entries)?;
    if let Some(patient) = erased.iter().find(|entry| entry.ty.name() == "Patient") {
        let is_written = |value: &str| record.has_written(patient.ty, value);
        stored::remove_aliases(batch, snapshot, record.id(), is_written)?;
    }
    Ok(())
}

/// The rows of the log, or those that would now be written in another way.
fn put_log(
    batch: &mut Batch,
    snapshot: &Snapshot,
    record: &Record,
    rows: Rewritten,
) -> Result<(), NodeError> {
    let damaged = || NodeError::Damaged(record.id().to_owned());
    let mut first = 0;
    for row in snapshot.changes(record.id(), 0)? {
        let row = row?;
        let next = first + segment_len(&row.bytes).map_err(|_| damaged())?;
        let bytes = record.segment_of(first..next);
        if rows.all || bytes != row.bytes {
            batch.replace_change(record.id(), row.place, bytes)?;
        }
        first = next;
    }
    if first == rows.logged { Ok(()) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests;

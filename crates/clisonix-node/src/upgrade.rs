//! Records that an older program stored: their rows are made anew from their logs.

use clisonix_crdt::Record;
use clisonix_store::{Batch, Snapshot, Store, Table};

use crate::consent;
use crate::damage::is_noted;
use crate::error::NodeError;
use crate::records::{load, replay};
use crate::signing::stored_standing;
use crate::stored;
use crate::version;

/// In `meta`: the layout of the node's rows, one byte.
const LAYOUT_KEY: &[u8] = b"node-layout";
/// 1, which was not written down, had one rendered state for each record; 2 had no versions; 3 did
/// not say which records set terms.
const LAYOUT: u8 = 4;
/// The upgrade is made durable in pieces of this many bytes.
const PIECE_BYTES: usize = 12 << 20;

/// Makes the rows of every record that lacks them. What is derived can be derived twice, so a
/// crash in the middle costs only time.
pub(crate) fn upgrade(store: &Store) -> Result<(), NodeError> {
    let snapshot = store.snapshot()?;
    if snapshot.value(Table::Meta, LAYOUT_KEY)?.is_some_and(|layout| layout == [LAYOUT]) {
        return Ok(());
    }
    let mut batch = Batch::new();
    for row in snapshot.rows(Table::Records, &clisonix_store::Span::all())? {
        let Ok(id) = String::from_utf8(row?.key) else { continue };
        let has_version = version::version(&snapshot, &id)?.is_some();
        if !has_version && is_noted(&snapshot, &id)? {
            // Its log was put aside, and nothing of it is back: it is not here.
            continue;
        }
        if !has_version && stored::head(&snapshot, &id)?.is_none() {
            let record = replay(&snapshot, &id)?;
            stored::put_derived(&mut batch, &snapshot, &record)?;
            put_version(&mut batch, &snapshot, &record)?;
        } else {
            let shown = stored::all_shown(&snapshot, &id);
            // What cannot be read is looked at again by whoever asks.
            if shown.map_or(true, |shown| sets_terms(&shown)) {
                stored::put_terms(&mut batch, &id)?;
            }
            if !has_version {
                put_version(&mut batch, &snapshot, &load(store, &id)?)?;
            }
        }
        if batch.size_bytes() >= PIECE_BYTES {
            store.write(std::mem::take(&mut batch))?;
        }
    }
    batch.put(Table::Meta, LAYOUT_KEY, vec![LAYOUT])?;
    store.write(batch)?;
    Ok(())
}

fn sets_terms(shown: &[stored::Shown]) -> bool {
    shown.iter().any(|shown| consent::sets_terms(&shown.resource))
}

fn put_version(batch: &mut Batch, snapshot: &Snapshot, record: &Record) -> Result<(), NodeError> {
    version::put(batch, record, &stored_standing(snapshot, record)?)?;
    Ok(())
}

#[cfg(test)]
mod tests;

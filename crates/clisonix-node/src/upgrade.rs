//! Records that an older program stored: their rows are made anew from their logs.

use clisonix_crdt::Record;
use clisonix_store::{Batch, Snapshot, Store, Table};

use crate::error::NodeError;
use crate::records::{load, replay};
use crate::signing::stored_standing;
use crate::stored;
use crate::version;

/// In `meta`: the layout of the node's rows, one byte.
const LAYOUT_KEY: &[u8] = b"node-layout";
/// 1, which was not written down, had one rendered state for each record; 2 had no versions.
const LAYOUT: u8 = 3;
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
        if version::version(&snapshot, &id)?.is_some() {
            continue;
        }
        if stored::head(&snapshot, &id)?.is_some() {
            put_version(&mut batch, &snapshot, &load(store, &id)?)?;
        } else {
            let record = replay(&snapshot, &id)?;
            stored::put_derived(&mut batch, &snapshot, &record)?;
            put_version(&mut batch, &snapshot, &record)?;
        }
        if batch.size_bytes() >= PIECE_BYTES {
            store.write(std::mem::take(&mut batch))?;
        }
    }
    batch.put(Table::Meta, LAYOUT_KEY, vec![LAYOUT])?;
    store.write(batch)?;
    Ok(())
}

fn put_version(batch: &mut Batch, snapshot: &Snapshot, record: &Record) -> Result<(), NodeError> {
    version::put(batch, record, &stored_standing(snapshot, record)?)?;
    Ok(())
}

#[cfg(test)]
mod tests;

//! Records that an older program stored: their rows are made anew from their logs.

use clisonix_store::{Batch, Store, Table};

use crate::error::NodeError;
use crate::records::replay;
use crate::stored::{self, Tail};

/// In `meta`: the layout of the node's rows, one byte.
const LAYOUT_KEY: &[u8] = b"node-layout";
/// 1, which was not written down, had one rendered state for each record.
const LAYOUT: u8 = 2;
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
        if stored::head(&snapshot, &id)?.is_some() {
            continue;
        }
        let record = replay(&snapshot, &id)?;
        stored::put_shown(&mut batch, &record, 0)?;
        batch.state(&id, record.save_state())?;
        stored::put_head(&mut batch, &record, Tail::default())?;
        if batch.size_bytes() >= PIECE_BYTES {
            store.write(std::mem::take(&mut batch))?;
        }
    }
    batch.put(Table::Meta, LAYOUT_KEY, vec![LAYOUT])?;
    store.write(batch)?;
    Ok(())
}

#[cfg(test)]
mod tests;

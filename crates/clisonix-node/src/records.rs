//! The records in memory: read from the store when first needed, let go when memory is short.

use std::collections::BTreeMap;

use clisonix_crdt::Record;
use clisonix_store::Store;

use crate::error::NodeError;

/// Records are let go when their changes together are larger than this, in bytes.
pub(crate) const MAX_CACHED_BYTES: usize = 48 << 20;

#[derive(Default)]
pub(crate) struct Records {
    held: BTreeMap<Box<str>, Held>,
    turn: u64,
}

struct Held {
    record: Record,
    /// When it was used last.
    turn: u64,
}

impl Records {
    /// The record, empty if the store has none of that name.
    pub(crate) fn record(&mut self, store: &Store, id: &str) -> Result<&mut Record, NodeError> {
        self.turn += 1;
        if !self.held.contains_key(id) {
            let record = load(store, id)?;
            self.held.insert(id.into(), Held { record, turn: 0 });
        }
        let turn = self.turn;
        match self.held.get_mut(id) {
            Some(held) => {
                held.turn = turn;
                Ok(&mut held.record)
            }
            None => Err(NodeError::Damaged(id.to_owned())),
        }
    }

    /// Forgets a record, so that it is read from the store again: after a write that did not
    /// become durable.
    pub(crate) fn forget(&mut self, id: &str) {
        self.held.remove(id);
    }

    /// Lets go of the records used longest ago, as far as memory asks for it.
    pub(crate) fn shrink(&mut self) {
        let mut size: usize = self.held.values().map(|held| held.record.size_bytes()).sum();
        while size > MAX_CACHED_BYTES && self.held.len() > 1 {
            let oldest = self.held.iter().min_by_key(|(_, held)| held.turn);
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { return };
            if let Some(held) = self.held.remove(&id) {
                size = size.saturating_sub(held.record.size_bytes());
            }
        }
    }
}

/// Reads a record from its stored changes.
pub(crate) fn load(store: &Store, id: &str) -> Result<Record, NodeError> {
    let mut record = Record::new(id);
    for change in store.snapshot()?.changes(id, 0)? {
        let received = record.receive(&change?.bytes);
        if !received.is_ok_and(|received| received.refused.is_empty()) {
            return Err(NodeError::Damaged(id.to_owned()));
        }
    }
    Ok(record)
}

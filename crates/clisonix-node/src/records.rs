//! The records in memory: read from the store when first needed, let go when memory is short.

use std::collections::BTreeMap;

use clisonix_crdt::Record;
use clisonix_store::Store;

use crate::error::NodeError;
use crate::stored::{Faces, State};

/// Records are let go when their changes together are larger than this, in bytes.
pub(crate) const MAX_CACHED_BYTES: usize = 16 << 20;

#[derive(Default)]
pub(crate) struct Records {
    held: BTreeMap<Box<str>, Held>,
    unstored: BTreeMap<Box<str>, usize>,
    turn: u64,
}

struct Held {
    record: Record,
    /// What was rendered of its entries before.
    faces: Faces,
    /// When it was used last.
    turn: u64,
}

impl Records {
    /// The record, empty if the store has none of that name.
    pub(crate) fn record(&mut self, store: &Store, id: &str) -> Result<&mut Record, NodeError> {
        self.turn += 1;
        if !self.held.contains_key(id) {
            let record = load(store, id)?;
            self.held.insert(id.into(), Held { record, faces: Faces::default(), turn: 0 });
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

    /// The state of a record that is in memory; only what changed since the last time is rendered.
    pub(crate) fn state(&mut self, id: &str) -> Option<State> {
        let held = self.held.get_mut(id)?;
        Some(State::with_faces(&held.record, &mut held.faces))
    }

    /// Forgets a record, so that it is read from the store again: after a write that did not
    /// become durable.
    pub(crate) fn forget(&mut self, id: &str) {
        self.held.remove(id);
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

    /// Whether the record in memory is ahead of the store.
    pub(crate) fn is_held(&self, id: &str) -> bool {
        self.unstored.contains_key(id)
    }

    /// How many records are in memory.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.held.len()
    }

    /// Lets go of the records used longest ago, as far as memory asks for it; not of those that
    /// the store does not have as they are.
    pub(crate) fn shrink(&mut self) {
        let mut size: usize = self.held.values().map(|held| held.record.size_bytes()).sum();
        while size > MAX_CACHED_BYTES && self.held.len() > 1 {
            let stored = self.held.iter().filter(|(id, _)| !self.unstored.contains_key(*id));
            let oldest = stored.min_by_key(|(_, held)| held.turn);
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

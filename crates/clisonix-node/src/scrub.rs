//! Scrubbing: everything that is kept of each record is made and hashed again from its log, and held
//! against what is stored and what was signed. It goes on past damage and names all of it. What is
//! derived from a whole log is made anew.

use clisonix_crdt::Record;
use clisonix_pq::checkpoint::{Mark, Running};
use clisonix_store::{Action, Batch, Snapshot};

use crate::error::NodeError;
use crate::node::{By, Node};
use crate::reading::text_of;
use crate::records::replay;
use crate::signing::{rows, stored_standing, stored_version};
use crate::stored;
use crate::version;

/// Most damaged records that are named; more are counted.
pub const MAX_NAMED: usize = 10_000;

/// What a scrub found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Records that were looked at.
    pub records: u64,
    /// Changes in them.
    pub changes: u64,
    /// Records that were being loaded, and not looked at.
    pub busy: u64,
    /// How many records were damaged.
    pub damaged: u64,
    /// How many of them are whole again, because their logs are.
    pub repaired: u64,
    /// The damaged records, and what was wrong with each.
    pub named: Vec<(String, RecordFault)>,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// A row of its log cannot be read, or a row is missing. A peer that holds the record, or a
    /// backup, has it whole.
    #[error("its log cannot be read")]
    Log,
    /// Its changes are not those that their authors signed.
    #[error("its changes are not those that were signed")]
    Signed,
    /// Its state is not what its log makes; it was made anew.
    #[error("its state is not what its log makes")]
    State,
    /// What is shown of it, or its version, is not what its log makes; it was made anew.
    #[error("what is shown of it is not what its log makes")]
    Shown,
}

impl RecordFault {
    /// Whether the record's log is whole, so that the rest was made anew.
    pub const fn is_repaired(self) -> bool {
        matches!(self, Self::State | Self::Shown)
    }
}

impl Node {
    /// Looks at every record, one after the other, while the node is used.
    ///
    /// # Errors
    /// [`NodeError::Read`] if the store as a whole cannot be read; [`NodeError::Write`] if what is
    /// derived cannot be made anew.
    pub fn scrub(&self, by: By<'_>) -> Result<Scrubbed, NodeError> {
        self.log_access(by, Action::Administer, None)?;
        let mut found = Scrubbed::default();
        for id in self.record_ids()? {
            match self.scrub_record(&id) {
                Err(NodeError::Loading) => found.busy += 1,
                Ok((changes, fault)) => {
                    found.records += 1;
                    found.changes += changes as u64;
                    found.damaged += u64::from(fault.is_some());
                    found.repaired += u64::from(fault.is_some_and(RecordFault::is_repaired));
                    let room = found.named.len() < MAX_NAMED;
                    found.named.extend(fault.filter(|_| room).map(|fault| (id, fault)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The number of a record's changes, and what is wrong with it.
    fn scrub_record(&self, id: &str) -> Result<(usize, Option<RecordFault>), NodeError> {
        let mut inside = self.inside_for(id);
        if inside.records.is_held(id) {
            return Err(NodeError::Loading);
        }
        let snapshot = self.store.snapshot()?;
        let whole = match replay(&snapshot, id) {
            Ok(whole) => whole,
            Err(NodeError::Damaged(_) | NodeError::Read(_)) => {
                return Ok((0, Some(RecordFault::Log)));
            }
            Err(error) => return Err(error),
        };
        let changes = whole.change_count();
        if !is_signed(&snapshot, &whole)? {
            return Ok((changes, Some(RecordFault::Signed)));
        }
        // Read from the store, and not from memory, where damage does not reach.
        inside.records.forget(id);
        let state = inside.records.record(&self.store, id).map(|held| held.state_bytes());
        inside.records.forget(id);
        let is_shown = text_of(&snapshot, id)
            .is_ok_and(|shown| shown.bundle == whole.view().bundle_text())
            && stored_version(&snapshot, &whole)? == version::version(&snapshot, id)?;
        let fault = match state {
            Ok(state) if state == whole.state_bytes() => (!is_shown).then_some(RecordFault::Shown),
            _ => Some(RecordFault::State),
        };
        if fault.is_some() {
            let mut batch = Batch::new();
            stored::put_derived(&mut batch, &snapshot, &whole)?;
            version::put(&mut batch, &whole, &stored_standing(&snapshot, &whole)?)?;
            // The record is in nobody's hands while the lock is held.
            self.store.write(batch)?;
        }
        Ok((changes, fault))
    }
}

/// Whether the ids of a record's changes give the running hashes that were signed.
fn is_signed(snapshot: &Snapshot, record: &Record) -> Result<bool, NodeError> {
    let fits = |start: Running, mark: Mark, id: &dyn Fn(u64) -> Option<[u8; 32]>| {
        let hash = (1..=mark.seq).try_fold(start, |hash, seq| Some(hash.with(&id(seq)?)));
        hash == Some(mark.hash)
    };
    for (actor, row) in rows::chains(snapshot, record.id())? {
        let start = Running::start(&actor.0);
        let id = |seq: u64| Some(record.id_by(actor, u32::try_from(seq).ok()?)?.0);
        if !fits(start, row.chain.confirmed, &id) || !fits(start, row.chain.signed, &id) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;

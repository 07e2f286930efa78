//! Scrubbing: everything that is kept of each record is made and hashed again from its log, and held
//! against what is stored and what was signed. It goes on past damage and names all of it. What is
//! derived from a whole log is made anew; a record whose log is damaged is put aside and taken again
//! from the peers that hold it ([`damage`](crate::damage)).

use std::collections::BTreeSet;

use clisonix_crdt::Record;
use clisonix_store::{Action, Batch, Snapshot};

use crate::consent;
use crate::damage::{fits, is_noted};
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
    /// How many of them are whole again.
    pub repaired: u64,
    /// How many of them are put aside and asked from peers.
    pub put_aside: u64,
    /// The damaged records, and what was wrong with each.
    pub named: Vec<(String, RecordFault)>,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// A row of its log cannot be read, a row is missing, or not all of it is back.
    #[error("its log cannot be read, or not all of it is back")]
    Log,
    /// Its changes are not those that were written: the record's heads are others.
    #[error("its changes are not those that were written")]
    Written,
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
        let mut lost = BTreeSet::new();
        for id in self.record_ids()? {
            match self.scrub_record(&id) {
                Err(NodeError::Loading) => found.busy += 1,
                Ok((changes, fault)) => {
                    found.records += 1;
                    found.changes += changes as u64;
                    let fault = self.known_fault(&id, fault, by)?;
                    found.damaged += u64::from(fault.is_some());
                    if fault.is_some_and(RecordFault::is_repaired) {
                        found.repaired += 1;
                    } else if fault.is_some() {
                        lost.insert(id.clone());
                    }
                    let room = found.named.len() < MAX_NAMED;
                    found.named.extend(fault.filter(|_| room).map(|fault| (id, fault)));
                }
                Err(error) => return Err(error),
            }
        }
        self.take_again(&lost, &mut found, by)?;
        Ok(found)
    }

    /// What is wrong with a record, if what an earlier scrub found is regarded too.
    fn known_fault(
        &self,
        id: &str,
        fault: Option<RecordFault>,
        by: By<'_>,
    ) -> Result<Option<RecordFault>, NodeError> {
        match self.damage(id)? {
            Some(damage) if damage.is_aside => {
                let is_whole = match self.mend_record(id, by) {
                    Err(NodeError::Loading) => false,
                    done => done?,
                };
                let fault = fault.filter(|fault| is_whole || !fault.is_repaired());
                Ok(fault.or((!is_whole).then_some(RecordFault::Log)))
            }
            Some(_) if fault.is_none_or(RecordFault::is_repaired) => {
                let snapshot = self.store.snapshot()?;
                self.forget_damage(&snapshot, id, "its log is not damaged any more", by)?;
                Ok(fault)
            }
            _ => Ok(fault),
        }
    }

    /// Puts the logs of these records aside that some peer holds; the others are noted.
    fn take_again(
        &self,
        lost: &BTreeSet<String>,
        found: &mut Scrubbed,
        by: By<'_>,
    ) -> Result<(), NodeError> {
        if lost.is_empty() {
            return Ok(());
        }
        let holders = self.holders(lost)?;
        let peers = self.peer_rules()?;
        for id in lost {
            let is_aside = self.damage(id)?.is_some_and(|damage| damage.is_aside);
            let held = holders.get(id).into_iter().flatten();
            let is_whole_again = if is_aside && self.scrub_record(id)?.1.is_none() {
                false
            } else if held.into_iter().any(|peer| peers.contains_key(peer)) {
                match self.put_damaged_aside(id, by) {
                    // A store that cannot be written to, or a row that cannot be read as such.
                    Err(NodeError::Read(_) | NodeError::Damaged(_)) => {
                        self.note_damage(id, by)?;
                        continue;
                    }
                    done => done?,
                }
                self.damage(id)?.is_none()
            } else {
                self.note_damage(id, by)?;
                continue;
            };
            found.put_aside += u64::from(!is_whole_again);
            found.repaired += u64::from(is_whole_again);
        }
        Ok(())
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
        if changes == 0 && is_noted(&snapshot, id)? {
            return Ok((0, None));
        }
        if !is_signed(&snapshot, &whole)? {
            return Ok((changes, Some(RecordFault::Signed)));
        }
        if !is_written(&snapshot, &whole) {
            return Ok((changes, Some(RecordFault::Written)));
        }
        // Read from the store, and not from memory, where damage does not reach.
        inside.records.forget(id);
        let state = inside.records.record(&self.store, id).map(|held| held.state_bytes());
        inside.records.forget(id);
        let is_shown = text_of(&snapshot, id)
            .is_ok_and(|shown| shown.bundle == whole.view().bundle_text())
            && has_its_terms(&snapshot, id)?
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
            // The version is the same, and what was decided by what was shown may not be.
            self.forget_decisions();
        }
        Ok((changes, fault))
    }
}

/// Whether it is noted that a record sets terms, if it does.
pub(crate) fn has_its_terms(snapshot: &Snapshot, record: &str) -> Result<bool, NodeError> {
    let sets_terms = |shown: &stored::Shown| consent::sets_terms(&shown.resource);
    let is_noted = stored::has_terms(snapshot, record)?;
    Ok(is_noted || !stored::all_shown(snapshot, record)?.iter().any(sets_terms))
}

/// Whether a record has the heads that were written beside it, in two places; if these do not say the
/// same, one of them is damaged.
fn is_written(snapshot: &Snapshot, record: &Record) -> bool {
    let told = version::have(snapshot, record.id()).unwrap_or_default().heads;
    let head = stored::head(snapshot, record.id()).ok().flatten();
    let view = record.view();
    let is_other = head.is_some_and(|head| head.version != view.version_id());
    told.is_empty() || !is_other || told.len() >= version::MAX_HEADS || told == view.heads()
}

/// Whether the ids of a record's changes give the running hashes that were signed.
fn is_signed(snapshot: &Snapshot, record: &Record) -> Result<bool, NodeError> {
    for (actor, row) in rows::chains(snapshot, record.id())? {
        let marks = [row.chain.confirmed, row.chain.signed];
        if !marks.into_iter().all(|mark| fits(record, actor, mark)) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;

//! Taking in files: each input is stored as received, read, and applied message by message, durably.

mod input;
mod large;
mod message;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use clisonix_crdt::{Base, EntryId, HybridTime};
use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::resource_named;
use clisonix_ingest::{Outcome, Rejected};
use clisonix_store::{Action, Batch, MessageId, RawInput, Table, Ticket};

use crate::apart::Apart;
use crate::error::NodeError;
use crate::node::{By, Inside, Node, access};
use crate::quarantine;
use crate::records::seal;
use crate::stored::{self, Settled};

pub use input::{Input, Read, TakenIn};
pub use large::{MAX_WHOLE_BYTES, is_large};
use message::{Applied, MAX_MESSAGE_RECORDS};

/// A load becomes durable when its batch holds this many bytes.
pub(crate) const FLUSH_BYTES: usize = 12 << 20;
/// A load becomes durable when its batch and the records it changed hold this many bytes together.
const FLUSH_BYTES_WITH_RECORDS: usize = 32 << 20;
/// A load becomes durable when its batch holds this many accesses to records.
const FLUSH_ACCESSES: usize = 2048;
/// Longest wait for another load that has changed the same record.
const CLAIMING: Duration = Duration::from_mins(1);

/// A running load: inputs are applied in order and become durable in groups. Of several loads at
/// once, one alone has a record until what it did there is durable or forgotten.
pub struct Load<'n> {
    node: &'n Node,
    number: u64,
    by: By<'n>,
    batch: Batch,
    accesses: usize,
    dirty: BTreeSet<String>,
    /// What the dirty records take in memory, and what they will add to the batch, about.
    dirty_bytes: usize,
    /// The records that no other load may change before the batch is durable.
    claimed: BTreeSet<String>,
    in_flight: Option<(Ticket, BTreeSet<String>)>,
    /// What the batch, and the one in flight, say of messages.
    noted: BTreeMap<MessageId, Settled>,
    noted_before: BTreeMap<MessageId, Settled>,
    apart: Apart,
}

impl Node {
    /// Begins a load. Nothing is acknowledged before [`Load::finish`] or the flush that it reports.
    pub fn load<'n>(&'n self, by: By<'n>) -> Load<'n> {
        Load {
            node: self,
            number: self.inside().begin_load(),
            by,
            batch: Batch::new(),
            accesses: 0,
            dirty: BTreeSet::new(),
            dirty_bytes: 0,
            claimed: BTreeSet::new(),
            in_flight: None,
            noted: BTreeMap::new(),
            noted_before: BTreeMap::new(),
            apart: Apart::default(),
        }
    }
}

impl Load<'_> {
    /// Applies an input; everything it says is durable after the next flush.
    ///
    /// # Errors
    /// [`NodeError`]; what was applied since the last flush is forgotten again.
    pub fn take(&mut self, read: &Read) -> Result<TakenIn, NodeError> {
        let result = self.keep(read).and_then(|()| self.apply(read));
        if result.is_err() {
            self.forget();
        }
        let taken = result?;
        self.flush_if_full()?;
        Ok(taken)
    }

    /// Makes everything durable that was taken in.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn finish(mut self) -> Result<(), NodeError> {
        self.flush()?;
        self.settle()
    }

    /// Keeps the input as received, unless it is here already.
    fn keep(&mut self, read: &Read) -> Result<(), NodeError> {
        let now = self.node.inside().outside.now_ms();
        if !self.node.store.snapshot()?.contains(Table::Raw, &read.message())? {
            let bytes = read.input().bytes.clone();
            self.batch.raw(raw_input(read.message(), read.input(), now, bytes))?;
        }
        self.batch.access(access(self.by, Action::Import, now, None)?)?;
        self.accesses += 1;
        Ok(())
    }

    /// Applies every message of an input.
    fn apply(&mut self, read: &Read) -> Result<TakenIn, NodeError> {
        let mut taken = TakenIn::default();
        for outcome in read.outcomes() {
            match outcome {
                Outcome::Taken(intake) => {
                    if self.apply_message(intake, read.message(), &mut taken)? == Applied::TooLarge
                    {
                        // Of a message that was read only its input tells where it stands.
                        let issues = vec![message_too_large()];
                        self.reject(read, &Rejected { raw: 0..usize::MAX, issues }, &mut taken)?;
                    }
                }
                Outcome::Rejected(rejected) => self.reject(read, rejected, &mut taken)?,
            }
        }
        Ok(taken)
    }

    fn reject(
        &mut self,
        read: &Read,
        rejected: &Rejected,
        taken: &mut TakenIn,
    ) -> Result<(), NodeError> {
        let now = self.node.inside().outside.now_ms();
        taken.rejected += 1;
        taken.issues.extend(rejected.issues.iter().cloned());
        quarantine::put(&mut self.batch, read, rejected, now)
    }

    fn flush_if_full(&mut self) -> Result<(), NodeError> {
        let bytes = self.batch.size_bytes();
        let full = bytes >= FLUSH_BYTES
            || bytes + self.dirty_bytes >= FLUSH_BYTES_WITH_RECORDS
            || self.accesses >= FLUSH_ACCESSES;
        if full { self.flush() } else { Ok(()) }
    }

    /// Waits until no other load has one of these records. What another one has changed may be
    /// forgotten again, and must be in the log before what is built on it.
    fn claim(&mut self, ids: BTreeSet<String>) -> Result<(), NodeError> {
        let number = self.number;
        if !self.node.inside().records.claim(number, &ids) {
            // Who waits has nothing that another one could wait for.
            self.flush()?;
            self.settle()?;
            self.unclaim();
            let is_taken = |inside: &mut Inside| !inside.records.claim(number, &ids);
            let waited =
                self.node.landed.wait_timeout_while(self.node.inside(), CLAIMING, is_taken);
            if waited.unwrap_or_else(PoisonError::into_inner).1.timed_out() {
                return Err(NodeError::Loading);
            }
        }
        self.claimed.extend(ids);
        Ok(())
    }

    /// Lets others have the records of what is settled.
    fn unclaim(&mut self) {
        if self.in_flight.is_none() && self.dirty.is_empty() {
            self.claimed.clear();
        }
        self.node.inside().records.unclaim(self.number, &self.claimed);
        self.node.landed.notify_all();
    }

    /// Adds the rows of the records changed since the last flush and hands the batch to the
    /// store; waits for the batch before it, so that one is written while the next is prepared.
    fn flush(&mut self) -> Result<(), NodeError> {
        let result = self.hand_over();
        if result.is_err() {
            self.forget();
        }
        result
    }

    fn hand_over(&mut self) -> Result<(), NodeError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut packed: Vec<String> = Vec::new();
        for id in &self.dirty {
            let mut inside = self.node.inside();
            if inside.records.put(&self.node.store, id, &mut self.batch)? {
                packed.push(id.clone());
            }
        }
        self.settle()?;
        for id in packed {
            seal(&self.node.store, &id, &mut self.batch)?;
        }
        let ticket = self.node.store.submit(std::mem::take(&mut self.batch))?;
        self.noted_before = std::mem::take(&mut self.noted);
        self.apart.hand_over();
        self.accesses = 0;
        self.dirty_bytes = 0;
        self.claimed.clear();
        self.in_flight = Some((ticket, std::mem::take(&mut self.dirty)));
        Ok(())
    }

    /// Waits until the batch in flight is durable. Only then may its records leave memory, because
    /// until then the store does not have them.
    fn settle(&mut self) -> Result<(), NodeError> {
        let Some((ticket, records)) = self.in_flight.take() else { return Ok(()) };
        let result = ticket.wait();
        self.noted_before.clear();
        self.apart.settle();
        let mut inside = self.node.inside();
        if result.is_err() {
            for id in &records {
                inside.records.forget(id);
            }
        }
        for id in &records {
            inside.records.release(id);
        }
        inside.records.shrink();
        drop(inside);
        self.unclaim();
        self.node.watchers.tell();
        result?;
        Ok(())
    }

    /// Lets go of records whose changes will not become durable; they are read from the store again.
    fn forget(&mut self) {
        // What is on its way stays, and a record is not read again before it is there. Its own error
        // would come after the one that led here.
        let _ = self.settle();
        let mut inside = self.node.inside();
        for id in std::mem::take(&mut self.dirty) {
            inside.records.release(&id);
            inside.records.forget(&id);
        }
        drop(inside);
        self.unclaim();
        self.batch = Batch::new();
        self.noted.clear();
        self.apart.forget();
        self.accesses = 0;
        self.dirty_bytes = 0;
    }
}

impl Drop for Load<'_> {
    /// A load that is dropped without [`Load::finish`] leaves nothing half-applied in memory.
    fn drop(&mut self) {
        self.forget();
    }
}

/// An input as the store keeps it; `bytes` are none if they lie in parts.
fn raw_input(message: MessageId, input: &Input, now_ms: u64, bytes: Vec<u8>) -> RawInput {
    RawInput {
        message,
        feed: input.feed.clone().unwrap_or_else(|| "-".to_owned()),
        file: Some(input.name.clone()),
        received_ms: now_ms.cast_signed(),
        bytes,
    }
}

fn message_too_large() -> Issue {
    let message = format!(
        "the message says more than can be made durable at once (at most {MAX_MESSAGE_RECORDS} \
         records, {} MiB with their states); nothing of it was applied; split it",
        clisonix_store::limit::MAX_BATCH_BYTES >> 20
    );
    Issue::error(IssueCode::TooCostly, "", message)
}

/// The entry that a resource wants to be.
pub(crate) fn entry_id(object: &Object) -> Option<EntryId> {
    let ty = resource_named(object.get("resourceType")?.as_str()?)?;
    Some(EntryId { ty, id: object.get("id")?.as_str()?.into() })
}

/// Makes a patient's record findable by the identifiers that the patient resource states.
pub(crate) fn put_identifiers(
    batch: &mut Batch,
    object: &Object,
    record: &str,
) -> Result<(), NodeError> {
    if object.get("resourceType").and_then(Value::as_str) != Some("Patient") {
        return Ok(());
    }
    let identifiers = object.get("identifier").and_then(Value::as_array).unwrap_or_default();
    for identifier in identifiers {
        let text = |name| identifier.get(name).and_then(Value::as_str);
        if let Some(value) = text("value") {
            stored::put_alias(batch, value, text("system").unwrap_or_default(), record)?;
        }
    }
    Ok(())
}

/// The base of an edit: the version that the resource itself names, else an assertion.
pub(crate) fn base_of(
    record: &clisonix_crdt::Record,
    version: Option<&str>,
) -> Result<Base, NodeError> {
    match version {
        Some(version) => Ok(Base::Heads(record.heads_of_version(version)?)),
        None => Ok(Base::Assertion),
    }
}

/// The time of an edit at this node.
pub(crate) fn edit_time(record: &clisonix_crdt::Record, now_ms: u64) -> HybridTime {
    record.latest_time().tick(now_ms)
}

#[cfg(test)]
pub(crate) mod tests;

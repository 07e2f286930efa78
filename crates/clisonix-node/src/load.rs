//! Taking in files: each input is stored as received, read, and applied record by record, durably.

use std::collections::BTreeSet;

use clisonix_crdt::{Base, Coverage, EntryId, HybridTime, Origin, Source};
use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::resource_named;
use clisonix_ingest::{Extent, Hint, Intake, Outcome, Rejected, Statement};
use clisonix_store::{Action, Batch, MessageId, RawInput, Ticket};
use sha2::{Digest, Sha256};

use crate::error::NodeError;
use crate::node::{By, Inside, Node, access};
use crate::outside::Actors;
use crate::quarantine;
use crate::stored;

/// A load becomes durable when its batch holds this many bytes.
pub(crate) const FLUSH_BYTES: usize = 12 << 20;
/// A load becomes durable when its batch holds this many accesses to records.
const FLUSH_ACCESSES: usize = 2048;

/// One file or transmission.
#[derive(Clone, Debug)]
pub struct Input {
    /// The file's name, for issues and the journal.
    pub name: String,
    /// The feed; `None` lets the content name it.
    pub feed: Option<String>,
    /// The bytes as received.
    pub bytes: Vec<u8>,
}

/// An input that has been read but not applied; reading needs no node and can run beside it.
pub struct Read {
    input: Input,
    message: MessageId,
    outcomes: Vec<Outcome>,
    /// The content of a compressed input, if parts of it were rejected.
    unpacked: Option<Vec<u8>>,
}

impl Read {
    /// Recognises and reads an input; every message in it ends in one outcome.
    pub fn new(input: Input) -> Self {
        let hint =
            Hint { feed: input.feed.clone(), file: Some(input.name.clone()), ..Hint::default() };
        let outcomes = clisonix_ingest::take_in(&input.bytes, &hint);
        let rejected = outcomes.iter().any(|outcome| outcome.taken().is_none());
        let unpack = || clisonix_ingest::recognition::unpack(&input.bytes).ok();
        let unpacked = if rejected { unpack().map(std::borrow::Cow::into_owned) } else { None };
        let message = input_id(&input);
        Self { input, message, outcomes, unpacked }
    }

    /// The outcomes, one for each message.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    pub(crate) fn message(&self) -> MessageId {
        self.message
    }

    /// The bytes of one rejected message.
    pub(crate) fn raw(&self, rejected: &Rejected) -> &[u8] {
        let content = self.unpacked.as_deref().unwrap_or(&self.input.bytes);
        content.get(rejected.raw.clone()).unwrap_or(content)
    }
}

/// The id of an input: half a SHA-256 over the feed's name and the bytes.
pub(crate) fn input_id(input: &Input) -> MessageId {
    let mut hasher = Sha256::new();
    let feed = input.feed.as_deref().unwrap_or_default();
    hasher.update((feed.len() as u64).to_be_bytes());
    hasher.update(feed);
    hasher.update(&input.bytes);
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    id
}

/// What became of one input.
#[derive(Clone, Debug, Default)]
pub struct TakenIn {
    /// Messages applied.
    pub messages: u64,
    /// Messages that had been taken in before or changed nothing.
    pub unchanged: u64,
    /// Messages in quarantine.
    pub rejected: u64,
    /// Resources stated by the applied messages.
    pub resources: u64,
    /// Source values used.
    pub used: u64,
    /// Source values kept aside.
    pub kept: u64,
    /// Every issue, also of messages that were applied.
    pub issues: Vec<Issue>,
}

/// A running load: inputs are applied in order and become durable in groups.
pub struct Load<'n> {
    node: &'n Node,
    by: By<'n>,
    batch: Batch,
    accesses: usize,
    dirty: BTreeSet<String>,
    in_flight: Option<(Ticket, BTreeSet<String>)>,
}

impl Node {
    /// Begins a load. Nothing is acknowledged before [`Load::finish`] or the flush that it reports.
    pub fn load<'n>(&'n self, by: By<'n>) -> Load<'n> {
        Load {
            node: self,
            by,
            batch: Batch::new(),
            accesses: 0,
            dirty: BTreeSet::new(),
            in_flight: None,
        }
    }
}

impl Load<'_> {
    /// Applies an input; everything it says is durable after the next flush.
    ///
    /// # Errors
    /// [`NodeError`]; what was applied since the last flush is forgotten again.
    pub fn take(&mut self, read: &Read) -> Result<TakenIn, NodeError> {
        let result = self.apply(read);
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

    fn apply(&mut self, read: &Read) -> Result<TakenIn, NodeError> {
        let mut taken = TakenIn::default();
        let now = self.node.inside().outside.now_ms();
        if self.node.store.snapshot()?.raw(read.message)?.is_none() {
            self.batch.raw(RawInput {
                message: read.message,
                feed: read.input.feed.clone().unwrap_or_else(|| "-".to_owned()),
                file: Some(read.input.name.clone()),
                received_ms: now.cast_signed(),
                bytes: read.input.bytes.clone(),
            })?;
        }
        for outcome in &read.outcomes {
            match outcome {
                Outcome::Taken(intake) => {
                    self.apply_intake(intake, &mut taken)?;
                }
                Outcome::Rejected(rejected) => {
                    taken.rejected += 1;
                    taken.issues.extend(rejected.issues.iter().cloned());
                    quarantine::put(&mut self.batch, read, rejected, now)?;
                }
            }
        }
        self.batch.access(access(self.by, Action::Import, now, None)?)?;
        self.accesses += 1;
        Ok(taken)
    }

    fn apply_intake(&mut self, intake: &Intake, taken: &mut TakenIn) -> Result<(), NodeError> {
        let mut changed = false;
        for statement in &intake.statements {
            // One message can speak of more records than one batch may hold. Each record is whole
            // in its batch, and taking in the message again completes the rest.
            self.flush_if_full()?;
            let one = self.apply_statement(intake, statement, &mut self.node.inside());
            match one {
                Ok(one) => changed |= one,
                Err(NodeError::Edit(error)) => {
                    taken.issues.push(Issue::error(
                        clisonix_fhir::issue::IssueCode::Invalid,
                        statement.record.id(),
                        error.to_string(),
                    ));
                }
                Err(error) => return Err(error),
            }
            taken.resources += statement.resources.len() as u64;
        }
        taken.messages += u64::from(changed);
        taken.unchanged += u64::from(!changed);
        taken.used += intake.used as u64;
        taken.kept += intake.kept.len() as u64;
        taken.issues.extend(intake.issues.iter().cloned());
        Ok(())
    }

    fn apply_statement(
        &mut self,
        intake: &Intake,
        statement: &Statement,
        inside: &mut Inside,
    ) -> Result<bool, NodeError> {
        let id = statement.record.id();
        let now = inside.outside.now_ms();
        let record = inside.records.record(&self.node.store, &id)?;
        if record.has_message(&intake.feed, &intake.message) {
            return Ok(false);
        }
        let is_new = record.change_count() == 0;
        let event_time_ms = intake.event_time_ms.and_then(|ms| u64::try_from(ms).ok());
        let event_time_ms = event_time_ms
            .unwrap_or_else(|| record.latest_event_ms(&intake.feed).map_or(0, |latest| latest + 1));
        let source =
            Source { feed: intake.feed.as_str().into(), message: intake.message, event_time_ms };
        let time = record.latest_time().tick(now);
        let author = format!("feed {}", intake.feed);
        let origin = Origin { author: &author, time, source: Some(source) };
        let coverage = match intake.extent {
            Extent::Whole => Coverage::Whole,
            Extent::Snapshot => Coverage::Stated,
            Extent::Partial => Coverage::Partial,
        };
        let objects = statement.resources.iter().filter_map(|stated| stated.resource.as_object());
        let objects: Vec<(&Object, Coverage)> = objects.map(|object| (object, coverage)).collect();
        let ids: Vec<EntryId> = objects.iter().filter_map(|(object, _)| entry_id(object)).collect();
        let fresh: Vec<&EntryId> = ids.iter().filter(|id| !record.knows(id)).collect();
        let change = record.state(&objects, &origin, &mut Actors(&mut *inside.outside))?;
        let Some(change) = change else { return Ok(false) };
        if let Some(bytes) = record.change(&change) {
            self.batch.change(&id, bytes)?;
        }
        if is_new {
            stored::put_key(&mut self.batch, &id, &statement.record)?;
        }
        for entry in fresh {
            stored::put_entry(&mut self.batch, entry, &id)?;
        }
        for (object, _) in &objects {
            put_identifiers(&mut self.batch, object, &id)?;
        }
        self.batch.access(access(self.by, Action::Import, now, Some(record))?)?;
        self.accesses += 1;
        if self.dirty.insert(id.clone()) {
            inside.records.hold(&id);
        }
        Ok(true)
    }

    fn flush_if_full(&mut self) -> Result<(), NodeError> {
        if self.batch.size_bytes() >= FLUSH_BYTES || self.accesses >= FLUSH_ACCESSES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the states of the records changed since the last flush and hands the batch to the
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
        {
            let mut inside = self.node.inside();
            for id in &self.dirty {
                let record = inside.records.record(&self.node.store, id)?;
                stored::put_state(&mut self.batch, record)?;
            }
        }
        self.settle()?;
        let ticket = self.node.store.submit(std::mem::take(&mut self.batch))?;
        self.accesses = 0;
        self.in_flight = Some((ticket, std::mem::take(&mut self.dirty)));
        Ok(())
    }

    /// Waits until the batch in flight is durable. Only then may its records leave memory, because
    /// until then the store does not have them.
    fn settle(&mut self) -> Result<(), NodeError> {
        let Some((ticket, records)) = self.in_flight.take() else { return Ok(()) };
        let result = ticket.wait();
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
        result?;
        Ok(())
    }

    /// Lets go of records whose changes will not become durable; they are read from the store again.
    fn forget(&mut self) {
        let mut inside = self.node.inside();
        for id in std::mem::take(&mut self.dirty) {
            inside.records.release(&id);
            inside.records.forget(&id);
        }
        self.batch = Batch::new();
        self.accesses = 0;
    }
}

impl Drop for Load<'_> {
    /// A load that is dropped without [`Load::finish`] leaves nothing half-applied in memory.
    fn drop(&mut self) {
        // A batch in flight is whole or absent; if it failed, its records are forgotten.
        let _ = self.settle();
        self.forget();
    }
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

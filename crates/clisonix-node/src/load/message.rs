//! Applying one message: all of it becomes durable in one batch, or nothing of it.

use std::collections::BTreeSet;

use clisonix_crdt::{Coverage, EntryId, Origin, Source};
use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::Object;
use clisonix_ingest::{Extent, Intake};
use clisonix_store::{Action, MessageId, WriteError};

use super::{Load, TakenIn, entry_id, put_identifiers};
use crate::apart::Part;
use crate::error::NodeError;
use crate::node::{Inside, access};
use crate::outside::Actors;
use crate::stored::{self, Settled};

/// Most records that one message may speak of.
pub(crate) const MAX_MESSAGE_RECORDS: usize = 100_000;
/// A message that speaks of more records than this gets a batch of its own, so that its size alone
/// decides whether it fits.
const SOLO_RECORDS: usize = 100;

/// Whether a message was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// All of it is in the batch, or was there before.
    Whole,
    /// It is more than one batch holds; nothing of it was applied.
    TooLarge,
}

impl Load<'_> {
    /// Applies a message and adds to `taken` what became of it.
    pub(crate) fn apply_message(
        &mut self,
        intake: &Intake,
        input: MessageId,
        taken: &mut TakenIn,
    ) -> Result<Applied, NodeError> {
        let records = intake.statements.len();
        if records > MAX_MESSAGE_RECORDS {
            return Ok(Applied::TooLarge);
        }
        if records <= SOLO_RECORDS {
            // Between messages, never in one.
            self.flush_if_full()?;
            self.claim(records_of(intake))?;
            taken.add(self.apply_statements(intake, input)?);
            return Ok(Applied::Whole);
        }
        self.flush()?;
        self.claim(records_of(intake))?;
        let one = self.apply_statements(intake, input)?;
        match self.flush() {
            Ok(()) => {
                taken.add(one);
                Ok(Applied::Whole)
            }
            Err(NodeError::Write(WriteError::BatchSize { .. })) => Ok(Applied::TooLarge),
            Err(error) => Err(error),
        }
    }

    fn apply_statements(
        &mut self,
        intake: &Intake,
        input: MessageId,
    ) -> Result<TakenIn, NodeError> {
        let mut taken = TakenIn {
            used: intake.used as u64,
            kept: intake.kept.len() as u64,
            issues: intake.issues.clone(),
            ..TakenIn::default()
        };
        let mut settled = self.settled(intake)?;
        let (known, mut changed) = (settled.clone(), false);
        settled.inputs.insert(input);
        for statement in &intake.statements {
            taken.resources += statement.resources.len() as u64;
            for part in self.node.parts(statement, &mut self.apart)? {
                let id = part.record.id();
                if settled.records.contains(&id) {
                    continue;
                }
                match self.apply_part(intake, &part, &id, &mut self.node.inside_for(&id)) {
                    Ok(one) => {
                        changed |= one;
                        settled.records.insert(id);
                    }
                    Err(NodeError::Edit(error)) => {
                        taken.issues.push(Issue::error(IssueCode::Invalid, id, error.to_string()));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if settled != known {
            stored::put_settled(&mut self.batch, &intake.message, &settled)?;
            self.noted.insert(intake.message, settled);
        }
        taken.messages = u64::from(changed);
        taken.unchanged = u64::from(!changed);
        Ok(taken)
    }

    /// What is known of the message, be it on its way to the store.
    fn settled(&self, intake: &Intake) -> Result<Settled, NodeError> {
        let message = &intake.message;
        if let Some(noted) = self.noted.get(message).or_else(|| self.noted_before.get(message)) {
            return Ok(noted.clone());
        }
        stored::settled(&self.node.store.snapshot()?, message)
    }

    fn apply_part(
        &mut self,
        intake: &Intake,
        part: &Part<'_>,
        id: &str,
        inside: &mut Inside,
    ) -> Result<bool, NodeError> {
        let now = inside.outside.now_ms();
        let record = inside.records.record(&self.node.store, id)?;
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
        let coverage = coverage(intake.extent);
        let objects = part.resources.iter().filter_map(|stated| stated.resource.as_object());
        let objects: Vec<(&Object, Coverage)> = objects.map(|object| (object, coverage)).collect();
        let ids: Vec<EntryId> = objects.iter().filter_map(|(object, _)| entry_id(object)).collect();
        let fresh: Vec<&EntryId> = ids.iter().filter(|id| !record.knows(id)).collect();
        let mut actors = Actors { outside: &mut *inside.outside, signing: &mut inside.signing };
        let change = record.state(&objects, &origin, &mut actors);
        if record.has_lost_log() {
            inside.records.forget(id);
            return Err(NodeError::Damaged(id.to_owned()));
        }
        if change?.is_none() {
            return Ok(false);
        }
        let access = access(self.by, Action::Import, now, Some(record));
        let first = record.change_count() - 1;
        let noted = inside.signing.note(&mut self.batch, record, first, now);
        // Its operations stand in the record, in the log and as what is shown.
        self.dirty_bytes += 3 * record.size_since(record.change_count() - 1);
        if self.dirty.insert(id.to_owned()) {
            self.dirty_bytes += record.size_bytes();
            inside.records.hold(id);
        }
        if is_new {
            stored::put_key(&mut self.batch, &part.record)?;
        }
        for entry in fresh {
            stored::put_entry(&mut self.batch, entry, id)?;
        }
        for (object, _) in &objects {
            put_identifiers(&mut self.batch, object, id)?;
        }
        noted?;
        self.batch.access(access?)?;
        self.accesses += 1;
        Ok(true)
    }
}

/// The records that a message speaks of; those beside a patient's go with it.
fn records_of(intake: &Intake) -> BTreeSet<String> {
    intake.statements.iter().map(|statement| statement.record.whole().id()).collect()
}

fn coverage(extent: Extent) -> Coverage {
    match extent {
        Extent::Whole => Coverage::Whole,
        Extent::Snapshot => Coverage::Stated,
        Extent::Partial => Coverage::Partial,
    }
}

impl TakenIn {
    /// Adds what became of another message.
    pub(crate) fn add(&mut self, other: TakenIn) {
        self.messages += other.messages;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
        self.resources += other.resources;
        self.used += other.used;
        self.kept += other.kept;
        self.issues.extend(other.issues);
    }
}

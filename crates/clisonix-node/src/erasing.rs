//! Erasing: content goes from the record at every replica, and here from the disk: its rows are
//! sealed under another key, and the key that old rows, free pages and backups are under is
//! destroyed.
//!
//! Which keys are to be destroyed is durable together with the rows that no longer need them, so a
//! crash in between is made good when the node is opened.

use clisonix_crdt::{Base, ChangeId, EntryId, Erasure, Origin};
use clisonix_pq::erasure::{Done, Order, OrderTerms, ReceiptTerms};
use clisonix_store::{Action, Batch, MessageId, Table};

use crate::damage;
use crate::editing::index_entries;
use crate::error::NodeError;
use crate::load::edit_time;
use crate::node::{By, Inside, Node, access};
use crate::outside::Actors;
use crate::reading::parse_entry;
use crate::records::Records;
use crate::row_keys::Owner;
use crate::stored;

mod pending;

use pending::{KeyList, destroy_pending, encode_keys, pending_key};
pub(crate) use pending::{finish_pending, put_generation, seen_generation};

/// What is to be erased.
#[derive(Clone, Copy, Debug)]
pub enum Aim<'a> {
    /// All content of the record.
    Record,
    /// An entry, `Type/id`, and that there was one.
    Entry(&'a str),
    /// The smallest unit that holds the member at a JSON Pointer (RFC 6901) into an entry.
    Value {
        /// `Type/id`.
        entry: &'a str,
        /// Into the resource as it is shown.
        pointer: &'a str,
    },
}

/// What an erasure did here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The record.
    pub record: String,
    /// The change that orders it at every replica.
    pub change: ChangeId,
    /// Number of operations that lost their content.
    pub operations: usize,
    /// How many inputs that carried the record were destroyed.
    pub inputs_destroyed: u64,
    /// How many are kept, or came in a way that is not known.
    pub inputs_kept: u64,
    /// Generation of the vault that no longer leads to what was erased; `None` where the store is
    /// not encrypted.
    pub generation: Option<u64>,
    /// The change as it travels.
    pub carried: Vec<u8>,
    /// Whether it was all content of the record.
    pub is_whole: bool,
}

impl Erased {
    /// What an order to other nodes says. A change that is too long for it has to reach them first.
    pub fn order(&self, made_ms: u64, inputs: bool) -> OrderTerms {
        let fits = self.carried.len() <= clisonix_pq::erasure::MAX_CARRIED_BYTES;
        OrderTerms {
            made_ms,
            record: self.record.clone(),
            change: self.change.0,
            inputs,
            carried: if fits { self.carried.clone() } else { Vec::new() },
        }
    }
}

/// What became of the inputs and keys of an erasure.
struct Gone {
    inputs_destroyed: u64,
    inputs_kept: u64,
    generation: Option<u64>,
}

impl Node {
    /// Erases content, here and wherever the change arrives, and with `inputs` every input that
    /// carried the record, whatever else it carried. The reason stays readable for ever, so it must
    /// not say what was erased. It cannot be undone.
    ///
    /// # Errors
    /// [`NodeError::Erase`]; [`NodeError::NotFound`]; [`NodeError::Vault`] if the content is erased
    /// but its key is not destroyed yet, which is tried again when the node is opened.
    pub fn erase(
        &self,
        record: &str,
        aim: Aim<'_>,
        reason: &str,
        inputs: bool,
        by: By<'_>,
    ) -> Result<Erased, NodeError> {
        if by.author.trim().is_empty() {
            return Err(NodeError::Author);
        }
        if self.store.snapshot()?.record(record)?.is_none() {
            return Err(NodeError::NotFound("record"));
        }
        let (name, entry) = (record, entry_of(aim)?);
        let mut inside = self.inside_for(name);
        let inside = &mut *inside;
        let now = inside.outside.now_ms();
        if inside.records.is_held(name) {
            return Err(NodeError::Loading);
        }
        let record = inside.records.record(&self.store, name)?;
        let heads = record.view().heads();
        let origin = Origin { author: by.author, time: edit_time(record, now), source: None };
        let what = erasure(aim, entry.as_ref());
        let mut actors = Actors { outside: &mut *inside.outside, signing: &mut inside.signing };
        let erased = record.erase(&what, &Base::Current, reason, &origin, &mut actors);
        if record.has_lost_log() {
            inside.records.forget(name);
            return Err(NodeError::Damaged(name.to_owned()));
        }
        let erased = erased?;
        let carried = record.changes_since(&heads);
        let mut batch = Batch::new();
        batch.access(access(by, Action::Erase, now, Some(record))?)?;
        let first = record.change_count() - 1;
        let indexed = index_entries(&mut batch, record, first)
            .and_then(|()| inside.signing.note_edit(&mut batch, &self.store, record, first, now));
        inside.records.note_erased(name, &erased.entries);
        let batch = indexed.map(|()| batch);
        let gone = self.make_erased_durable(name, batch, inputs, &mut inside.records)?;
        Ok(Erased {
            record: name.to_owned(),
            change: erased.change,
            operations: erased.operations,
            inputs_destroyed: gone.inputs_destroyed,
            inputs_kept: gone.inputs_kept,
            generation: gone.generation,
            carried,
            is_whole: matches!(aim, Aim::Record),
        })
    }

    /// Carries out another node's order, whose signature was verified when it was read, and says
    /// what a receipt states.
    ///
    /// # Errors
    /// [`NodeError::NotFound`] if the change that the order names is neither here nor in the order,
    /// or waits for others; then nothing was erased.
    pub fn carry_out(&self, order: &Order, by: By<'_>) -> Result<ReceiptTerms, NodeError> {
        let terms = order.terms();
        let now = self.inside().outside.now_ms();
        let mut receipt = ReceiptTerms {
            made_ms: now,
            order: order.digest(),
            record: terms.record.clone(),
            change: terms.change,
            done: Done::Absent,
            generation: self.generation().unwrap_or_default(),
            inputs_destroyed: 0,
            inputs_kept: 0,
        };
        if self.store.snapshot()?.record(&terms.record)?.is_none() {
            return Ok(receipt);
        }
        if !terms.carried.is_empty() && !self.holds_change(&terms.record, terms.change)? {
            self.receive(&terms.record, &[], &terms.carried, by)?;
        }
        if !self.holds_change(&terms.record, terms.change)? {
            return Err(NodeError::NotFound("change of the order"));
        }
        let gone = self.destroy_inputs(&terms.record, terms.inputs, by)?;
        receipt.done = if self.rows.is_some() { Done::Destroyed } else { Done::Erased };
        receipt.generation = gone.generation.unwrap_or_default();
        receipt.inputs_destroyed = gone.inputs_destroyed;
        receipt.inputs_kept = gone.inputs_kept;
        Ok(receipt)
    }

    /// Whether a change is here.
    fn holds_change(&self, record: &str, change: [u8; 32]) -> Result<bool, NodeError> {
        self.with_record(record, |record| Ok(record.at(&[ChangeId(change)]).is_ok()))
    }

    /// Makes durable what received changes did to a record; these entries lost content to them.
    pub(crate) fn make_received_durable(
        &self,
        record: &str,
        batch: Result<Batch, NodeError>,
        erased: &[EntryId],
        records: &mut Records,
    ) -> Result<(), NodeError> {
        if erased.is_empty() {
            return self.make_durable(record, batch, records);
        }
        records.note_erased(record, erased);
        self.make_erased_durable(record, batch, false, records).map(drop)
    }

    /// The vault's generation, where there is one.
    fn generation(&self) -> Option<u64> {
        self.rows.as_ref().map(|rows| rows.generation())
    }

    /// Destroys the inputs that carried a record, if they are to go.
    fn destroy_inputs(&self, record: &str, inputs: bool, by: By<'_>) -> Result<Gone, NodeError> {
        let mut inside = self.inside_for(record);
        let Inside { outside, records, .. } = &mut *inside;
        if records.is_held(record) {
            return Err(NodeError::Loading);
        }
        let now = outside.now_ms();
        let held = records.record(&self.store, record)?;
        let mut batch = Batch::new();
        batch.access(access(by, Action::Erase, now, Some(held))?)?;
        let mut keys = KeyList::new();
        let mut gone = self.put_inputs(&mut batch, record, inputs, &mut keys)?;
        self.put_pending(&mut batch, record, &keys)?;
        self.store.write(batch)?;
        gone.generation = self.destroy_keys(record, &keys)?;
        Ok(gone)
    }

    /// Makes durable what an erasure did to a record, and destroys the keys of what was before.
    fn make_erased_durable(
        &self,
        record: &str,
        batch: Result<Batch, NodeError>,
        inputs: bool,
        records: &mut Records,
    ) -> Result<Gone, NodeError> {
        let mut keys = KeyList::new();
        let owner = Owner::record(record);
        let prepared = batch.and_then(|mut batch| {
            let gone = self.put_inputs(&mut batch, record, inputs, &mut keys)?;
            // What is damaged may hold what is erased.
            damage::strip(&mut batch, &self.store.snapshot()?, record)?;
            if let Some(rows) = &self.rows {
                keys.push((owner.clone(), rows.step_ahead(&owner)?));
                records.note_resealed(record);
                if let Some(key) = self.store.snapshot()?.record(record)? {
                    batch.record(record, key)?;
                }
            }
            self.put_pending(&mut batch, record, &keys)?;
            Ok((batch, gone))
        });
        let (batch, gone) = match prepared {
            Ok((batch, gone)) => (Ok(batch), Some(gone)),
            Err(error) => (Err(error), None),
        };
        let written = self.make_durable(record, batch, records);
        if let (Err(_), Some(rows)) = (&written, &self.rows) {
            rows.step_back(&owner);
        }
        written?;
        let generation = self.destroy_keys(record, &keys)?;
        let nothing = Gone { inputs_destroyed: 0, inputs_kept: 0, generation: None };
        Ok(Gone { generation, ..gone.unwrap_or(nothing) })
    }

    /// Adds to a batch that the inputs go which carried a record, if they are to, and to `keys`
    /// those that they are under.
    fn put_inputs(
        &self,
        batch: &mut Batch,
        record: &str,
        destroy: bool,
        keys: &mut KeyList,
    ) -> Result<Gone, NodeError> {
        let (inputs, unknown) = stored::inputs_of(&self.store.snapshot()?, record)?;
        let mut gone = Gone { inputs_destroyed: 0, inputs_kept: unknown, generation: None };
        for input in inputs {
            let Some(size_bytes) = self.input_bytes(input)? else { continue };
            if !destroy {
                gone.inputs_kept += 1;
                continue;
            }
            batch.forget_raw(input, size_bytes)?;
            gone.inputs_destroyed += 1;
            if let Some(rows) = &self.rows {
                let owner = Owner::input(&input);
                let epoch = rows.epoch(&owner)?;
                keys.push((owner, epoch));
            }
        }
        Ok(gone)
    }

    /// Length of an input that is here.
    fn input_bytes(&self, input: MessageId) -> Result<Option<u64>, NodeError> {
        Ok(self.store.raw_content(input)?.map(|content| content.size_bytes()))
    }

    fn put_pending(
        &self,
        batch: &mut Batch,
        record: &str,
        keys: &[(Owner, u32)],
    ) -> Result<(), NodeError> {
        if self.rows.is_some() && !keys.is_empty() {
            batch.put(Table::Meta, &pending_key(record), encode_keys(keys))?;
        }
        Ok(())
    }

    fn destroy_keys(&self, record: &str, keys: &[(Owner, u32)]) -> Result<Option<u64>, NodeError> {
        let Some(rows) = &self.rows else { return Ok(None) };
        destroy_pending(&self.store, rows, record, keys).map(Some)
    }
}

fn entry_of(aim: Aim<'_>) -> Result<Option<EntryId>, NodeError> {
    match aim {
        Aim::Record => Ok(None),
        Aim::Entry(entry) | Aim::Value { entry, .. } => {
            parse_entry(entry).map(Some).ok_or(NodeError::NotFound("entry"))
        }
    }
}

fn erasure<'a>(aim: Aim<'a>, entry: Option<&'a EntryId>) -> Erasure<'a> {
    match (aim, entry) {
        (Aim::Entry(_), Some(entry)) => Erasure::Entry(entry),
        (Aim::Value { pointer, .. }, Some(entry)) => Erasure::Value { entry, pointer },
        _ => Erasure::Record,
    }
}

#[cfg(test)]
mod tests;

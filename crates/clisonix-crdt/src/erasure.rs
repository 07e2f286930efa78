//! Erasure: content is destroyed at every replica, and the chain of hashes still verifies.
//!
//! An erasure is a change like any other, so it travels and merges like one. Its header names the
//! operations that it erases by their numbers (an [`order`]). A replica that applies it makes the
//! operations' content and keys go from its log, makes the state anew without them, and keeps of
//! each the commitment that the hashes are made of. Normative: `docs/formats/change.md`.

pub(crate) mod admission;
pub(crate) mod order;
mod selection;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::actor::keys::{Keys, Way};
use crate::actor::{ActorId, ActorSource, Clock, Past};
use crate::address::Address;
use crate::change::{ChangeId, Op, RawOp, Typed, Write, raw_ops};
use crate::edit::{Base, EditError, Origin};
use crate::log::{Logged, apply};
use crate::page::PageWriter;
use crate::record::Record;
use crate::state::{ChangeNo, EntryId, Named, Written};
use crate::travel::Incoming;
use crate::writing::{Plan, presence_op};
use admission::Hopes;
use order::{Erased, Gone, MAX_ERASED_RUNS, MAX_REASON_BYTES, Order, Run, left_indexes};
use selection::Selection;

#[cfg(test)]
mod tests;

/// What is to be erased: everything that was written of it up to a version, corrections and
/// removals included.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Erasure<'a> {
    /// The smallest unit that is written as a whole and holds the member at a JSON Pointer (RFC
    /// 6901): a cell, or a list element with its place in the list. The entry's generated narrative
    /// goes with it.
    Value {
        /// The entry.
        entry: &'a EntryId,
        /// Into the resource as the version shows it.
        pointer: &'a str,
    },
    /// An entry, and that there was one.
    Entry(&'a EntryId),
    /// All content of the record.
    Record,
}

/// What an erasure did here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureDone {
    /// The change that orders it everywhere.
    pub change: ChangeId,
    /// Number of operations that lost their content.
    pub operations: usize,
    /// The entries that lost content; those that lost all of it are not in the record any more.
    pub entries: Vec<EntryId>,
}

/// What a change in the history ordered to be erased, without what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureInfo {
    /// Where: a resource type with a path of element names, a resource type for an entry, empty for
    /// a record.
    pub place: Box<str>,
    /// Why, in its author's words.
    pub reason: Box<str>,
    /// Number of operations that it names; `None` for all before it.
    pub operations: Option<u64>,
}

impl From<&Order> for ErasureInfo {
    fn from(order: &Order) -> Self {
        Self { place: order.place.clone(), reason: order.reason.clone(), operations: order.count() }
    }
}

/// Why an erasure was refused; the record is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EraseError {
    /// There is no such entry at the version.
    #[error("there is no such entry at this version")]
    NoSuchEntry,
    /// The pointer leads nowhere in the resource, or to what only names it.
    #[error("nothing that can be erased is where the pointer leads")]
    Pointer,
    /// Everything there is erased already, or nothing was ever written.
    #[error("there is nothing to erase")]
    Nothing,
    /// The value is part of what names the list element (or, with an empty pointer, the entry)
    /// around it, so it could be guessed from that name: only the whole can be erased.
    #[error("the value is part of a name; what it names must be erased as a whole: {pointer:?}")]
    Named {
        /// What can be erased instead; empty for the entry.
        pointer: String,
    },
    /// The reason is longer than [`MAX_REASON_BYTES`](crate::MAX_REASON_BYTES).
    #[error("the reason is too long")]
    Reason,
    /// More runs of operations than [`MAX_ERASED_RUNS`](crate::MAX_ERASED_RUNS).
    #[error("the erasure names too many operations")]
    TooLarge,
    /// The version or the author is wrong, as with an edit.
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// Operations to be erased, by change.
type Chosen = BTreeMap<ChangeNo, Vec<u32>>;

impl Record {
    /// Erases content, here and wherever the change arrives; the reason stays readable for ever, so
    /// it must not say what was erased. Other replicas' edits that are not in the version stay. An
    /// erasure cannot be undone.
    ///
    /// `base` names the version up to which, and as which, it is read; an edit's assertion has none.
    ///
    /// # Errors
    /// [`EraseError`]; the record is unchanged.
    pub fn erase(
        &mut self,
        what: &Erasure<'_>,
        base: &Base,
        reason: &str,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<ErasureDone, EraseError> {
        if reason.len() > MAX_REASON_BYTES {
            return Err(EraseError::Reason);
        }
        let (past, version) = match base {
            Base::Current => (self.tables.clock(), None),
            Base::Heads(heads) => {
                let numbers = self.numbers(heads)?;
                (self.log.clock_of(&numbers, &self.tables), Some(self.replay(numbers)))
            }
            Base::Assertion => return Err(EditError::UnknownVersion.into()),
        };
        let selection = match what {
            Erasure::Value { entry, pointer } => {
                let view = version.as_ref().map_or_else(|| self.view(), |at| self.view_of(at));
                Selection::of_value(&view, entry, pointer)?
            }
            Erasure::Entry(entry) if self.entries.contains_key(*entry) => Selection::entry(entry),
            Erasure::Entry(_) => return Err(EraseError::NoSuchEntry),
            Erasure::Record => Selection::default(),
        };
        let (chosen, touched) = self.chosen(&selection, &past);
        if chosen.is_empty() {
            return Err(EraseError::Nothing);
        }
        let what = match (what, base) {
            (Erasure::Record, Base::Current) => Erased::Past,
            _ => Erased::Runs(self.runs(&chosen)?),
        };
        let order = Order { reason: reason.into(), place: selection.place.into(), what };
        // So that an entry that lost something is another version of it.
        let ops: Vec<Op> = touched.iter().map(|id| presence_op(id, Write::Stated)).collect();
        let origin = Origin { source: None, ..origin.clone() };
        let change = self.commit(Plan::erasing(order), &ops, &origin, actors)?;
        let change = change.ok_or(EraseError::Nothing)?;
        let entries = self.carry_out(change).into_iter().collect();
        let operations = chosen.values().map(Vec::len).sum();
        let change = self.id_of(change).ok_or(EraseError::Nothing)?;
        Ok(ErasureDone { change, operations, entries })
    }

    /// The operations in `past` that are selected, and the entries that keep others.
    fn chosen(&self, selection: &Selection<'_>, past: &Clock) -> (Chosen, Vec<EntryId>) {
        let mut chosen = Chosen::new();
        let mut is_there = false;
        let mut entries: BTreeMap<EntryId, (bool, bool)> = BTreeMap::new();
        for (change, row) in self.log.rows() {
            let in_past = past.covers(row.stamp.actor, row.stamp.seq);
            for (op, index) in raw_ops(&row.ops).zip(row.indexes()) {
                let entry = EntryId { ty: op.entry.0, id: op.entry.1.into() };
                let (lost, kept) = entries.entry(entry).or_default();
                let aimed = in_past && selection.aims_at(&op);
                is_there |= aimed;
                // Nobody can read edits of a text that is gone.
                if aimed || in_past && selection.may_be_told_by(&op) || self.types_in(&op, &chosen)
                {
                    chosen.entry(change).or_default().push(index);
                    *lost = true;
                } else {
                    *kept = true;
                }
            }
        }
        if !is_there {
            return Default::default();
        }
        let touched = entries.into_iter().filter(|(_, (lost, kept))| *lost && *kept);
        (chosen, touched.map(|(entry, _)| entry).collect())
    }

    /// Whether an operation edits a text that one of the chosen operations begins.
    fn types_in(&self, op: &RawOp<'_>, chosen: &Chosen) -> bool {
        let Some(Written::Edits(bytes)) = op.write else { return false };
        let root = Typed::read(bytes).ok().map(|typed| typed.root);
        let begun = root.and_then(|root| {
            let change = self.known((root.actor, root.seq))?;
            Some(chosen.get(&change)?.contains(&root.op))
        });
        begun.unwrap_or_default()
    }

    fn runs(&self, chosen: &Chosen) -> Result<Vec<Run>, EraseError> {
        let mut runs: Vec<Run> = Vec::new();
        for (&change, indexes) in chosen {
            let Some(row) = self.log.get(change) else { continue };
            let (actor, seq) = (self.tables.actor(row.stamp.actor), row.stamp.seq);
            for &index in indexes {
                match runs.last_mut() {
                    Some(run)
                        if (run.actor, run.seq) == (actor, seq)
                            && run.first + run.count == index =>
                    {
                        run.count += 1;
                    }
                    _ => runs.push(Run { actor, seq, first: index, count: 1 }),
                }
            }
        }
        runs.sort_unstable();
        if runs.len() > MAX_ERASED_RUNS { Err(EraseError::TooLarge) } else { Ok(runs) }
    }

    /// Whether all that an order names is in its past.
    pub(crate) fn can_erase(&self, order: &Order, past: &Past) -> bool {
        let Erased::Runs(runs) = &order.what else { return true };
        runs.iter().all(|run| {
            let named = self.seen((run.actor, run.seq), past);
            named.is_some_and(|(_, row)| run.first + run.count <= row.op_count())
        })
    }

    /// Destroys what an applied change orders to be erased; gives the entries that lost content.
    pub(crate) fn carry_out(&mut self, change: ChangeNo) -> BTreeSet<EntryId> {
        let mut affected = BTreeSet::new();
        let Some(row) = self.log.get(change) else { return affected };
        let Some(order) = row.order.as_deref() else { return affected };
        let mut gone: Vec<(ChangeNo, Vec<Gone>)> = Vec::new();
        for change in self.named(order, &row.past) {
            let Some(row) = self.log.get(change) else { continue };
            let key = (self.tables.actor(row.stamp.actor), row.stamp.seq);
            let mut of_change = Vec::new();
            for (op, index) in raw_ops(&row.ops).zip(row.indexes()) {
                if order.what.names(key, index) {
                    let commitment = self.commitment_of(row, index).unwrap_or_default();
                    of_change.push(Gone { index, commitment });
                    affected.insert(EntryId { ty: op.entry.0, id: op.entry.1.into() });
                }
            }
            gone.push((change, of_change));
        }
        for (change, of_change) in gone {
            self.log.erase(change, &of_change);
            self.destroy_keys(change);
        }
        self.rebuild(&affected);
        affected
    }

    /// The changes that an order takes something from.
    pub(crate) fn named(&self, order: &Order, past: &Past) -> BTreeSet<ChangeNo> {
        match &order.what {
            Erased::Past => {
                let rows = self.log.rows();
                let rows = rows.filter(|(_, row)| past.covers(row.stamp.actor, row.stamp.seq));
                rows.map(|(change, _)| change).collect()
            }
            Erased::Runs(runs) => {
                runs.iter().filter_map(|run| self.known((run.actor, run.seq))).collect()
            }
        }
    }

    /// Destroys the keys of a change's erased operations.
    fn destroy_keys(&mut self, change: ChangeNo) {
        let Some(row) = self.log.get(change) else { return };
        let Some(actor) = self.tables.actors.get_mut(row.stamp.actor as usize) else { return };
        let (seq, count) = (row.stamp.seq, row.op_count());
        if row.erased.len() as u32 == count {
            actor.keys.destroy_change(seq);
        } else {
            for gone in &row.erased {
                actor.keys.destroy_op(seq, gone.index, count);
            }
        }
        self.tables.trail.forget();
    }

    /// The commitment of an operation that has content.
    pub(crate) fn commitment_of(&self, row: &Logged, index: u32) -> Option<[u8; 32]> {
        let op = raw_ops(&row.ops).nth(row.place_of(index)? as usize)?;
        let keys = &self.tables.actors.get(row.stamp.actor as usize)?.keys;
        let way = Way::to_op(row.stamp.seq, index, row.op_count());
        Some(op.commitment(&self.tables.trail.key(row.stamp.actor, keys, way)?))
    }

    /// Makes entries anew from the log.
    fn rebuild(&mut self, affected: &BTreeSet<EntryId>) {
        if affected.is_empty() {
            return;
        }
        self.entries.retain(|id, _| !affected.contains(id));
        let mut tables = self.tables.without_stamps();
        let mut typed = Vec::new();
        for (change, row) in self.log.rows() {
            let ops = row.indexes().zip(raw_ops(&row.ops));
            let is_affected = |op: &RawOp<'_>| affected.contains(&op.entry as &dyn Named);
            let ops: Vec<(u32, RawOp<'_>)> = ops.filter(|(_, op)| is_affected(op)).collect();
            let known = (&tables, &self.log);
            apply(&mut self.entries, &ops, (change, row), known, &mut PageWriter::default());
            tables.stamps.push(change, row.stamp);
            let edits = ops.iter().filter(|(_, op)| matches!(op.write, Some(Written::Edits(_))));
            typed.extend(edits.map(|(_, op)| {
                let entry = EntryId { ty: op.entry.0, id: op.entry.1.into() };
                (entry, Address::trusted(op.address))
            }));
        }
        // What had been superseded may be live again.
        self.tables.stamps = tables.stamps;
        let cells = typed.iter().map(|(entry, at)| (entry.name(), at.as_bytes()));
        self.forget_overwritten(cells);
    }

    /// Whether a change lacks content that may not be missing, or keys for what it holds.
    pub(crate) fn is_withheld(&self, change: &Incoming, hopes: &Hopes) -> bool {
        if !change.erased.is_empty() && !hopes.hold(change) {
            return true;
        }
        let Some(keys) = self.keys_of(change.actor) else { return false };
        let count = (change.ops.len() + change.erased.len()) as u32;
        let has = |index| keys.has(Way::to_op(change.seq, index, count));
        keys.root().is_none() && !left_indexes(&change.erased).take(change.ops.len()).all(has)
    }

    fn keys_of(&self, actor: ActorId) -> Option<&Keys> {
        match self.tables.actor_number(actor) {
            Some(number) => self.tables.actors.get(number as usize).map(|actor| &actor.keys),
            None => self.secrets.get(&actor),
        }
    }

    /// Takes in an actor's keys; of what was erased here none stay.
    pub(crate) fn learn_keys(&mut self, id: ActorId, keys: &Keys) {
        let Some(number) = self.tables.actor_number(id) else {
            match self.secrets.get_mut(&id) {
                Some(known) => drop(known.learn(keys)),
                None => drop(self.secrets.insert(id, keys.clone())),
            }
            return;
        };
        let Some(actor) = self.tables.actors.get_mut(number as usize) else { return };
        if actor.keys.root().is_some() || !actor.keys.learn(keys) {
            return;
        }
        let rows = self.log.rows();
        let erased = rows.filter(|(_, row)| row.stamp.actor == number && !row.erased.is_empty());
        let erased: Vec<ChangeNo> = erased.map(|(change, _)| change).collect();
        for change in erased {
            self.destroy_keys(change);
        }
    }
}

//! Changes between replicas: applying, waiting, refusing, and giving them out.

mod sending;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;
use thiserror::Error;

use crate::actor::{ActorId, Past};
use crate::address::Address;
use crate::batch;
use crate::canonical;
use crate::change::{
    MAX_VALUE_BYTES, Op, OpsWriter, RawOp, Typed, Write, belongs, decode_ops, fits, op_count,
    plain_name, raw_ops, types,
};
use crate::erasure::admission::Hopes;
use crate::erasure::order::{Gone, left_indexes};
use crate::link::LinkMessage;
use crate::log::{Logged, apply};
use crate::note::{self, OpName};
use crate::overwritten::{Bases, Overwritten};
use crate::page::{PageWriter, Spot};
use crate::record::Record;
use crate::stamp::Stamp;
use crate::state::{ChangeNo, EntryId, Named, Written};
use crate::text::TextEdits;
use crate::time::HybridTime;
use crate::travel::{Incoming, IncomingOp, IncomingWrite, OpPlace, Run};
use crate::wire::DecodeError;

/// Most changes that wait for their dependencies.
pub const MAX_WAITING: usize = 100_000;

/// What became of the changes in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Changes applied now, those that had waited included.
    pub applied: usize,
    /// Changes that were known already.
    pub known: usize,
    /// Changes that wait for others now.
    pub waiting: usize,
    /// Changes that cannot be applied, ever.
    pub refused: Vec<Refusal>,
    /// Entries that lost content because an erasure was applied now; those that lost all of it are
    /// not in the record any more.
    pub erased: Vec<EntryId>,
}

/// A change that was not applied, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its actor.
    pub actor: ActorId,
    /// Its sequence number.
    pub seq: u32,
    /// The reason.
    pub reason: RefusalReason,
}

/// Why a change can never be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The actor made another change with the same sequence number: two stores write as one actor,
    /// or somebody forges.
    #[error("another change with this actor and sequence number is known")]
    Equivocation,
    /// Its dependencies already hold a later change of its own actor.
    #[error("the change depends on a later one of its own actor")]
    Order,
    /// The secret for the actor's commitments did not come with its first change.
    #[error("the actor's secret is missing")]
    Secret,
    /// An operation has an address or a value that FHIR R4 does not allow there.
    #[error("an operation does not fit the entry")]
    Operation,
    /// The operation that an operation overwrites was erased here: the sender is to send the change
    /// in whole form, see [`Record::whole_changes_since`].
    #[error("the operation that this one overwrites has no content here")]
    Base,
    /// An erasure names operations that are not in its past, or none.
    #[error("the erasure names operations that are not in its past")]
    Erasure,
    /// Too many changes wait.
    #[error("too many changes wait for their dependencies")]
    TooManyWaiting,
}

/// Why a batch was not taken in; the record is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The bytes are damaged or something else.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The batch belongs to another record.
    #[error("the changes belong to another record")]
    OtherRecord,
}

/// How changes are spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An actor's first change carries its keys; an operation says what differs from the one that
    /// it overwrites.
    Short,
    /// As [`Self::Short`], every operation whole.
    Whole,
    /// As [`Self::Short`], without keys: in a record's own log.
    Kept,
}

/// The operations of a change from outside.
struct Completed {
    /// Canonical bytes.
    ops: Box<[u8]>,
    bases: Bases,
    /// Whether all are known to fit their cells.
    fit: bool,
}

/// Memory that is kept from one write to the next.
const MAX_SCRATCH_BYTES: usize = 4 << 10;

/// A change's dependencies, by number here.
pub(crate) type Deps = SmallVec<[ChangeNo; 2]>;

impl Record {
    /// Takes in a batch from another replica, in any order, with any duplicates. What lacks its
    /// dependencies waits, visibly.
    ///
    /// # Errors
    /// [`ReceiveError`] if the bytes as a whole cannot be read; the record is unchanged.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Received, ReceiveError> {
        let (record, run) = batch::decode(bytes)?;
        if *record != *self.id {
            return Err(ReceiveError::OtherRecord);
        }
        Ok(self.receive_run(run))
    }

    /// As [`Self::receive`], of a message that came over a [`crate::Link`].
    ///
    /// # Errors
    /// [`ReceiveError::OtherRecord`]; the record is unchanged.
    pub fn receive_message(&mut self, message: LinkMessage) -> Result<Received, ReceiveError> {
        if *message.record != *self.id {
            return Err(ReceiveError::OtherRecord);
        }
        Ok(self.receive_run(message.run))
    }

    fn receive_run(&mut self, run: Run) -> Received {
        for (actor, keys) in &run.keys {
            self.learn_keys(*actor, keys);
        }
        let mut received = self.admit(run.changes);
        // The whole form may have come in the same run.
        let (base, here) = (RefusalReason::Base, |refused: &Refusal| (refused.actor, refused.seq));
        received.refused.retain(|refused| refused.reason != base || !self.is_here(here(refused)));
        received.waiting = self.waiting_count();
        received.erased.sort_unstable();
        received.erased.dedup();
        received
    }

    /// Takes in what can be taken in of a run of changes and of those that wait.
    pub(crate) fn take_all(&mut self, changes: Vec<Incoming>, hopes: &Hopes) -> Received {
        let mut received = Received::default();
        for change in changes {
            self.take(change, hopes, &mut received);
        }
        while !self.withheld.is_empty() {
            let before = received.applied;
            for key in std::mem::take(&mut self.withheld) {
                for change in self.waiting.remove(&key).unwrap_or_default() {
                    self.take(change, hopes, &mut received);
                }
            }
            if received.applied == before {
                break;
            }
        }
        received
    }

    fn take(&mut self, change: Incoming, hopes: &Hopes, received: &mut Received) {
        let (mut next, mut ready) = (Some(change), Vec::new());
        while let Some(change) = next.take().or_else(|| ready.pop()) {
            let key = (change.actor, change.seq);
            let refuse = |reason| Refusal { actor: key.0, seq: key.1, reason };
            if let Some(there) = self.known(key) {
                if self.is_same(&change, there) {
                    received.known += 1;
                } else {
                    received.refused.push(refuse(RefusalReason::Equivocation));
                }
                continue;
            }
            let missing = self.missing(&change);
            if missing.is_some() || self.is_withheld(&change, hopes) {
                match self.wait(change, missing) {
                    Ok(true) => {}
                    Ok(false) => received.known += 1,
                    Err(reason) => received.refused.push(refuse(reason)),
                }
                continue;
            }
            match self.take_in(change) {
                Ok(erased) => {
                    received.applied += 1;
                    received.erased.extend(erased);
                    // Further forms of the change must not stay behind it.
                    ready.extend(self.waiting.remove(&key).into_iter().flatten());
                    let freed = self.waiting_for.remove(&key).unwrap_or_default();
                    let freed = freed.into_iter().filter_map(|key| self.waiting.remove(&key));
                    ready.extend(freed.flatten());
                }
                Err(reason) => received.refused.push(refuse(reason)),
            }
        }
    }

    /// The number of a change that is here.
    pub(crate) fn known(&self, (actor, seq): (ActorId, u32)) -> Option<ChangeNo> {
        self.log.of_actor(self.tables.actor_number(actor)?, seq, &self.tables)
    }

    /// A change that is in a past.
    pub(crate) fn seen(
        &self,
        (actor, seq): (ActorId, u32),
        past: &Past,
    ) -> Option<(ChangeNo, &Logged)> {
        let change = self.seen_number((actor, seq), past)?;
        Some((change, self.log.get(change)?))
    }

    /// The number of a change that is in a past.
    fn seen_number(&self, (actor, seq): (ActorId, u32), past: &Past) -> Option<ChangeNo> {
        let number = self.tables.actor_number(actor).filter(|&number| past.covers(number, seq))?;
        self.log.of_actor(number, seq, &self.tables)
    }

    pub(crate) fn is_here(&self, (actor, seq): (ActorId, u32)) -> bool {
        let number = self.tables.actor_number(actor);
        number.is_some_and(|actor| self.tables.last_seq(actor) >= seq)
    }

    /// The first change that must come before this one and is not here.
    fn missing(&self, change: &Incoming) -> Option<(ActorId, u32)> {
        let previous = (change.seq > 1).then(|| (change.actor, change.seq - 1));
        let mut all = previous.into_iter().chain(change.deps.iter().copied());
        all.find(|&dep| !self.is_here(dep))
    }

    /// Puts a change aside; `false` if it waits already.
    fn wait(
        &mut self,
        change: Incoming,
        missing: Option<(ActorId, u32)>,
    ) -> Result<bool, RefusalReason> {
        let key = (change.actor, change.seq);
        if self.waiting_count() >= MAX_WAITING {
            return Err(RefusalReason::TooManyWaiting);
        }
        let there = self.waiting.entry(key).or_default();
        if there.contains(&change) {
            if missing.is_none() {
                self.withheld.insert(key);
            }
            return Ok(false);
        }
        there.push(change);
        let Some(missing) = missing else {
            self.withheld.insert(key);
            return Ok(true);
        };
        let list = self.waiting_for.entry(missing).or_default();
        if !list.contains(&key) {
            list.push(key);
        }
        Ok(true)
    }

    /// Whether a change that came again says what the one here says, as far as both have content.
    fn is_same(&self, change: &Incoming, there: ChangeNo) -> bool {
        let (Some(row), Some(deps)) = (self.log.get(there), self.dependencies(change)) else {
            return false;
        };
        deps == row.deps
            && change.time.0 == row.stamp.time
            && *change.author == *self.tables.authors.name(row.stamp.author)
            && change.source == self.tables.source_of(&row.stamp)
            && change.order == row.order
            && self.has_same_content(change, row)
    }

    fn has_same_content(&self, change: &Incoming, row: &Logged) -> bool {
        if change.ops.len() + change.erased.len() != row.op_count() as usize {
            return false;
        }
        let whole = change.erased.is_empty() && row.erased.is_empty();
        if let Ok(completed) = self.complete(&change.ops, &row.past)
            && whole
        {
            return completed.ops == row.ops;
        }
        let own = decode_ops(&row.ops);
        let own: Vec<(u32, &Op)> = row.indexes().zip(&own).collect();
        let own_op = |index: u32| {
            let at = own.binary_search_by_key(&index, |(index, _)| *index).ok()?;
            own.get(at).map(|(_, op)| *op)
        };
        let is_gone = |gone: &Gone| match row.erased.iter().find(|own| own.index == gone.index) {
            Some(own) => own == gone,
            None => self.commitment_of(row, gone.index) == Some(gone.commitment),
        };
        let mut indexes = left_indexes(&change.erased);
        change.erased.iter().all(is_gone)
            && change.ops.iter().all(|op| {
                let own = indexes.next().and_then(own_op);
                // What was erased here, or overwrites what was, cannot be compared any more.
                let both = own.zip(self.complete(std::slice::from_ref(op), &row.past).ok());
                both.is_none_or(|(own, Completed { ops, .. })| decode_ops(&ops) == [own.clone()])
            })
    }

    /// The changes that a change depends on, its actor's previous one included, ascending; `None`
    /// while one is missing.
    fn dependencies(&self, change: &Incoming) -> Option<Deps> {
        let mut deps = Deps::new();
        if change.seq > 1 {
            deps.push(self.known((change.actor, change.seq - 1))?);
        }
        for &dep in &change.deps {
            deps.push(self.known(dep)?);
        }
        deps.sort_unstable();
        Some(deps)
    }

    /// Applies a change whose dependencies are all here; gives the entries that it took content from.
    fn take_in(&mut self, change: Incoming) -> Result<BTreeSet<EntryId>, RefusalReason> {
        if self.take_stroke(&change).is_some() {
            return Ok(BTreeSet::new());
        }
        let actor = self.actor_of(change.actor)?;
        let deps = self.dependencies(&change).ok_or(RefusalReason::Order)?;
        let past = self.past(actor, change.seq, &deps).ok_or(RefusalReason::Order)?;
        let Completed { ops, bases, fit } = self.complete(&change.ops, &past)?;
        debug_assert!(!fit || self.unfit(&ops, &bases).is_none(), "an operation does not fit");
        // A feed states, it does not type.
        let may_type = change.source.is_none();
        if !fit && self.unfit(&ops, &bases).is_some() || !may_type && types(&ops) {
            return Err(RefusalReason::Operation);
        }
        if change.order.as_deref().is_some_and(|order| !self.can_erase(order, &past)) {
            return Err(RefusalReason::Erasure);
        }
        let stamp = self.stamp_of(actor, &change);
        self.type_all(&ops, &stamp, &past).map_err(|_| RefusalReason::Operation)?;
        let mut row = Logged::new(stamp, deps, past, ops);
        (row.erased, row.order) = (change.erased, change.order);
        let change = self.append(row, None, Spot::default());
        Ok(self.carry_out(change))
    }

    /// The entry, for people, of the first operation that is not what FHIR R4 allows where it stands.
    pub(crate) fn unfit(&self, ops: &[u8], bases: &Bases) -> Option<String> {
        let mut is_based = bases.iter().map(Option::is_some).chain(std::iter::repeat(false));
        let (mut count, mut entry) = (0, String::new());
        for op in raw_ops(ops) {
            if !self.fits(&op, is_based.next().unwrap_or_default()) {
                entry = format!("{}/{}", op.entry.0.name(), op.entry.1);
                break;
            }
            count += 1;
        }
        // What is beyond a limit ends the walk too.
        (count < op_count(ops)).then_some(entry)
    }

    /// Whether an operation is what FHIR R4 allows there. One that names what it overwrites is where
    /// that one is.
    fn fits(&self, op: &RawOp<'_>, is_based: bool) -> bool {
        let there = || self.entries.get(&op.entry as &dyn Named);
        let is_known = is_based || there().is_some_and(|e| e.pages.contains(op.address));
        (is_known || belongs(op.entry.0, op.address)) && fits(op.address, op.write)
    }

    /// As [`Self::take_in`] for a change from this record's own packed log: only the log is made.
    pub(crate) fn relog(&mut self, change: &Incoming) -> Option<()> {
        let actor = self.tables.actor_number(change.actor)?;
        let deps = self.dependencies(change)?;
        let past = self.past(actor, change.seq, &deps)?;
        let Completed { ops, bases, .. } = self.complete(&change.ops, &past).ok()?;
        let stamp = self.stamp_of(actor, change);
        let mut row = Logged::new(stamp, deps, past, ops);
        (row.erased, row.order) = (change.erased.clone(), change.order.clone());
        row.bases = bases;
        self.log_row(row);
        Some(())
    }

    fn stamp_of(&mut self, actor: u32, change: &Incoming) -> Stamp {
        let (dot, source) = ((actor, change.seq), change.source.as_ref());
        self.tables.stamp(dot, change.time, &change.author, source)
    }

    /// The number of an actor; a new one needs its secret.
    fn actor_of(&mut self, id: ActorId) -> Result<u32, RefusalReason> {
        if let Some(number) = self.tables.actor_number(id) {
            return Ok(number);
        }
        let secret = self.secrets.remove(&id).ok_or(RefusalReason::Secret)?;
        if self.secrets.is_empty() {
            // An emptied tree keeps the memory of a node, as much as a small record.
            self.secrets = BTreeMap::new();
        }
        Ok(self.tables.add_actor(id, secret))
    }

    /// The past of an actor's change with these dependencies; `None` if they hold a later change of
    /// the same actor.
    pub(crate) fn past(&self, actor: u32, seq: u32, deps: &[ChangeNo]) -> Option<Past> {
        let previous = seq.checked_sub(1)?;
        let others = match deps {
            [only] if previous > 0 && self.log.is_newer(*only) => self.log.past(*only)?.others,
            _ if self.heads.iter().all(|head| deps.contains(head)) => Arc::new(self.tables.clock()),
            _ => Arc::new(self.log.clock_of(deps, &self.tables)),
        };
        (others.seq(actor) <= previous).then_some(Past { actor, seq: previous, others })
    }

    /// Completes operations from outside, given the past of their change.
    fn complete(&self, ops: &[IncomingOp], past: &Past) -> Result<Completed, RefusalReason> {
        let mut writer = OpsWriter::new(128 * ops.len());
        let (mut bases, mut fit) = (Bases::new(), true);
        for (op, place) in ops.iter().zip(0..) {
            let (base, fits) = self.complete_op(op, past, &mut writer)?;
            if base.is_some() {
                bases.resize(place, None);
                bases.push(base);
            }
            fit &= fits;
        }
        Ok(Completed { ops: writer.finish(), bases, fit })
    }

    /// Writes the operation; tells what it overwrites, and whether it is known to fit its cell.
    fn complete_op(
        &self,
        op: &IncomingOp,
        past: &Past,
        out: &mut OpsWriter,
    ) -> Result<(Option<Overwritten>, bool), RefusalReason> {
        let wrong = RefusalReason::Operation;
        let (actor, seq, index) = match &op.place {
            OpPlace::Base { actor, seq, op } => (*actor, *seq, *op),
            OpPlace::New { entry, address } => {
                match &op.write {
                    IncomingWrite::Whole(write) => out.put(entry.name(), address.as_bytes(), write),
                    IncomingWrite::Typed(typed) => {
                        out.put_op(&self.typed_whole(entry, address, typed, past)?);
                    }
                    IncomingWrite::Named(value) => {
                        let name = plain_name(address.as_bytes()).ok_or(wrong)?;
                        let text = ["\"", name, "\":", value];
                        out.put_set(entry.name(), address.as_bytes(), &text);
                    }
                    IncomingWrite::Edits(_) | IncomingWrite::Splice { .. } => return Err(wrong),
                }
                return Ok((None, false));
            }
        };
        let change = self.seen_number((actor, seq), past).ok_or(wrong)?;
        let there = self.op_of(change, index).ok_or(RefusalReason::Base)?;
        let Some(Written::Set(old)) = there.write else { return Err(RefusalReason::Base) };
        let overwritten = |new: &str| Overwritten::new(change, Some(index), old.as_bytes(), new);
        let (base, fits) = match &op.write {
            IncomingWrite::Edits(edits) => {
                let root = OpName { actor, seq, op: index };
                out.put_op(&note::typed_op(there, root, edits).ok_or(wrong)?);
                return Ok((None, false));
            }
            IncomingWrite::Whole(Write::Set(new)) => {
                out.put_set(there.entry, there.address, &[new]);
                (overwritten(new), false)
            }
            IncomingWrite::Named(value) => {
                let name = plain_name(there.address).ok_or(wrong)?;
                let new = ["\"", name, "\":", value].concat();
                out.put_set(there.entry, there.address, &[&new]);
                (overwritten(&new), false)
            }
            IncomingWrite::Splice { prefix, suffix, middle } => {
                let end = old.len().checked_sub(*suffix).filter(|end| prefix <= end);
                let ends = end.and_then(|end| Some((old.get(..*prefix)?, old.get(end..)?)));
                let (head, tail) = ends.ok_or(wrong)?;
                out.put_set(there.entry, there.address, &[head, middle, tail]);
                let len = head.len() + middle.len() + tail.len();
                let fits = len <= MAX_VALUE_BYTES
                    && canonical::keeps_its_shape(old, (*prefix, *suffix), middle);
                let (prefix, suffix) = (*prefix as u32, *suffix as u32);
                (Overwritten { change, op: Some(index), prefix, suffix }, fits)
            }
            IncomingWrite::Whole(_) | IncomingWrite::Typed(_) => return Err(wrong),
        };
        Ok((Some(base), fits))
    }

    /// An operation of a change, if it has content.
    fn op_of(&self, change: ChangeNo, index: u32) -> Option<RawOp<'_>> {
        self.log.packed_set(change, index, &self.entries).or_else(|| {
            let row = self.log.get(change)?;
            row.op(row.place_of(index)?)
        })
    }

    /// Edits that name their text's root beside their place: of a root that may be erased here.
    fn typed_whole(
        &self,
        entry: &EntryId,
        address: &Address,
        typed: &Typed,
        past: &Past,
    ) -> Result<Op, RefusalReason> {
        let wrong = RefusalReason::Operation;
        let root = &typed.root;
        let (_, row) = self.seen((root.actor, root.seq), past).ok_or(wrong)?;
        let op = if row.is_erased(root.op) {
            let at = address.as_bytes();
            let fits = belongs(entry.ty, at)
                && note::place(at).is_some()
                && typed.edits.len() <= MAX_VALUE_BYTES
                && TextEdits::decode(&typed.edits).is_ok_and(|edits| !edits.is_empty());
            let write = Write::Edits(typed.clone());
            fits.then(|| Op { entry: entry.clone(), address: address.clone(), write })
        } else {
            let there = row.place_of(root.op).and_then(|place| row.op(place));
            let op = there.and_then(|there| note::typed_op(there, *root, &typed.edits));
            op.filter(|op| op.entry == *entry && op.address == *address)
        };
        op.ok_or(wrong)
    }

    /// Puts a change into state and log; everything about it was checked. `ops` are its operations, if
    /// they are at hand, and `near` is where the cell of the only one is, if that is known.
    pub(crate) fn append(
        &mut self,
        mut row: Logged,
        ops: Option<&[RawOp<'_>]>,
        near: Spot,
    ) -> ChangeNo {
        let (change, stamp) = (self.log.len(), row.stamp);
        let ops: SmallVec<[(u32, RawOp<'_>); 1]> = match ops {
            Some(ops) => row.indexes().zip(ops.iter().copied()).collect(),
            None => row.indexes().zip(raw_ops(&row.ops)).collect(),
        };
        let body = std::mem::take(&mut self.scratch);
        let mut writer = PageWriter::new(near, body, self.log.keep_before());
        let known = (&self.tables, &self.log);
        let bases = apply(&mut self.entries, &ops, (change, &row), known, &mut writer);
        if writer.body.capacity() <= MAX_SCRATCH_BYTES {
            self.scratch = writer.body;
        }
        self.log.keep(writer.lost);
        self.tables.stamps.push(change, stamp);
        self.forget_overwritten(ops.iter().map(|(_, op)| (op.entry, op.address)));
        self.latest = self.latest.max(HybridTime(stamp.time));
        self.end_feed(change, &stamp, |other| row.past.covers(other.actor, other.seq));
        drop(ops);
        row.bases = bases;
        self.log_row(row);
        change
    }

    fn log_row(&mut self, row: Logged) {
        let change = self.log.len();
        self.heads.retain(|head| !row.deps.contains(head));
        self.heads.push(change);
        if let Some(actor) = self.tables.actors.get_mut(row.stamp.actor as usize) {
            actor.last = (row.stamp.seq, change);
        }
        self.log.push(row);
    }
}

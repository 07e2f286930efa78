//! The log of a record: every change with its place in the graph of dependencies.
//!
//! The older part of the log may stand packed in the bytes that the record was loaded from, or apart
//! from them. It is unpacked when something asks for it: an old version, the history. Reading the
//! record does not, nor does an edit or a merge that finds what it overwrites in the state
//! ([`Values`]). What people type after that stands in runs ([`Run`]), whose changes are made in the
//! same way when something asks for them.

mod chains;
mod run;
mod values;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use clisonix_fhir::schema::TypeId;
use smallvec::SmallVec;

use crate::actor::{Clock, Past};
use crate::change::{
    ChangeId, Marks, RawOp, Typed, decode_ops, encode_ops, op_at, op_count, raw_ops,
};
use crate::erasure::order::{Gone, Order, left_indexes};
use crate::note::{OpName, Typing};
use crate::overwritten::Bases;
use crate::page::{Lost, PageWriter, Spot};
use crate::saved::PackedLog;
use crate::stamp::Stamp;
use crate::state::{ChangeNo, Context, Entry, EntryId, Named, Written};
use crate::tables::Tables;

use chains::Chains;
pub(crate) use run::Run;
use values::Values;

/// One applied change.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) stamp: Stamp,
    /// Ascending; the actor's previous change is one of them.
    pub(crate) deps: SmallVec<[ChangeNo; 2]>,
    /// All its ancestors, itself not included.
    pub(crate) past: Past,
    /// The canonical bytes of the operations that have content.
    pub(crate) ops: Box<[u8]>,
    /// What is left of the others, ascending.
    pub(crate) erased: Box<[Gone]>,
    /// What the change orders to be erased.
    pub(crate) order: Option<Box<Order>>,
    /// Of the operations with content.
    pub(crate) bases: Bases,
    /// Computed when first asked for.
    id: OnceLock<ChangeId>,
    /// Of a large change, made when one of its operations is first asked for.
    marks: OnceLock<Box<Marks>>,
}

impl Logged {
    pub(crate) fn new(
        stamp: Stamp,
        deps: SmallVec<[ChangeNo; 2]>,
        past: Past,
        ops: Box<[u8]>,
    ) -> Self {
        Self {
            stamp,
            deps,
            past,
            ops,
            erased: Box::default(),
            order: None,
            bases: Bases::new(),
            id: OnceLock::new(),
            marks: OnceLock::new(),
        }
    }

    /// The operation with content at a place among those.
    pub(crate) fn op(&self, place: u32) -> Option<RawOp<'_>> {
        if place < FIRST_MARKED {
            return op_at(&self.ops, place);
        }
        self.marks.get_or_init(|| Box::new(Marks::of(&self.ops))).op_at(&self.ops, place)
    }

    /// Bytes in memory, about.
    fn size_bytes(&self) -> usize {
        self.ops.len() + 96
    }

    /// Number of operations, erased ones included.
    pub(crate) fn op_count(&self) -> u32 {
        op_count(&self.ops) + self.erased.len() as u32
    }

    /// The indexes of the operations that have content.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = u32> + '_ {
        left_indexes(&self.erased).take(op_count(&self.ops) as usize)
    }

    /// The index of the operation at a place among those that have content.
    pub(crate) fn index_of(&self, place: u32) -> Option<u32> {
        if self.erased.is_empty() { Some(place) } else { self.indexes().nth(place as usize) }
    }

    pub(crate) fn is_erased(&self, index: u32) -> bool {
        self.erased.binary_search_by_key(&index, |gone| gone.index).is_ok()
    }

    /// The place among the operations with content of the one with this index.
    pub(crate) fn place_of(&self, index: u32) -> Option<u32> {
        match self.erased.binary_search_by_key(&index, |gone| gone.index) {
            Ok(_) => None,
            Err(before) => index.checked_sub(before as u32),
        }
    }

    /// Puts commitments, ascending, in the place of operations.
    fn erase(&mut self, erased: &[Gone]) {
        let is_left = |index: &u32| erased.binary_search_by_key(index, |gone| gone.index).is_err();
        let left: Vec<bool> = self.indexes().map(|index| is_left(&index)).collect();
        let mut keep = left.iter().copied();
        let mut ops = decode_ops(&self.ops);
        ops.retain(|_| keep.next().unwrap_or_default());
        let bases = self.bases.iter().zip(&left).filter(|(_, left)| **left);
        self.bases = bases.map(|(base, _)| *base).collect();
        self.ops = encode_ops(&ops);
        self.marks.take();
        let mut all: Vec<Gone> = self.erased.iter().chain(erased).copied().collect();
        all.sort_unstable_by_key(|gone| gone.index);
        self.erased = all.into();
    }
}

/// Up to this one operations are found by walking over those before them.
const FIRST_MARKED: u32 = 8;

#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    older: Option<Older>,
    newer: Vec<Block>,
    /// The changes in `newer`.
    chains: Chains,
    /// Ids of packed changes that are heads of something, so that a version can be named without
    /// unpacking.
    known: Few<ChangeId>,
    /// The pasts of packed changes that are concurrent heads, so that they can be compared without
    /// unpacking.
    pasts: Few<Clock>,
}

/// Something about few changes, by change.
#[derive(Clone, Debug)]
struct Few<T>(Box<[(ChangeNo, T)]>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T> From<BTreeMap<ChangeNo, T>> for Few<T> {
    fn from(map: BTreeMap<ChangeNo, T>) -> Self {
        Self(map.into_iter().collect())
    }
}

impl<T> Few<T> {
    fn get(&self, change: ChangeNo) -> Option<&T> {
        let at = self.0.binary_search_by_key(&change, |&(at, _)| at).ok()?;
        self.0.get(at).map(|(_, about)| about)
    }
}

/// A change, and those that typed on where it did.
#[derive(Clone, Debug)]
struct Block {
    /// The change's number.
    first: ChangeNo,
    row: Logged,
    run: Option<Box<Run>>,
}

impl Block {
    /// The number after its last change's.
    fn end(&self) -> ChangeNo {
        self.first + 1 + self.run.as_ref().map_or(0, |run| run.count())
    }

    /// The changes after the first.
    fn rest(&self) -> &[Logged] {
        self.run.as_ref().map_or(&[][..], |run| run.rows(self.first, &self.row))
    }
}

/// The part of the log that was loaded packed.
#[derive(Clone, Debug)]
struct Older {
    packed: PackedLog,
    opened: Arc<OnceLock<Opened>>,
    /// Whether its last change has seen all others.
    has_one_head: bool,
    values: Values,
}

#[derive(Clone, Debug, Default)]
struct Opened {
    rows: Vec<Logged>,
    chains: Chains,
}

/// Entries by id: a state, present or past. Boxed, because a tree keeps room for eleven of them.
pub(crate) type Entries = BTreeMap<EntryId, Box<Entry>>;

impl Log {
    /// A log whose changes so far, with these heads, stand packed; `known` was told of ids before.
    pub(crate) fn packed(packed: PackedLog, heads: &[ChangeNo], known: Self) -> Self {
        let has_one_head = heads.len() == 1;
        let older =
            Older { packed, opened: Arc::default(), has_one_head, values: Values::default() };
        Self { older: Some(older), ..known }
    }

    /// Takes in ids and pasts of changes in the packed part.
    pub(crate) fn know(
        &mut self,
        ids: BTreeMap<ChangeNo, ChangeId>,
        pasts: BTreeMap<ChangeNo, Clock>,
    ) {
        (self.known, self.pasts) = (ids.into(), pasts.into());
    }

    /// The changes that were pushed.
    pub(crate) fn into_rows(self) -> Vec<Logged> {
        let rows = self.newer.into_iter().flat_map(|block| {
            let rest = block.run.map(|run| run.into_rows(block.first, &block.row));
            std::iter::once(block.row).chain(rest.unwrap_or_default())
        });
        rows.collect()
    }

    fn older_len(&self) -> u32 {
        self.older.as_ref().map_or(0, |older| older.packed.count)
    }

    pub(crate) fn len(&self) -> u32 {
        self.newer.last().map_or_else(|| self.older_len(), Block::end)
    }

    /// Bytes of all operations since the record was loaded, and of the packed part.
    pub(crate) fn size_bytes(&self) -> usize {
        let older = self.older.as_ref().map_or(0, |older| match older.opened.get() {
            Some(opened) => opened.rows.iter().map(Logged::size_bytes).sum(),
            None => older.packed.size_bytes() + older.values.size_bytes(),
        });
        let run = |block: &Block| block.run.as_ref().map_or(0, |run| run.size_bytes());
        older + self.newer.iter().map(|block| block.row.size_bytes() + run(block)).sum::<usize>()
    }

    fn opened(&self) -> Option<&Opened> {
        let older = self.older.as_ref()?;
        Some(older.opened.get_or_init(|| {
            // Bytes that hold the log were checked against their digest when the record was loaded;
            // a log that stands apart can fail to be read, which `is_lost` tells.
            let rows = older.packed.unpack().unwrap_or_default();
            let mut chains = Chains::default();
            for (row, number) in rows.iter().zip(0..) {
                chains.add(&row.stamp, number);
            }
            Opened { rows, chains }
        }))
    }

    /// Whether the part that was loaded packed has been asked for.
    pub(crate) fn is_opened(&self) -> bool {
        self.older.as_ref().is_some_and(|older| older.opened.get().is_some())
    }

    /// Whether the part that was loaded packed has been asked for and could not be read.
    pub(crate) fn is_lost(&self) -> bool {
        let short =
            |older: &Older, opened: &Opened| opened.rows.len() != older.packed.count as usize;
        let older = self.older.as_ref();
        older.is_some_and(|older| older.opened.get().is_some_and(|opened| short(older, opened)))
    }

    /// Whether a change came since the record was loaded.
    pub(crate) fn is_newer(&self, change: ChangeNo) -> bool {
        change >= self.older_len()
    }

    pub(crate) fn get(&self, change: ChangeNo) -> Option<&Logged> {
        if !self.is_newer(change) {
            return self.opened()?.rows.get(change as usize);
        }
        let block = self.block_of(change)?;
        match change.checked_sub(block.first + 1) {
            None => Some(&block.row),
            Some(at) => block.rest().get(at as usize),
        }
    }

    /// A change, if nothing has to be unpacked for it.
    pub(crate) fn at_hand(&self, change: ChangeNo) -> Option<&Logged> {
        if self.is_newer(change) || self.is_opened() { self.get(change) } else { None }
    }

    /// What a packed change set a cell to, by its number and the operation's index, if nothing has to
    /// be unpacked for it; `entries` is the present state.
    pub(crate) fn packed_set(
        &self,
        change: ChangeNo,
        index: u32,
        entries: &Entries,
    ) -> Option<RawOp<'_>> {
        let older = self.closed().filter(|_| !self.is_newer(change))?;
        older.values.find((change, index), entries, older.packed.count)
    }

    /// What changes before this one wrote is to be kept when it is overwritten, see [`Self::keep`].
    pub(crate) fn keep_before(&self) -> ChangeNo {
        let older = self.closed().filter(|older| older.values.is_keeping());
        older.map_or(0, |older| older.packed.count)
    }

    /// Keeps values that are overwritten now, for [`Self::packed_set`].
    pub(crate) fn keep(&mut self, lost: impl IntoIterator<Item = Lost>) {
        if let Some(older) = &mut self.older {
            lost.into_iter().for_each(|lost| older.values.keep(lost));
        }
    }

    /// The packed part, while nothing has asked for it.
    fn closed(&self) -> Option<&Older> {
        self.older.as_ref().filter(|older| older.opened.get().is_none())
    }

    /// The block of a change that came since the record was loaded.
    fn block_of(&self, change: ChangeNo) -> Option<&Block> {
        let block = self.newer.get(self.block_index(change)?)?;
        (change < block.end()).then_some(block)
    }

    fn block_index(&self, change: ChangeNo) -> Option<usize> {
        // Without runs the blocks are numbered as the changes are.
        let at = change.checked_sub(self.older_len())? as usize;
        if self.newer.get(at).is_some_and(|block| block.first == change) {
            return Some(at);
        }
        match self.newer.last() {
            Some(last) if last.first <= change => Some(self.newer.len() - 1),
            _ => self.newer.partition_point(|block| block.first <= change).checked_sub(1),
        }
    }

    /// All changes with their numbers, in order of application.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (ChangeNo, &Logged)> {
        let older = self.opened().map_or(&[][..], |opened| opened.rows.as_slice());
        let newer = self.newer.iter().flat_map(|block| {
            let rest = (block.first + 1..).zip(block.rest());
            std::iter::once((block.first, &block.row)).chain(rest)
        });
        (0..).zip(older).chain(newer)
    }

    /// The run in which a change can type on that comes right after all others, the last of which is
    /// the change with this actor and sequence number; `None` if it is another one, or did something
    /// else, or its run was asked for.
    pub(crate) fn run_after(&mut self, (actor, seq): (u32, u32)) -> Option<&mut Run> {
        let block = self.newer.last_mut()?;
        let last = block.run.as_ref().map_or(&block.row.stamp, |run| &run.stamp);
        if (last.actor, last.seq) != (actor, seq) {
            return None;
        }
        if block.run.is_none() {
            block.run = Some(Box::new(Run::after(&block.row)?));
        }
        block.run.as_deref_mut().filter(|run| !run.is_opened())
    }

    /// The changes from number `first` on.
    pub(crate) fn rows_from(
        &self,
        first: ChangeNo,
    ) -> impl Iterator<Item = (ChangeNo, &Logged)> + '_ {
        (first..self.len()).filter_map(|change| Some((change, self.get(change)?)))
    }

    /// Whether an operation of a change that is here was erased.
    pub(crate) fn is_erased(&self, op: &OpName, tables: &Tables) -> bool {
        let change = || {
            let actor = tables.actor_number(op.actor)?;
            self.get(self.of_actor(actor, op.seq, tables)?)
        };
        change().is_some_and(|row| row.is_erased(op.op))
    }

    /// Puts commitments, ascending, in the place of operations of a change. The packed part is
    /// unpacked for good, and so is the run: they hold what is erased.
    pub(crate) fn erase(&mut self, change: ChangeNo, erased: &[Gone]) {
        self.unpack();
        if let Some(at) = self.block_index(change) {
            self.unwind(at);
        }
        let block = self.block_index(change).and_then(|at| self.newer.get_mut(at));
        if let Some(block) = block.filter(|block| block.first == change) {
            block.row.erase(erased);
        }
    }

    /// Makes blocks of their own of the changes in a run.
    fn unwind(&mut self, at: usize) {
        let Some(block) = self.newer.get_mut(at) else { return };
        let Some(run) = block.run.take() else { return };
        let first = block.first;
        let rows = run.into_rows(first, &block.row);
        let blocks = (first + 1..).zip(rows).map(|(first, row)| Block { first, row, run: None });
        let next = at + 1;
        self.newer.splice(next..next, blocks);
    }

    fn unpack(&mut self) {
        let (count, opened) = (self.older_len() as usize, self.opened());
        if opened.is_none_or(|opened| opened.rows.len() != count) {
            return;
        }
        let Some(Older { opened, .. }) = self.older.take() else { return };
        let opened = Arc::try_unwrap(opened).unwrap_or_else(|shared| (*shared).clone());
        let Opened { mut rows, mut chains } = opened.into_inner().unwrap_or_default();
        for (change, id) in std::mem::take(&mut self.known).0 {
            if let Some(row) = rows.get(change as usize) {
                row.id.get_or_init(|| id);
            }
        }
        self.pasts = Few::default();
        chains.append(std::mem::take(&mut self.chains));
        let older = (0..).zip(rows.drain(..)).map(|(first, row)| Block { first, row, run: None });
        self.newer.splice(..0, older);
        self.chains = chains;
    }

    pub(crate) fn of_actor(&self, actor: u32, seq: u32, tables: &Tables) -> Option<ChangeNo> {
        let (last, change) = tables.actors.get(actor as usize)?.last;
        if seq >= last {
            return (seq == last && seq > 0).then_some(change);
        }
        let newer = self.chains.find(actor, seq);
        let packed = || {
            let older = self.closed()?;
            older.values.number((actor, seq), tables, older.packed.count)
        };
        newer.or_else(packed).or_else(|| self.opened()?.chains.find(actor, seq))
    }

    pub(crate) fn push(&mut self, logged: Logged) -> ChangeNo {
        let number = self.len();
        self.chains.add(&logged.stamp, number);
        self.newer.push(Block { first: number, row: logged, run: None });
        number
    }

    /// Actor and sequence number of a change; of a run none is made for it.
    pub(crate) fn dot(&self, change: ChangeNo) -> Option<(u32, u32)> {
        if self.is_newer(change) {
            let block = self.block_of(change)?;
            return Some((block.row.stamp.actor, block.row.stamp.seq + (change - block.first)));
        }
        let stamp = &self.get(change)?.stamp;
        Some((stamp.actor, stamp.seq))
    }

    /// The ancestors of a change; of a run none is made for it.
    pub(crate) fn past(&self, change: ChangeNo) -> Option<Past> {
        if !self.is_newer(change) {
            return Some(self.get(change)?.past.clone());
        }
        let block = self.block_of(change)?;
        let mut past = block.row.past.clone();
        past.seq += change - block.first;
        Some(past)
    }

    /// The joint past of `changes`, themselves included.
    pub(crate) fn clock_of(&self, changes: &[ChangeNo], tables: &Tables) -> Clock {
        let mut clocks = changes.iter().filter_map(|&change| self.clock(change, tables));
        let mut clock = clocks.next().unwrap_or_default();
        clocks.for_each(|other| clock.join(&other));
        clock
    }

    /// The past of a change, itself included.
    fn clock(&self, change: ChangeNo, tables: &Tables) -> Option<Clock> {
        if let (Some(past), Some(stamp)) = (self.pasts.get(change), tables.stamps.get(change)) {
            let mut clock = past.clone();
            clock.raise(stamp.actor, stamp.seq);
            return Some(clock);
        }
        if self.is_packed_head(change) {
            return Some(self.packed_clock(tables));
        }
        let (actor, seq) = self.dot(change)?;
        Some(self.past(change)?.with(actor, seq))
    }

    /// Whether a change is the only head of the packed part, while that is packed.
    fn is_packed_head(&self, change: ChangeNo) -> bool {
        self.closed().is_some_and(|older| older.has_one_head && change + 1 == older.packed.count)
    }

    /// All packed changes.
    fn packed_clock(&self, tables: &Tables) -> Clock {
        let last = |actor| match self.chains.first(actor) {
            Some(first) => first.saturating_sub(1),
            None => tables.last_seq(actor),
        };
        (0..tables.actors.len() as u32).map(|actor| (actor, last(actor))).collect()
    }

    /// The past of a change, itself not included.
    pub(crate) fn past_of(&self, change: ChangeNo) -> Option<Clock> {
        if let Some(past) = self.pasts.get(change) {
            return Some(past.clone());
        }
        let past = self.past(change)?;
        let mut clock = Clock::clone(&past.others);
        clock.raise(past.actor, past.seq);
        Some(clock)
    }

    /// Whether `ancestor` is `change` or in its past.
    pub(crate) fn is_before(&self, ancestor: ChangeNo, change: ChangeNo, tables: &Tables) -> bool {
        if ancestor >= change {
            return ancestor == change;
        }
        let stamp = tables.stamps.get(ancestor).map(|stamp| (stamp.actor, stamp.seq));
        let Some((actor, seq)) = stamp.or_else(|| self.dot(ancestor)) else { return false };
        match self.pasts.get(change) {
            Some(past) => past.covers(actor, seq),
            None => self.past(change).is_some_and(|past| past.covers(actor, seq)),
        }
    }

    /// Takes out of `changes` what is in the past of another one.
    pub(crate) fn maximal(&self, changes: &mut Vec<ChangeNo>, tables: &Tables) {
        changes.sort_unstable();
        changes.dedup();
        // What is not maximal is before something maximal, which has a greater number.
        let mut found: Vec<ChangeNo> = Vec::new();
        for &change in changes.iter().rev() {
            if !found.iter().any(|&later| self.is_before(change, later, tables)) {
                found.push(change);
            }
        }
        found.reverse();
        *changes = found;
    }

    fn known_id(&self, change: ChangeNo) -> Option<ChangeId> {
        if change < self.older_len() {
            if let Some(id) = self.known.get(change) {
                return Some(*id);
            }
            let opened = self.older.as_ref()?.opened.get()?;
            return opened.rows.get(change as usize)?.id.get().copied();
        }
        let block = self.block_of(change)?;
        match change.checked_sub(block.first + 1) {
            None => block.row.id.get().copied(),
            Some(at) => block.run.as_ref()?.opened()?.get(at as usize)?.id.get().copied(),
        }
    }

    /// The id of a change. It is a hash over the ids of the dependencies, so those are made first.
    pub(crate) fn id(&self, record: &str, tables: &Tables, change: ChangeNo) -> Option<ChangeId> {
        let mut wanted = vec![change];
        while let Some(&next) = wanted.last() {
            if self.known_id(next).is_some() {
                wanted.pop();
                continue;
            }
            let row = self.get(next)?;
            let before = wanted.len();
            wanted.extend(row.deps.iter().filter(|&&dep| self.known_id(dep).is_none()));
            if wanted.len() == before {
                let deps = row.deps.iter().filter_map(|&dep| self.known_id(dep));
                row.id.get_or_init(|| {
                    tables.change_id(record, row, &mut deps.collect::<SmallVec<[_; 2]>>())
                });
                wanted.pop();
            }
        }
        self.known_id(change)
    }

    /// The latest change with an id for which `wanted` holds.
    pub(crate) fn find(
        &self,
        record: &str,
        tables: &Tables,
        wanted: impl Fn(&ChangeId) -> bool,
    ) -> Option<ChangeNo> {
        if let Some((change, _)) = self.known.0.iter().find(|(_, id)| wanted(id)) {
            return Some(*change);
        }
        (0..self.len())
            .rev()
            .find(|&change| self.id(record, tables, change).is_some_and(|id| wanted(&id)))
    }

    /// The state after exactly the changes that `wanted` accepts, which must hold their ancestors
    /// too; of some entries only, if `about` names them.
    pub(crate) fn replay(
        &self,
        tables: &Tables,
        wanted: impl Fn(ChangeNo, &Logged) -> bool,
        about: Option<&[&EntryId]>,
    ) -> Replayed {
        let mut replayed = Replayed { entries: Entries::new(), tables: tables.without_stamps() };
        let is_named = |entry: (TypeId, &str)| {
            about.is_none_or(|about| about.iter().any(|id| (id.ty, &*id.id) == entry))
        };
        for (change, row) in self.rows().filter(|(change, row)| wanted(*change, row)) {
            // Most changes of a long log speak of other entries; they are not worth decoding.
            if about.is_some() && !raw_ops(&row.ops).any(|op| is_named(op.entry)) {
                replayed.tables.stamps.push(change, row.stamp);
                continue;
            }
            let ops = row.indexes().zip(raw_ops(&row.ops));
            let ops: Vec<(u32, RawOp<'_>)> = ops.filter(|(_, op)| is_named(op.entry)).collect();
            let known = (&replayed.tables, self);
            apply(&mut replayed.entries, &ops, (change, row), known, &mut PageWriter::default());
            replayed.tables.stamps.push(change, row.stamp);
        }
        replayed
    }
}

/// A state made from the log, with the stamps of the changes that made it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) entries: Entries,
    pub(crate) tables: Tables,
}

/// Applies a change's operations, with their indexes in it, to a state. Returns what each overwrites,
/// up to the last one that overwrites something. The writer stands where the first one's cell is, or
/// nowhere.
pub(crate) fn apply(
    entries: &mut Entries,
    ops: &[(u32, RawOp<'_>)],
    (change, row): (ChangeNo, &Logged),
    (tables, log): (&Tables, &Log),
    writer: &mut PageWriter,
) -> Bases {
    let context = Context { change, stamp: &row.stamp, past: &row.past, tables };
    let mut bases = Bases::new();
    let mut rest = ops;
    while let Some((_, first)) = rest.first() {
        let name = first.entry;
        let len = rest.iter().take_while(|(_, op)| op.entry == name).count();
        let (of_entry, after) = rest.split_at(len);
        let start = ops.len() - rest.len();
        rest = after;
        // An order says so of the entries that it took something from: they are another version.
        if row.order.is_none() && of_entry.iter().all(|(_, op)| op.write.is_none()) {
            continue;
        }
        let entry = match entries.get_mut(&name as &dyn Named) {
            Some(entry) => entry,
            None => entries.entry(EntryId { ty: name.0, id: name.1.into() }).or_default(),
        };
        entry.touch(&context);
        if entry.begin(of_entry, change) {
            continue;
        }
        for (place, (index, op)) in of_entry.iter().enumerate() {
            if let Some(Written::Edits(bytes)) = op.write
                && let Ok(typed) = Typed::read(bytes)
            {
                if log.is_erased(&typed.root, tables) {
                    continue;
                }
                let typing = Typing { stamp: &row.stamp, past: &row.past, tables, log };
                // What was refused has not come as far as here.
                let _ = typing.type_in(entry, (name, op.address), &typed);
            }
            if let Some(base) = entry.apply((*index, op), &context, writer) {
                bases.resize(start + place, None);
                bases.push(Some(base));
            }
        }
        // The next entry has other pages.
        writer.spot = Spot::default();
    }
    bases
}

//! Changes on their way: between replicas, on a link, and into a record's own file.
//!
//! A change travels without its hash: the receiver computes it. Actors and names are defined once
//! and then named by index; an operation that overwrites another one names that operation instead
//! of its entry and address, and may say only what differs. Normative: `docs/formats/change.md`.

use std::sync::Arc;

use crate::actor::keys::Keys;
use crate::actor::{ActorId, ActorSecret};
use crate::address::{Address, MAX_ADDRESS_BYTES};
use crate::change::{
    MAX_DEPENDENCIES, MAX_ENTRY_ID_BYTES, MAX_NAME_BYTES, MAX_OPS, MAX_POSITION_BYTES,
    MAX_VALUE_BYTES, RawOp, Source, Typed, Write, is_fhir_id, named_value, plain_name,
};
use crate::erasure::order::{Erased, Gone, MAX_ERASED_RUNS, Order, Run as ErasedRun};
use crate::note::OpName;
use crate::state::{EntryId, Written};
use crate::time::HybridTime;
use crate::wire::{DecodeError, Reader, put_bytes, put_i64, put_u64};
use clisonix_fhir::schema::{TypeId, resource_named};
use smallvec::SmallVec;

/// Columns of a run of changes; a short run has only one, with everything in order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Shape,
    Graph,
    Time,
    Origin,
    Ops,
    Values,
}

const COLUMNS: usize = 6;

/// The column, or the first one where everything stands in one.
fn pick<T>(columns: &mut [T; COLUMNS], split: bool, column: Column) -> &mut T {
    let [shape, graph, time, origin, ops, values] = columns;
    match column {
        _ if !split => shape,
        Column::Shape => shape,
        Column::Graph => graph,
        Column::Time => time,
        Column::Origin => origin,
        Column::Ops => ops,
        Column::Values => values,
    }
}

/// Bits of a change's shape.
const SAME_ACTOR: u8 = 1;
const NEXT: u8 = 2;
const NO_DEPS: u8 = 4;
const SAME_ORIGIN: u8 = 8;
const ONE_OP: u8 = 16;
const SAME_TIME: u8 = 32;
const SECRET: u8 = 64;
const MORE: u8 = 128;

/// Bits of what more there is to a change.
const ORDER: u8 = 1;
const ERASED: u8 = 2;
const KEYS: u8 = 4;

/// Kinds and bits of an operation.
const SET: u8 = 0;
const SET_NAMED: u8 = 1;
const SPLICE: u8 = 2;
const POSITION: u8 = 3;
const MARK: u8 = 4;
const KEEP: u8 = 5;
const STATED: u8 = 6;
const EDITS: u8 = 7;
const KIND: u8 = 7;
const SAME_ENTRY: u8 = 8;
const ID_IS_RECORD: u8 = 16;
const BASE: u8 = 32;

/// A change that has arrived and is not applied yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) actor: ActorId,
    pub(crate) seq: u32,
    /// Without the actor's own previous change, which is always a dependency.
    pub(crate) deps: Vec<(ActorId, u32)>,
    pub(crate) time: HybridTime,
    pub(crate) author: Arc<str>,
    pub(crate) source: Option<Source>,
    pub(crate) order: Option<Box<Order>>,
    /// What is left of erased operations, ascending.
    pub(crate) erased: Box<[Gone]>,
    /// The operations that have content, in order.
    pub(crate) ops: SmallVec<[IncomingOp; 1]>,
}

/// An operation that may have to be completed from the operation that it overwrites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IncomingOp {
    pub(crate) place: OpPlace,
    pub(crate) write: IncomingWrite,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpPlace {
    New {
        entry: EntryId,
        address: Address,
    },
    /// That of the operation with this index in this change.
    Base {
        actor: ActorId,
        seq: u32,
        op: u32,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IncomingWrite {
    Whole(Write),
    /// The value of the member that the address names.
    Named(Box<str>),
    /// Edits inside the base's text.
    Edits(Box<[u8]>),
    /// Edits that name the root of their text.
    Typed(Typed),
    /// The base's text with everything between `prefix` and `suffix` bytes replaced.
    Splice {
        prefix: usize,
        suffix: usize,
        middle: Box<str>,
    },
}

/// A change about to travel.
pub(crate) struct Outgoing<'a> {
    pub(crate) actor: ActorId,
    /// Sent with an actor's first change.
    pub(crate) keys: Option<&'a Keys>,
    pub(crate) seq: u32,
    pub(crate) deps: Vec<(ActorId, u32)>,
    pub(crate) time: HybridTime,
    pub(crate) author: &'a str,
    pub(crate) source: Option<(&'a str, [u8; 16], u64)>,
    pub(crate) order: Option<&'a Order>,
    pub(crate) erased: &'a [Gone],
    pub(crate) ops: SmallVec<[WireOp<'a>; 1]>,
}

impl Outgoing<'_> {
    /// What there is to it that most changes have not.
    fn more(&self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        flag(self.order.is_some(), ORDER)
            | flag(!self.erased.is_empty(), ERASED)
            | flag(self.keys.is_some_and(|keys| keys.root().is_none()), KEYS)
    }
}

/// An operation as it is spelled on its way.
#[derive(Clone, Copy)]
pub(crate) struct WireOp<'a> {
    pub(crate) place: WirePlace<'a>,
    pub(crate) value: WireValue<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum WirePlace<'a> {
    New { entry: (TypeId, &'a str), address: &'a [u8] },
    Base { actor: ActorId, seq: u32, op: u32 },
}

#[derive(Clone, Copy)]
pub(crate) enum WireValue<'a> {
    Set(&'a str),
    Named(&'a str),
    Splice { prefix: usize, suffix: usize, middle: &'a str },
    Position(&'a [u8]),
    Mark,
    Keep,
    Stated,
    Edits(&'a [u8]),
    Typed(&'a Typed),
}

/// An operation that the receiver has, and whose cell another one overwrites.
#[derive(Clone, Copy)]
pub(crate) struct BaseOp {
    pub(crate) actor: ActorId,
    pub(crate) seq: u32,
    pub(crate) op: u32,
    /// Bytes of its text that stay at the start.
    pub(crate) prefix: usize,
    /// Bytes of its text that stay at the end.
    pub(crate) suffix: usize,
}

impl<'a> WireOp<'a> {
    /// The shortest spelling of `op`, given the operation that it overwrites.
    pub(crate) fn spell(op: &RawOp<'a>, base: Option<&BaseOp>) -> Self {
        let place = match base {
            Some(base) => WirePlace::Base { actor: base.actor, seq: base.seq, op: base.op },
            None => WirePlace::New { entry: op.entry, address: op.address },
        };
        let value = match op.write {
            Some(Written::Set(text)) => spell_text(op.address, text, base),
            Some(Written::Position(position)) => WireValue::Position(position),
            Some(Written::Mark) => WireValue::Mark,
            Some(Written::Keep) => WireValue::Keep,
            Some(Written::Edits(edits)) => return Self::typed(edits, place),
            None | Some(Written::Text(..)) => WireValue::Stated,
        };
        Self { place, value }
    }
}

impl<'a> WireOp<'a> {
    /// Edits with their place and, in canonical form, the root of their text.
    pub(crate) fn typed_whole(op: &RawOp<'a>, edits: &'a [u8]) -> Self {
        let place = WirePlace::New { entry: op.entry, address: op.address };
        Self { place, value: WireValue::Edits(edits) }
    }

    /// Edits name the operation that put the text there.
    fn typed(edits: &'a [u8], place: WirePlace<'a>) -> Self {
        let mut reader = Reader::new(edits);
        let place = match OpName::read(&mut reader) {
            Ok(OpName { actor, seq, op }) => WirePlace::Base { actor, seq, op },
            Err(_) => place,
        };
        Self { place, value: WireValue::Edits(reader.rest()) }
    }
}

fn spell_text<'a>(address: &[u8], text: &'a str, base: Option<&BaseOp>) -> WireValue<'a> {
    let splice = base.and_then(|&BaseOp { prefix, suffix, .. }| {
        Some((prefix, suffix, text.get(prefix..text.len().checked_sub(suffix)?)?))
    });
    // Whether a member can be told by its value alone takes a walk over it, often for nothing.
    let name_len = plain_name(address).map_or(0, |name| name.len() + 3);
    match splice {
        Some((prefix, suffix, middle)) if middle.len() + 2 + name_len < text.len() => {
            WireValue::Splice { prefix, suffix, middle }
        }
        _ => match (named_value(address, text), splice) {
            (Some(value), _) => WireValue::Named(value),
            (None, Some((prefix, suffix, middle))) if middle.len() + 2 < text.len() => {
                WireValue::Splice { prefix, suffix, middle }
            }
            (None, _) => WireValue::Set(text),
        },
    }
}

/// What both ends know of each other's numbering after the same changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbering {
    actors: Vec<KnownActor>,
    names: Vec<Arc<str>>,
    last_actor: u64,
    time: u64,
    event_time: u64,
    message: [u8; 16],
}

#[derive(Clone, Debug)]
struct KnownActor {
    id: ActorId,
    last_seq: u32,
    /// Index of the author's name + 1, if its last change came from no feed.
    author: u64,
}

impl Numbering {
    /// A numbering that knows these actors and names already.
    pub(crate) fn seeded<'n>(
        actors: impl Iterator<Item = ActorId>,
        names: impl Iterator<Item = &'n str>,
    ) -> Self {
        let known = |id| KnownActor { id, last_seq: 0, author: 0 };
        Self {
            actors: actors.map(known).collect(),
            names: names.map(Into::into).collect(),
            ..Self::default()
        }
    }

    fn actor_index(&self, id: ActorId) -> u64 {
        let newest_first = self.actors.iter().rev().position(|actor| actor.id == id);
        newest_first.map_or(self.actors.len(), |back| self.actors.len() - 1 - back) as u64
    }

    fn put_actor(&mut self, out: &mut Vec<u8>, id: ActorId) {
        let index = self.actor_index(id);
        put_u64(out, index);
        if index == self.actors.len() as u64 {
            out.extend_from_slice(&id.0);
            self.actors.push(KnownActor { id, last_seq: 0, author: 0 });
        }
    }

    fn name_index(&self, name: &str) -> u64 {
        let at = self.names.iter().position(|have| **have == *name);
        at.unwrap_or(self.names.len()) as u64
    }
}

/// Writes a run of changes of one record.
pub(crate) struct RunWriter<'n, 'r> {
    numbering: &'n mut Numbering,
    record: &'r str,
    columns: [Vec<u8>; COLUMNS],
    /// What the run is appended to, if it is written in columns; else the first column is.
    out: Vec<u8>,
    /// Where the run begins.
    start: usize,
    split: bool,
    count: u64,
}

impl<'n, 'r> RunWriter<'n, 'r> {
    /// A run that is appended to `out`.
    pub(crate) fn new(
        numbering: &'n mut Numbering,
        record: &'r str,
        in_columns: bool,
        mut out: Vec<u8>,
    ) -> Self {
        let (mut columns, start): ([Vec<u8>; COLUMNS], _) = (Default::default(), out.len());
        if !in_columns {
            // The place of the count.
            out.push(0);
            *pick(&mut columns, false, Column::Shape) = std::mem::take(&mut out);
        }
        Self { numbering, record, columns, out, start, split: in_columns, count: 0 }
    }

    fn column(&mut self, column: Column) -> &mut Vec<u8> {
        pick(&mut self.columns, self.split, column)
    }

    pub(crate) fn push(&mut self, change: &Outgoing<'_>) {
        let actor = self.numbering.actor_index(change.actor);
        let known = self.numbering.actors.get(actor as usize);
        let next = known.map_or(1, |actor| actor.last_seq + 1);
        let author = self.numbering.name_index(change.author);
        let same_origin =
            change.source.is_none() && known.is_some_and(|actor| actor.author == author + 1);
        let is_new = known.is_none();
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let ms = |time: u64| time >> 16;
        let same_ms = ms(change.time.0) == ms(self.numbering.time);
        let shape = flag(!is_new && actor == self.numbering.last_actor, SAME_ACTOR)
            | flag(change.seq == next, NEXT)
            | flag(change.deps.is_empty(), NO_DEPS)
            | flag(same_origin, SAME_ORIGIN)
            | flag(change.ops.len() == 1, ONE_OP)
            | flag(same_ms && change.time.0 == self.numbering.time + 1, SAME_TIME)
            | flag(change.keys.is_some(), SECRET)
            | flag(change.more() != 0, MORE);
        self.column(Column::Shape).push(shape);
        if shape & SAME_ACTOR == 0 {
            self.actor(Column::Graph, change.actor);
        }
        if shape & MORE != 0 {
            self.column(Column::Graph).push(change.more());
        }
        match change.keys.map(|keys| (keys, keys.root())) {
            Some((_, Some(root))) => self.column(Column::Graph).extend_from_slice(root),
            Some((keys, None)) => keys.write(self.column(Column::Graph)),
            None => {}
        }
        if shape & NEXT == 0 {
            put_i64(self.column(Column::Graph), i64::from(change.seq) - i64::from(next));
        }
        if shape & NO_DEPS == 0 {
            put_u64(self.column(Column::Graph), change.deps.len() as u64);
            for &(dep, seq) in &change.deps {
                self.actor(Column::Graph, dep);
                put_u64(self.column(Column::Graph), u64::from(seq));
            }
        }
        if let Some(order) = change.order {
            self.order(order);
        }
        if !change.erased.is_empty() {
            self.erased(change.erased);
        }
        if shape & SAME_TIME == 0 {
            let delta = ms(change.time.0).wrapping_sub(ms(self.numbering.time)).cast_signed();
            put_i64(self.column(Column::Time), delta);
            put_u64(self.column(Column::Time), change.time.0 & 0xffff);
        }
        self.numbering.time = change.time.0;
        if shape & SAME_ORIGIN == 0 {
            self.name(change.author);
            self.source(change.source);
        }
        if let Some(known) = self.numbering.actors.get_mut(actor as usize) {
            known.last_seq = change.seq;
            known.author = if change.source.is_none() { author + 1 } else { 0 };
        }
        self.numbering.last_actor = actor;
        if shape & ONE_OP == 0 {
            put_u64(self.column(Column::Ops), change.ops.len() as u64);
        }
        let mut before = None;
        for op in &change.ops {
            self.op(op, before);
            before = match op.place {
                WirePlace::New { entry, address } => Some((entry, address)),
                WirePlace::Base { .. } => None,
            };
        }
        self.count += 1;
    }

    fn actor(&mut self, column: Column, id: ActorId) {
        let column = pick(&mut self.columns, self.split, column);
        self.numbering.put_actor(column, id);
    }

    fn order(&mut self, order: &Order) {
        let column = pick(&mut self.columns, self.split, Column::Graph);
        order.write(column, |column, id| self.numbering.put_actor(column, id));
    }

    fn erased(&mut self, erased: &[Gone]) {
        let column = self.column(Column::Graph);
        put_u64(column, erased.len() as u64);
        let mut next = 0;
        for gone in erased {
            put_u64(column, u64::from(gone.index - next));
            column.extend_from_slice(&gone.commitment);
            next = gone.index + 1;
        }
    }

    fn name(&mut self, name: &str) {
        let index = self.numbering.name_index(name);
        put_u64(self.column(Column::Origin), index);
        if index == self.numbering.names.len() as u64 {
            put_bytes(self.column(Column::Origin), name.as_bytes());
            self.numbering.names.push(name.into());
        }
    }

    fn source(&mut self, source: Option<(&str, [u8; 16], u64)>) {
        let Some((feed, message, event_time)) = source else {
            self.column(Column::Origin).push(0);
            return;
        };
        if message == self.numbering.message {
            self.column(Column::Origin).push(1);
        } else {
            self.column(Column::Origin).push(2);
            self.column(Column::Origin).extend_from_slice(&message);
            self.numbering.message = message;
        }
        self.name(feed);
        let delta = event_time.wrapping_sub(self.numbering.event_time).cast_signed();
        put_i64(self.column(Column::Origin), delta);
        self.numbering.event_time = event_time;
    }

    fn op(&mut self, op: &WireOp<'_>, before: Option<((TypeId, &str), &[u8])>) {
        let kind = match op.value {
            WireValue::Set(_) => SET,
            WireValue::Named(_) => SET_NAMED,
            WireValue::Splice { .. } => SPLICE,
            WireValue::Position(_) => POSITION,
            WireValue::Mark => MARK,
            WireValue::Keep => KEEP,
            WireValue::Stated => STATED,
            WireValue::Edits(_) | WireValue::Typed(_) => EDITS,
        };
        match op.place {
            WirePlace::Base { actor, seq, op } => {
                self.column(Column::Ops).push(kind | BASE);
                self.actor(Column::Ops, actor);
                put_u64(self.column(Column::Ops), u64::from(seq));
                put_u64(self.column(Column::Ops), u64::from(op));
            }
            WirePlace::New { entry, address } => self.place(kind, entry, address, before),
        }
        match op.value {
            WireValue::Set(text) | WireValue::Named(text) => {
                put_bytes(self.column(Column::Values), text.as_bytes());
            }
            WireValue::Splice { prefix, suffix, middle } => {
                put_u64(self.column(Column::Ops), prefix as u64);
                put_u64(self.column(Column::Ops), suffix as u64);
                put_bytes(self.column(Column::Values), middle.as_bytes());
            }
            WireValue::Position(bytes) | WireValue::Edits(bytes) => {
                put_bytes(self.column(Column::Values), bytes);
            }
            WireValue::Typed(typed) => put_bytes(self.column(Column::Values), &typed.to_bytes()),
            WireValue::Mark | WireValue::Keep | WireValue::Stated => {}
        }
    }

    fn place(
        &mut self,
        kind: u8,
        entry: (TypeId, &str),
        address: &[u8],
        before: Option<((TypeId, &str), &[u8])>,
    ) {
        let same = before.filter(|(of, _)| *of == entry);
        let by_record = same.is_none() && entry.1 == self.record;
        let bits = u8::from(same.is_some()) * SAME_ENTRY + u8::from(by_record) * ID_IS_RECORD;
        self.column(Column::Ops).push(kind | bits);
        if same.is_none() {
            put_u64(self.column(Column::Ops), u64::from(entry.0.0));
            if !by_record {
                put_bytes(self.column(Column::Ops), entry.1.as_bytes());
            }
        }
        let last = same.map_or(&[][..], |(_, address)| address);
        let shared = address.iter().zip(last).take_while(|(a, b)| a == b).count();
        put_u64(self.column(Column::Ops), shared as u64);
        put_bytes(self.column(Column::Ops), address.get(shared..).unwrap_or_default());
    }

    /// Number of changes, then the columns with the lengths of all but the last.
    pub(crate) fn finish(self) -> Vec<u8> {
        let Self { columns, mut out, start, split, count, .. } = self;
        if !split {
            let [mut all, ..] = columns;
            if let (Some(place), Ok(count @ ..0x80)) = (all.get_mut(start), u8::try_from(count)) {
                *place = count;
            } else {
                let mut spelled = Vec::new();
                put_u64(&mut spelled, count);
                all.splice(start..=start, spelled);
            }
            return all;
        }
        put_u64(&mut out, count);
        for column in columns.iter().take(COLUMNS - 1) {
            put_u64(&mut out, column.len() as u64);
        }
        for column in &columns {
            out.extend_from_slice(column);
        }
        out
    }
}

/// A run of changes read from bytes.
pub(crate) struct Run {
    pub(crate) keys: Vec<(ActorId, Keys)>,
    pub(crate) changes: Vec<Incoming>,
}

/// Reads what [`RunWriter`] wrote, up to the end of `reader`. If it fails, `numbering` is spoilt.
pub(crate) fn read_run(
    reader: &mut Reader<'_>,
    numbering: &mut Numbering,
    record: &str,
    in_columns: bool,
    limit: usize,
) -> Result<Run, DecodeError> {
    let at = reader.at();
    let count = reader.count("changes")?;
    if count > limit {
        return Err(DecodeError::Limit { what: "changes", at });
    }
    let mut columns: [Reader<'_>; COLUMNS] = std::array::from_fn(|_| Reader::new(&[]));
    if in_columns {
        let mut lens = [0; COLUMNS];
        for len in lens.iter_mut().take(COLUMNS - 1) {
            *len = reader.count("column")?;
        }
        for (column, len) in columns.iter_mut().zip(lens).take(COLUMNS - 1) {
            *column = reader.within(len)?;
        }
    }
    let rest = reader.within(reader.remaining())?;
    *pick(&mut columns, in_columns, Column::Values) = rest;
    let mut run = RunReader { numbering, record, columns, split: in_columns, keys: Vec::new() };
    let mut changes = Vec::with_capacity(count.min(4096));
    for _ in 0..count {
        changes.push(run.change()?);
    }
    for column in &run.columns {
        column.end()?;
    }
    Ok(Run { keys: run.keys, changes })
}

struct RunReader<'n, 'a> {
    numbering: &'n mut Numbering,
    record: &'a str,
    columns: [Reader<'a>; COLUMNS],
    split: bool,
    keys: Vec<(ActorId, Keys)>,
}

impl<'a> RunReader<'_, 'a> {
    fn column(&mut self, column: Column) -> &mut Reader<'a> {
        pick(&mut self.columns, self.split, column)
    }

    fn wrong(&mut self, column: Column, what: &'static str) -> DecodeError {
        DecodeError::Meaningless { what, at: self.column(column).at() }
    }

    fn change(&mut self) -> Result<Incoming, DecodeError> {
        let shape = self.column(Column::Shape).byte()?;
        let has = |bit: u8| shape & bit != 0;
        let index =
            if has(SAME_ACTOR) { self.numbering.last_actor } else { self.actor(Column::Graph)? };
        let Some(known) = self.numbering.actors.get(index as usize).cloned() else {
            return Err(self.wrong(Column::Shape, "actor"));
        };
        let more = if has(MORE) { self.more(has(SECRET))? } else { 0 };
        if has(SECRET) {
            let keys = if more & KEYS == 0 {
                ActorSecret(self.column(Column::Graph).array()?).into()
            } else {
                Keys::read(self.column(Column::Graph))?
            };
            self.keys.push((known.id, keys));
        }
        let step = if has(NEXT) { 0 } else { self.column(Column::Graph).i64()? };
        let seq = i64::from(known.last_seq).checked_add(1).and_then(|next| next.checked_add(step));
        let seq = seq.and_then(|seq| u32::try_from(seq).ok());
        let Some(seq) = seq.filter(|&seq| seq > 0 && seq < u32::MAX) else {
            return Err(self.wrong(Column::Graph, "sequence number"));
        };
        let deps = if has(NO_DEPS) { Vec::new() } else { self.deps(known.id)? };
        let order = if more & ORDER == 0 { None } else { Some(Box::new(self.order()?)) };
        let erased = if more & ERASED == 0 { Box::default() } else { self.erased()? };
        let time = if has(SAME_TIME) { self.numbering.time.wrapping_add(1) } else { self.time()? };
        self.numbering.time = time;
        let (author, source) = if has(SAME_ORIGIN) {
            (known.author.wrapping_sub(1), None)
        } else {
            let author = self.name()?;
            (author, self.source()?)
        };
        let Some(name) = self.numbering.names.get(author as usize).filter(|n| !n.is_empty()) else {
            return Err(self.wrong(Column::Origin, "author"));
        };
        let name = name.clone();
        if let Some(known) = self.numbering.actors.get_mut(index as usize) {
            known.last_seq = seq;
            known.author = if source.is_none() { author + 1 } else { 0 };
        }
        self.numbering.last_actor = index;
        let count = if has(ONE_OP) { 1 } else { self.column(Column::Ops).count("operations")? };
        let total = count + erased.len();
        if total > MAX_OPS || erased.last().is_some_and(|gone| gone.index as usize >= total) {
            return Err(DecodeError::Limit {
                what: "operations",
                at: self.column(Column::Ops).at(),
            });
        }
        let mut ops: SmallVec<[IncomingOp; 1]> = SmallVec::with_capacity(count.min(1024));
        for _ in 0..count {
            let op = self.op(ops.last())?;
            ops.push(op);
        }
        Ok(Incoming {
            actor: known.id,
            seq,
            deps,
            time: HybridTime(time),
            author: name,
            source,
            order,
            erased,
            ops,
        })
    }

    fn more(&mut self, with_secret: bool) -> Result<u8, DecodeError> {
        let more = self.column(Column::Graph).byte()?;
        let allowed = if with_secret { ORDER | ERASED | KEYS } else { ORDER | ERASED };
        if more == 0 || more & !allowed != 0 {
            return Err(self.wrong(Column::Graph, "change"));
        }
        Ok(more)
    }

    fn order(&mut self) -> Result<Order, DecodeError> {
        let (reason, place) = Order::read_words(self.column(Column::Graph))?;
        let count = self.column(Column::Graph).count("erased operations")?;
        if count > MAX_ERASED_RUNS {
            return Err(DecodeError::Limit {
                what: "erased operations",
                at: self.column(Column::Graph).at(),
            });
        }
        let mut runs = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            let actor = self.actor_id(Column::Graph)?;
            let column = self.column(Column::Graph);
            let seq = column.u32("sequence number")?;
            let (first, count) = (column.u32("operation")?, column.u32("operations")?);
            runs.push(ErasedRun { actor, seq, first, count });
        }
        let what = if count == 0 { Some(Erased::Past) } else { Order::runs(runs) };
        let what = what.ok_or_else(|| self.wrong(Column::Graph, "erased operations"))?;
        Ok(Order { reason, place, what })
    }

    fn erased(&mut self) -> Result<Box<[Gone]>, DecodeError> {
        let count = self.column(Column::Graph).count("erased operations")?;
        let mut erased = Vec::with_capacity(count.min(1024));
        let mut next = 0_u32;
        for _ in 0..count {
            let gap = self.column(Column::Graph).u32("operation")?;
            let index = next.checked_add(gap).filter(|&index| (index as usize) < MAX_OPS);
            let index = index.ok_or_else(|| self.wrong(Column::Graph, "operation"))?;
            erased.push(Gone { index, commitment: self.column(Column::Graph).array()? });
            next = index + 1;
        }
        if erased.is_empty() {
            return Err(self.wrong(Column::Graph, "erased operations"));
        }
        Ok(erased.into())
    }

    fn actor(&mut self, column: Column) -> Result<u64, DecodeError> {
        let index = self.column(column).u64()?;
        let next = self.numbering.actors.len() as u64;
        if index > next {
            return Err(self.wrong(column, "actor"));
        }
        if index == next {
            let id = ActorId(self.column(column).array()?);
            self.numbering.actors.push(KnownActor { id, last_seq: 0, author: 0 });
        }
        Ok(index)
    }

    fn actor_id(&mut self, column: Column) -> Result<ActorId, DecodeError> {
        let index = self.actor(column)?;
        let id = self.numbering.actors.get(index as usize).map(|actor| actor.id);
        id.ok_or(DecodeError::Meaningless { what: "actor", at: 0 })
    }

    fn deps(&mut self, actor: ActorId) -> Result<Vec<(ActorId, u32)>, DecodeError> {
        let count = self.column(Column::Graph).count("dependencies")?;
        if count > MAX_DEPENDENCIES {
            return Err(DecodeError::Limit {
                what: "dependencies",
                at: self.column(Column::Graph).at(),
            });
        }
        let mut deps = Vec::with_capacity(count);
        for _ in 0..count {
            let dep = self.actor_id(Column::Graph)?;
            deps.push((dep, self.column(Column::Graph).u32("sequence number")?));
        }
        if !deps.is_sorted_by(|a, b| a < b) || deps.iter().any(|&(dep, _)| dep == actor) {
            return Err(self.wrong(Column::Graph, "dependencies"));
        }
        Ok(deps)
    }

    fn time(&mut self) -> Result<u64, DecodeError> {
        let delta = self.column(Column::Time).i64()?;
        let counter = self.column(Column::Time).u64()?;
        let ms = (self.numbering.time >> 16).wrapping_add_signed(delta);
        if ms >= 1 << 48 || counter >= 1 << 16 {
            return Err(self.wrong(Column::Time, "time"));
        }
        Ok(ms << 16 | counter)
    }

    fn name(&mut self) -> Result<u64, DecodeError> {
        let index = self.column(Column::Origin).u64()?;
        let next = self.numbering.names.len() as u64;
        if index > next {
            return Err(self.wrong(Column::Origin, "name"));
        }
        if index == next {
            let name = self.column(Column::Origin).str(MAX_NAME_BYTES, "name")?.into();
            self.numbering.names.push(name);
        }
        Ok(index)
    }

    fn source(&mut self) -> Result<Option<Source>, DecodeError> {
        match self.column(Column::Origin).byte()? {
            0 => return Ok(None),
            1 => {}
            2 => self.numbering.message = self.column(Column::Origin).array()?,
            _ => return Err(self.wrong(Column::Origin, "source")),
        }
        let feed = self.name()?;
        let delta = self.column(Column::Origin).i64()?;
        let event_time_ms = self.numbering.event_time.wrapping_add_signed(delta);
        if event_time_ms >= 1 << 48 {
            return Err(self.wrong(Column::Origin, "event time"));
        }
        self.numbering.event_time = event_time_ms;
        let feed = self.numbering.names.get(feed as usize).map_or("", AsRef::as_ref).into();
        Ok(Some(Source { feed, message: self.numbering.message, event_time_ms }))
    }

    fn op(&mut self, before: Option<&IncomingOp>) -> Result<IncomingOp, DecodeError> {
        let tag = self.column(Column::Ops).byte()?;
        if tag >= 64 {
            return Err(self.wrong(Column::Ops, "operation"));
        }
        let place = if tag & BASE == 0 {
            self.place(tag, before)?
        } else {
            let actor = self.actor_id(Column::Ops)?;
            let seq = self.column(Column::Ops).u32("sequence number")?;
            OpPlace::Base { actor, seq, op: self.column(Column::Ops).u32("operation")? }
        };
        let write = match tag & KIND {
            SET => IncomingWrite::Whole(Write::Set(
                self.column(Column::Values).str(MAX_VALUE_BYTES, "cell text")?.into(),
            )),
            SET_NAMED => IncomingWrite::Named(
                self.column(Column::Values).str(MAX_VALUE_BYTES, "cell text")?.into(),
            ),
            SPLICE if tag & BASE != 0 => {
                let prefix = self.column(Column::Ops).u32("splice")? as usize;
                let suffix = self.column(Column::Ops).u32("splice")? as usize;
                let middle = self.column(Column::Values).str(MAX_VALUE_BYTES, "cell text")?.into();
                IncomingWrite::Splice { prefix, suffix, middle }
            }
            POSITION => IncomingWrite::Whole(Write::Position(
                self.column(Column::Values).bytes(MAX_POSITION_BYTES, "position length")?.into(),
            )),
            MARK => IncomingWrite::Whole(Write::Mark),
            KEEP => IncomingWrite::Whole(Write::Keep),
            STATED => IncomingWrite::Whole(Write::Stated),
            EDITS if tag & BASE == 0 => {
                let bytes = self.column(Column::Values).bytes(MAX_VALUE_BYTES, "edits")?;
                IncomingWrite::Typed(Typed::read(bytes)?)
            }
            EDITS => IncomingWrite::Edits(
                self.column(Column::Values).bytes(MAX_VALUE_BYTES, "edits")?.into(),
            ),
            _ => return Err(self.wrong(Column::Ops, "operation")),
        };
        Ok(IncomingOp { place, write })
    }

    fn place(&mut self, tag: u8, before: Option<&IncomingOp>) -> Result<OpPlace, DecodeError> {
        let last = match before.map(|before| &before.place) {
            Some(OpPlace::New { entry, address }) => Some((entry, address.as_bytes())),
            _ => None,
        };
        let (entry, last) = if tag & SAME_ENTRY == 0 {
            (self.entry(tag & ID_IS_RECORD != 0)?, &[][..])
        } else {
            let (entry, last) = last.ok_or_else(|| self.wrong(Column::Ops, "operation"))?;
            (entry.clone(), last)
        };
        let shared = self.column(Column::Ops).u64()? as usize;
        let shared = last.get(..shared).ok_or_else(|| self.wrong(Column::Ops, "address"))?;
        let mut bytes = shared.to_vec();
        bytes.extend_from_slice(
            self.column(Column::Ops).bytes(MAX_ADDRESS_BYTES, "address length")?,
        );
        Ok(OpPlace::New { entry, address: Address::from_bytes(&bytes)? })
    }

    fn entry(&mut self, by_record: bool) -> Result<EntryId, DecodeError> {
        let ty = u16::try_from(self.column(Column::Ops).u64()?).ok().and_then(TypeId::checked);
        let ty = ty.filter(|ty| resource_named(ty.name()).is_some());
        let Some(ty) = ty else { return Err(self.wrong(Column::Ops, "resource type")) };
        let record = self.record;
        let id = if by_record {
            record
        } else {
            self.column(Column::Ops).str(MAX_ENTRY_ID_BYTES, "entry id")?
        };
        if !is_fhir_id(id) {
            return Err(self.wrong(Column::Ops, "entry id"));
        }
        Ok(EntryId { ty, id: id.into() })
    }
}

impl Incoming {
    /// The same change, to be passed on or stored before it could be applied.
    pub(crate) fn outgoing<'a>(&'a self, keys: Option<&'a Keys>) -> Outgoing<'a> {
        let source = self.source.as_ref();
        Outgoing {
            actor: self.actor,
            keys,
            seq: self.seq,
            deps: self.deps.clone(),
            time: self.time,
            author: &self.author,
            source: source.map(|source| (&*source.feed, source.message, source.event_time_ms)),
            order: self.order.as_deref(),
            erased: &self.erased,
            ops: self.ops.iter().map(IncomingOp::wire).collect(),
        }
    }
}

impl IncomingOp {
    fn wire(&self) -> WireOp<'_> {
        let place = match &self.place {
            OpPlace::New { entry, address } => {
                WirePlace::New { entry: (entry.ty, &entry.id), address: address.as_bytes() }
            }
            OpPlace::Base { actor, seq, op } => {
                WirePlace::Base { actor: *actor, seq: *seq, op: *op }
            }
        };
        let value = match &self.write {
            IncomingWrite::Whole(Write::Set(text)) => WireValue::Set(text),
            IncomingWrite::Whole(Write::Position(position)) => WireValue::Position(position),
            IncomingWrite::Whole(Write::Mark) => WireValue::Mark,
            IncomingWrite::Whole(Write::Keep) => WireValue::Keep,
            IncomingWrite::Whole(Write::Stated) => WireValue::Stated,
            IncomingWrite::Whole(Write::Edits(Typed { edits, .. }))
            | IncomingWrite::Edits(edits) => WireValue::Edits(edits),
            IncomingWrite::Typed(typed) => WireValue::Typed(typed),
            IncomingWrite::Named(value) => WireValue::Named(value),
            IncomingWrite::Splice { prefix, suffix, middle } => {
                WireValue::Splice { prefix: *prefix, suffix: *suffix, middle }
            }
        };
        WireOp { place, value }
    }
}

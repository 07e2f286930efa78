//! Changes on their way: between replicas, on a link, and into a record's own file.
//!
//! A change travels without its hash: the receiver computes it. Actors and names are defined once
//! and then named by index; an operation that overwrites another one names that operation instead
//! of its entry and address, and may say only what differs. Normative: `docs/formats/change.md`.

mod reader;
mod writer;

use std::sync::Arc;

use crate::actor::ActorId;
use crate::actor::keys::Keys;
use crate::address::Address;
use crate::change::{RawOp, Source, Typed, Write, named_value, plain_name};
use crate::erasure::order::{Gone, Order};
use crate::note::OpName;
use crate::state::{EntryId, Written};
use crate::time::HybridTime;
use crate::wire::{Reader, put_u64};
use clisonix_fhir::schema::TypeId;
use smallvec::SmallVec;

pub(crate) use reader::{Run, read_run};
pub(crate) use writer::RunWriter;

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

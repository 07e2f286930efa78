//! Reading a run of changes.

use clisonix_fhir::schema::{TypeId, resource_named};
use smallvec::SmallVec;

use crate::actor::keys::Keys;
use crate::actor::{ActorId, ActorSecret};
use crate::address::{Address, MAX_ADDRESS_BYTES};
use crate::change::{
    MAX_DEPENDENCIES, MAX_ENTRY_ID_BYTES, MAX_NAME_BYTES, MAX_OPS, MAX_POSITION_BYTES,
    MAX_VALUE_BYTES, Source, Typed, Write, is_fhir_id,
};
use crate::erasure::order::{Erased, Gone, MAX_ERASED_RUNS, Order, Run as ErasedRun};
use crate::state::EntryId;
use crate::time::HybridTime;
use crate::wire::{DecodeError, Reader};

use super::{
    BASE, COLUMNS, Column, EDITS, ERASED, ID_IS_RECORD, Incoming, IncomingOp, IncomingWrite, KEEP,
    KEYS, KIND, KnownActor, MARK, MORE, NEXT, NO_DEPS, Numbering, ONE_OP, ORDER, OpPlace, POSITION,
    SAME_ACTOR, SAME_ENTRY, SAME_ORIGIN, SAME_TIME, SECRET, SET, SET_NAMED, SPLICE, STATED, pick,
};

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

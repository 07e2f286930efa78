//! Writing a run of changes.

use clisonix_fhir::schema::TypeId;

use crate::actor::ActorId;
use crate::erasure::order::{Gone, Order};
use crate::wire::{put_bytes, put_i64, put_u64};

use super::{
    BASE, COLUMNS, Column, EDITS, ID_IS_RECORD, KEEP, MARK, MORE, NEXT, NO_DEPS, Numbering, ONE_OP,
    Outgoing, POSITION, SAME_ACTOR, SAME_ENTRY, SAME_ORIGIN, SAME_TIME, SECRET, SET, SET_NAMED,
    SPLICE, STATED, WireOp, WirePlace, WireValue, pick,
};

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

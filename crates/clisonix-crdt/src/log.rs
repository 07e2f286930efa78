//! The log of a record: every change with its place in the graph of dependencies.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::actor::Clock;
use crate::change::{ChangeId, Op, decode_ops};
use crate::state::{ChangeNo, Context, Entry, EntryId};
use crate::tables::Tables;
use crate::time::HybridTime;

/// One applied change. Actor and source stand in the change's stamp.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) id: ChangeId,
    pub(crate) deps: Vec<ChangeNo>,
    pub(crate) time: HybridTime,
    pub(crate) author: u32,
    pub(crate) event_time_ms: u64,
    pub(crate) ops: Box<[u8]>,
    /// The change's past: all its ancestors, itself not included.
    pub(crate) past: Arc<Clock>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) changes: Vec<Logged>,
    ids: BTreeMap<ChangeId, ChangeNo>,
    /// By actor number: its changes in sequence, the first at index 0.
    by_actor: Vec<Vec<ChangeNo>>,
}

/// Entries by id: a state, present or past.
pub(crate) type Entries = BTreeMap<EntryId, Entry>;

impl Log {
    pub(crate) fn len(&self) -> u32 {
        self.changes.len() as u32
    }

    pub(crate) fn get(&self, change: ChangeNo) -> Option<&Logged> {
        self.changes.get(change as usize)
    }

    pub(crate) fn number(&self, id: &ChangeId) -> Option<ChangeNo> {
        self.ids.get(id).copied()
    }

    /// The change whose id begins with these eight bytes.
    pub(crate) fn by_prefix(&self, prefix: [u8; 8]) -> Option<ChangeNo> {
        let mut low = [0; 32];
        for (to, from) in low.iter_mut().zip(prefix) {
            *to = from;
        }
        let (id, &number) = self.ids.range(ChangeId(low)..).next()?;
        id.0.starts_with(&prefix).then_some(number)
    }

    pub(crate) fn of_actor(&self, actor: u32, seq: u32) -> Option<ChangeNo> {
        let changes = self.by_actor.get(actor as usize)?;
        changes.get(seq.checked_sub(1)? as usize).copied()
    }

    pub(crate) fn last_of_actor(&self, actor: u32) -> Option<ChangeNo> {
        self.by_actor.get(actor as usize)?.last().copied()
    }

    pub(crate) fn push(&mut self, actor: u32, logged: Logged) -> ChangeNo {
        let number = self.len();
        self.ids.insert(logged.id, number);
        let actor = actor as usize;
        if self.by_actor.len() <= actor {
            self.by_actor.resize(actor + 1, Vec::new());
        }
        if let Some(changes) = self.by_actor.get_mut(actor) {
            changes.push(number);
        }
        self.changes.push(logged);
        number
    }

    /// The joint past of `changes`, themselves included.
    pub(crate) fn clock_of(&self, changes: &[ChangeNo], tables: &Tables) -> Arc<Clock> {
        if let [only] = changes
            && let (Some(logged), Some(stamp)) =
                (self.get(*only), tables.stamps.get(*only as usize))
        {
            let mut clock = Arc::clone(&logged.past);
            Arc::make_mut(&mut clock).raise(stamp.actor, stamp.seq);
            return clock;
        }
        let mut clock = Clock::default();
        for &change in changes {
            if let (Some(logged), Some(stamp)) =
                (self.get(change), tables.stamps.get(change as usize))
            {
                clock.join(&logged.past);
                clock.raise(stamp.actor, stamp.seq);
            }
        }
        Arc::new(clock)
    }

    /// Whether `ancestor` is `change` or in its past.
    pub(crate) fn is_before(&self, ancestor: ChangeNo, change: ChangeNo, tables: &Tables) -> bool {
        ancestor == change
            || match (self.get(change), tables.stamps.get(ancestor as usize)) {
                (Some(logged), Some(stamp)) => logged.past.covers(stamp.actor, stamp.seq),
                _ => false,
            }
    }

    /// Takes out of `changes` what is in the past of another one.
    pub(crate) fn maximal(&self, changes: &mut Vec<ChangeNo>, tables: &Tables) {
        changes.sort_unstable();
        changes.dedup();
        let all = changes.clone();
        changes.retain(|&change| {
            !all.iter().any(|&other| other != change && self.is_before(change, other, tables))
        });
    }

    /// The operations of a change; they were checked when it was applied.
    pub(crate) fn ops(&self, record: &str, change: ChangeNo) -> Vec<Op> {
        let bytes = self.get(change).map_or(&[][..], |logged| &logged.ops);
        decode_ops(record, bytes).unwrap_or_default()
    }

    /// The state after exactly the changes that `wanted` accepts, which must hold their ancestors
    /// too; of one entry only, if `entry` names it.
    pub(crate) fn replay(
        &self,
        record: &str,
        tables: &Tables,
        wanted: impl Fn(ChangeNo) -> bool,
        entry: Option<&EntryId>,
    ) -> Entries {
        let mut entries = Entries::new();
        for change in (0..self.len()).filter(|&change| wanted(change)) {
            let mut ops = self.ops(record, change);
            if let Some(entry) = entry {
                ops.retain(|op| op.entry == *entry);
            }
            if let Some(logged) = self.get(change) {
                apply(&mut entries, ops, change, &logged.past, tables);
            }
        }
        entries
    }
}

/// Applies a change's operations to a state.
pub(crate) fn apply(
    entries: &mut Entries,
    ops: Vec<Op>,
    change: ChangeNo,
    past: &Clock,
    tables: &Tables,
) {
    let context = Context { change, past, stamps: &tables.stamps, sources: &tables.sources };
    let mut ops = ops.into_iter().peekable();
    while let Some(op) = ops.next() {
        let id = op.entry.clone();
        if op.write == crate::change::Write::Stated {
            continue;
        }
        let entry = entries.entry(id).or_default();
        entry.touch(&context);
        let of = op.entry.clone();
        entry.apply(op, &context);
        while let Some(op) = ops.next_if(|op| op.entry == of) {
            entry.apply(op, &context);
        }
    }
}

//! What packed changes wrote, as far as the state still tells: so that a change that builds on one
//! of them can be taken in without unpacking the log.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::change::{Marks, OpsWriter, RawOp, op_at};
use crate::page::Lost;
use crate::state::{ChangeNo, Written};
use crate::tables::Tables;

use super::Entries;

/// The values that packed changes set, and the numbers of those changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// Of what was overwritten since the record was loaded: one operation each, by change and index.
    overwritten: BTreeMap<(ChangeNo, u32), Box<[u8]>>,
    /// Of what stood in the state when it was first asked for.
    live: OnceLock<Box<Live>>,
    /// Actor, sequence number and number of the changes that the state names, ascending.
    changes: OnceLock<Box<[(u32, u32, ChangeNo)]>>,
}

/// Operations that set cells.
#[derive(Clone, Debug)]
struct Live {
    /// Change and index of each operation, ascending.
    names: Box<[(ChangeNo, u32)]>,
    /// Canonical bytes, in the same order.
    ops: Box<[u8]>,
    marks: Marks,
}

impl Values {
    /// Whether a value that is overwritten now would be found nowhere else.
    pub(super) fn is_keeping(&self) -> bool {
        self.live.get().is_none()
    }

    pub(super) fn keep(&mut self, lost: Lost) {
        self.overwritten.insert(lost.name, lost.op);
    }

    /// The operation of one of the first `count` changes, if it set a cell and its value was not
    /// overwritten before the record was loaded.
    pub(super) fn find(
        &self,
        name: (ChangeNo, u32),
        entries: &Entries,
        count: u32,
    ) -> Option<RawOp<'_>> {
        if let Some(op) = self.overwritten.get(&name) {
            return op_at(op, 0);
        }
        let live = self.live.get_or_init(|| Box::new(Live::of(entries, count)));
        let place = live.names.binary_search(&name).ok()?;
        live.marks.op_at(&live.ops, place as u32)
    }

    /// The number of an actor's change, if it is one of the first `count` and the state names it.
    pub(super) fn number(
        &self,
        (actor, seq): (u32, u32),
        tables: &Tables,
        count: u32,
    ) -> Option<ChangeNo> {
        let changes = self.changes.get_or_init(|| {
            let packed = tables.stamps.iter().take_while(|(change, _)| *change < count);
            let mut changes: Box<[_]> =
                packed.map(|(change, stamp)| (stamp.actor, stamp.seq, change)).collect();
            changes.sort_unstable();
            changes
        });
        let at = changes.partition_point(|&(of, number, _)| (of, number) < (actor, seq));
        let &(of, number, change) = changes.get(at)?;
        ((of, number) == (actor, seq)).then_some(change)
    }

    pub(super) fn size_bytes(&self) -> usize {
        let overwritten: usize = self.overwritten.values().map(|op| op.len() + 32).sum();
        let live = self.live.get().map_or(0, |live| live.ops.len() + 8 * live.names.len());
        overwritten + live + self.changes.get().map_or(0, |changes| 12 * changes.len())
    }
}

impl Live {
    fn of(entries: &Entries, count: u32) -> Self {
        let mut sets = Vec::new();
        for (id, entry) in entries {
            for (address, cell) in entry.pages.cells() {
                for sibling in &cell.siblings {
                    if let (Some(index), Written::Set(text)) = (sibling.op, sibling.write)
                        && sibling.change < count
                    {
                        sets.push(((sibling.change, index), id, address, text));
                    }
                }
            }
        }
        sets.sort_unstable_by_key(|(name, ..)| *name);
        let bytes = sets.iter().map(|(_, _, address, text)| address.len() + text.len() + 8).sum();
        let mut writer = OpsWriter::new(bytes);
        for (_, id, address, text) in &sets {
            writer.put_set(id.name(), address, &[text]);
        }
        let ops = writer.finish();
        let marks = Marks::of(&ops);
        Self { names: sets.iter().map(|(name, ..)| *name).collect(), ops, marks }
    }
}

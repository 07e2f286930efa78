//! A feed's own statements in a record, in the feed's own order.

use std::collections::BTreeSet;

use crate::change::{Source, raw_ops};
use crate::log::{Entries, Replayed};
use crate::record::Record;
use crate::state::{ChangeNo, EntryId};
use crate::time::HybridTime;

/// One feed that has stated something here.
#[derive(Clone, Copy)]
pub(crate) struct Feed(u32);

/// Place of a message in its feed's order: event time, message.
type Place = (u64, [u8; 16]);

impl Feed {
    pub(crate) fn named(record: &Record, name: &str) -> Option<Self> {
        record.tables.feeds.find(name).map(Self)
    }

    pub(crate) fn has_taken(self, record: &Record, message: [u8; 16]) -> bool {
        record.tables.sources.contains(&(self.0, message))
    }

    pub(crate) fn latest_event_ms(self, record: &Record) -> Option<u64> {
        self.changes(record).map(|(_, (said, _))| HybridTime(said).millis()).max()
    }

    fn changes(self, record: &Record) -> impl Iterator<Item = (ChangeNo, Place)> + '_ {
        record.log.rows().filter_map(move |(change, row)| {
            let source = row.stamp.source.checked_sub(1)?;
            let &(of, message) = record.tables.sources.get(source as usize)?;
            (of == self.0).then_some((change, (row.stamp.said, message)))
        })
    }

    /// The feed's changes up to the message's place in the feed's order; ascending.
    pub(crate) fn before(self, record: &Record, source: &Source) -> Vec<ChangeNo> {
        let own = place(source);
        self.changes(record).filter(|(_, key)| *key < own).map(|(change, _)| change).collect()
    }

    /// What the feed stated after that place, by entry.
    pub(crate) fn later(self, record: &Record, source: &Source, only: Option<&EntryId>) -> Entries {
        let own = place(source);
        if self.changes(record).all(|(_, key)| key < own) {
            return Entries::new();
        }
        let all: Vec<ChangeNo> = self.changes(record).map(|(change, _)| change).collect();
        let mut stated = stated(record, &all, only).entries;
        let mut newer = BTreeSet::new();
        for (change, _) in self.changes(record).filter(|(_, key)| *key > own) {
            let Some(row) = record.log.get(change) else { continue };
            newer.extend(raw_ops(&row.ops).map(|op| op.entry));
        }
        stated.retain(|id, _| newer.contains(&(id.ty, &*id.id)));
        stated
    }
}

/// The state that these changes of one feed alone make; of one entry only, if `only` names it.
pub(crate) fn stated(record: &Record, changes: &[ChangeNo], only: Option<&EntryId>) -> Replayed {
    let within = |change: ChangeNo| changes.binary_search(&change).is_ok();
    record.log.replay(&record.tables, |change, _| within(change), only)
}

fn place(source: &Source) -> Place {
    (HybridTime::from_millis(source.event_time_ms).0, source.message)
}

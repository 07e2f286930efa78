//! A feed's own statements in a record, in the feed's own order.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::change::{Source, raw_ops};
use crate::log::{Entries, Replayed};
use crate::record::Record;
use crate::stamp::Stamp;
use crate::state::{ChangeNo, EntryId};
use crate::time::HybridTime;

/// One feed that has stated something here.
#[derive(Clone, Copy)]
pub(crate) struct Feed(u32);

/// Place of a message in its feed's order: event time, message.
pub(crate) type Place = (u64, [u8; 16]);

/// Where a feed's statements end; kept with the state, so that the next statement needs no log
/// unless it speaks of what the record knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedEnd {
    /// The greatest place of any of its messages.
    pub(crate) place: Place,
    /// Its changes that no other change of it has in its past, ascending.
    pub(crate) heads: SmallVec<[ChangeNo; 2]>,
}

/// What a feed had said when it sent a message.
#[derive(Default)]
pub(crate) struct Own {
    /// The state that its earlier messages alone make, as far as the message speaks of it.
    pub(crate) said: Replayed,
    /// What it stated after the message, by entry.
    pub(crate) later: Entries,
    /// The last of its earlier changes.
    pub(crate) heads: Vec<ChangeNo>,
}

impl Feed {
    pub(crate) fn named(record: &Record, name: &str) -> Option<Self> {
        record.tables.feeds.find(name).map(Self)
    }

    pub(crate) fn has_taken(self, record: &Record, message: [u8; 16]) -> bool {
        record.tables.sources.contains(&(self.0, message))
    }

    pub(crate) fn latest_event_ms(self, record: &Record) -> Option<u64> {
        let end = self.end(record)?;
        Some(HybridTime(end.place.0).millis())
    }

    fn end(self, record: &Record) -> Option<&FeedEnd> {
        record.feed_ends.get(self.0 as usize).filter(|end| !end.heads.is_empty())
    }

    /// What the feed had said before a message, and after it, of the entries it is about.
    pub(crate) fn own(self, record: &Record, source: &Source, about: &[&EntryId]) -> Own {
        let Some(end) = self.end(record) else { return Own::default() };
        // Within a feed its own order decides, not what a change has seen. So a message about
        // nothing known may as well follow all that the feed has said, and needs no log.
        if !about.iter().any(|id| record.knows(id)) {
            return Own { heads: end.heads.to_vec(), ..Own::default() };
        }
        let is_latest = end.place < place(source);
        let mut before = self.before(record, source);
        let said = stated(record, &before, about);
        if is_latest {
            return Own { said, later: Entries::new(), heads: end.heads.to_vec() };
        }
        let later = self.later(record, source, about);
        record.log.maximal(&mut before, &record.tables);
        Own { said, later, heads: before }
    }

    fn changes(self, record: &Record) -> impl Iterator<Item = (ChangeNo, Place)> + '_ {
        record.log.rows().filter_map(move |(change, row)| {
            let (feed, place) = record.feed_place(&row.stamp)?;
            (feed == self.0).then_some((change, place))
        })
    }

    /// The feed's changes up to the message's place in the feed's order; ascending.
    fn before(self, record: &Record, source: &Source) -> Vec<ChangeNo> {
        let own = place(source);
        self.changes(record).filter(|(_, key)| *key < own).map(|(change, _)| change).collect()
    }

    /// What the feed stated after that place, by entry.
    fn later(self, record: &Record, source: &Source, about: &[&EntryId]) -> Entries {
        let own = place(source);
        let all: Vec<ChangeNo> = self.changes(record).map(|(change, _)| change).collect();
        let mut stated = stated(record, &all, about).entries;
        let mut newer = BTreeSet::new();
        for (change, _) in self.changes(record).filter(|(_, key)| *key > own) {
            let Some(row) = record.log.get(change) else { continue };
            newer.extend(raw_ops(&row.ops).map(|op| op.entry));
        }
        stated.retain(|id, _| newer.contains(&(id.ty, &*id.id)));
        stated
    }
}

impl Record {
    /// The feed's number and the place in its order, of a change that a feed stated.
    fn feed_place(&self, stamp: &Stamp) -> Option<(u32, Place)> {
        let &(feed, message) = self.tables.sources.get(stamp.source.checked_sub(1)? as usize)?;
        Some((feed, (stamp.said, message)))
    }

    /// Moves a feed's end on; `past` tells which of its changes the new one has seen.
    pub(crate) fn end_feed(
        &mut self,
        change: ChangeNo,
        stamp: &Stamp,
        past: impl Fn(&Stamp) -> bool,
    ) {
        let Some((feed, place)) = self.feed_place(stamp) else { return };
        let feed = feed as usize;
        if self.feed_ends.len() <= feed {
            self.feed_ends.resize(feed + 1, FeedEnd::default());
        }
        let (stamps, log) = (&self.tables.stamps, &self.log);
        let seen = |head: ChangeNo| match stamps.get(head) {
            Some(stamp) => past(stamp),
            None => log.get(head).is_some_and(|row| past(&row.stamp)),
        };
        if let Some(end) = self.feed_ends.get_mut(feed) {
            end.place = end.place.max(place);
            end.heads.retain(|head| !seen(*head));
            end.heads.push(change);
        }
    }
}

/// The state that these changes of one feed alone make, of the entries that `about` names.
fn stated(record: &Record, changes: &[ChangeNo], about: &[&EntryId]) -> Replayed {
    let within = |change: ChangeNo| changes.binary_search(&change).is_ok();
    record.log.replay(&record.tables, |change, _| within(change), Some(about))
}

fn place(source: &Source) -> Place {
    (HybridTime::from_millis(source.event_time_ms).0, source.message)
}

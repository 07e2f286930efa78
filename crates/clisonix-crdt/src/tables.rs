//! What the numbers in a state stand for: actors, authors, feeds, messages and change stamps.

use crate::actor::keys::{Keys, Trail, Way};
use crate::actor::{ActorId, Clock};
use crate::change::{ChangeId, Header, Source, commitment};
use crate::log::Logged;
use crate::stamp::{Stamp, Stamps};
use crate::state::{ChangeNo, Sibling};
use crate::time::HybridTime;

/// A list of distinct names, numbered in order of arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Vec<Box<str>>);

impl Names {
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        let at = self.0.iter().position(|have| **have == *name);
        at.unwrap_or_else(|| {
            self.0.push(name.into());
            self.0.len() - 1
        }) as u32
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.0.iter().position(|have| **have == *name).map(|at| at as u32)
    }

    /// Adds a name without looking whether it is there.
    pub(crate) fn push(&mut self, name: &str) {
        self.0.push(name.into());
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        self.0.get(number as usize).map_or("", |name| name)
    }
}

/// One actor whose changes are here.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) id: ActorId,
    /// The keys of its commitments that are left.
    pub(crate) keys: Keys,
    /// Its last change: sequence number and number here.
    pub(crate) last: (u32, ChangeNo),
}

/// The numbering of one replica of a record; not part of the state's canonical bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) actors: Vec<Actor>,
    pub(crate) authors: Names,
    pub(crate) feeds: Names,
    /// Feed number and message of each source.
    pub(crate) sources: Vec<(u32, [u8; 16])>,
    pub(crate) stamps: Stamps,
    pub(crate) trail: Trail,
}

impl Tables {
    /// The same numbering with room for the stamps of another state.
    pub(crate) fn without_stamps(&self) -> Self {
        Self {
            actors: self.actors.clone(),
            authors: self.authors.clone(),
            feeds: self.feeds.clone(),
            sources: self.sources.clone(),
            stamps: Stamps::default(),
            trail: Trail::default(),
        }
    }

    /// The id of a change, given the ids of its dependencies.
    pub(crate) fn change_id(&self, record: &str, row: &Logged, deps: &mut [ChangeId]) -> ChangeId {
        let stamp = &row.stamp;
        let source = self.source_of(stamp);
        let Some(actor) = self.actors.get(stamp.actor as usize) else { return ChangeId([0; 32]) };
        let header = Header {
            record,
            actor: actor.id,
            seq: stamp.seq,
            time: HybridTime(stamp.time),
            author: self.authors.name(stamp.author),
            source: source.as_ref(),
            order: row.order.as_deref(),
        };
        let count = row.op_count();
        let key =
            |index| self.trail.key(stamp.actor, &actor.keys, Way::to_op(stamp.seq, index, count));
        header.id(deps, &commitment(key, &row.ops, &row.erased))
    }

    pub(crate) fn actor(&self, number: u32) -> ActorId {
        self.actors.get(number as usize).map_or(ActorId([0; 16]), |actor| actor.id)
    }

    pub(crate) fn actor_number(&self, id: ActorId) -> Option<u32> {
        self.actors.iter().position(|actor| actor.id == id).map(|at| at as u32)
    }

    /// Numbers an actor that has written nothing yet.
    pub(crate) fn add_actor(&mut self, id: ActorId, keys: Keys) -> u32 {
        self.actors.push(Actor { id, keys, last: (0, 0) });
        self.actors.len() as u32 - 1
    }

    /// The stamp of the change with this actor and sequence number. An event time beyond 48 bits of
    /// milliseconds counts as the greatest.
    pub(crate) fn stamp(
        &mut self,
        (actor, seq): (u32, u32),
        time: HybridTime,
        author: &str,
        source: Option<&Source>,
    ) -> Stamp {
        let author = self.authors.number(author);
        let (said, source) = match source {
            None => (time.0, 0),
            Some(source) => {
                let number = self.source_number(&source.feed, source.message);
                (HybridTime::from_millis(source.event_time_ms).0, number + 1)
            }
        };
        Stamp { actor, seq, time: time.0, said, source, author }
    }

    /// The last sequence number of an actor; 0 if it has written nothing.
    pub(crate) fn last_seq(&self, actor: u32) -> u32 {
        self.actors.get(actor as usize).map_or(0, |actor| actor.last.0)
    }

    /// Everything that is here, as a clock.
    pub(crate) fn clock(&self) -> Clock {
        self.actors.iter().zip(0..).map(|(actor, number)| (number, actor.last.0)).collect()
    }

    pub(crate) fn source_number(&mut self, feed: &str, message: [u8; 16]) -> u32 {
        let feed = self.feeds.number(feed);
        let at = self.sources.iter().rposition(|&source| source == (feed, message));
        at.unwrap_or_else(|| {
            self.sources.push((feed, message));
            self.sources.len() - 1
        }) as u32
    }

    /// Display order of writes, the same at every site: time of the statement, then the message and
    /// its feed, or the actor and the sequence number.
    pub(crate) fn order(&self, sibling: &Sibling<'_>) -> DisplayOrder<'_> {
        self.stamp_order(sibling.change)
    }

    pub(crate) fn stamp_order(&self, change: ChangeNo) -> DisplayOrder<'_> {
        let Some(stamp) = self.stamps.get(change) else { return (0, [0; 16], 0, "") };
        let source = stamp.source.checked_sub(1).and_then(|s| self.sources.get(s as usize));
        match source {
            Some(&(feed, message)) => (stamp.said, message, 0, self.feeds.name(feed)),
            None => (stamp.said, self.actor(stamp.actor).0, stamp.seq, ""),
        }
    }

    /// Which message of which feed a change came from.
    pub(crate) fn source_of(&self, stamp: &Stamp) -> Option<Source> {
        let &(feed, message) = self.sources.get(stamp.source.checked_sub(1)? as usize)?;
        let event_time_ms = HybridTime(stamp.said).millis();
        Some(Source { feed: self.feeds.name(feed).into(), message, event_time_ms })
    }
}

/// Time, message or actor, sequence number, feed.
pub(crate) type DisplayOrder<'a> = (u64, [u8; 16], u32, &'a str);

//! What the numbers in a state stand for: actors, authors, feeds, messages and change stamps.

use crate::actor::{ActorId, ActorSecret};
use crate::state::{ChangeNo, Sibling, Stamp};

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

    pub(crate) fn name(&self, number: u32) -> &str {
        self.0.get(number as usize).map_or("", |name| name)
    }
}

/// The numbering of one replica of a record; not part of the state's canonical bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) actors: Vec<(ActorId, ActorSecret)>,
    pub(crate) authors: Names,
    pub(crate) feeds: Names,
    /// Feed number and message of each source.
    pub(crate) sources: Vec<(u32, [u8; 16])>,
    pub(crate) stamps: Vec<Stamp>,
}

impl Tables {
    pub(crate) fn actor(&self, number: u32) -> ActorId {
        self.actors.get(number as usize).map_or(ActorId([0; 16]), |(id, _)| *id)
    }

    pub(crate) fn actor_number(&self, id: ActorId) -> Option<u32> {
        self.actors.iter().position(|(have, _)| *have == id).map(|at| at as u32)
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
    pub(crate) fn order(&self, sibling: &Sibling) -> DisplayOrder<'_> {
        self.stamp_order(sibling.change)
    }

    pub(crate) fn stamp_order(&self, change: ChangeNo) -> DisplayOrder<'_> {
        let Some(stamp) = self.stamps.get(change as usize) else { return (0, [0; 16], 0, "") };
        let source = stamp.source.checked_sub(1).and_then(|s| self.sources.get(s as usize));
        match source {
            Some(&(feed, message)) => (stamp.said, message, 0, self.feeds.name(feed)),
            None => (stamp.said, self.actor(stamp.actor).0, stamp.seq, ""),
        }
    }
}

/// Time, message or actor, sequence number, feed.
pub(crate) type DisplayOrder<'a> = (u64, [u8; 16], u32, &'a str);

//! Actors: the single-threaded writers of changes, and the causal past they have seen.

use std::fmt;
use std::sync::Arc;

pub(crate) mod keys;

/// Identity of one writer within one record; 16 bytes that never repeat.
///
/// A person or node uses as many actors as it needs: an edit made at an old version gets a fresh
/// one, so that two such edits are concurrent although one node made both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub [u8; 16]);

/// The root of the keys under which an actor commits to the content of its changes; travels with
/// the content. When content is erased, what is left of the root derives all keys but those.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ActorSecret(pub [u8; 32]);

/// Hands out fresh actors. The merge layer reads no random source itself.
pub trait ActorSource {
    /// A new identity and its secret; neither may ever have been handed out before.
    fn fresh(&mut self) -> (ActorId, ActorSecret);
}

impl<F: FnMut() -> (ActorId, ActorSecret)> ActorSource for F {
    fn fresh(&mut self) -> (ActorId, ActorSecret) {
        self()
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ActorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActorSecret(..)")
    }
}

/// Version vector: how many changes of each actor (by the record's own actor number) are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock(Vec<(u32, u32)>);

impl FromIterator<(u32, u32)> for Clock {
    /// From pairs in ascending order of actors.
    fn from_iter<I: IntoIterator<Item = (u32, u32)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Clock {
    /// Actors and sequence numbers, by actor.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (u32, u32)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn seq(&self, actor: u32) -> u32 {
        match self.0.binary_search_by_key(&actor, |&(a, _)| a) {
            Ok(at) => self.0.get(at).map_or(0, |&(_, seq)| seq),
            Err(_) => 0,
        }
    }

    pub(crate) fn covers(&self, actor: u32, seq: u32) -> bool {
        self.seq(actor) >= seq
    }

    pub(crate) fn raise(&mut self, actor: u32, seq: u32) {
        if seq == 0 {
            return;
        }
        match self.0.binary_search_by_key(&actor, |&(a, _)| a) {
            Ok(at) => {
                if let Some(slot) = self.0.get_mut(at) {
                    slot.1 = slot.1.max(seq);
                }
            }
            Err(at) => self.0.insert(at, (actor, seq)),
        }
    }

    pub(crate) fn join(&mut self, other: &Clock) {
        for &(actor, seq) in &other.0 {
            self.raise(actor, seq);
        }
    }
}

/// The past of a change: its actor's earlier changes, and what they and the other dependencies had
/// seen. Changes of one actor that depend on nothing else share the second part.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) actor: u32,
    /// The actor's changes up to this one; 0 for none.
    pub(crate) seq: u32,
    /// What it says of the actor itself does not count.
    pub(crate) others: Arc<Clock>,
}

impl Past {
    pub(crate) fn covers(&self, actor: u32, seq: u32) -> bool {
        if actor == self.actor { self.seq >= seq } else { self.others.covers(actor, seq) }
    }

    /// This past and the change itself.
    pub(crate) fn with(&self, actor: u32, seq: u32) -> Clock {
        let mut clock = Clock::clone(&self.others);
        clock.raise(self.actor, self.seq);
        clock.raise(actor, seq);
        clock
    }
}

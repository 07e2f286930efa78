//! Records that are not tried for a while, because a run was not taken.

use std::collections::BTreeMap;

/// Most records of which a refusal is remembered.
pub const MAX_REFUSED: usize = 4096;
/// How long a record rests after the first refusal, in milliseconds; twice as long after each.
pub const REFUSED_MS: u64 = 60_000;
/// How long it rests at most, in milliseconds.
pub const MAX_REFUSED_MS: u64 = 3_600_000;
/// How long a record rests that could not be taken for the moment, in milliseconds.
pub const BUSY_MS: u64 = 1_000;

/// What rests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resting {
    /// A record whose runs are not taken here.
    Record(Box<str>),
    /// An entry of the peer that stands for such a record.
    Entry(u64),
    /// A record whose runs the peer does not take.
    Gift(Box<str>),
}

/// What rests, since when and for how long.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    by_key: BTreeMap<Resting, (u64, u64)>,
}

impl Refusals {
    /// One more refusal; gives for how long it rests now.
    pub(super) fn add(&mut self, key: Resting, first_ms: u64, now_ms: u64) -> u64 {
        let rest = self
            .by_key
            .get(&key)
            .map_or(first_ms, |(_, rest)| (rest * 2).clamp(first_ms, MAX_REFUSED_MS));
        if self.by_key.len() >= MAX_REFUSED && !self.by_key.contains_key(&key) {
            // The one that has rested longest is tried again.
            let oldest = self.by_key.iter().max_by_key(|(_, (since, _))| now_ms.abs_diff(*since));
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.by_key.remove(&oldest);
            }
        }
        self.by_key.insert(key, (now_ms, rest));
        rest
    }

    pub(super) fn rests(&self, key: &Resting, now_ms: u64) -> bool {
        self.by_key.get(key).is_some_and(|(since, rest)| now_ms.abs_diff(*since) < *rest)
    }

    pub(super) fn remove(&mut self, key: &Resting) {
        self.by_key.remove(key);
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

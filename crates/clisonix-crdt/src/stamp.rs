//! Stamps: who wrote a change and when, for as long as one of its writes is live.

use crate::state::ChangeNo;

/// What the state must know of a change while one of its writes is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) actor: u32,
    pub(crate) seq: u32,
    /// Hybrid time of the change.
    pub(crate) time: u64,
    /// Hybrid time of the statement: the source's event time if there is one, else the change's.
    pub(crate) said: u64,
    /// Source number + 1; 0 for an edit that came from no feed.
    pub(crate) source: u32,
    pub(crate) author: u32,
}

/// Changes mostly come several at a time; growing in smaller steps would move all stamps each time.
const LEAST_GROWTH: usize = 8;

/// Stamps by change, ascending; not every change has one, but every change that the state names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamps(Vec<(ChangeNo, Stamp)>);

impl Stamps {
    pub(crate) fn get(&self, change: ChangeNo) -> Option<&Stamp> {
        // Where no change is left out the number is the index.
        match self.0.get(change as usize) {
            Some((at, stamp)) if *at == change => Some(stamp),
            _ => {
                let at = self.0.binary_search_by_key(&change, |&(at, _)| at).ok()?;
                self.0.get(at).map(|(_, stamp)| stamp)
            }
        }
    }

    /// Adds the stamp of a change later than all others.
    pub(crate) fn push(&mut self, change: ChangeNo, stamp: Stamp) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve(LEAST_GROWTH);
        }
        self.0.push((change, stamp));
    }

    /// Puts the stamp of a change later than all others in the place of the last one, which nothing
    /// names any more.
    pub(crate) fn replace_last(&mut self, change: ChangeNo, stamp: Stamp) {
        self.0.pop();
        self.0.push((change, stamp));
    }

    /// Gives back memory that was kept for more.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ChangeNo, &Stamp)> {
        self.0.iter().map(|(change, stamp)| (*change, stamp))
    }

    pub(crate) fn changes(&self) -> Vec<ChangeNo> {
        self.0.iter().map(|&(change, _)| change).collect()
    }
}

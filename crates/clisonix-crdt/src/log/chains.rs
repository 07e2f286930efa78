//! Where in the log the changes of each actor stand.

use std::collections::BTreeMap;

use crate::stamp::Stamp;
use crate::state::ChangeNo;

/// By actor, ascending: the sequence number and the number here of changes from which on both go up
/// together.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains(BTreeMap<u32, Vec<(u32, ChangeNo)>>);

impl Chains {
    /// Adds the actor's next change.
    pub(super) fn add(&mut self, stamp: &Stamp, number: ChangeNo) {
        let chain = self.0.entry(stamp.actor).or_default();
        let follows = chain.last().is_some_and(|&(seq, start)| number - start == stamp.seq - seq);
        if !follows {
            chain.push((stamp.seq, number));
        }
    }

    /// Adds the later changes of all actors.
    pub(super) fn append(&mut self, later: Self) {
        for (actor, mut chain) in later.0 {
            self.0.entry(actor).or_default().append(&mut chain);
        }
    }

    /// The sequence number of the actor's first change here.
    pub(super) fn first(&self, actor: u32) -> Option<u32> {
        Some(self.0.get(&actor)?.first()?.0)
    }

    /// The number of a change, which is not after the actor's last one; `None` if it is before the
    /// first one here.
    pub(super) fn find(&self, actor: u32, seq: u32) -> Option<ChangeNo> {
        let chain = self.0.get(&actor)?;
        let at = chain.partition_point(|&(first, _)| first <= seq);
        let (first, start) = *chain.get(at.checked_sub(1)?)?;
        Some(start + (seq - first))
    }
}

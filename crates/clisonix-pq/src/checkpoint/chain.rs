//! What a reader knows of one chain: how far it is provisional, how far final.

use super::statement::Standing;
use super::{ChainId, Id, Running, Span};

/// A place in a chain: after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The number of the change, 0 before the first.
    pub seq: u64,
    /// The running hash there.
    pub hash: Running,
}

/// A chain as far as its author's signatures reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Up to here it is signed for good.
    pub confirmed: Mark,
    /// Up to here it is signed provisionally; never before `confirmed`.
    pub signed: Mark,
}

/// What a span added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing: it was said before.
    Known,
    /// More of the chain is provisional, or final, than before.
    New,
}

/// Why a span does not follow from what is known of its chain. Its author, or who brought it, is
/// not to be trusted with it; the chain is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// There are changes between what was signed before and this span that nobody signed: a
    /// statement is missing, or they come out of order.
    #[error("the changes from number {0} on are not signed")]
    Gap(u64),
    /// The statement speaks of a change that did not come: the run was cut.
    #[error("change {0} is missing")]
    Missing(u64),
    /// The changes are not those that were signed: changed, exchanged or put in another order.
    #[error("the changes up to number {0} are not those that were signed")]
    Forged(u64),
    /// The author has signed two histories: another one was signed before, at the latest at this
    /// number.
    #[error("the author has signed two histories, different at number {0} at the latest")]
    Equivocation(u64),
}

impl Chain {
    /// A chain of which nothing is known.
    pub fn new(id: &ChainId) -> Self {
        let start = Mark { seq: 0, hash: Running::start(id) };
        Self { confirmed: start, signed: start }
    }

    /// Takes a span of a verified statement. `ids` gives the ids of the chain's changes that are
    /// here, or have just come, by their numbers.
    pub fn take(
        &mut self,
        id: &ChainId,
        standing: Standing,
        span: &Span,
        ids: &dyn Fn(u64) -> Option<Id>,
    ) -> Result<Taken, ChainError> {
        let before = span.first - 1;
        if before > self.signed.seq {
            return Err(ChainError::Gap(self.signed.seq + 1));
        }
        // The latest known place that is not behind the span's beginning.
        let start = Mark { seq: 0, hash: Running::start(id) };
        let known = [self.signed, self.confirmed, start];
        let from = known.into_iter().find(|mark| mark.seq <= before).unwrap_or(start);
        let at = walk(from, before, ids)?;
        if at != span.before {
            return Err(ChainError::Equivocation(before));
        }
        let after = walk(Mark { seq: before, hash: at }, span.last, ids)?;
        if after != span.after {
            // What is signed here already was signed by the same author.
            let is_signed = span.last <= self.signed.seq;
            let (told, forged) = (ChainError::Equivocation, ChainError::Forged);
            return Err(if is_signed { told(span.last) } else { forged(span.last) });
        }
        let reached = Mark { seq: span.last, hash: after };
        let was = *self;
        if reached.seq > self.signed.seq {
            self.signed = reached;
        }
        // A checkpoint further on makes nothing final before it that is not under one.
        let joins = standing.is_final() && before <= self.confirmed.seq;
        if joins && reached.seq > self.confirmed.seq {
            self.confirmed = reached;
        }
        Ok(if *self == was { Taken::Known } else { Taken::New })
    }
}

/// The running hash after change `to`, walked from a mark.
fn walk(from: Mark, to: u64, ids: &dyn Fn(u64) -> Option<Id>) -> Result<Running, ChainError> {
    (from.seq + 1..=to)
        .try_fold(from.hash, |hash, seq| Ok(hash.with(&ids(seq).ok_or(ChainError::Missing(seq))?)))
}

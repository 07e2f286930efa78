//! Why signed changes were refused.

use clisonix_crdt::{ActorId, RefusalReason};
use clisonix_pq::checkpoint::{ChainError, StatementError};
use thiserror::Error;

/// Why signed changes were refused; nothing of them was applied.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignedError {
    /// A statement is not to be believed.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// More than [`MAX_STATEMENTS`](super::MAX_STATEMENTS).
    #[error("too many statements")]
    TooManyStatements,
    /// Changes depend on others that are neither here nor among them.
    #[error("the changes are not complete: some depend on others that did not come")]
    Incomplete,
    /// The record refuses a change.
    #[error("change {seq} of actor {actor:?} cannot be applied: {reason}")]
    Refused {
        /// Its actor.
        actor: ActorId,
        /// Its number.
        seq: u32,
        /// Why.
        reason: RefusalReason,
    },
    /// Nobody has signed a change.
    #[error("change {seq} of actor {actor:?} is not signed")]
    Unsigned {
        /// Its actor.
        actor: ActorId,
        /// Its number.
        seq: u64,
    },
    /// What is signed does not follow from the changes, or not from what was signed before.
    #[error("of actor {actor:?}: {error}")]
    Chain {
        /// The actor.
        actor: ActorId,
        /// What is wrong.
        error: ChainError,
    },
    /// There are two changes with one actor and number. With a proof that is its author's doing;
    /// without one it may as well be a forgery of who brought it.
    #[error("there are two changes of actor {actor:?} with number {seq} or before")]
    Equivocation {
        /// The actor.
        actor: ActorId,
        /// The number at which the two histories differ at the latest.
        seq: u64,
        /// The proof for third parties, as far as what is here proves it; else hold the evidence of
        /// both nodes against each other ([`Node::evidence`](crate::Node::evidence)).
        proof: Option<Vec<u8>>,
    },
    /// The actor's author is known to equivocate in it.
    #[error("actor {0:?} has two histories; no more of it is taken in")]
    Equivocator(ActorId),
    /// The node signs nothing.
    #[error("this node has no author")]
    NoAuthor,
}

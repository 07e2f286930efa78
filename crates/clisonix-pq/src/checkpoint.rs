//! Who made what: statements of authors about chains of changes, cheap at once and strong a little
//! later.
//!
//! A *chain* is the work of one writer: changes numbered from 1 without gaps, each of which has an
//! id of 32 bytes that commits to it. This crate knows nothing else of a change. The id of a chain
//! is computed from its author's fingerprint and a nonce, so that nobody can speak of the chain of
//! another author.
//!
//! An [`Author`] signs [`Span`]s of chains: *provisionally* with an Ed25519 key of its own for such
//! statements, in 64 bytes and microseconds; and, for many changes together, *finally* with the
//! identity's own signature: a checkpoint. A reader keeps a [`Chain`] for each, which tells what is
//! provisional and what is final, and refuses what does not follow from what was signed before. Two
//! statements of an author that contradict each other are an [`Equivocation`], a proof for third
//! parties. Normative: `docs/formats/checkpoint.md`.

mod author;
mod chain;
mod equivocation;
mod statement;

use crate::digest::{Sha256, sha256};
use crate::fingerprint::Fingerprint;

pub use self::author::{Author, Authors, KnownAuthor, LiveKey, MAX_AUTHORS};
pub use self::chain::{Chain, ChainError, Mark, Taken};
pub use self::equivocation::{Equivocation, EquivocationError, Evidence};
pub use self::statement::{
    MAX_LIVE_SPANS, MAX_SPAN_CHANGES, MAX_SPANS, Standing, Statement, StatementError,
};

/// After this many changes a checkpoint is due.
pub const CHECKPOINT_CHANGES: u64 = 64;

/// After this much time since the oldest change without one a checkpoint is due, in milliseconds.
pub const CHECKPOINT_MS: u64 = 2_000;

/// The id of a chain.
pub type ChainId = [u8; 16];

/// The id of a change.
pub type Id = [u8; 32];

/// The id of an author's chain with this nonce.
pub fn chain_id(author: Fingerprint, nonce: &[u8; 16]) -> ChainId {
    let digest = sha256(&[CHAIN, &author.to_bytes(), nonce].concat());
    let (id, _) = digest.split_first_chunk().unwrap_or_else(|| unreachable!("32 bytes"));
    *id
}

/// The running hash of a chain: over the ids of all its changes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running(pub(crate) [u8; 32]);

impl Running {
    /// Of a chain without changes.
    pub fn start(chain: &ChainId) -> Self {
        Self(sha256(&[RUNNING, chain].concat()))
    }

    /// After one more change.
    #[must_use]
    pub fn with(self, id: &Id) -> Self {
        Self(Sha256::new().with(&self.0).with(id).finish())
    }

    /// The hash, for formats.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// A hash that a format holds.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Changes of one chain that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What the chain's id is made of, beside its author.
    pub nonce: [u8; 16],
    /// Number of the first change, from 1.
    pub first: u64,
    /// Number of the last change.
    pub last: u64,
    /// The running hash before the first.
    pub before: Running,
    /// The running hash after the last.
    pub after: Running,
}

const CHAIN: &[u8] = b"clisonix chain 1\0";
const RUNNING: &[u8] = b"clisonix running hash 1\0";

#[cfg(test)]
mod tests;

//! What a session is told.

use std::fmt;

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::receipt::Cursor;
use crate::replica::{NodeId, Replica, Scope, Signer};

/// What a session is told at its start.
#[derive(Clone)]
pub struct Settings {
    /// This node.
    pub node: NodeId,
    /// The other one.
    pub peer: NodeId,
    /// What only the two know; entries are hashed under it.
    pub secret: [u8; 16],
    /// The epoch to begin with: the last [`Output::Epoch`], or [`epoch_at`] at first. The higher one
    /// of the two holds.
    pub epoch: u64,
    /// This node's store. Never 0, and another one after every restore or copy.
    pub incarnation: u64,
    /// Where this node stood last in the peer's arrivals ([`Output::Seen`]).
    pub seen: Cursor,
    /// A random number: an earlier run's questions and sets are told from this one's by it.
    pub first_question: u64,
}

/// The node that a session works for.
pub struct Site<'a> {
    /// Its records.
    pub replica: &'a mut dyn Replica,
    /// Their names and versions, shared by all sessions of the node.
    pub catalogue: &'a mut Catalogue,
    /// What the peer may hold.
    pub scope: &'a dyn Scope,
    /// Its signatures.
    pub signer: &'a dyn Signer,
    /// Its clock for receipts, shared by all sessions of the node. At the start it has seen the
    /// latest receipt that the node signed.
    pub clock: &'a mut Clock,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A way to the peer is open, for the first time or again. One of the two speaks first; if it
    /// does not, the other one does after a while.
    Open {
        /// Whether this node does. The one at whose end the way is open first saves half a round
        /// trip.
        is_first: bool,
    },
    /// A message came.
    Message(&'a [u8]),
    /// Messages came, one after the other: what they push is taken in together.
    Messages(&'a [&'a [u8]]),
    /// Changes arrived at this node; they may be pushed.
    Arrived,
    /// Time went by; wanted about four times a second while the way is open.
    Tick,
    /// The way to the peer is gone.
    Shut,
}

impl fmt::Debug for Settings {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("peer", &self.peer)
            .field("epoch", &self.epoch)
            .field("incarnation", &self.incarnation)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

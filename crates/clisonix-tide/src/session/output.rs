//! What a session wants done, and why it ends.

use crate::clock::Seen;
use crate::receipt::{Cursor, Receipt};
use crate::replica::Refusal;

/// What a session wants done. The order matters: what is to be kept is kept before what comes after
/// it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to the peer.
    Send(Vec<u8>),
    /// A record or notice has another version now; the catalogue and this session know. The node's
    /// other sessions are to be told ([`Session::record_changed`], then [`Input::Arrived`]).
    Changed {
        /// Its name.
        record: Box<str>,
    },
    /// Something of a record went to the peer: for the list of what was given.
    Given {
        /// Its name.
        record: Box<str>,
        /// Bytes of changes.
        size_bytes: usize,
    },
    /// The peer asked for a record, or was about to get it, that it may not hold any more.
    Withheld {
        /// Its name.
        record: Box<str>,
    },
    /// A run was not taken, here or at the peer. It is tried again later, less and less often.
    Refused {
        /// The record's name.
        record: Box<str>,
        /// Whether the peer refused it; else this node did.
        by_peer: bool,
        /// Why.
        reason: Refusal,
        /// How long it is not tried again, in milliseconds.
        pause_ms: u64,
    },
    /// Keep where this node stands in the peer's arrivals ([`Settings::seen`]).
    Seen(Cursor),
    /// Keep the epoch ([`Settings::epoch`]).
    Epoch(u64),
    /// The two hold the same: keep this node's receipt and its signature.
    Agreed(Receipt, Vec<u8>),
    /// Keep the peer's receipt, whose signature was verified. A time that is too far ahead is told.
    Receipt(Receipt, Vec<u8>, Seen),
    /// The connection is to be closed; nothing more is done until it is opened again.
    Closed(CloseReason),
}

/// Why a session was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// A message cannot be read: damaged, too large, or of a newer version.
    #[error("a message cannot be read")]
    Unreadable,
    /// The peer's symbols contradict each other, or what it says of its set.
    #[error("the peer's symbols contradict each other")]
    Contradiction,
    /// The peer changes the epoch too often, or by too much.
    #[error("the peer changes the epoch too often")]
    Epoch,
    /// A receipt names other nodes, or its signature is wrong.
    #[error("the peer's receipt is not valid")]
    Receipt,
    /// A list of entries is not in order or too long.
    #[error("the peer's list of entries is not valid")]
    List,
    /// An answer holds more than was asked for.
    #[error("the peer answers more than it was asked")]
    Excess,
    /// The peer was revoked.
    #[error("the peer was revoked")]
    Revoked,
    /// The peer closed the session; its reason as a number.
    #[error("the peer closed the session (reason {0})")]
    ByPeer(u8),
}

impl CloseReason {
    /// As it travels.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Unreadable => 1,
            Self::Contradiction => 2,
            Self::Epoch => 3,
            Self::Receipt => 4,
            Self::List => 5,
            Self::Excess => 6,
            Self::Revoked => 7,
            Self::ByPeer(number) => number,
        }
    }
}

//! The session between two nodes: what each message leads to.

use std::fmt;

use crate::catalogue::Catalogue;
use crate::clock::{Clock, Seen};
use crate::receipt::{Cursor, Receipt};
use crate::replica::{NodeId, Refusal, Replica, Scope, Signer};

/// One end of the replication with one peer. It outlives connections.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
}

/// What a session is told at its start.
#[derive(Clone)]
pub struct Settings {
    /// This node.
    pub node: NodeId,
    /// The other one.
    pub peer: NodeId,
    /// What only the two know; entries are hashed under it.
    pub secret: [u8; 16],
    /// The epoch to begin with ([`Output::Epoch`], 0 at first); the higher one of the two holds.
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
    /// A way to the peer is open, for the first time or again. The caller speaks first; if it does
    /// not, the other one does after a while.
    Open {
        /// Whether this node made the connection.
        is_caller: bool,
    },
    /// A message came.
    Message(&'a [u8]),
    /// Changes arrived at this node; they may be pushed.
    Arrived,
    /// Time went by; wanted about four times a second while the way is open.
    Tick,
    /// The way to the peer is gone.
    Shut,
}

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

/// How a session stands, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether a way to the peer is open.
    pub is_open: bool,
    /// Why it was closed last, if it was since it was opened.
    pub closed: Option<CloseReason>,
    /// When the two were last found to hold the same, in milliseconds since the Unix epoch.
    pub agreed_ms: Option<u64>,
    /// Whether nothing is known to differ since then.
    pub is_in_sync: bool,
    /// How many records and notices the peer may hold of this node's.
    pub count: u64,
    /// Arrivals here that the peer has not confirmed; `None` while its position is not known.
    pub behind: Option<u64>,
    /// Arrivals at the peer that are not here, as it last said.
    pub ahead: Option<u64>,
    /// Differing entries that the last comparison found.
    pub differing: u64,
    /// Records that are not tried for a while, because a run was refused here or there.
    pub refused: usize,
    /// Records that the peer says this node may not hold.
    pub outside: usize,
    /// This node's last receipt.
    pub receipt: Option<Receipt>,
    /// The peer's last receipt.
    pub peers_receipt: Option<Receipt>,
}

impl Session {
    /// A session about what is in the catalogue.
    pub fn new(settings: Settings, catalogue: &Catalogue, scope: &dyn Scope) -> Self {
        let _ = (catalogue, scope);
        Self { settings }
    }

    /// A record or notice has another version now in the catalogue; to be told for every write
    /// here and for every [`Output::Changed`] of another session. Telling it twice does no harm.
    pub fn record_changed(&mut self, record: &str, catalogue: &Catalogue, scope: &dyn Scope) {
        let _ = (record, catalogue, scope);
    }

    /// The peer may hold other records now than before; `Some` names the ones that may have
    /// changed. In force with the next message even if this is told late.
    pub fn scope_changed(
        &mut self,
        records: Option<&[&str]>,
        catalogue: &Catalogue,
        scope: &dyn Scope,
    ) {
        let _ = (records, catalogue, scope);
    }

    /// Takes one input; `now_ms` is the wall clock in milliseconds since the Unix epoch.
    pub fn handle(&mut self, input: Input<'_>, now_ms: u64, site: &mut Site<'_>) -> Vec<Output> {
        let _ = (input, now_ms, site);
        Vec::new()
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// The peer.
    pub fn peer(&self) -> NodeId {
        self.settings.peer
    }
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

//! What the engine asks of the node that it works for, beside its records.

use clisonix_node::consent::PeerRule;
use clisonix_node::{HybridTime, ScopeChange};
use clisonix_pq::Fingerprint;
use clisonix_pq::checkpoint::KnownAuthor;
use clisonix_pq::link::{About, Peer};
use clisonix_tide::{Cursor, Output, Replica, Scope, Version};

use crate::traffic::Fault;
use crate::transport::Known;

/// A peer that records are exchanged with.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its pinned keys.
    pub peer: Peer,
    /// As an author of changes.
    pub author: KnownAuthor,
    /// What it tells of itself.
    pub about: About,
    /// What it may hold.
    pub rule: PeerRule,
    /// When it was revoked here, in milliseconds since 1970-01-01T00:00:00Z: it may have no link
    /// since then, and what it signed later is not believed.
    pub revoked_ms: Option<u64>,
}

impl Member {
    /// What stands for it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.peer.fingerprint()
    }

    pub(crate) fn is_admitted(&self) -> bool {
        self.revoked_ms.is_none()
    }

    pub(crate) fn known(&self) -> Known {
        Known { peer: self.peer.clone(), addresses: self.about.addresses.clone() }
    }
}

/// What a node remembers of the exchange with one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Where it stood last in the peer's arrivals.
    pub seen: Cursor,
    /// The last epoch.
    pub epoch: u64,
    /// The time of the last receipt that the node signed to it.
    pub stamp: HybridTime,
}

/// Records that something arrived of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// All arrivals up to this one were looked at; there may be more.
    pub upto: u64,
    /// The records, with their versions now.
    pub records: Vec<(String, Option<Version>)>,
}

/// Why something could not be kept or read; nothing of it is content.
#[derive(Debug, thiserror::Error)]
#[error("the node: {0}")]
pub struct HomeError(pub String);

/// The node: its records, and what it keeps of the exchange. The engine is its only thread.
pub trait Home: Send {
    /// The records, for the session with one peer; made anew for each link.
    fn replica(&self, peer: Fingerprint) -> Box<dyn Replica + Send>;

    /// The store; never 0, and another number after every restore or copy.
    fn incarnation(&self) -> u64;

    /// Of which records something arrived after `after`.
    fn arrived_since(&self, after: u64) -> Result<News, HomeError>;

    /// These are the peers from now on.
    fn admit(&mut self, members: &[Member]) -> Result<(), HomeError>;

    /// What a peer may hold now.
    fn scope(&self, peer: Fingerprint) -> Box<dyn Scope>;

    /// Whether what peers may hold has changed since the last call, beside what follows from
    /// changed records.
    fn scope_change(&mut self) -> Result<Option<ScopeChange>, HomeError>;

    /// What is remembered of a peer.
    fn kept(&self, peer: Fingerprint) -> Result<Kept, HomeError>;

    /// Remembers what a session wants to be kept, durably.
    fn keep(&mut self, peer: Fingerprint, what: &Output) -> Result<(), HomeError>;

    /// Remembers what went wrong last with a peer.
    fn keep_fault(&mut self, peer: Fingerprint, fault: &Fault) -> Result<(), HomeError>;

    /// Called about four times a second: what is due is done, such as a checkpoint.
    fn tend(&mut self) -> Result<(), HomeError>;
}

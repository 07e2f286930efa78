//! How a session stands.

use super::{CloseReason, Session};
use crate::receipt::Receipt;
use crate::replica::Replica;

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
    /// Whether the peer's store once had fewer arrivals than it had said before, in the same
    /// incarnation: an older image of its disk was put back, or the machine was copied. What it
    /// lacks is found by comparing; the peer should get another incarnation.
    pub has_gone_back: bool,
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
    /// How it stands.
    pub fn status(&self, replica: &dyn Replica) -> Status {
        let seen = self.settings.seen;
        let is_known = seen.incarnation == self.peer_at.incarnation && seen.incarnation != 0;
        Status {
            is_open: self.way.is_open && self.closed.is_none(),
            closed: self.closed,
            agreed_ms: self.agreed_ms,
            is_in_sync: self.is_in_sync && !self.is_looking(),
            count: self.roster.count(),
            behind: self.feed.behind(replica.arrival()),
            ahead: is_known.then(|| self.peer_at.arrival.saturating_sub(seen.arrival)),
            has_gone_back: self.has_gone_back,
            differing: self.differing,
            refused: self.refusals.len(),
            outside: self.roster.outside_count(),
            receipt: self.agreement.own(),
            peers_receipt: self.agreement.peers(),
        }
    }
}

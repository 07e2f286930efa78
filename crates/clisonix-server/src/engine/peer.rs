//! One peer as the engine sees it: its session, which outlives links, and its link.

use std::sync::Arc;

use clisonix_pq::link::About;
use clisonix_tide::{Replica, Session};

use crate::line::Line;

/// The kind of a message with the pair's secret: 16 bytes, from the node with the smaller
/// fingerprint, before anything else.
pub(super) const PAIR: u8 = 0;
/// The kind of a session's message.
pub(super) const SESSION: u8 = 1;

/// A peer.
#[derive(Default)]
pub(super) struct Tended {
    pub(super) about: About,
    pub(super) session: Option<Session>,
    /// The records as this link's session sees them.
    pub(super) replica: Option<Box<dyn Replica + Send>>,
    /// What the session's entries are hashed under.
    pub(super) secret: [u8; 16],
    pub(super) line: Option<Arc<Line>>,
}

impl Tended {
    /// Whether this is the peer's link now.
    pub(super) fn is_of(&self, line: &Line) -> bool {
        self.line.as_ref().is_some_and(|own| own.number() == line.number())
    }
}

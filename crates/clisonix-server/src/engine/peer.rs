//! One peer as the engine sees it: its session, which outlives links, and its link.

use std::sync::Arc;

use clisonix_pq::link::About;
use clisonix_tide::{Replica, Session};

use super::mail::Mail;
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
    /// Whether the pair's secret was said over the link.
    pub(super) is_begun: bool,
    /// What came over the link while its session looks at the records, and is not open yet; as much
    /// as a link may have waiting. `None` if it does not wait for that.
    pub(super) waiting: Option<Vec<Mail>>,
}

impl Tended {
    /// Takes a link, or none, in place of the one before and of what came over that.
    pub(super) fn link(&mut self, line: Option<Arc<Line>>) {
        (self.line, self.waiting, self.is_begun) = (line, None, false);
    }

    /// Whether it has a link, and records to look at for it.
    pub(super) fn is_looking(&self) -> bool {
        self.line.is_some() && self.session.as_ref().is_some_and(Session::is_looking)
    }

    /// Whether this is the peer's link now.
    pub(super) fn is_of(&self, line: &Line) -> bool {
        self.line.as_ref().is_some_and(|own| own.number() == line.number())
    }
}

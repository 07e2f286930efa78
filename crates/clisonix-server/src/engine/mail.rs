//! Messages of one link that wait for the engine.

use std::sync::Arc;

use super::peer::SESSION;
use crate::credit::Credit;
use crate::line::Line;

/// A message of a link, or several of its session that came one after the other.
pub(super) struct Mail {
    line: Arc<Line>,
    messages: Vec<Vec<u8>>,
    /// Let go when all of them were dealt with.
    credits: Vec<Credit>,
}

impl Mail {
    pub(super) fn new(line: Arc<Line>, message: Vec<u8>, credit: Credit) -> Self {
        Self { line, messages: vec![message], credits: vec![credit] }
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// The kind of the messages; `None` if it is an empty one.
    pub(super) fn kind(&self) -> Option<u8> {
        self.messages.first()?.first().copied()
    }

    /// Whether both are messages of the same link's session.
    pub(super) fn goes_on_with(&self, next: &Self) -> bool {
        let are_of_session = [self, next].iter().all(|mail| mail.kind() == Some(SESSION));
        are_of_session && self.line.number() == next.line.number()
    }

    /// Adds messages that came later.
    pub(super) fn add(&mut self, mut next: Self) {
        self.messages.append(&mut next.messages);
        self.credits.append(&mut next.credits);
    }

    /// The messages in their order, without their kind.
    pub(super) fn messages(&self) -> Vec<&[u8]> {
        self.messages.iter().filter_map(|message| message.get(1..)).collect()
    }
}

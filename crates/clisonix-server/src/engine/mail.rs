//! Messages of one link that wait for the engine.

use std::sync::Arc;

use super::peer::SESSION;
use crate::credit::Credit;
use crate::line::Line;

/// Messages of one link that came one after the other.
pub(super) struct Mail {
    line: Arc<Line>,
    messages: Vec<Vec<u8>>,
    /// Let go when all of them were dealt with.
    credits: Vec<Credit>,
}

/// What is dealt with at once.
pub(super) enum Mailed<'a> {
    /// Messages of the session that follow each other.
    OfSession(Vec<&'a [u8]>),
    /// A message of another kind, with the kind; 255 and nothing of an empty one.
    Other(u8, &'a [u8]),
}

impl Mail {
    pub(super) fn new(line: Arc<Line>, message: Vec<u8>, credit: Credit) -> Self {
        Self { line, messages: vec![message], credits: vec![credit] }
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Whether other messages came over the same link.
    pub(super) fn is_of_line_of(&self, other: &Self) -> bool {
        self.line.number() == other.line.number()
    }

    /// Adds messages that came later.
    pub(super) fn add(&mut self, mut next: Self) {
        self.messages.append(&mut next.messages);
        self.credits.append(&mut next.credits);
    }

    /// The messages in their order.
    pub(super) fn runs(&self) -> Vec<Mailed<'_>> {
        let mut runs = Vec::new();
        for message in &self.messages {
            match (message.split_first(), runs.last_mut()) {
                (Some((&SESSION, rest)), Some(Mailed::OfSession(run))) => run.push(rest),
                (Some((&SESSION, rest)), _) => runs.push(Mailed::OfSession(vec![rest])),
                (Some((kind, rest)), _) => runs.push(Mailed::Other(*kind, rest)),
                (None, _) => runs.push(Mailed::Other(u8::MAX, &[])),
            }
        }
        runs
    }
}

//! The log of one text: who did what having seen what, three columns over the same events.

use std::ops::Range;

use super::agents::Agents;
use super::graph::{Event, Graph};
use super::operations::{Operations, Piece};

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) agents: Agents,
    pub(super) graph: Graph,
    pub(super) operations: Operations,
}

/// How long a history was, to take back what was added since.
#[derive(Debug)]
pub(super) struct Bookmark {
    pub(super) len: Event,
    agents: usize,
    heads: Vec<Event>,
}

impl History {
    pub(super) fn len(&self) -> Event {
        self.graph.len()
    }

    pub(super) fn bookmark(&self) -> Bookmark {
        Bookmark {
            len: self.len(),
            agents: self.agents.count(),
            heads: self.graph.heads().to_vec(),
        }
    }

    pub(super) fn go_back(&mut self, to: Bookmark) {
        self.agents.truncate(to.len);
        self.agents.forget(to.agents);
        self.graph.truncate(to.len, to.heads);
        self.operations.truncate(to.len);
    }

    pub(super) fn pieces(&self, range: Range<Event>) -> impl Iterator<Item = Piece<'_>> {
        self.operations.pieces(range)
    }
}

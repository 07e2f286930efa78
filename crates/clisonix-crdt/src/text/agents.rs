//! Who made which event: each agent's events are numbered from zero, and kept as runs.

use std::cmp::Ordering;

use crate::ActorId;

use super::graph::Event;
use super::{EventId, MAX_AGENTS, TextError};

/// Events of one agent with consecutive numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    start: Event,
    agent: u32,
    seq: u32,
}

#[derive(Clone, Debug)]
struct Agent {
    id: ActorId,
    /// (first seq, first event) of each run.
    runs: Vec<(u32, Event)>,
    next: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Agents {
    known: Vec<Agent>,
    /// Indexes of `known` in the order of their ids.
    sorted: Vec<u32>,
    runs: Vec<Run>,
    len: Event,
}

impl Agents {
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    pub(super) fn name(&self, agent: u32) -> ActorId {
        self.known.get(agent as usize).map_or(ActorId([0; 16]), |agent| agent.id)
    }

    pub(super) fn find(&self, id: ActorId) -> Option<u32> {
        // The last writer usually writes again.
        if let Some(run) = self.runs.last()
            && self.name(run.agent) == id
        {
            return Some(run.agent);
        }
        let at = self.sorted.binary_search_by(|&agent| self.name(agent).cmp(&id)).ok()?;
        self.sorted.get(at).copied()
    }

    pub(super) fn intern(&mut self, id: ActorId) -> Result<u32, TextError> {
        if let Some(agent) = self.find(id) {
            return Ok(agent);
        }
        if self.known.len() >= MAX_AGENTS {
            return Err(TextError::Limit("the number of agents"));
        }
        let agent = self.known.len() as u32;
        let at = self.sorted.partition_point(|&other| self.name(other) < id);
        self.known.push(Agent { id, runs: Vec::new(), next: 0 });
        self.sorted.insert(at, agent);
        Ok(agent)
    }

    /// The number of the agent's next event.
    pub(super) fn next_seq(&self, agent: u32) -> u32 {
        self.known.get(agent as usize).map_or(0, |agent| agent.next)
    }

    /// Appends `count` events of the agent that wrote last; the first one's number, or `None` if that
    /// is another agent.
    pub(super) fn go_on(&mut self, id: ActorId, count: u32) -> Option<u32> {
        let agent = self.known.get_mut(self.runs.last()?.agent as usize)?;
        if agent.id != id {
            return None;
        }
        let seq = agent.next;
        agent.next += count;
        self.len += count;
        Some(seq)
    }

    /// Appends `count` events of one agent.
    pub(super) fn push(&mut self, agent: u32, count: u32) {
        let Some(entry) = self.known.get_mut(agent as usize) else { return };
        let (start, seq) = (self.len, entry.next);
        let follows = self.runs.last().is_some_and(|run| run.agent == agent);
        if !follows {
            self.runs.push(Run { start, agent, seq });
            entry.runs.push((seq, start));
        }
        entry.next += count;
        self.len += count;
    }

    pub(super) fn truncate(&mut self, len: Event) {
        while let Some(run) = self.runs.last().copied().filter(|_| self.len > len) {
            let keep = len.max(run.start);
            if let Some(agent) = self.known.get_mut(run.agent as usize) {
                agent.next = run.seq + (keep - run.start);
                if keep == run.start {
                    agent.runs.pop();
                }
            }
            if keep == run.start {
                self.runs.pop();
            }
            self.len = keep;
        }
    }

    /// Forgets agents without events; called after `truncate`.
    pub(super) fn forget(&mut self, count: usize) {
        self.known.truncate(count);
        self.sorted.retain(|&agent| (agent as usize) < count);
    }

    pub(super) fn event(&self, id: EventId) -> Option<Event> {
        self.event_of(self.find(id.agent)?, id.seq)
    }

    pub(super) fn event_of(&self, agent: u32, seq: u32) -> Option<Event> {
        let agent = self.known.get(agent as usize).filter(|agent| seq < agent.next)?;
        let at = match agent.runs.last() {
            Some(last) if last.0 <= seq => agent.runs.len(),
            _ => agent.runs.partition_point(|run| run.0 <= seq),
        };
        let (first, start) = *agent.runs.get(at.checked_sub(1)?)?;
        Some(start + (seq - first))
    }

    /// The agent's index, the seq of `event`, and where the agent's run of events ends.
    pub(super) fn author(&self, event: Event) -> (u32, u32, Event) {
        let at = self.runs.partition_point(|run| run.start <= event);
        let end = self.runs.get(at).map_or(self.len, |run| run.start);
        let run = at.checked_sub(1).and_then(|at| self.runs.get(at)).copied().unwrap_or_default();
        (run.agent, run.seq + (event - run.start), end)
    }

    pub(super) fn id(&self, event: Event) -> EventId {
        let (agent, seq, _) = self.author(event);
        EventId { agent: self.name(agent), seq }
    }

    /// The order of two concurrent events, the same at every replica.
    pub(super) fn order(&self, left: Event, right: Event) -> Ordering {
        self.id(left).cmp(&self.id(right))
    }

    pub(super) fn len(&self) -> Event {
        self.len
    }
}

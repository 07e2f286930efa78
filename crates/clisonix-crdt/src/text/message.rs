//! The bytes in which events travel: parts with their parents, then one column of operations.

use std::ops::Range;

use crate::ActorId;
use crate::wire::{DecodeError, Reader, put_u64};

use super::graph::Event;
use super::history::History;
use super::operations::Operations;
use super::{EventId, MAX_AGENTS, MAX_EVENTS, MAX_MESSAGE_BYTES};

/// The message format's version, its first byte.
pub(super) const MESSAGE_VERSION: u8 = 1;

/// Consecutive events of one agent that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) agent: ActorId,
    pub(super) seq: u32,
    /// Where its events are in the message's operations.
    pub(super) start: Event,
    pub(super) count: u32,
    /// Where the first event's parents are in the message's list of them.
    parents: Range<usize>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) parts: Vec<Part>,
    parents: Vec<EventId>,
    pub(super) operations: Operations,
}

impl Message {
    pub(super) fn parents(&self, part: &Part) -> &[EventId] {
        self.parents.get(part.parents.clone()).unwrap_or_default()
    }

    pub(super) fn push(&mut self, first: EventId, count: u32, parents: &[EventId]) {
        let from = self.parents.len();
        self.parents.extend_from_slice(parents);
        let start = self.parts.last().map_or(0, |part| part.start + part.count);
        let EventId { agent, seq } = first;
        self.parts.push(Part { agent, seq, start, count, parents: from..self.parents.len() });
    }

    /// The events of `ranges`, ascending.
    pub(super) fn of(history: &History, ranges: impl Iterator<Item = Range<Event>>) -> Self {
        let mut message = Self::default();
        let mut parents = Vec::new();
        for range in ranges {
            let mut at = range.start;
            while at < range.end {
                let stretch = history.graph.stretch(at, range.end);
                let (agent, seq, author_end) = history.agents.author(at);
                let end = stretch.end.min(author_end);
                let mut room = 0;
                parents.clear();
                let events = history.graph.parents(at, &mut room);
                parents.extend(events.iter().map(|&event| history.agents.id(event)));
                let agent = history.agents.name(agent);
                message.push(EventId { agent, seq }, end - at, &parents);
                at = end;
            }
            history.pieces(range).for_each(|piece| message.operations.push(piece));
        }
        message
    }

    /// One part on its own.
    pub(super) fn cut_out(&self, part: &Part) -> Self {
        let mut message = Self::default();
        let id = EventId { agent: part.agent, seq: part.seq };
        message.push(id, part.count, self.parents(part));
        let pieces = self.operations.pieces(part.start..part.start + part.count);
        pieces.for_each(|piece| message.operations.push(piece));
        message
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.operations.content().len());
        out.push(MESSAGE_VERSION);
        let mut agents: Vec<ActorId> = self.parts.iter().map(|part| part.agent).collect();
        agents.extend(self.parents.iter().map(|parent| parent.agent));
        agents.sort_unstable();
        agents.dedup();
        put_agents(&mut out, agents.iter().copied());
        let number = |agent| agents.binary_search(&agent).map_or(0, |at| at as u64);
        put_u64(&mut out, self.parts.len() as u64);
        let mut last = None;
        for part in &self.parts {
            put_u64(&mut out, number(part.agent));
            put_u64(&mut out, u64::from(part.seq));
            put_u64(&mut out, u64::from(part.count));
            put_u64(&mut out, part.parents.len() as u64);
            for &parent in self.parents(part) {
                if Some(parent) == last {
                    put_u64(&mut out, 0);
                } else {
                    put_u64(&mut out, number(parent.agent) + 1);
                    put_u64(&mut out, u64::from(parent.seq));
                }
            }
            last = Some(EventId { agent: part.agent, seq: part.seq + (part.count - 1) });
        }
        self.operations.encode(&mut out);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(DecodeError::Limit { what: "the message's length", at: 0 });
        }
        let mut reader = Reader::new(bytes);
        match reader.byte()? {
            MESSAGE_VERSION => {}
            newer => return Err(DecodeError::Version(newer)),
        }
        let agents = read_agents(&mut reader)?;
        let mut message = Self::default();
        let parts = reader.count("the number of parts")?;
        let mut last = None;
        let mut total = 0_u32;
        for _ in 0..parts {
            let agent = read_agent(&mut reader, &agents)?;
            let at = reader.at();
            let seq = reader.u32("an event's number")?;
            let count = reader.u32("the number of events")?;
            let end = seq.checked_add(count).filter(|&end| count > 0 && end <= MAX_EVENTS);
            total = total.saturating_add(count);
            if end.is_none() || total > MAX_EVENTS {
                return Err(DecodeError::Limit { what: "the number of events", at });
            }
            let from = message.parents.len();
            for _ in 0..reader.count("the number of parents")? {
                let parent = read_parent(&mut reader, &agents, last)?;
                message.parents.push(parent);
            }
            let parents = from..message.parents.len();
            message.parts.push(Part { agent, seq, start: total - count, count, parents });
            last = Some(EventId { agent, seq: seq + (count - 1) });
        }
        message.operations = Operations::decode(&mut reader, total)?;
        reader.end()?;
        Ok(message)
    }
}

/// Two messages are the same when their bytes are.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
            && self.parents == other.parents
            && self.operations.equals(0, &other.operations, 0, self.operations.len())
    }
}

pub(super) fn read_agents(reader: &mut Reader<'_>) -> Result<Vec<ActorId>, DecodeError> {
    let at = reader.at();
    let count = reader.count("the number of agents")?;
    if count > MAX_AGENTS {
        return Err(DecodeError::Limit { what: "the number of agents", at });
    }
    (0..count).map(|_| Ok(ActorId(reader.array()?))).collect()
}

fn read_agent(reader: &mut Reader<'_>, agents: &[ActorId]) -> Result<ActorId, DecodeError> {
    let at = reader.at();
    let number = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
    agents.get(number).copied().ok_or(DecodeError::Meaningless { what: "agent", at })
}

fn read_parent(
    reader: &mut Reader<'_>,
    agents: &[ActorId],
    last: Option<EventId>,
) -> Result<EventId, DecodeError> {
    let at = reader.at();
    let wrong = DecodeError::Meaningless { what: "parent", at };
    let Some(number) = reader.u64()?.checked_sub(1) else { return last.ok_or(wrong) };
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let agent = agents.get(number).copied().ok_or(wrong)?;
    Ok(EventId { agent, seq: reader.u32("an event's number")? })
}

/// Appends the ids of agents.
pub(super) fn put_agents(out: &mut Vec<u8>, agents: impl ExactSizeIterator<Item = ActorId>) {
    put_u64(out, agents.len() as u64);
    agents.for_each(|agent| out.extend_from_slice(&agent.0));
}

//! Text that several people write at once: a sequence in which concurrent edits merge.
//!
//! A [`Text`] keeps the log of all events (one event inserts or deletes one character) and the
//! plain current text beside it. Reading, loading and editing locally never look at the log;
//! merging looks only at the part of it that is concurrent with what arrives. Replicas that have
//! the same events have the same text, in whatever order and however often the events came.
//!
//! Positions and lengths count Unicode scalar values (`char`), not bytes and not what a reader sees
//! as one character. No clock and no random source is read: agents are handed in, and an agent must
//! write at one replica only.

mod agents;
mod graph;
mod history;
mod merge;
mod message;
mod operations;
mod rope;
mod storage;
mod undoing;
mod waiting;
mod weave;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use thiserror::Error;

use crate::{ActorId, DecodeError};

use agents::Agents;
use graph::Event;
use history::{Bookmark, History};
use merge::{Edit, Merge, Misplaced, transform};
use message::{Message, Part};
use operations::{Kind, Operations, Piece, chars_of};
use rope::Rope;
use waiting::Waiting;

/// Events in one text, and with it characters: 16,777,216.
pub const MAX_EVENTS: u32 = 1 << 24;
/// Characters that a local edit may bring the text to: 8,388,608.
pub const MAX_TEXT_CHARS: u32 = 1 << 23;
/// Agents that have written in one text.
pub const MAX_AGENTS: usize = 1 << 16;
/// Events that may wait for an event they have seen.
pub const MAX_WAITING_EVENTS: u32 = 1 << 20;
/// Bytes of one message.
pub const MAX_MESSAGE_BYTES: usize = 1 << 28;

/// A merge that is this many events behind is not kept.
const MAX_BEHIND: u32 = 1024;

/// One event: the `seq`-th of its agent, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// Who made it.
    pub agent: ActorId,
    /// Its number among the agent's events.
    pub seq: u32,
}

/// Consecutive events of one agent: what one edit made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRun {
    /// Who made them.
    pub agent: ActorId,
    /// The first one's number among the agent's events.
    pub seq: u32,
    /// How many.
    pub count: u32,
}

impl EventRun {
    /// The last event of the run; none if the edit changed nothing.
    pub fn last(&self) -> Option<EventId> {
        let seq = self.seq.checked_add(self.count.checked_sub(1)?)?;
        Some(EventId { agent: self.agent, seq })
    }
}

/// A version of a text: the events that no other event of that version has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextVersion(Vec<EventId>);

impl TextVersion {
    /// The version that has these events and all that they have seen.
    pub fn new(mut heads: Vec<EventId>) -> Self {
        heads.sort_unstable();
        heads.dedup();
        Self(heads)
    }

    /// The heads, in the order of their ids.
    pub fn heads(&self) -> &[EventId] {
        &self.0
    }
}

/// What happened to the events of a received message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Events that are in the text now and were not before, with those that had waited for them.
    pub applied: u32,
    /// Events that wait for others, in all.
    pub waiting: u32,
    /// Waiting events that turned out to be false when their turn came, and were dropped.
    pub refused: u32,
}

/// Who wrote part of the current text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authored {
    /// Positions in the current text.
    pub range: Range<usize>,
    /// The event that inserted the first character; each further one is the agent's next event.
    pub event: EventId,
}

/// Why an edit or received bytes were refused. The text is then as it was before.
///
/// No variant carries content of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextError {
    /// A local edit names characters that the text does not have.
    #[error("position {position} is beyond the text, which has {len} characters")]
    Position {
        /// The position, or the end of the range.
        position: usize,
        /// The text's length in characters.
        len: usize,
    },
    /// The bytes are damaged or something else.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A named limit would be exceeded.
    #[error("{0} is over its limit")]
    Limit(&'static str),
    /// An agent used one number for two different events; usually an agent that writes at two
    /// replicas, or a replica that was restored from an old copy.
    #[error("agent {agent:?} made two different events {seq}")]
    Reused {
        /// The agent.
        agent: ActorId,
        /// A number of the run of events in which they differ.
        seq: u32,
    },
    /// A received event refers to a position that the text it has seen does not have.
    #[error("event {seq} of agent {agent:?} refers to a position that is not there")]
    Misplaced {
        /// The agent.
        agent: ActorId,
        /// The event's number.
        seq: u32,
    },
    /// An event that this replica does not have.
    #[error("an event that is not known here: {seq} of agent {agent:?}")]
    Unknown {
        /// The agent.
        agent: ActorId,
        /// The event's number.
        seq: u32,
    },
    /// The stored text is not what its log leads to.
    #[error("the text is not what its log leads to")]
    Damaged,
}

/// Edits made one after another, as one small encoded run: what a change carries.
///
/// Each position is that of the text which the edits before it have led to.
#[derive(Clone, Debug, Default)]
pub struct TextEdits(Operations);

impl TextEdits {
    /// No edits yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts `content` before the character at `position`.
    pub fn insert(&mut self, position: usize, content: &str) -> Result<(), TextError> {
        let count = room_for(self.0.len(), content)?;
        if count > 0 {
            self.0.insert(limited(position)?, content, count);
        }
        Ok(())
    }

    /// Deletes `count` characters from `position` on.
    pub fn delete(&mut self, position: usize, count: usize) -> Result<(), TextError> {
        let count = limited(count)?;
        if count > MAX_EVENTS - self.0.len() {
            return Err(TextError::Limit("the number of events"));
        }
        if count > 0 {
            self.0.delete(limited(position)?, count, Kind::DeleteOn);
        }
        Ok(())
    }

    /// Number of events: characters inserted and characters deleted.
    pub fn len(&self) -> usize {
        self.0.len() as usize
    }

    /// Whether nothing is edited.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// The length of a text of `length` characters after the edits; none if one of them is beyond
    /// the text.
    pub fn length_after(&self, length: usize) -> Option<usize> {
        let mut length = u64::try_from(length).ok()?;
        for piece in self.0.all() {
            let (position, count) = (u64::from(piece.position), u64::from(piece.count));
            let fits = match piece.kind {
                Kind::Insert => position <= length,
                Kind::DeleteOn => position + count <= length,
                Kind::DeleteBack => position < length,
            };
            length = match piece.kind {
                _ if !fits => return None,
                Kind::Insert => length + count,
                _ => length - count,
            };
        }
        usize::try_from(length).ok()
    }

    /// The run as bytes: LEB128 numbers, then the inserted content.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.content().len() + 8);
        self.put(&mut out);
        out
    }

    /// Appends the run as bytes.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        crate::wire::put_u64(out, u64::from(self.0.len()));
        self.0.encode(out);
    }

    /// No less than the bytes of the run.
    pub(crate) fn most_bytes(&self) -> usize {
        self.0.content().len() + self.0.runs() * 20 + 20
    }

    /// Reads what [`TextEdits::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, TextError> {
        let mut reader = crate::wire::Reader::new(bytes);
        let len = reader.u32("the number of events")?;
        if len > MAX_EVENTS {
            return Err(TextError::Limit("the number of events"));
        }
        let operations = Operations::decode(&mut reader, len)?;
        reader.end()?;
        Ok(Self(operations))
    }
}

/// A text with its history.
#[derive(Clone, Default)]
pub struct Text {
    history: History,
    rope: Rope,
    /// The sequence of the last merge, kept while what arrives is concurrent with it.
    merge: Option<Box<Merge>>,
    waiting: Waiting,
}

impl Text {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Length in characters.
    pub fn len(&self) -> usize {
        self.rope.len() as usize
    }

    /// Whether the text has no characters. It may have a history.
    pub fn is_empty(&self) -> bool {
        self.rope.len() == 0
    }

    /// The characters in `range`, cut at the end of the text.
    pub fn slice(&self, range: Range<usize>) -> String {
        let cut = |position: usize| position.min(self.len()) as u32;
        self.rope.slice(cut(range.start)..cut(range.end))
    }

    /// The text in order, in pieces of about a kilobyte.
    pub fn chunks(&self) -> impl Iterator<Item = &str> {
        self.rope.chunks()
    }

    /// Number of events in the history.
    pub fn events(&self) -> usize {
        self.history.len() as usize
    }

    /// Number of events that wait for others.
    pub fn waiting(&self) -> usize {
        self.waiting.events() as usize
    }

    /// The current version.
    pub fn version(&self) -> TextVersion {
        let agents = &self.history.agents;
        let heads = self.history.graph.heads().iter().map(|&head| agents.id(head));
        TextVersion::new(heads.collect())
    }

    /// Inserts `content` before the character at `position`, having seen the current text.
    pub fn insert(
        &mut self,
        agent: ActorId,
        position: usize,
        content: &str,
    ) -> Result<EventRun, TextError> {
        let at = self.checked(position, 0)?;
        let count = room_for(self.history.len(), content)?;
        if self.rope.len() + count > MAX_TEXT_CHARS {
            return Err(TextError::Limit("the length of the text"));
        }
        let run = self.note(agent, count)?;
        if count > 0 {
            self.history.operations.insert(at, content, count);
            self.rope.insert(at, content, count);
        }
        Ok(run)
    }

    /// Deletes `count` characters from `position` on, having seen the current text.
    pub fn delete(
        &mut self,
        agent: ActorId,
        position: usize,
        count: usize,
    ) -> Result<EventRun, TextError> {
        let at = self.checked(position, count)?;
        let count = count as u32;
        if count > MAX_EVENTS - self.history.len() {
            return Err(TextError::Limit("the number of events"));
        }
        let run = self.note(agent, count)?;
        if count > 0 {
            self.history.operations.delete(at, count, Kind::DeleteOn);
            self.rope.delete(at..at + count);
        }
        Ok(run)
    }

    /// Takes in edits that `agent` made having seen all that is here.
    pub fn edit(&mut self, agent: ActorId, edits: &TextEdits) -> Result<EventRun, TextError> {
        let (len, count) = (self.len(), edits.0.len());
        if edits.length_after(len).is_none() {
            return Err(TextError::Misplaced { agent, seq: self.next_seq(agent) });
        }
        if count > MAX_EVENTS - self.history.len() {
            return Err(TextError::Limit("the number of events"));
        }
        let run = self.note(agent, count)?;
        for piece in edits.0.all() {
            let Piece { position, count, .. } = piece;
            match piece.kind {
                Kind::Insert => self.rope.insert(position, piece.content, count),
                Kind::DeleteOn => self.rope.delete(position..position + count),
                Kind::DeleteBack => {
                    let start = (position + 1).saturating_sub(count);
                    self.rope.delete(start..position + 1);
                }
            }
            self.history.operations.push(piece);
        }
        Ok(run)
    }

    /// Takes in edits that `agent` made having seen `parents` (and all that they have seen).
    pub fn apply(
        &mut self,
        agent: ActorId,
        parents: &[EventId],
        edits: &TextEdits,
    ) -> Result<EventRun, TextError> {
        let seq = self.next_seq(agent);
        let count = edits.0.len();
        if count == 0 {
            return Ok(EventRun { agent, seq, count });
        }
        let parents = self.local(parents)?;
        self.atomically(|text| text.append(agent, &parents, &edits.0, 0..count))?;
        Ok(EventRun { agent, seq, count })
    }

    /// The version that has these events and all that they have seen; its heads are those of
    /// them that no other of them has seen.
    ///
    /// # Errors
    /// [`TextError::Unknown`].
    pub fn joined(&self, events: &[EventId]) -> Result<TextVersion, TextError> {
        let local = self.local(events)?;
        let heads = self.history.graph.maximal(&local);
        Ok(TextVersion::new(heads.into_iter().map(|head| self.history.agents.id(head)).collect()))
    }

    /// The number that the agent's next event gets.
    pub fn next_seq(&self, agent: ActorId) -> u32 {
        let agents = &self.history.agents;
        agents.find(agent).map_or(0, |agent| agents.next_seq(agent))
    }

    /// A message with these events.
    pub fn message(&self, run: EventRun) -> Result<Vec<u8>, TextError> {
        let mut ranges: Vec<Range<Event>> = Vec::new();
        for seq in run.seq..run.seq.saturating_add(run.count) {
            let event = self.event(EventId { agent: run.agent, seq })?;
            match ranges.last_mut() {
                Some(range) if range.end == event => range.end += 1,
                _ => ranges.push(event..event + 1),
            }
        }
        Ok(Message::of(&self.history, ranges.into_iter()).encode())
    }

    /// A message with all events that `version` does not have. Heads that are not known here are
    /// passed over: the message may then hold events that the reader has already.
    pub fn events_since(&self, version: &TextVersion) -> Vec<u8> {
        let agents = &self.history.agents;
        let mut known: Vec<_> = version.0.iter().filter_map(|&id| agents.event(id)).collect();
        known.sort_unstable();
        let graph = &self.history.graph;
        let missing = graph.difference(graph.heads(), &known).left;
        Message::of(&self.history, missing.into_iter().rev()).encode()
    }

    /// Takes in a message of another replica.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Received, TextError> {
        let message = Message::decode(bytes)?;
        let mut received = Received { applied: self.take_in(&message)?, ..Received::default() };
        if received.applied > 0 {
            while let Some(ready) = self.waiting.take_ready(&self.history.agents) {
                for message in ready {
                    match self.take_in(&message) {
                        Ok(applied) => received.applied += applied,
                        Err(_) => received.refused += message.operations.len(),
                    }
                }
            }
        }
        received.waiting = self.waiting.events();
        Ok(received)
    }

    /// The text as it was at a version.
    pub fn at(&self, version: &TextVersion) -> Result<String, TextError> {
        let heads = self.local(version.heads())?;
        let past = self.history.graph.difference(&heads, &[]).left;
        let mut text = Self::new();
        text.take_in(&Message::of(&self.history, past.into_iter().rev()))?;
        Ok(text.to_string())
    }

    /// Who wrote the characters in `range`, in order. Reads the whole history.
    pub fn authors(&self, range: Range<usize>) -> Result<Vec<Authored>, TextError> {
        let agents = &self.history.agents;
        let mut merge = Merge::new(&self.history, 0);
        merge.catch_up(&self.history, self.history.len()).map_err(|at| self.misplaced(at))?;
        let mut found: Vec<Authored> = Vec::new();
        let mut position = 0;
        for span in merge.spans() {
            let mut event = span.start;
            while event < span.start + span.count {
                let (agent, seq, end) = agents.author(event);
                let count = end.min(span.start + span.count) - event;
                let start = range.start.max(position);
                let end = range.end.min(position + count as usize);
                if start < end {
                    let seq = seq + (start - position) as u32;
                    add_author(&mut found, start..end, EventId { agent: agents.name(agent), seq });
                }
                position += count as usize;
                event += count;
            }
        }
        Ok(found)
    }

    /// Replays the log and compares; [`TextError::Damaged`] if it leads to another text.
    pub fn verify(&self) -> Result<(), TextError> {
        if self.at(&self.version())? == self.to_string() { Ok(()) } else { Err(TextError::Damaged) }
    }

    /// The stored form: the current text and the log beside it.
    pub fn encode(&self) -> Vec<u8> {
        storage::encode(self)
    }

    /// Reads what [`Text::encode`] wrote. The log is not replayed: that the text is what it leads
    /// to is taken on trust, and [`Text::verify`] checks it.
    pub fn decode(bytes: &[u8]) -> Result<Self, TextError> {
        storage::decode(bytes)
    }

    /// A position and a count of characters that are there.
    fn checked(&self, position: usize, count: usize) -> Result<u32, TextError> {
        let len = self.len();
        match position.checked_add(count) {
            Some(end) if end <= len => Ok(position as u32),
            end => Err(TextError::Position { position: end.unwrap_or(usize::MAX), len }),
        }
    }

    /// Notes `count` events that have seen everything here.
    fn note(&mut self, agent: ActorId, count: u32) -> Result<EventRun, TextError> {
        if count == 0 {
            return Ok(EventRun { agent, seq: self.next_seq(agent), count });
        }
        let agents = &mut self.history.agents;
        let seq = if let Some(seq) = agents.go_on(agent, count) {
            seq
        } else {
            let number = agents.intern(agent)?;
            let seq = agents.next_seq(number);
            agents.push(number, count);
            seq
        };
        self.history.graph.push_after_all(count);
        self.forget_merge();
        Ok(EventRun { agent, seq, count })
    }

    fn event(&self, id: EventId) -> Result<Event, TextError> {
        let EventId { agent, seq } = id;
        self.history.agents.event(id).ok_or(TextError::Unknown { agent, seq })
    }

    fn local(&self, ids: &[EventId]) -> Result<Vec<Event>, TextError> {
        let mut events = ids.iter().map(|&id| self.event(id)).collect::<Result<Vec<_>, _>>()?;
        events.sort_unstable();
        events.dedup();
        Ok(events)
    }

    fn misplaced(&self, at: Misplaced) -> TextError {
        let EventId { agent, seq } = self.history.agents.id(at.0);
        TextError::Misplaced { agent, seq }
    }

    /// Takes in a message; gives the number of events that are new in the text.
    fn take_in(&mut self, message: &Message) -> Result<u32, TextError> {
        let mut early: Vec<(EventId, &Part)> = Vec::new();
        let before = self.history.len();
        self.atomically(|text| {
            for part in &message.parts {
                match missing(&text.history.agents, message, part) {
                    Some(event) => early.push((event, part)),
                    None => text.take_part(message, part)?,
                }
            }
            text.waiting.has_room(early.iter().map(|(_, part)| part.count).sum())
        })?;
        for (event, part) in early {
            self.waiting.add(event, message.cut_out(part))?;
        }
        Ok(self.history.len() - before)
    }

    /// Adds what is new of a part whose parents are all here.
    fn take_part(&mut self, message: &Message, part: &Part) -> Result<(), TextError> {
        let Part { agent, seq, count, start, .. } = *part;
        let known = self.next_seq(agent).saturating_sub(seq).min(count);
        let parents = self.local(message.parents(part));
        if known == 0 {
            return self.append(agent, &parents?, &message.operations, start..start + count);
        }
        if !parents.is_ok_and(|parents| self.is_known(message, part, known, &parents)) {
            return Err(TextError::Reused { agent, seq });
        }
        if known == count {
            return Ok(());
        }
        let last = self.event(EventId { agent, seq: seq + known - 1 })?;
        self.append(agent, &[last], &message.operations, start + known..start + count)
    }

    /// Whether the first `known` events of a part are the same as those here.
    fn is_known(&self, message: &Message, part: &Part, known: u32, parents: &[Event]) -> bool {
        let history = &self.history;
        let Some(agent) = history.agents.find(part.agent) else { return false };
        let mut before: Option<Event> = None;
        let mut done = 0;
        while done < known {
            let Some(at) = history.agents.event_of(agent, part.seq + done) else { return false };
            let mut room = 0;
            let expected = before.as_ref().map_or(parents, std::slice::from_ref);
            if history.graph.parents(at, &mut room) != expected {
                return false;
            }
            let end = history.agents.author(at).2.min(at + (known - done));
            let end = history.graph.stretch(at, end).end;
            let same =
                history.operations.equals(at, &message.operations, part.start + done, end - at);
            if !same {
                return false;
            }
            before = Some(end - 1);
            done += end - at;
        }
        true
    }

    /// Appends events to the log.
    fn append(
        &mut self,
        agent: ActorId,
        parents: &[Event],
        operations: &Operations,
        range: Range<Event>,
    ) -> Result<(), TextError> {
        let count = range.end - range.start;
        if count > MAX_EVENTS - self.history.len() {
            return Err(TextError::Limit("the number of events"));
        }
        let agent = self.history.agents.intern(agent)?;
        self.history.agents.push(agent, count);
        self.history.graph.push(parents, count);
        operations.pieces(range).for_each(|piece| self.history.operations.push(piece));
        Ok(())
    }

    /// Adds events to the log and their edits to the text, or changes neither.
    fn atomically(
        &mut self,
        add: impl FnOnce(&mut Self) -> Result<(), TextError>,
    ) -> Result<(), TextError> {
        let bookmark = self.history.bookmark();
        let outcome = add(self).and_then(|()| self.edit_from(&bookmark));
        if outcome.is_err() {
            self.merge = None;
            self.history.go_back(bookmark);
        }
        outcome
    }

    /// Brings the text to the end of the log.
    fn edit_from(&mut self, bookmark: &Bookmark) -> Result<(), TextError> {
        let (history, chars) = (&self.history, self.rope.len());
        let edits = transform(history, &mut self.merge, bookmark.len, chars);
        for edit in edits.map_err(|at| self.misplaced(at))? {
            match edit {
                Edit::Insert { position, content, count } => {
                    let content = self.history.operations.content_slice(content);
                    self.rope.insert(position, content, count);
                }
                Edit::Delete(range) => self.rope.delete(range),
            }
        }
        self.forget_merge();
        Ok(())
    }

    /// Drops the sequence of the last merge once enough has happened that it had no part in.
    fn forget_merge(&mut self) {
        let len = self.history.len();
        self.merge.take_if(|merge| len - merge.next() > MAX_BEHIND);
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chunks().try_for_each(|chunk| f.write_str(chunk))
    }
}

/// Shows sizes only, never the text.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text")
            .field("len", &self.len())
            .field("events", &self.events())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

/// An event that a part needs and that is not here. A part that begins with known events needs
/// none: it is those events, or it is false.
fn missing(agents: &Agents, message: &Message, part: &Part) -> Option<EventId> {
    let next = agents.find(part.agent).map_or(0, |agent| agents.next_seq(agent));
    if part.seq > next {
        return Some(EventId { agent: part.agent, seq: part.seq - 1 });
    }
    if part.seq < next {
        return None;
    }
    message.parents(part).iter().copied().find(|&parent| agents.event(parent).is_none())
}

/// The number of characters of `content`, if there is room for so many events.
fn room_for(events: u32, content: &str) -> Result<u32, TextError> {
    // A character takes at most four bytes, so this also keeps the count within its type.
    if content.len() > MAX_EVENTS as usize * 4 || chars_of(content) > MAX_EVENTS - events {
        return Err(TextError::Limit("the number of events"));
    }
    Ok(chars_of(content))
}

fn limited(position: usize) -> Result<u32, TextError> {
    match u32::try_from(position) {
        Ok(position) if position <= MAX_EVENTS => Ok(position),
        _ => Err(TextError::Limit("a position")),
    }
}

/// Adds to the last entry where the agent went on there.
fn add_author(found: &mut Vec<Authored>, range: Range<usize>, event: EventId) {
    if let Some(last) = found.last_mut() {
        let length = (last.range.end - last.range.start) as u32;
        let next = EventId { seq: last.event.seq + length, ..last.event };
        if last.range.end == range.start && next == event {
            last.range.end = range.end;
            return;
        }
    }
    found.push(Authored { range, event });
}

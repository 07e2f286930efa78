//! The history of a text cell's text, and which change typed what.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::actor::{ActorId, Clock, Past};
use crate::canonical;
use crate::text::{EventId, EventRun, Text, TextEdits, TextError};

use super::Passage;

/// The longest spelling of a character in a JSON string, such as `\u001f`.
const MAX_ESCAPE_BYTES: usize = 6;

/// A text with its history.
#[derive(Clone)]
pub(super) struct Body {
    text: Text,
    /// What is around the string in the cell's text.
    before: Box<str>,
    after: Box<str>,
    /// By the replica's number of the actor: what its changes typed.
    chains: BTreeMap<u32, Chain>,
    /// The changes that no other change to this text has in its past: actor, sequence number.
    heads: Vec<(u32, u32)>,
}

/// What one actor typed.
#[derive(Clone, Debug)]
struct Chain {
    id: ActorId,
    /// Ascending: a change's sequence number, and the number of the actor's events with it.
    typed: Vec<(u32, u32)>,
    /// What the last of them had seen of other actors.
    others: Option<Arc<Clock>>,
}

/// Part of the text that one change wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authored {
    /// Positions in characters.
    pub(crate) range: Range<usize>,
    /// The change: actor, sequence number.
    pub(crate) change: (u32, u32),
}

impl Body {
    /// The text as its root put it there. `actor` is the root's; its characters are that actor's
    /// first events, at every site alike.
    pub(super) fn new(
        cell: &Passage<'_>,
        (actor, seq): (u32, u32),
        id: ActorId,
    ) -> Result<Self, TextError> {
        let mut text = Text::new();
        let content = cell.text();
        if !content.is_empty() {
            text.insert(id, 0, &content)?;
        }
        let end = text.next_seq(id);
        let chain = Chain { id, typed: vec![(seq, end)], others: None };
        Ok(Self {
            text,
            before: cell.before.into(),
            after: cell.after.into(),
            chains: BTreeMap::from([(actor, chain)]),
            heads: vec![(actor, seq)],
        })
    }

    pub(super) fn chars(&self) -> usize {
        self.text.len()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.text.events() * 2
            + self.chains.values().map(|chain| chain.typed.len() * 8).sum::<usize>()
    }

    /// The least and the greatest length that [`Self::cell_text`] can have, in bytes.
    pub(super) fn lengths(&self) -> (usize, usize) {
        let frame = self.before.len() + self.after.len();
        (frame + self.chars(), frame + self.chars() * MAX_ESCAPE_BYTES)
    }

    /// The cell's text with the text in it.
    pub(super) fn cell_text(&self) -> Box<str> {
        self.framed_chunks(self.text.len(), self.text.chunks())
    }

    /// The cell's text with another text in it.
    pub(super) fn framed(&self, text: &str) -> Box<str> {
        self.framed_chunks(text.len(), std::iter::once(text))
    }

    fn framed_chunks<'c>(&self, len: usize, chunks: impl Iterator<Item = &'c str>) -> Box<str> {
        let mut out = String::with_capacity(self.before.len() + len + self.after.len() + 16);
        out.push_str(&self.before);
        chunks.for_each(|chunk| canonical::write_escaped(chunk, &mut out));
        out.push_str(&self.after);
        out.into()
    }

    pub(super) fn to_text(&self) -> String {
        self.text.to_string()
    }

    /// The text that the author of a change had before them: what the change typed, and what stands
    /// in its past.
    pub(super) fn left_by(&self, dot: (u32, u32), past: &Past) -> Result<String, TextError> {
        let seen = self.chains.iter().filter_map(|(&actor, chain)| {
            chain.last_seen(if actor == dot.0 { dot.1 } else { past.others.seq(actor) })
        });
        self.text.at(&self.text.joined(&seen.collect::<Vec<_>>())?)
    }

    /// Whether a change has typed here already.
    pub(super) fn has(&self, actor: u32, seq: u32) -> bool {
        self.chains.get(&actor).is_some_and(|chain| chain.covers(seq))
    }

    /// Takes in what the change of `actor` with this number and past typed. On an error nothing has
    /// changed.
    pub(super) fn type_in(
        &mut self,
        (actor, seq): (u32, u32),
        id: ActorId,
        past: &Past,
        edits: &TextEdits,
    ) -> Result<(), TextError> {
        let saw_all = self.heads.iter().all(|&(actor, seq)| past.covers(actor, seq));
        let run = if saw_all {
            self.text.edit(id, edits)?
        } else {
            let parents = self.text.joined(&self.seen_by(actor, past))?;
            self.text.apply(id, parents.heads(), edits)?
        };
        let new = || Chain { id, typed: Vec::new(), others: None };
        let chain = self.chains.entry(actor).or_insert_with(new);
        chain.typed.push((seq, run.seq + run.count));
        if chain.others.as_ref().is_none_or(|others| !Arc::ptr_eq(others, &past.others)) {
            chain.others = Some(Arc::clone(&past.others));
        }
        if saw_all {
            self.heads.clear();
        } else {
            self.heads.retain(|&(actor, seq)| !past.covers(actor, seq));
        }
        self.heads.push((actor, seq));
        Ok(())
    }

    /// The last event of each actor that a past holds; of the actor alone where it saw nothing new
    /// since it typed last.
    fn seen_by(&self, actor: u32, past: &Past) -> Vec<EventId> {
        let own_chain = self.chains.get(&actor);
        let own = own_chain.and_then(|chain| chain.last_seen(past.seq));
        let others = own_chain.and_then(|chain| chain.others.as_ref());
        if let Some(own) = own.filter(|_| others.is_some_and(|o| Arc::ptr_eq(o, &past.others))) {
            return vec![own];
        }
        let others = self.chains.iter().filter(|(other, _)| **other != actor);
        let others = others.filter_map(|(other, chain)| chain.last_seen(past.others.seq(*other)));
        own.into_iter().chain(others).collect()
    }

    /// Edits that take back what a change typed: its characters that are still there go, what it
    /// alone deleted comes back.
    pub(super) fn undone(&self, (actor, seq): (u32, u32)) -> Result<TextEdits, TextError> {
        let run = self.chains.get(&actor).and_then(|chain| chain.run_of(seq));
        run.map_or_else(|| Ok(TextEdits::new()), |run| self.text.undone(run))
    }

    /// Which change wrote what is in the text.
    pub(super) fn authors(&self) -> Result<Vec<Authored>, TextError> {
        let mut found: Vec<Authored> = Vec::new();
        for run in self.text.authors(0..self.text.len())? {
            let Some((&actor, chain)) =
                self.chains.iter().find(|(_, chain)| chain.id == run.event.agent)
            else {
                continue;
            };
            let mut start = run.range.start;
            while start < run.range.end {
                let event = run.event.seq + (start - run.range.start) as u32;
                let Some((seq, last)) = chain.change_of(event) else { break };
                let end = run.range.end.min(start + (last - event) as usize);
                match found.last_mut() {
                    Some(before) if before.change == (actor, seq) && before.range.end == start => {
                        before.range.end = end;
                    }
                    _ => found.push(Authored { range: start..end, change: (actor, seq) }),
                }
                start = end;
            }
        }
        Ok(found)
    }
}

impl Chain {
    fn covers(&self, seq: u32) -> bool {
        self.typed.last().is_some_and(|&(last, _)| last >= seq)
    }

    /// The last event of the changes up to `seq`.
    fn last_seen(&self, seq: u32) -> Option<EventId> {
        let count = match self.typed.last() {
            Some(last) if last.0 <= seq => self.typed.len(),
            _ => self.typed.partition_point(|&(of, _)| of <= seq),
        };
        let (_, end) = self.typed.get(count.checked_sub(1)?)?;
        Some(EventId { agent: self.id, seq: end.checked_sub(1)? })
    }

    /// The events of one change.
    fn run_of(&self, seq: u32) -> Option<EventRun> {
        let at = self.typed.binary_search_by_key(&seq, |&(of, _)| of).ok()?;
        let start = at.checked_sub(1).and_then(|before| self.typed.get(before));
        let start = start.map_or(0, |&(_, end)| end);
        let (_, end) = self.typed.get(at)?;
        Some(EventRun { agent: self.id, seq: start, count: end - start })
    }

    /// The change that made an event, and where its events end.
    fn change_of(&self, event: u32) -> Option<(u32, u32)> {
        let at = self.typed.partition_point(|&(_, end)| end <= event);
        self.typed.get(at).copied()
    }
}

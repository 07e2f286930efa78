//! What the events do: inserts and deletes at positions, run-length encoded, and inserted content.

use std::ops::Range;

use smallvec::SmallVec;

use crate::wire::{DecodeError, Reader, put_bytes, put_i64, put_u64};

use super::MAX_EVENTS;
use super::graph::Event;

/// What every event of a run does. Positions are those of the text that the event has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Inserts one character; each next event of the run one position further.
    Insert,
    /// Deletes one character; each next event of the run at the same position.
    DeleteOn,
    /// Deletes one character; each next event of the run one position before.
    DeleteBack,
}

impl Kind {
    /// Where a run would go on.
    fn next(self, position: u32, count: u32) -> i64 {
        match self {
            Kind::Insert => i64::from(position) + i64::from(count),
            Kind::DeleteOn => i64::from(position),
            Kind::DeleteBack => i64::from(position) - i64::from(count),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Run {
    start: Event,
    position: u32,
    /// Length of the content before this run, in bytes.
    content_at: u32,
    kind: Kind,
}

/// Part of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    /// The first event's position.
    pub(super) position: u32,
    /// Number of events, which is the number of characters.
    pub(super) count: u32,
    /// Inserted content; empty for deletes.
    pub(super) content: &'a str,
    /// Where `content` stands in all content, in bytes.
    pub(super) content_at: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    /// Edits of one place, which most are, need no memory of their own for it.
    runs: SmallVec<[Run; 1]>,
    content: String,
    len: Event,
}

impl Operations {
    pub(super) fn len(&self) -> Event {
        self.len
    }

    pub(super) fn content(&self) -> &str {
        &self.content
    }

    pub(super) fn content_slice(&self, range: Range<u32>) -> &str {
        self.content.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// Whether `count` events from `start` on do the same as those of `other` from `there` on.
    pub(super) fn equals(&self, start: Event, other: &Self, there: Event, count: u32) -> bool {
        let mut done = 0;
        while done < count {
            let mine = self.piece(start + done, start + count);
            let both = other.piece(there + done, there + count).count.min(mine.count);
            let mine = self.piece(start + done, start + done + both);
            let theirs = other.piece(there + done, there + done + both);
            // A single delete has no direction.
            let kind = mine.kind == theirs.kind
                || (both == 1 && (mine.kind == Kind::Insert) == (theirs.kind == Kind::Insert));
            if !kind || mine.position != theirs.position || mine.content != theirs.content {
                return false;
            }
            if both == 0 {
                return false;
            }
            done += both;
        }
        true
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.runs.len() as u64);
        let mut expected = 0;
        for (at, run) in self.runs.iter().enumerate() {
            let count = self.runs.get(at + 1).map_or(self.len, |next| next.start) - run.start;
            put_u64(out, u64::from(count) << 2 | run.kind as u64);
            put_i64(out, i64::from(run.position) - expected);
            expected = run.kind.next(run.position, count);
        }
        put_bytes(out, self.content.as_bytes());
    }

    /// Reads what [`Operations::encode`] wrote; there must be `len` events.
    pub(super) fn decode(reader: &mut Reader<'_>, len: Event) -> Result<Self, DecodeError> {
        let count = reader.count("the number of operations")?;
        let mut operations = Self { runs: SmallVec::with_capacity(count), ..Self::default() };
        let mut expected = 0;
        for _ in 0..count {
            let at = reader.at();
            let run = operations.read_run(reader, &mut expected)?;
            if run.is_none_or(|end| end > len) {
                return Err(DecodeError::Meaningless { what: "operation", at });
            }
        }
        let at = reader.at();
        let content = reader.str(MAX_EVENTS as usize * 4, "the content")?;
        if operations.len != len || !operations.divide(content) {
            return Err(DecodeError::Meaningless { what: "content", at });
        }
        content.clone_into(&mut operations.content);
        Ok(operations)
    }

    /// Reads one run; nothing if it cannot be. Gives the number of events so far.
    fn read_run(
        &mut self,
        reader: &mut Reader<'_>,
        expected: &mut i64,
    ) -> Result<Option<Event>, DecodeError> {
        let head = reader.u64()?;
        let step = reader.i64()?;
        let kind = match head & 3 {
            0 => Kind::Insert,
            1 => Kind::DeleteOn,
            2 => Kind::DeleteBack,
            _ => return Ok(None),
        };
        let count = u32::try_from(head >> 2).ok().filter(|count| (1..=MAX_EVENTS).contains(count));
        let position = expected.checked_add(step).and_then(|position| u32::try_from(position).ok());
        let (Some(count), Some(position)) = (count, position) else { return Ok(None) };
        if position > MAX_EVENTS || (kind == Kind::DeleteBack && position + 1 < count) {
            return Ok(None);
        }
        *expected = kind.next(position, count);
        self.runs.push(Run { start: self.len, position, content_at: 0, kind });
        self.len = self.len.saturating_add(count);
        Ok(Some(self.len))
    }

    /// Gives every run of inserts its part of the content; false if it does not come out even.
    fn divide(&mut self, content: &str) -> bool {
        let ascii = content.is_ascii();
        let mut at = 0;
        let mut ends = self.runs.iter().skip(1).map(|run| run.start).collect::<Vec<_>>();
        ends.push(self.len);
        for (run, end) in self.runs.iter_mut().zip(ends) {
            run.content_at = at as u32;
            if run.kind != Kind::Insert {
                continue;
            }
            let count = (end - run.start) as usize;
            let rest = content.get(at..).unwrap_or_default();
            at += match rest.char_indices().nth(count) {
                _ if ascii => count,
                Some((bytes, _)) => bytes,
                None if chars_of(rest) as usize == count => rest.len(),
                None => return false,
            };
        }
        at == content.len()
    }

    /// Appends the insertion of `content`, which has `count` characters.
    pub(super) fn insert(&mut self, position: u32, content: &str, count: u32) {
        let follows = self.runs.last().is_some_and(|run| {
            run.kind == Kind::Insert && run.position + (self.len - run.start) == position
        });
        if !follows {
            self.start(position, Kind::Insert);
        }
        self.content.push_str(content);
        self.len += count;
    }

    /// Appends `count` deletes; `kind` says where the second and each further one is.
    pub(super) fn delete(&mut self, position: u32, count: u32, kind: Kind) {
        let length = self.len;
        let followed = self.runs.last_mut().and_then(|run| {
            let before = length - run.start;
            let follows = |kind| match kind {
                Kind::Insert => false,
                Kind::DeleteOn => run.position == position,
                Kind::DeleteBack => run.position.checked_sub(before) == Some(position),
            };
            // A run of one event has no direction yet.
            let taken = match (run.kind, before, count) {
                (Kind::Insert, ..) => return None,
                (_, 1, 1) if follows(Kind::DeleteBack) => Kind::DeleteBack,
                (_, 1, 1) => Kind::DeleteOn,
                (_, 1, _) => kind,
                (have, _, 1) => have,
                (have, ..) if have == kind => have,
                _ => return None,
            };
            follows(taken).then(|| run.kind = taken)
        });
        if followed.is_none() {
            self.start(position, kind);
        }
        self.len += count;
    }

    pub(super) fn push(&mut self, piece: Piece<'_>) {
        match piece.kind {
            Kind::Insert => self.insert(piece.position, piece.content, piece.count),
            kind => self.delete(piece.position, piece.count, kind),
        }
    }

    pub(super) fn truncate(&mut self, len: Event) {
        if len >= self.len {
            return;
        }
        let content = self.piece(len, len).content_at as usize;
        self.runs.truncate(self.runs.partition_point(|run| run.start < len));
        self.content.truncate(content);
        self.len = len;
    }

    /// The number of runs.
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The runs.
    pub(super) fn all(&self) -> impl Iterator<Item = Piece<'_>> {
        let ends = self.runs.iter().skip(1).map(|next| (next.start, next.content_at as usize));
        let ends = ends.chain(std::iter::once((self.len, self.content.len())));
        self.runs.iter().zip(ends).map(|(run, (end, content_end))| {
            let &Run { start, position, content_at, kind } = run;
            let content = self.content.get(content_at as usize..content_end).unwrap_or_default();
            Piece { kind, position, count: end - start, content, content_at }
        })
    }

    /// The runs, cut to `range`.
    pub(super) fn pieces(&self, range: Range<Event>) -> impl Iterator<Item = Piece<'_>> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let piece = (at < range.end).then(|| self.piece(at, range.end))?;
            at += piece.count;
            (piece.count > 0).then_some(piece)
        })
    }

    /// The events from `start` on that belong to one run, not beyond `end`.
    pub(super) fn piece(&self, start: Event, end: Event) -> Piece<'_> {
        let next = match self.runs.last() {
            Some(last) if last.start <= start => self.runs.len(),
            _ => self.runs.partition_point(|run| run.start <= start),
        };
        let Some(run) = next.checked_sub(1).and_then(|at| self.runs.get(at)).copied() else {
            return Piece { kind: Kind::Insert, position: 0, count: 0, content: "", content_at: 0 };
        };
        let (run_end, content_end) = match self.runs.get(next) {
            Some(after) => (after.start, after.content_at as usize),
            None => (self.len, self.content.len()),
        };
        let skip = start - run.start;
        let count = run_end.min(end).saturating_sub(start);
        let position = match run.kind {
            Kind::Insert => run.position + skip,
            Kind::DeleteOn => run.position,
            Kind::DeleteBack => run.position.saturating_sub(skip),
        };
        let whole = self.content.get(run.content_at as usize..content_end).unwrap_or_default();
        let from = byte_of(whole, skip, run_end - run.start);
        let rest = whole.get(from..).unwrap_or_default();
        let content = rest.get(..byte_of(rest, count, run_end - start)).unwrap_or_default();
        Piece { kind: run.kind, position, count, content, content_at: run.content_at + from as u32 }
    }

    fn start(&mut self, position: u32, kind: Kind) {
        let content_at = self.content.len() as u32;
        self.runs.push(Run { start: self.len, position, content_at, kind });
    }
}

/// The offset in bytes of the character `index` of `text`, which has `chars` characters.
pub(super) fn byte_of(text: &str, index: u32, chars: u32) -> usize {
    if index >= chars {
        return text.len();
    }
    // One byte each: nothing to count.
    if text.len() == chars as usize {
        return index as usize;
    }
    text.char_indices().nth(index as usize).map_or(text.len(), |(at, _)| at)
}

/// Number of characters of `text`.
pub(super) fn chars_of(text: &str) -> u32 {
    if text.is_ascii() { text.len() as u32 } else { text.chars().count() as u32 }
}

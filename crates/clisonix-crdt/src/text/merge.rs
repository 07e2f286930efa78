//! The merge: turns events, whose positions are those of the text their authors saw, into edits of
//! the merged text.
//!
//! The way of Eg-walker (Gentle and Kleppmann, `EuroSys` 2025, arXiv 2409.14252): events that have
//! seen everything before them are edits as they stand. Only around concurrent ones a sequence with
//! marks of what is seen is built ([`Weave`]), from the latest point that all of them have seen. The
//! order of concurrent insertions at one place is that of `FugueMax` (Weidner and Kleppmann,
//! arXiv 2305.00583), so that what two authors type at one place does not interleave.

use std::cmp::Ordering;
use std::ops::Range;

use super::graph::{Event, Stretch};
use super::history::History;
use super::operations::{Kind, Piece, byte_of};
use super::weave::{Cursor, MAX_SPAN, NONE, Span, Weave};

/// A change of the merged text, in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// `content` is a range of bytes in the log's content.
    Insert { position: u32, content: Range<u32>, count: u32 },
    /// Deletes a range of positions.
    Delete(Range<u32>),
}

/// An event refers to a position that the text it has seen does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misplaced(pub(super) Event);

/// Edits with the length of the text they lead to.
#[derive(Debug)]
struct Edits {
    list: Vec<Edit>,
    chars: u32,
}

/// The sequence of a merge, as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    weave: Weave,
    /// Events from here on are in the sequence; each of them has seen everything before.
    first: Event,
    /// The next event to take in.
    next: Event,
    /// The version that the marks of what is seen stand at.
    seen: Vec<Event>,
}

/// Turns the events from `from` on into edits of a text that the events before have led to.
/// `merge` is kept between calls, for the next events are often concurrent with the same ones.
pub(super) fn transform(
    history: &History,
    merge: &mut Option<Box<Merge>>,
    from: Event,
    chars: u32,
) -> Result<Vec<Edit>, Misplaced> {
    let mut edits = Edits { list: Vec::new(), chars };
    let mut at = from;
    while at < history.len() {
        let stretch = history.graph.stretch(at, history.len());
        if stretch.seen == at {
            replay(history, stretch, &mut edits)?;
        } else {
            ready(history, merge, stretch)?.stretch(history, stretch, Some(&mut edits))?;
        }
        at = stretch.end;
    }
    Ok(edits.list)
}

/// Events that have seen all before them are edits as they stand.
fn replay(history: &History, stretch: Stretch, edits: &mut Edits) -> Result<(), Misplaced> {
    let mut at = stretch.start;
    for piece in history.pieces(stretch.start..stretch.end) {
        let start = if piece.kind == Kind::DeleteBack {
            (piece.position + 1).checked_sub(piece.count).ok_or(Misplaced(at))?
        } else {
            piece.position
        };
        match piece.kind {
            Kind::Insert => edits.insert(start, piece, at)?,
            _ => edits.delete(start, piece.count, at)?,
        }
        at += piece.count;
    }
    Ok(())
}

/// A merge that has come to the start of `stretch`: the kept one where it began early enough and
/// is not too far behind, else a new one.
fn ready<'a>(
    history: &History,
    merge: &'a mut Option<Box<Merge>>,
    stretch: Stretch,
) -> Result<&'a mut Merge, Misplaced> {
    let fits = merge.as_ref().is_some_and(|merge| {
        merge.first <= stretch.seen
            && (merge.next == stretch.start
                || history.graph.cut(stretch.seen, stretch.start) < merge.next)
    });
    if !fits {
        *merge = None;
    }
    let merge = merge.get_or_insert_with(|| {
        Box::new(Merge::new(history, history.graph.cut(stretch.seen, stretch.start)))
    });
    merge.catch_up(history, stretch.start)?;
    Ok(merge)
}

impl Merge {
    /// A sequence before the event `first`; all later events have seen everything before it.
    pub(super) fn new(history: &History, first: Event) -> Self {
        let mut room = 0;
        let seen = history.graph.parents(first, &mut room).to_vec();
        Self { weave: Weave::new(first), first, next: first, seen }
    }

    /// Takes in the events before `end`.
    pub(super) fn catch_up(&mut self, history: &History, end: Event) -> Result<(), Misplaced> {
        while self.next < end {
            let stretch = history.graph.stretch(self.next, end);
            self.stretch(history, stretch, None)?;
        }
        Ok(())
    }

    pub(super) fn next(&self) -> Event {
        self.next
    }

    /// Sees everything that was taken in; then a span's state tells how often it was deleted.
    pub(super) fn see_all(&mut self, history: &History) {
        self.go_to(history, history.graph.heads());
    }

    /// All spans, those of deleted characters too.
    pub(super) fn all_spans(&self) -> impl Iterator<Item = &Span> {
        self.weave.spans()
    }

    /// The character that an event deleted.
    pub(super) fn target(&self, event: Event) -> u32 {
        self.weave.target(event)
    }

    /// The spans of the merged text.
    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        self.weave.spans().filter(|span| !span.gone)
    }

    fn stretch(
        &mut self,
        history: &History,
        stretch: Stretch,
        mut edits: Option<&mut Edits>,
    ) -> Result<(), Misplaced> {
        let mut room = 0;
        self.go_to(history, history.graph.parents(stretch.start, &mut room));
        let mut at = stretch.start;
        for piece in history.pieces(stretch.start..stretch.end) {
            match piece.kind {
                Kind::Insert => self.insert(history, at, piece, edits.as_deref_mut())?,
                _ => self.delete(at, piece, edits.as_deref_mut())?,
            }
            at += piece.count;
        }
        self.next = stretch.end;
        self.seen.clear();
        self.seen.push(stretch.end - 1);
        Ok(())
    }

    /// Changes the marks of what is seen to another version.
    fn go_to(&mut self, history: &History, version: &[Event]) {
        if self.seen == version {
            return;
        }
        let difference = history.graph.difference(&self.seen, version);
        for range in difference.left {
            self.shift(history, range, false);
        }
        for range in difference.right {
            self.shift(history, range, true);
        }
    }

    fn shift(&mut self, history: &History, range: Range<Event>, forward: bool) {
        let mut at = range.start;
        for piece in history.pieces(range) {
            let end = at + piece.count;
            if piece.kind == Kind::Insert {
                self.weave.shift(at..end, forward);
            } else {
                self.shift_deletes(at..end, forward);
            }
            at = end;
        }
    }

    /// Deletes in a row mostly delete characters in a row.
    fn shift_deletes(&mut self, events: Range<Event>, forward: bool) {
        let mut row: Range<u32> = 0..0;
        for event in events {
            let target = self.weave.target(event);
            if target == row.end {
                row.end += 1;
            } else if target.checked_add(1) == Some(row.start) {
                row.start = target;
            } else {
                self.weave.shift(row, forward);
                row = target..target.saturating_add(1);
            }
        }
        self.weave.shift(row, forward);
    }

    fn insert(
        &mut self,
        history: &History,
        at: Event,
        piece: Piece<'_>,
        mut edits: Option<&mut Edits>,
    ) -> Result<(), Misplaced> {
        let mut rest = piece;
        let mut event = at;
        while rest.count > 0 {
            let count = rest.count.min(MAX_SPAN);
            let (content, tail) = rest.content.split_at(byte_of(rest.content, count, rest.count));
            let head = Piece { count, content, ..rest };
            let position = self.insert_span(history, event, head).ok_or(Misplaced(event))?;
            if let Some(edits) = edits.as_deref_mut() {
                edits.insert(position, head, event)?;
            }
            event += count;
            rest = Piece {
                position: rest.position + count,
                count: rest.count - count,
                content: tail,
                content_at: rest.content_at + content.len() as u32,
                ..rest
            };
        }
        Ok(())
    }

    /// Finds the place of new characters among concurrent ones. Gives the position in the merged
    /// text.
    fn insert_span(&mut self, history: &History, event: Event, piece: Piece<'_>) -> Option<u32> {
        let (left, place) = match piece.position.checked_sub(1) {
            None => (NONE, Cursor::default()),
            Some(before) => {
                let cursor = self.weave.find(before)?;
                (self.weave.character(cursor), self.weave.after(cursor))
            }
        };
        let mut new =
            Span { start: event, count: piece.count, left, right: NONE, state: 1, gone: false };
        let next = self.weave.settle(place);
        let concurrent = self.weave.span(next).is_some_and(|span| span.state == 0);
        let place = if concurrent {
            new.right = self.right_parent(next, left);
            self.among(history, place, new)
        } else {
            new.right = self.right_parent(next, left);
            place
        };
        self.weave.insert(place, new);
        Some(place.merged)
    }

    /// The first character from the cursor on that is seen, if it too was inserted after `left`.
    fn right_parent(&self, from: Cursor, left: u32) -> u32 {
        let mut cursor = from;
        while let Some(span) = self.weave.span(cursor) {
            if span.state > 0 {
                let after_it = self.weave.left_of(cursor) == left;
                return if after_it { self.weave.character(cursor) } else { NONE };
            }
            match self.weave.next(cursor) {
                Some(next) => cursor = next,
                None => break,
            }
        }
        NONE
    }

    /// The place of `new` among the unseen characters from `place` on.
    fn among(&self, history: &History, place: Cursor, new: Span) -> Cursor {
        let mut place = place;
        let mut scan = self.weave.settle(place);
        let mut passing = false;
        while let Some(other) = self.weave.span(scan).filter(|span| span.state == 0) {
            match self.weave.order(other.left, new.left) {
                Ordering::Less => break,
                Ordering::Equal => match self.order_right(other.right, new.right) {
                    Ordering::Equal if history.agents.order(new.start, other.start).is_lt() => {
                        break;
                    }
                    order => passing = order.is_lt(),
                },
                Ordering::Greater => {}
            }
            let Some(next) = self.weave.next(scan) else { break };
            scan = next;
            if !passing {
                place = scan;
            }
        }
        place
    }

    /// As [`Weave::order`], but no character stands behind all.
    fn order_right(&self, one: u32, other: u32) -> Ordering {
        match (one, other) {
            (NONE, NONE) => Ordering::Equal,
            (NONE, _) => Ordering::Greater,
            (_, NONE) => Ordering::Less,
            _ => self.weave.order(one, other),
        }
    }

    fn delete(
        &mut self,
        at: Event,
        piece: Piece<'_>,
        mut edits: Option<&mut Edits>,
    ) -> Result<(), Misplaced> {
        let back = piece.kind == Kind::DeleteBack;
        let mut done = 0;
        while done < piece.count {
            let event = at + done;
            let position =
                if back { piece.position.checked_sub(done) } else { Some(piece.position) };
            let cursor = position.and_then(|at| self.weave.find(at)).ok_or(Misplaced(event))?;
            let (count, there) = self.weave.delete(cursor, piece.count - done, back);
            if count == 0 {
                return Err(Misplaced(event));
            }
            if let Some(edits) = edits.as_deref_mut().filter(|_| there) {
                let first = if back { cursor.merged + 1 - count } else { cursor.merged };
                edits.delete(first, count, event)?;
            }
            done += count;
        }
        Ok(())
    }
}

impl Edits {
    fn insert(&mut self, position: u32, piece: Piece<'_>, event: Event) -> Result<(), Misplaced> {
        if position > self.chars {
            return Err(Misplaced(event));
        }
        self.chars += piece.count;
        let end = piece.content_at + piece.content.len() as u32;
        let content = piece.content_at..end;
        self.list.push(Edit::Insert { position, content, count: piece.count });
        Ok(())
    }

    fn delete(&mut self, position: u32, count: u32, event: Event) -> Result<(), Misplaced> {
        let end = position.saturating_add(count);
        if end > self.chars {
            return Err(Misplaced(event));
        }
        self.chars -= count;
        self.list.push(Edit::Delete(position..end));
        Ok(())
    }
}

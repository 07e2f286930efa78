//! The sequence while concurrent events are merged: every character with its place, counted both
//! as the event being applied sees it and as the merged text has it.
//!
//! A B-tree of spans. A span is a run of characters inserted one after another, so that each has
//! the one before it as left neighbour. Characters that were there before the merge began are one
//! long span of unknown content ([`BASE`]).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use super::graph::Event;

/// A character: the event that inserted it, or `BASE` plus its position before the merge.
pub(super) type Character = u32;

/// The first character of the text before the merge.
pub(super) const BASE: Character = 1 << 31;
/// Assumed length of the text before the merge: more than any text has. Whatever refers to a
/// character that is not there comes out behind the end of the merged text, and is refused then.
const BASE_CHARS: u32 = 1 << 30;
/// No character: before the first, or after the last.
pub(super) const NONE: Character = u32::MAX;

/// Spans in a leaf, children of a branch.
const WIDTH: usize = 32;
/// A span is kept this short, so that moving one to another leaf stays cheap.
pub(super) const MAX_SPAN: u32 = 512;

/// A run of characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: Character,
    pub(super) count: u32,
    /// What stood to the left of the first character when it was inserted.
    pub(super) left: Character,
    /// The right neighbour then, if it was inserted after the same left one; else none.
    pub(super) right: Character,
    /// As the current event sees it: 0 not inserted, 1 there, more: deleted so many times less one.
    pub(super) state: u32,
    /// Deleted in the merged text.
    pub(super) gone: bool,
}

/// Characters seen by the current event, and in the merged text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    seen: u32,
    merged: u32,
}

#[derive(Clone, Debug, Default)]
struct Leaf {
    spans: Vec<Span>,
    parent: u32,
    next: u32,
}

#[derive(Clone, Debug, Default)]
struct Branch {
    children: Vec<(u32, Count)>,
    parent: u32,
}

/// A character or the place before a span; by default the place before everything.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    leaf: u32,
    span: usize,
    offset: u32,
    /// Characters of the merged text before it.
    pub(super) merged: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Weave {
    leaves: Vec<Leaf>,
    branches: Vec<Branch>,
    root: u32,
    /// Levels of branches above the leaves.
    height: u32,
    /// The first event of the merge.
    first: Event,
    /// For each event since: the leaf of what it inserted, or the character that it deleted.
    places: Vec<u32>,
    /// Leaves of the spans of characters that were there before, by first character.
    base: BTreeMap<Character, u32>,
}

impl Weave {
    /// The text as it is before the event `first`.
    pub(super) fn new(first: Event) -> Self {
        let mut weave = Self {
            leaves: vec![Leaf { spans: Vec::with_capacity(WIDTH), parent: NONE, next: NONE }],
            branches: Vec::new(),
            root: 0,
            height: 0,
            first,
            places: Vec::new(),
            base: BTreeMap::new(),
        };
        if first > 0 {
            let span = Span {
                start: BASE,
                count: BASE_CHARS,
                left: NONE,
                right: NONE,
                state: 1,
                gone: false,
            };
            weave.put(0, 0, span);
        }
        weave
    }

    /// The character that the current event sees at `position`.
    pub(super) fn find(&self, position: u32) -> Option<Cursor> {
        let (mut node, mut rest, mut merged) = (self.root, position, 0);
        for _ in 0..self.height {
            let children = &self.branch(node).children;
            let &(child, _) = children.iter().find(|(_, count)| {
                let here = rest < count.seen;
                if !here {
                    rest -= count.seen;
                    merged += count.merged;
                }
                here
            })?;
            node = child;
        }
        for (at, span) in self.leaf(node).spans.iter().enumerate() {
            let count = span.count();
            if rest < count.seen {
                merged += if span.gone { 0 } else { rest };
                return Some(Cursor { leaf: node, span: at, offset: rest, merged });
            }
            rest -= count.seen;
            merged += count.merged;
        }
        None
    }

    /// The place behind the character at the cursor.
    pub(super) fn after(&self, cursor: Cursor) -> Cursor {
        let Some(span) = self.span(cursor) else { return cursor };
        let merged = cursor.merged + u32::from(!span.gone);
        if cursor.offset + 1 < span.count {
            return Cursor { offset: cursor.offset + 1, merged, ..cursor };
        }
        Cursor { span: cursor.span + 1, offset: 0, merged, ..cursor }
    }

    /// The place behind the span at the cursor.
    pub(super) fn next(&self, cursor: Cursor) -> Option<Cursor> {
        let span = self.span(cursor)?;
        let rest = span.count - cursor.offset;
        let merged = cursor.merged + if span.gone { 0 } else { rest };
        Some(self.settle(Cursor { span: cursor.span + 1, offset: 0, merged, ..cursor }))
    }

    pub(super) fn span(&self, cursor: Cursor) -> Option<&Span> {
        self.leaf(cursor.leaf).spans.get(cursor.span)
    }

    /// The character at the cursor.
    pub(super) fn character(&self, cursor: Cursor) -> Character {
        self.span(cursor).map_or(NONE, |span| span.start + cursor.offset)
    }

    /// What stood to the left of that character when it was inserted.
    pub(super) fn left_of(&self, cursor: Cursor) -> Character {
        match self.span(cursor) {
            Some(span) if cursor.offset == 0 => span.left,
            _ => self.character(cursor).wrapping_sub(1),
        }
    }

    /// Inserts a new span at the cursor; events of the span are the next ones.
    pub(super) fn insert(&mut self, cursor: Cursor, span: Span) {
        if cursor.offset == 0 && self.prolong(cursor, span) {
            return;
        }
        let at = if cursor.offset > 0 {
            self.split(cursor.leaf, cursor.span, cursor.offset)
        } else {
            (cursor.leaf, cursor.span)
        };
        self.places.resize(self.places.len() + span.count as usize, at.0);
        self.put(at.0, at.1, span);
    }

    /// Deletes up to `limit` characters of the span at the cursor, from the cursor on or, with
    /// `back`, up to the cursor. Gives the number of characters and whether the text had them.
    pub(super) fn delete(&mut self, cursor: Cursor, limit: u32, back: bool) -> (u32, bool) {
        let Some(span) = self.span(cursor).copied() else { return (0, false) };
        let (from, to) = if back {
            ((cursor.offset + 1).saturating_sub(limit), cursor.offset + 1)
        } else {
            (cursor.offset, cursor.offset.saturating_add(limit).min(span.count))
        };
        let characters = span.start + from..span.start + to;
        if back {
            self.places.extend(characters.clone().rev());
        } else {
            self.places.extend(characters.clone());
        }
        let at = self.isolate(cursor.leaf, cursor.span, from, to);
        self.change(at, |span| {
            span.state += 1;
            span.gone = true;
        });
        (to - from, !span.gone)
    }

    /// The character that the event deleted.
    pub(super) fn target(&self, event: Event) -> Character {
        self.place(event)
    }

    /// Makes the current event see these characters' insertion (or a deletion of them), or not.
    pub(super) fn shift(&mut self, characters: Range<Character>, forward: bool) {
        let mut start = characters.start;
        while start < characters.end {
            let Some((leaf, at, offset)) = self.locate(start) else { return };
            let Some(span) = self.leaf(leaf).spans.get(at).copied() else { return };
            let to = span.count.min(offset + (characters.end - start));
            let place = self.isolate(leaf, at, offset, to);
            self.change(place, |span| {
                span.state = if forward {
                    span.state.saturating_add(1)
                } else {
                    span.state.saturating_sub(1)
                };
            });
            start += to - offset;
        }
    }

    /// Which of two characters stands before the other; [`NONE`] stands before all.
    pub(super) fn order(&self, one: Character, other: Character) -> Ordering {
        if one == other {
            return Ordering::Equal;
        }
        match (self.locate(one), self.locate(other)) {
            (None, None) => Ordering::Equal,
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            (Some(one), Some(other)) if one.0 == other.0 => (one.1, one.2).cmp(&(other.1, other.2)),
            (Some(one), Some(other)) => self.path(one.0).cmp(&self.path(other.0)),
        }
    }

    /// All spans in order.
    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        let mut leaf = Some(0);
        std::iter::from_fn(move || {
            let current = self.leaf(leaf?);
            leaf = (current.next != NONE).then_some(current.next);
            Some(current.spans.iter())
        })
        .flatten()
    }

    /// Appends to the span before the cursor where that says the same.
    fn prolong(&mut self, cursor: Cursor, new: Span) -> bool {
        let Some(before) = cursor.span.checked_sub(1) else { return false };
        let Some(span) = self.leaf(cursor.leaf).spans.get(before) else { return false };
        let follows =
            span.start + span.count == new.start && new.start.checked_sub(1) == Some(new.left);
        if !follows
            || new.right != NONE
            || (span.state, span.gone) != (1, false)
            || span.count + new.count > MAX_SPAN
        {
            return false;
        }
        self.places.resize(self.places.len() + new.count as usize, cursor.leaf);
        self.change((cursor.leaf, before), |span| span.count += new.count);
        true
    }

    /// Moves a cursor from the end of a leaf to the start of the next.
    pub(super) fn settle(&self, cursor: Cursor) -> Cursor {
        let leaf = self.leaf(cursor.leaf);
        if cursor.span >= leaf.spans.len() && leaf.next != NONE {
            return Cursor { leaf: leaf.next, span: 0, offset: 0, ..cursor };
        }
        cursor
    }

    /// Where a character is: leaf, span, offset.
    fn locate(&self, character: Character) -> Option<(u32, usize, u32)> {
        let leaf = match character {
            NONE => return None,
            BASE.. => *self.base.range(..=character).next_back()?.1,
            event => self.place(event),
        };
        let spans = &self.leaf(leaf).spans;
        let at = spans
            .iter()
            .position(|span| span.start <= character && character - span.start < span.count)?;
        Some((leaf, at, character - spans.get(at)?.start))
    }

    fn place(&self, event: Event) -> u32 {
        let at = event.wrapping_sub(self.first) as usize;
        self.places.get(at).copied().unwrap_or(NONE)
    }

    /// The way from the root to a leaf, as the numbers of children.
    fn path(&self, leaf: u32) -> Vec<usize> {
        let mut path = Vec::with_capacity(self.height as usize);
        let (mut node, mut parent) = (leaf, self.leaf(leaf).parent);
        while parent != NONE {
            let branch = self.branch(parent);
            path.push(branch.children.iter().position(|child| child.0 == node).unwrap_or(0));
            (node, parent) = (parent, branch.parent);
        }
        path.reverse();
        path
    }

    /// Makes the characters `from..to` of a span a span of their own; tells where it is.
    fn isolate(&mut self, leaf: u32, span: usize, from: u32, to: u32) -> (u32, usize) {
        let (leaf, span, to) = if from > 0 {
            let (leaf, span) = self.split(leaf, span, from);
            (leaf, span, to - from)
        } else {
            (leaf, span, to)
        };
        let Some(whole) = self.leaf(leaf).spans.get(span).copied() else { return (leaf, span) };
        if to == whole.count {
            return (leaf, span);
        }
        self.split(leaf, span, to);
        // The split may have moved it; its first character tells where.
        self.locate(whole.start).map_or((leaf, span), |(leaf, span, _)| (leaf, span))
    }

    /// Splits a span before its character `offset`; tells where the second part is.
    fn split(&mut self, leaf: u32, span: usize, offset: u32) -> (u32, usize) {
        let Some(first) = self.leaf_mut(leaf).spans.get_mut(span) else { return (leaf, span) };
        let start = first.start + offset;
        let second =
            Span { start, count: first.count - offset, left: start - 1, right: NONE, ..*first };
        first.count = offset;
        let moved = Count::default().less(second.count());
        self.add(leaf, moved);
        self.put(leaf, span + 1, second)
    }

    /// Puts a span into a leaf, which is split when full; tells where the span is then.
    fn put(&mut self, leaf: u32, at: usize, span: Span) -> (u32, usize) {
        let (mut leaf, mut at) = (leaf, at);
        if self.leaf(leaf).spans.len() >= WIDTH {
            let upper = self.split_leaf(leaf);
            let kept = self.leaf(leaf).spans.len();
            if at > kept {
                (leaf, at) = (upper, at - kept);
            }
        }
        self.leaf_mut(leaf).spans.insert(at, span);
        self.point(span, leaf);
        self.add(leaf, span.count());
        (leaf, at)
    }

    /// Notes the leaf of a span.
    fn point(&mut self, span: Span, leaf: u32) {
        if span.start >= BASE {
            self.base.insert(span.start, leaf);
            return;
        }
        let start = (span.start - self.first) as usize;
        if let Some(places) = self.places.get_mut(start..start + span.count as usize) {
            places.fill(leaf);
        }
    }

    fn change(&mut self, (leaf, at): (u32, usize), how: impl FnOnce(&mut Span)) {
        let Some(span) = self.leaf_mut(leaf).spans.get_mut(at) else { return };
        let before = span.count();
        how(span);
        let after = span.count();
        self.add(leaf, after.less(before));
    }

    /// Adds to the counts of all branches above a leaf.
    fn add(&mut self, leaf: u32, count: Count) {
        if count == Count::default() {
            return;
        }
        let (mut node, mut parent) = (leaf, self.leaf(leaf).parent);
        while parent != NONE {
            let branch = self.branch_mut(parent);
            if let Some(child) = branch.children.iter_mut().find(|child| child.0 == node) {
                child.1 = child.1.plus(count);
            }
            (node, parent) = (parent, branch.parent);
        }
    }

    /// Moves the upper half of a leaf to a new one.
    fn split_leaf(&mut self, leaf: u32) -> u32 {
        let upper = self.leaves.len() as u32;
        let old = self.leaf_mut(leaf);
        let mut spans = Vec::with_capacity(WIDTH);
        spans.extend(old.spans.drain(WIDTH / 2..));
        let (parent, next) = (old.parent, std::mem::replace(&mut old.next, upper));
        let moved = Count::sum(spans.iter().map(Span::count));
        for &span in &spans {
            self.point(span, upper);
        }
        self.leaves.push(Leaf { spans, parent, next });
        self.hang(leaf, upper, moved, parent, 0);
        upper
    }

    /// Hangs a new node beside the one it was split from.
    fn hang(&mut self, old: u32, new: u32, moved: Count, parent: u32, level: u32) {
        let mut parent = parent;
        if parent == NONE {
            parent = self.grow(old, level, moved);
        } else if self.branch(parent).children.len() >= WIDTH {
            self.split_branch(parent, level + 1);
            parent = self.parent_of(old, level);
        }
        let branch = self.branch_mut(parent);
        if let Some(at) = branch.children.iter().position(|child| child.0 == old) {
            if let Some(child) = branch.children.get_mut(at) {
                child.1 = child.1.less(moved);
            }
            branch.children.insert(at + 1, (new, moved));
        }
        self.set_parent(new, level, parent);
    }

    /// A new root above the old one, which `moved` was just taken from.
    fn grow(&mut self, old: u32, level: u32, moved: Count) -> u32 {
        let root = self.branches.len() as u32;
        let rest = match level {
            0 => Count::sum(self.leaf(old).spans.iter().map(Span::count)),
            _ => Count::sum(self.branch(old).children.iter().map(|child| child.1)),
        };
        let mut children = Vec::with_capacity(WIDTH);
        children.push((old, rest.plus(moved)));
        self.branches.push(Branch { children, parent: NONE });
        self.set_parent(old, level, root);
        self.root = root;
        self.height += 1;
        root
    }

    /// Moves the upper half of a branch, which stands on `level`, to a new one.
    fn split_branch(&mut self, branch: u32, level: u32) {
        let upper = self.branches.len() as u32;
        let old = self.branch_mut(branch);
        let mut children = Vec::with_capacity(WIDTH);
        children.extend(old.children.drain(WIDTH / 2..));
        let parent = old.parent;
        let moved = Count::sum(children.iter().map(|child| child.1));
        for &(child, _) in &children {
            self.set_parent(child, level - 1, upper);
        }
        self.branches.push(Branch { children, parent });
        self.hang(branch, upper, moved, parent, level);
    }

    fn parent_of(&self, node: u32, level: u32) -> u32 {
        if level == 0 { self.leaf(node).parent } else { self.branch(node).parent }
    }

    fn set_parent(&mut self, node: u32, level: u32, parent: u32) {
        if level == 0 {
            self.leaf_mut(node).parent = parent;
        } else {
            self.branch_mut(node).parent = parent;
        }
    }

    fn leaf_mut(&mut self, id: u32) -> &mut Leaf {
        at_mut(&mut self.leaves, id)
    }

    fn leaf(&self, id: u32) -> &Leaf {
        at(&self.leaves, id)
    }

    fn branch(&self, id: u32) -> &Branch {
        at(&self.branches, id)
    }

    fn branch_mut(&mut self, id: u32) -> &mut Branch {
        at_mut(&mut self.branches, id)
    }
}

impl Span {
    fn count(&self) -> Count {
        Count {
            seen: if self.state == 1 { self.count } else { 0 },
            merged: if self.gone { 0 } else { self.count },
        }
    }
}

/// Differences of counts may be below zero in between; they wrap and come right in the sum.
impl Count {
    fn plus(self, other: Self) -> Self {
        Self {
            seen: self.seen.wrapping_add(other.seen),
            merged: self.merged.wrapping_add(other.merged),
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            seen: self.seen.wrapping_sub(other.seen),
            merged: self.merged.wrapping_sub(other.merged),
        }
    }

    fn sum(counts: impl Iterator<Item = Self>) -> Self {
        counts.fold(Self::default(), Self::plus)
    }
}

#[allow(clippy::indexing_slicing, reason = "ids are the numbers of nodes made, and none is freed")]
fn at<T>(nodes: &[T], id: u32) -> &T {
    &nodes[id as usize]
}

#[allow(clippy::indexing_slicing, reason = "as above")]
fn at_mut<T>(nodes: &mut [T], id: u32) -> &mut T {
    &mut nodes[id as usize]
}

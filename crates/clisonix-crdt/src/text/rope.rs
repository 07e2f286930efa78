//! The current text: short leaves of UTF-8 in groups, found by counting characters.

use std::ops::Range;

use super::operations::{byte_of, chars_of};

/// A leaf is split when it would hold more bytes.
const LEAF_BYTES: usize = 1024;
/// New leaves are filled this far, so that the next insert finds room.
const FILL_BYTES: usize = LEAF_BYTES * 3 / 4;
/// A group is split when it would hold more leaves.
const GROUP_LEAVES: usize = 64;

#[derive(Clone, Debug, Default)]
struct Leaf {
    text: String,
    chars: u32,
}

#[derive(Clone, Debug, Default)]
struct Group {
    leaves: Vec<Leaf>,
    chars: u32,
}

/// A leaf and the position of its first character.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    group: usize,
    leaf: usize,
    start: u32,
}

/// Two levels are enough: with [`super::MAX_TEXT_CHARS`] characters there are a few hundred groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Rope {
    groups: Vec<Group>,
    chars: u32,
    /// Where the last edit was; the next one is mostly there too.
    near: Place,
}

impl Rope {
    pub(super) fn new(text: &str) -> Self {
        let mut rope = Self { chars: chars_of(text), ..Self::default() };
        let mut leaves = leaves(text);
        while !leaves.is_empty() {
            let rest = leaves.split_off(leaves.len().min(GROUP_LEAVES / 2));
            rope.groups.push(Group::new(leaves));
            leaves = rest;
        }
        rope
    }

    pub(super) fn len(&self) -> u32 {
        self.chars
    }

    /// Inserts `text` (of `chars` characters) before the character at `position`, at most at the end.
    pub(super) fn insert(&mut self, position: u32, text: &str, chars: u32) {
        let place = self.find(position.min(self.chars));
        self.near = place;
        self.chars += chars;
        let Some(group) = self.groups.get_mut(place.group) else {
            self.groups = Rope::new(text).groups;
            return;
        };
        group.chars += chars;
        let Some(leaf) = group.leaves.get_mut(place.leaf) else { return };
        let byte = byte_of(&leaf.text, position - place.start, leaf.chars);
        if leaf.text.len() + text.len() <= LEAF_BYTES {
            leaf.text.insert_str(byte, text);
            leaf.chars += chars;
            return;
        }
        let tail = leaf.text.split_off(byte);
        let mut whole = std::mem::take(&mut leaf.text);
        whole.push_str(text);
        whole.push_str(&tail);
        group.leaves.splice(place.leaf..=place.leaf, leaves(&whole));
        self.split(place.group);
    }

    /// Deletes the characters in `range`, at most to the end.
    pub(super) fn delete(&mut self, range: Range<u32>) {
        let end = range.end.min(self.chars);
        let mut left = end.saturating_sub(range.start);
        while left > 0 {
            let place = self.find_character(range.start);
            let Some(group) = self.groups.get_mut(place.group) else { return };
            let Some(leaf) = group.leaves.get_mut(place.leaf) else { return };
            let from = range.start - place.start;
            let count = left.min(leaf.chars - from);
            let start = byte_of(&leaf.text, from, leaf.chars);
            let stop = byte_of(&leaf.text, from + count, leaf.chars);
            leaf.text.drain(start..stop);
            leaf.chars -= count;
            group.chars -= count;
            self.chars -= count;
            left -= count;
            self.near = place;
            if leaf.text.len() < LEAF_BYTES / 4 {
                self.tidy(place);
            }
        }
    }

    /// The characters in `range` as text.
    pub(super) fn slice(&self, range: Range<u32>) -> String {
        let mut out = String::new();
        let mut start = 0;
        for leaf in self.groups.iter().flat_map(|group| &group.leaves) {
            let end = start + leaf.chars;
            if start >= range.end {
                break;
            }
            if end > range.start {
                let from = byte_of(&leaf.text, range.start.saturating_sub(start), leaf.chars);
                let to = byte_of(&leaf.text, range.end.min(end) - start, leaf.chars);
                out.push_str(leaf.text.get(from..to).unwrap_or_default());
            }
            start = end;
        }
        out
    }

    /// The text, leaf by leaf.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flat_map(|group| &group.leaves).map(|leaf| leaf.text.as_str())
    }

    /// The leaf with the character before `position`, or the first.
    fn find(&self, position: u32) -> Place {
        self.nearby(|start, end| start < position && position <= end)
            .unwrap_or_else(|| self.search(|end| position <= end))
    }

    /// The leaf with the character at `position`.
    fn find_character(&self, position: u32) -> Place {
        self.nearby(|start, end| start <= position && position < end)
            .unwrap_or_else(|| self.search(|end| position < end))
    }

    fn nearby(&self, fits: impl Fn(u32, u32) -> bool) -> Option<Place> {
        let leaf = self.groups.get(self.near.group)?.leaves.get(self.near.leaf)?;
        fits(self.near.start, self.near.start + leaf.chars).then_some(self.near)
    }

    /// The first leaf whose end is far enough.
    fn search(&self, enough: impl Fn(u32) -> bool) -> Place {
        let mut place = Place::default();
        for (at, group) in self.groups.iter().enumerate() {
            place.group = at;
            if enough(place.start + group.chars) {
                for (at, leaf) in group.leaves.iter().enumerate() {
                    place.leaf = at;
                    if enough(place.start + leaf.chars) {
                        break;
                    }
                    place.start += leaf.chars;
                }
                break;
            }
            place.start += group.chars;
        }
        place
    }

    /// Removes a leaf that became empty, or joins it with the next if both are short.
    fn tidy(&mut self, place: Place) {
        let Some(group) = self.groups.get_mut(place.group) else { return };
        let length = |at: usize| group.leaves.get(at).map(|leaf| leaf.text.len());
        let Some(mine) = length(place.leaf) else { return };
        if mine > 0 && length(place.leaf + 1).is_none_or(|next| mine + next > LEAF_BYTES / 2) {
            return;
        }
        let removed = group.leaves.remove(place.leaf);
        if let Some(next) = group.leaves.get_mut(place.leaf) {
            next.text.insert_str(0, &removed.text);
            next.chars += removed.chars;
        }
        if group.leaves.is_empty() {
            self.groups.remove(place.group);
        }
        self.near = Place::default();
    }

    /// Splits a group that became too long.
    fn split(&mut self, at: usize) {
        while let Some(group) = self.groups.get_mut(at).filter(|g| g.leaves.len() > GROUP_LEAVES) {
            let keep = group.leaves.len() - GROUP_LEAVES / 2;
            let tail = Group::new(group.leaves.split_off(keep));
            group.chars -= tail.chars;
            self.groups.insert(at + 1, tail);
        }
        self.near = Place::default();
    }
}

impl Group {
    fn new(leaves: Vec<Leaf>) -> Self {
        Self { chars: leaves.iter().map(|leaf| leaf.chars).sum(), leaves }
    }
}

/// Cuts a text into leaves of about equal length.
fn leaves(mut text: &str) -> Vec<Leaf> {
    let mut leaves = Vec::with_capacity(text.len() / FILL_BYTES + 1);
    while !text.is_empty() {
        let parts = text.len().div_ceil(FILL_BYTES);
        let (head, tail) = text.split_at(text.ceil_char_boundary(text.len() / parts));
        leaves.push(Leaf { text: head.to_owned(), chars: chars_of(head) });
        text = tail;
    }
    leaves
}

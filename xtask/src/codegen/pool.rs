//! Pools of numbers and texts that rows of a table point into, and how they are written.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};

use anyhow::Result;

/// The widest line of a generated file.
const LINE_WIDTH: usize = 100;

/// Lists one after another; equal lists are held once.
pub(super) struct Pool<T> {
    items: Vec<T>,
    lists: BTreeMap<Vec<T>, (u16, u16)>,
}

impl<T: Ord + Clone> Pool<T> {
    pub(super) fn new() -> Self {
        Self { items: Vec::new(), lists: BTreeMap::new() }
    }

    /// Where `list` stands: its first item and how many there are.
    pub(super) fn put(&mut self, list: &[T]) -> Result<(u16, u16)> {
        if list.is_empty() {
            return Ok((0, 0));
        }
        if let Some(&at) = self.lists.get(list) {
            return Ok(at);
        }
        let at = (u16::try_from(self.items.len())?, u16::try_from(list.len())?);
        u16::try_from(self.items.len() + list.len())?;
        self.items.extend_from_slice(list);
        self.lists.insert(list.to_vec(), at);
        Ok(at)
    }

    /// The items with each list sorted by a key, the lists where they stand.
    pub(super) fn sorted_within_lists<K: Ord>(
        &self,
        key: impl Fn(&T) -> K,
    ) -> impl Iterator<Item = T> {
        let mut stretches: Vec<_> = self.lists.iter().map(|(list, at)| (at.0, list)).collect();
        stretches.sort_unstable_by_key(|(start, _)| *start);
        stretches.into_iter().flat_map(move |(_, list)| {
            let mut list = list.clone();
            list.sort_by_key(&key);
            list
        })
    }

    /// The items as lines of Rust, each put through `item`.
    pub(super) fn lines(&self, item: impl Fn(&T) -> String) -> String {
        lines(self.items.iter().map(item))
    }
}

/// Items separated by commas, as many on a line as fit.
pub(super) fn lines(items: impl Iterator<Item = String>) -> String {
    let (mut text, mut line) = (String::new(), String::from("   "));
    for item in items {
        if line.len() + item.len() + 2 > LINE_WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.truncate(3);
        }
        line.push(' ');
        line.push_str(&item);
        line.push(',');
    }
    if line.len() > 3 {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Adds `pub(super) static NAME: TYPE = &[ ... ];` to `out`.
pub(super) fn put_static(out: &mut String, doc: &str, name: &str, ty: &str, body: &str) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\n/// {doc}\npub(super) static {name}: &[{ty}] = &[\n{body}];\n");
}

/// A Rust literal.
pub(super) fn literal(text: &(impl Debug + ?Sized)) -> String {
    format!("{text:?}")
}

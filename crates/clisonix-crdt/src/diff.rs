//! An edit as the difference of two trees: what was read, and what is wanted now.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use crate::address::{Address, ElementKey, Path, Step, Steps, in_list, is_position, is_presence};
use crate::change::{Op, OpsWriter, Write};
use crate::edit::EditError;
use crate::layout::{Shape, shape};
use crate::position;
use crate::state::{Entry, EntryId};
use crate::tree::{Content, Item, Node, Place, Thing};

/// What the absence of a member in the new tree means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The resource is whole: what it does not hold is cleared.
    Whole,
    /// Only what is stated counts: an absent member says nothing, `null` retracts. A stated list
    /// is stated whole.
    Stated,
    /// As `Stated`, and a list names only some of its elements: none is removed or corrected.
    Partial,
}

/// The version an edit is made against.
#[derive(Clone, Copy)]
pub(crate) struct BaseEntry<'a> {
    /// What the editor saw; `None` if the entry was not there.
    pub(crate) shown: Option<&'a Thing<'a>>,
    /// The cells of that version, including those of things that are gone.
    pub(crate) cells: Option<&'a Entry>,
}

/// Takes in the operations that a difference consists of.
pub(crate) trait Sink {
    /// A cell gets a text.
    fn set(&mut self, entry: &EntryId, address: &[u8], text: &str);
    /// A list element gets a place.
    fn position(&mut self, entry: &EntryId, address: &[u8], position: &[u8]);
    /// A thing is kept or removed.
    fn presence(&mut self, entry: &EntryId, address: &[u8], is_kept: bool);
}

impl Sink for Vec<Op> {
    fn set(&mut self, entry: &EntryId, address: &[u8], text: &str) {
        let (entry, address) = (entry.clone(), Address::trusted(address));
        self.push(Op { entry, address, write: Write::Set(text.into()) });
    }

    fn position(&mut self, entry: &EntryId, address: &[u8], position: &[u8]) {
        let (entry, address) = (entry.clone(), Address::trusted(address));
        self.push(Op { entry, address, write: Write::Position(position.into()) });
    }

    fn presence(&mut self, entry: &EntryId, address: &[u8], is_kept: bool) {
        let write = if is_kept { Write::Keep } else { Write::Mark };
        self.push(Op { entry: entry.clone(), address: Address::trusted(address), write });
    }
}

impl Sink for OpsWriter {
    fn set(&mut self, entry: &EntryId, address: &[u8], text: &str) {
        self.put_set(entry.name(), address, &[text]);
    }

    fn position(&mut self, entry: &EntryId, address: &[u8], position: &[u8]) {
        self.put_position(entry.name(), address, position);
    }

    fn presence(&mut self, entry: &EntryId, address: &[u8], is_kept: bool) {
        self.put_presence(entry.name(), address, is_kept);
    }
}

/// Gives `ops` the operations that turn `base` into `new`.
///
/// # Errors
/// [`EditError::TooManyAlike`] if a list holds more equal elements than occurrences can be counted.
pub(crate) fn diff(
    entry: &EntryId,
    base: BaseEntry<'_>,
    new: &Thing<'_>,
    coverage: Coverage,
    ops: &mut impl Sink,
) -> Result<(), EditError> {
    let mut differ = Differ { entry, cells: base.cells, ops, written: Vec::new() };
    let mut path = Path::default();
    match base.shown {
        Some(shown) => differ.thing(shown, new, &mut path, coverage),
        None => differ.create_thing(new, &mut path),
    }
}

struct Differ<'a, S> {
    entry: &'a EntryId,
    cells: Option<&'a Entry>,
    ops: &'a mut S,
    /// Where operations went, if there were cells before.
    written: Vec<Address>,
}

/// Of one list: the next free occurrence by key hash, once asked for.
type Taken = BTreeMap<[u8; 8], u32>;

fn step(place: Place<'_>) -> Step<'_> {
    match place {
        Place::Unknown(name) => Step::Unknown(name),
        Place::Element(element) => Step::Element(element),
    }
}

impl<S: Sink> Differ<'_, S> {
    fn set(&mut self, path: &mut Path, step: Step<'_>, text: &str) {
        self.put(path, step, |ops, entry, at| ops.set(entry, at, text));
    }

    fn remove(&mut self, path: &mut Path) {
        self.put(path, Step::Presence, |ops, entry, at| ops.presence(entry, at, false));
    }

    fn keep(&mut self, path: &mut Path) {
        self.put(path, Step::Presence, |ops, entry, at| ops.presence(entry, at, true));
    }

    fn put(&mut self, path: &mut Path, step: Step<'_>, put: impl FnOnce(&mut S, &EntryId, &[u8])) {
        path.with(step, |path| {
            put(self.ops, self.entry, path.as_bytes());
            if self.cells.is_some() {
                self.written.push(Address::trusted(path.as_bytes()));
            }
        });
    }

    fn thing(
        &mut self,
        base: &Thing<'_>,
        new: &Thing<'_>,
        path: &mut Path,
        coverage: Coverage,
    ) -> Result<(), EditError> {
        for (place, node) in &new.nodes {
            match base.node(*place) {
                Some(old) => self.node(*place, old, node, path, coverage)?,
                None => self.create(*place, node, path)?,
            }
        }
        if coverage == Coverage::Whole {
            for (place, old) in &base.nodes {
                if new.node(*place).is_none() {
                    self.clear(*place, old, path);
                }
            }
        }
        Ok(())
    }

    fn node(
        &mut self,
        place: Place<'_>,
        old: &Node<'_>,
        new: &Node<'_>,
        path: &mut Path,
        coverage: Coverage,
    ) -> Result<(), EditError> {
        match (old, new) {
            (Node::Cell(old), Node::Cell(new)) => {
                if old != new {
                    self.set(path, step(place), new);
                }
                Ok(())
            }
            (Node::Thing(_), Node::Thing(new)) if new.nodes.is_empty() => {
                path.with(step(place), |path| self.remove(path));
                Ok(())
            }
            (Node::Thing(old), Node::Thing(new)) => {
                path.with(step(place), |path| self.thing(old, new, path, coverage))
            }
            (Node::List(old), Node::List(new)) => {
                path.with(step(place), |path| self.list(old, new, path, coverage))
            }
            (old, new) => {
                self.clear(place, old, path);
                self.create(place, new, path)
            }
        }
    }

    fn clear(&mut self, place: Place<'_>, old: &Node<'_>, path: &mut Path) {
        match old {
            Node::Cell(_) => self.set(path, step(place), ""),
            Node::Thing(_) => path.with(step(place), |path| self.remove(path)),
            Node::List(items) => path.with(step(place), |path| {
                for item in items {
                    self.remove_item(item, path);
                }
            }),
        }
    }

    fn remove_item(&mut self, item: &Item<'_>, path: &mut Path) {
        self.remove_key(item.key(), path);
        self.remove_twins(item, path);
    }

    fn remove_twins(&mut self, item: &Item<'_>, path: &mut Path) {
        for &twin in &item.twins {
            self.remove_key(twin, path);
        }
    }

    fn remove_key(&mut self, key: ElementKey, path: &mut Path) {
        path.with(Step::Key(key), |path| self.remove(path));
    }

    fn create(
        &mut self,
        place: Place<'_>,
        new: &Node<'_>,
        path: &mut Path,
    ) -> Result<(), EditError> {
        match new {
            Node::Cell(text) if text.is_empty() => Ok(()),
            Node::Cell(text) => {
                self.set(path, step(place), text);
                Ok(())
            }
            Node::Thing(thing) if thing.nodes.is_empty() => Ok(()),
            Node::Thing(thing) => path.with(step(place), |path| self.create_thing(thing, path)),
            Node::List(items) => {
                path.with(step(place), |path| self.list(&[], items, path, Coverage::Whole))
            }
        }
    }

    /// Writes a thing that was not there. If its address was used before, everything old is
    /// emptied, so that nothing of it shines through, and the removal is ended.
    fn create_thing(&mut self, new: &Thing<'_>, path: &mut Path) -> Result<(), EditError> {
        let first = self.written.len();
        for (place, node) in &new.nodes {
            self.create(*place, node, path)?;
        }
        let cells = self.cells.into_iter().flat_map(|cells| cells.under(path.as_bytes()));
        let old: Vec<Address> = cells.map(|(address, _)| Address::trusted(address)).collect();
        if old.is_empty() {
            if new.nodes.is_empty() {
                self.keep(path);
            }
            return Ok(());
        }
        let written: BTreeSet<Address> = self.written.iter().skip(first).cloned().collect();
        self.empty_rest(path.as_bytes(), &old, &written);
        self.keep(path);
        Ok(())
    }

    /// Empties the cells of `old` under `prefix` that are not in `written`; a list element or a
    /// thing inside is removed as one.
    fn empty_rest(&mut self, prefix: &[u8], old: &[Address], written: &BTreeSet<Address>) {
        let mut removed: BTreeSet<Vec<u8>> = BTreeSet::new();
        for address in old {
            let at = address.as_bytes();
            if is_position(at) || is_presence(at) || written.contains(address) {
                continue;
            }
            let inner = inner_thing(at, prefix.len());
            match inner {
                None => {
                    self.ops.set(self.entry, at, "");
                    self.written.push(address.clone());
                }
                // A single backbone that is written anew has emptied its own rest already.
                Some(thing) if written.iter().any(|w| w.as_bytes().starts_with(&thing)) => {}
                Some(thing) => {
                    if removed.insert(thing.clone()) {
                        self.remove(&mut Path::from_prefix(&thing));
                    }
                }
            }
        }
    }

    fn list(
        &mut self,
        old: &[Item<'_>],
        new: &[Item<'_>],
        path: &mut Path,
        coverage: Coverage,
    ) -> Result<(), EditError> {
        let partial = coverage == Coverage::Partial && !new.is_empty();
        let (pairs, hashes) = keep_twins_apart(old, new, align(old, new, partial));
        let mut used = vec![false; old.len()];
        for old_index in pairs.iter().flatten() {
            if let Some(slot) = used.get_mut(*old_index) {
                *slot = true;
            }
        }
        for (item, _) in old.iter().zip(&used).filter(|(_, used)| !**used && !partial) {
            self.remove_item(item, path);
        }
        let matched: Vec<Option<&Item<'_>>> =
            pairs.iter().map(|pair| pair.and_then(|index| old.get(index))).collect();
        let positions: Vec<Option<&[u8]>> =
            matched.iter().map(|item| item.map(|item| item.position.as_ref())).collect();
        let positions = position::arrange(&positions);
        let mut taken = Taken::new();
        for (((item, hash), before), position) in new.iter().zip(hashes).zip(matched).zip(positions)
        {
            let key = match before {
                Some(old) => old.key(),
                None => self.fresh_key(hash, path, &mut taken)?,
            };
            self.item(before, (item, key), position, path)?;
        }
        Ok(())
    }

    fn item(
        &mut self,
        before: Option<&Item<'_>>,
        (item, key): (&Item<'_>, ElementKey),
        position: Option<Vec<u8>>,
        path: &mut Path,
    ) -> Result<(), EditError> {
        if let Some(old) = before.filter(|old| old.content != item.content) {
            self.remove_twins(old, path);
        }
        path.with(Step::Key(key), |path| {
            if let Some(position) = position {
                self.put(path, Step::Position, |ops, entry, at| ops.position(entry, at, &position));
            }
            match (before.map(|old| &old.content), &item.content) {
                (Some(Content::Atomic(old)), Content::Atomic(new)) if old == new => Ok(()),
                (Some(Content::Thing(old)), Content::Thing(new)) => {
                    self.thing(old, new, path, Coverage::Whole)
                }
                (_, Content::Atomic(new)) => {
                    self.set(path, Step::Content, new);
                    Ok(())
                }
                (_, Content::Thing(new)) => self.create_thing(new, path),
            }
        })
    }

    /// A key with an occurrence number that was never used in the version's past.
    fn fresh_key(
        &self,
        hash: [u8; 8],
        list: &Path,
        taken: &mut Taken,
    ) -> Result<ElementKey, EditError> {
        let list = list.as_bytes();
        let used = |cells: &Entry| {
            let with_hash = [list, &hash].concat();
            let occurrences = cells.under(&with_hash).filter_map(|(address, _)| {
                let (key, _) = in_list(address.get(list.len()..)?)?;
                Some(u32::from(key.occurrence) + 1)
            });
            occurrences.max()
        };
        let next =
            taken.entry(hash).or_insert_with(|| self.cells.and_then(used).unwrap_or_default());
        let occurrence = u16::try_from(*next).map_err(|_| EditError::TooManyAlike)?;
        *next += 1;
        Ok(ElementKey { hash, occurrence })
    }
}

/// The prefix of the outermost thing inside the thing of `prefix_len` bytes that the cell is in.
fn inner_thing(address: &[u8], prefix_len: usize) -> Option<Vec<u8>> {
    let mut steps = Steps::of(address.get(prefix_len..)?, false);
    let Step::Element(element) = steps.next()? else { return None };
    if element.element().is_list() && !steps.rest().is_empty() {
        steps.next()?;
    } else if shape(element) != Shape::Thing || steps.rest().is_empty() {
        return None;
    }
    address.get(..address.len() - steps.rest().len()).map(<[u8]>::to_vec)
}

/// Whether a new item continues an old one.
type Rule<'r> = &'r dyn Fn(&Item<'_>, &Item<'_>) -> bool;

/// For each new item the index of the old item that it continues: the same place and content, the
/// same content, the same key, then the remaining ones in order, as edits.
///
/// In a `partial` list nothing is read as a correction: the old element may just not be named.
fn align(old: &[Item<'_>], new: &[Item<'_>], partial: bool) -> Vec<Option<usize>> {
    let mut pairs: Vec<Option<usize>> = vec![None; new.len()];
    let mut free: Vec<bool> = vec![true; old.len()];
    let same_content = |a: &Item<'_>, b: &Item<'_>| same_content(&a.content, &b.content);
    for (index, (pair, item)) in pairs.iter_mut().zip(new).enumerate() {
        if old.get(index).is_some_and(|old| same_content(old, item)) {
            *pair = Some(index);
            if let Some(slot) = free.get_mut(index) {
                *slot = false;
            }
        }
    }
    let rules: [Rule<'_>; 3] = [&same_content, &|a, b| a.hash == b.hash, &|a, b| {
        !partial && is_edit_of(&a.content, &b.content)
    }];
    for rule in rules {
        let mut start = 0;
        for (pair, item) in pairs.iter_mut().zip(new) {
            if pair.is_some() {
                continue;
            }
            while free.get(start) == Some(&false) {
                start += 1;
            }
            let found = old
                .iter()
                .zip(&mut free)
                .enumerate()
                .skip(start)
                .find(|(_, (old, free))| **free && rule(old, item));
            if let Some((index, (_, free))) = found {
                *free = false;
                *pair = Some(index);
            }
        }
    }
    pairs
}

/// Equal elements under different keys would be shown as one, so equal elements that one author
/// wants side by side get one key and different occurrences. Returns the pairs that stay and the
/// key hash of each new element.
fn keep_twins_apart(
    old: &[Item<'_>],
    new: &[Item<'_>],
    mut pairs: Vec<Option<usize>>,
) -> (Vec<Option<usize>>, Vec<[u8; 8]>) {
    let mut hashes: Vec<[u8; 8]> = new.iter().map(|item| item.hash).collect();
    let texts = new.iter().filter_map(|item| match &item.content {
        Content::Atomic(text) => Some(text.as_bytes()),
        Content::Thing(_) => None,
    });
    if !has_twins(&texts.collect::<SmallVec<[&[u8]; 8]>>()) {
        return (pairs, hashes);
    }
    let mut by_text: BTreeMap<&str, [u8; 8]> = BTreeMap::new();
    // First what is unchanged, then what is edited, then what is new.
    for round in 0..3 {
        for ((item, pair), hash) in new.iter().zip(&mut pairs).zip(&mut hashes) {
            let Content::Atomic(text) = &item.content else { continue };
            let paired = pair.and_then(|index| old.get(index));
            let turn = match paired {
                Some(old) if old.content == item.content => 0,
                Some(_) => 1,
                None => 2,
            };
            if turn != round {
                continue;
            }
            match (by_text.get(text.as_ref()), paired) {
                (Some(_), Some(_)) if round == 0 => {}
                (Some(&twin), _) => (*pair, *hash) = (None, twin),
                (None, Some(old)) => {
                    by_text.insert(text, old.hash);
                }
                (None, None) => {
                    by_text.insert(text, *hash);
                }
            }
        }
    }
    (pairs, hashes)
}

/// Whether two of the texts are equal.
pub(crate) fn has_twins(texts: &[&[u8]]) -> bool {
    if texts.len() > 16 {
        let mut sorted = texts.to_vec();
        sorted.sort_unstable();
        return sorted.windows(2).any(|pair| pair.first() == pair.last());
    }
    let mut rest = texts;
    while let [first, others @ ..] = rest {
        if others.contains(first) {
            return true;
        }
        rest = others;
    }
    false
}

fn same_content(a: &Content<'_>, b: &Content<'_>) -> bool {
    match (a, b) {
        (Content::Atomic(a), Content::Atomic(b)) => a == b,
        (Content::Thing(a), Content::Thing(b)) => same_thing(a, b),
        _ => false,
    }
}

fn same_thing(a: &Thing<'_>, b: &Thing<'_>) -> bool {
    let same = |(place_a, a): &(Place<'_>, Node<'_>), (place_b, b): &(Place<'_>, Node<'_>)| {
        place_a == place_b
            && match (a, b) {
                (Node::Cell(a), Node::Cell(b)) => a == b,
                (Node::Thing(a), Node::Thing(b)) => same_thing(a, b),
                (Node::List(a), Node::List(b)) => {
                    a.len() == b.len()
                        && a.iter().zip(b).all(|(a, b)| same_content(&a.content, &b.content))
                }
                _ => false,
            }
    };
    a.nodes.len() == b.nodes.len() && a.nodes.iter().zip(&b.nodes).all(|(a, b)| same(a, b))
}

fn is_one_cell(old: &Thing<'_>, new: &Thing<'_>) -> bool {
    match (old.nodes.as_slice(), new.nodes.as_slice()) {
        ([(before, _)], [(after, _)]) => before == after,
        _ => false,
    }
}

/// Whether what is left over after matching by content and key may be read as a correction.
///
/// An atomic element is one cell, so a concurrent edit of the old one becomes a visible conflict.
/// A thing merges cell by cell; reading an unrelated new one as an edit could mix two people's
/// statements, so at least half of its cells must be unchanged.
fn is_edit_of(old: &Content<'_>, new: &Content<'_>) -> bool {
    match (old, new) {
        (Content::Atomic(_), Content::Atomic(_)) => true,
        // One single cell is as good as an atomic element: a concurrent edit is a conflict.
        (Content::Thing(old), Content::Thing(new)) if is_one_cell(old, new) => true,
        (Content::Thing(old), Content::Thing(new)) => {
            let equal = old
                .nodes
                .iter()
                .filter(|(place, node)| match (node, new.node(*place)) {
                    (Node::Cell(a), Some(Node::Cell(b))) => a == b,
                    (Node::List(a), Some(Node::List(b))) => {
                        a.len() == b.len()
                            && a.iter().zip(b).all(|(a, b)| same_content(&a.content, &b.content))
                    }
                    _ => false,
                })
                .count();
            equal > 0 && 2 * equal >= old.nodes.len().max(new.nodes.len())
        }
        _ => false,
    }
}

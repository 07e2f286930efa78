//! Text cells: the text that several people write in one cell, letter by letter.
//!
//! A text cell begins with an operation that *sets* the cell, its *root*. Whoever types in the text
//! makes an operation with edits at the positions of the text that its author saw; edits of one root
//! merge ([`crate::text`]). In the register of the cell such an operation is a write as any other:
//! it replaces the writes in its past, and stands beside concurrent ones. Siblings with one root
//! show one text, so they are no conflict; a concurrent `set` is another value, and is one.
//!
//! The text stands beside the cell's page, so that typing copies nothing. Reading needs the text
//! alone; its history is made from the log when somebody types. Normative:
//! `docs/formats/change.md`; why so: `docs/design/0004-text-cells.md`.

mod additions;
mod body;
mod passage;
mod phrases;
mod reading;
mod saving;
mod spot;
mod stroke;
mod typing;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::actor::{ActorId, Past};
use crate::page::Cell;
use crate::state::Written;
use crate::tables::Tables;
use crate::text::{TextEdits, TextError};
use crate::wire::{DecodeError, Reader, put_u64};

use body::Body;
pub(crate) use passage::{Passage, place};
pub(crate) use stroke::Pen;
pub(crate) use typing::{Typing, typed_op};

/// An operation by its change's actor and sequence number, and its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpName {
    pub(crate) actor: ActorId,
    pub(crate) seq: u32,
    pub(crate) op: u32,
}

impl OpName {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.actor.0);
        put_u64(out, u64::from(self.seq));
        put_u64(out, u64::from(self.op));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let actor = ActorId(reader.array()?);
        Ok(Self { actor, seq: reader.u32("sequence number")?, op: reader.u32("operation")? })
    }

    /// The same with the replica's number of the actor.
    pub(crate) fn number(&self, tables: &Tables) -> Option<Root> {
        let actor = tables.actor_number(self.actor)?;
        Some(Root { actor, seq: self.seq, op: self.op })
    }
}

/// The operation that a text begins with, its actor by the replica's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Root {
    pub(crate) actor: u32,
    pub(crate) seq: u32,
    pub(crate) op: u32,
}

impl Root {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        for number in [self.actor, self.seq, self.op] {
            put_u64(out, u64::from(number));
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (actor, seq) = (reader.u32("actor")?, reader.u32("sequence number")?);
        Ok(Self { actor, seq, op: reader.u32("operation")? })
    }

    pub(crate) fn name(&self, tables: &Tables) -> OpName {
        OpName { actor: tables.actor(self.actor), seq: self.seq, op: self.op }
    }
}

/// The text of one root: for reading, and once somebody types, with its history.
#[derive(Clone)]
pub(crate) struct Note {
    pub(crate) root: Root,
    /// The cell's text with the typed text in it; made when it is read.
    shown: OnceLock<Box<str>>,
    /// `None`: as it was loaded.
    body: Option<Body>,
}

impl Note {
    /// A text with its history.
    fn new(root: Root, body: Body) -> Self {
        Self { root, shown: OnceLock::new(), body: Some(body) }
    }

    /// A text whose history is in the log.
    fn loaded(root: Root, cell_text: &str) -> Self {
        let shown = OnceLock::new();
        let _ = shown.set(cell_text.into());
        Self { root, shown, body: None }
    }

    /// The cell's text with the typed text in it.
    pub(crate) fn cell_text(&self) -> &str {
        self.shown.get_or_init(|| self.body.as_ref().map_or_else(Box::default, Body::cell_text))
    }

    /// Takes in what a change typed, given its actor and sequence number, its actor's id and its
    /// past. On an error the text is as before.
    pub(crate) fn type_in(
        &mut self,
        dot: (u32, u32),
        id: ActorId,
        past: &Past,
        edits: &TextEdits,
    ) -> Result<(), TextError> {
        let body = self.body.as_mut().ok_or(TextError::Damaged)?;
        body.type_in(dot, id, past, edits)?;
        self.shown.take();
        Ok(())
    }

    /// The least and the greatest length that the cell's text can have, in bytes.
    fn lengths(&self) -> (usize, usize) {
        match (self.shown.get(), &self.body) {
            (None, Some(body)) => body.lengths(),
            _ => (self.cell_text().len(), self.cell_text().len()),
        }
    }

    /// The number of characters, where it is known without reading.
    fn chars(&self) -> Option<usize> {
        Some(self.body.as_ref()?.chars())
    }
}

impl PartialEq for Note {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root && self.cell_text() == other.cell_text()
    }
}

impl Eq for Note {}

/// Shows the place only, never the text.
impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").field("root", &self.root).finish_non_exhaustive()
    }
}

/// The texts of an entry, by the address of their cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes(BTreeMap<Box<[u8]>, Vec<Arc<Note>>>);

impl Notes {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, address: &[u8], root: Root) -> Option<&Arc<Note>> {
        self.0.get(address)?.iter().find(|note| note.root == root)
    }

    pub(crate) fn get_mut(&mut self, address: &[u8], root: Root) -> Option<&mut Note> {
        let note = self.0.get_mut(address)?.iter_mut().find(|note| note.root == root)?;
        Some(Arc::make_mut(note))
    }

    fn put(&mut self, address: &[u8], note: Arc<Note>) {
        let there = self.0.entry(address.into()).or_default();
        match there.iter_mut().find(|have| have.root == note.root) {
            Some(have) => *have = note,
            None => there.push(note),
        }
    }

    fn remove(&mut self, address: &[u8], root: Root) {
        self.retain(address, |other| other != root);
    }

    /// Forgets the texts at an address that are not `wanted`.
    fn retain(&mut self, address: &[u8], wanted: impl Fn(Root) -> bool) {
        if let Some(there) = self.0.get_mut(address) {
            there.retain(|note| wanted(note.root));
            if there.is_empty() {
                self.0.remove(address);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], &Note)> {
        self.0.iter().flat_map(|(address, notes)| notes.iter().map(|note| (&**address, &**note)))
    }

    /// Gives the siblings of a cell their texts.
    pub(crate) fn read<'a>(&'a self, at: &[u8], mut cell: Cell<'a>) -> Cell<'a> {
        if !self.0.is_empty() {
            for sibling in &mut cell.siblings {
                if let Written::Text(root, note) = &mut sibling.write {
                    *note = self.get(at, *root).map(|note| &**note);
                }
            }
        }
        cell
    }

    /// Bytes in memory, about.
    pub(crate) fn size_bytes(&self) -> usize {
        self.iter().map(|(_, note)| note.body.as_ref().map_or(0, Body::size_bytes)).sum()
    }
}

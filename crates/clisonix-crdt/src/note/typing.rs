//! Typing: edits inside a text become operations, and operations become text.

use std::sync::Arc;

use clisonix_fhir::schema::TypeId;

use crate::actor::{ActorSource, Past};
use crate::address::Address;
use crate::change::{ChangeId, Op, RawOp, Typed, Write, decode_ops, find_op, types};
use crate::edit::{Base, EditError, Origin};
use crate::log::Log;
use crate::record::Record;
use crate::stamp::Stamp;
use crate::state::{ChangeNo, Entry, EntryId, Named, Written};
use crate::tables::Tables;
use crate::text::{TextEdits, TextError};

use super::body::Body;
use super::reading::Found;
use super::{Note, OpName, Passage, Root, place};

/// What a change that types is, and where its roots are found.
pub(crate) struct Typing<'a> {
    pub(crate) stamp: &'a Stamp,
    pub(crate) past: &'a Past,
    pub(crate) tables: &'a Tables,
    pub(crate) log: &'a Log,
}

impl Typing<'_> {
    /// Takes the edits of one operation into its text, which is begun if it is not there. On an
    /// error the text is as before.
    pub(crate) fn type_in(
        &self,
        entry: &mut Entry,
        (id, address): ((TypeId, &str), &[u8]),
        typed: &Typed,
    ) -> Result<(), TextError> {
        let root = typed.root.number(self.tables).ok_or(TextError::Damaged)?;
        let (actor, seq) = (self.stamp.actor, self.stamp.seq);
        let edits = || TextEdits::decode(&typed.edits);
        let writer = self.tables.actor(actor);
        if let Some(note) = entry.notes.get_mut(address, root) {
            if note.body.as_ref().is_none_or(|body| !body.has(actor, seq)) {
                note.type_in((actor, seq), writer, self.past, &edits()?)?;
            }
            return Ok(());
        }
        let mut body = begin(self.log, self.tables, id, address, root)?;
        body.type_in((actor, seq), writer, self.past, &edits()?)?;
        entry.notes.put(address, Arc::new(Note::new(root, body)));
        Ok(())
    }
}

/// The text as its root put it there.
fn begin(
    log: &Log,
    tables: &Tables,
    id: (TypeId, &str),
    address: &[u8],
    root: Root,
) -> Result<Body, TextError> {
    let passage = || {
        let row = log.get(log.of_actor(root.actor, root.seq, tables)?)?;
        let op = row.op(row.place_of(root.op)?)?;
        let Some(Written::Set(text)) = op.write else { return None };
        let is_here = op.entry == id && op.address == address;
        Passage::of(text, place(address)?).filter(|_| is_here)
    };
    let passage = passage().ok_or(TextError::Damaged)?;
    Body::new(&passage, (root.actor, root.seq), tables.actor(root.actor))
}

/// A text with its history, made from all of the log.
pub(super) fn remake(
    log: &Log,
    tables: &Tables,
    id: &EntryId,
    address: &[u8],
    root: Root,
) -> Result<Body, TextError> {
    let mut body = begin(log, tables, id.name(), address, root)?;
    let name = root.name(tables);
    for (_, row) in log.rows() {
        let Some((_, op)) = find_op(&row.ops, id.name(), address) else { continue };
        let Some(Written::Edits(bytes)) = op.write else { continue };
        let typed = Typed::read(bytes)?;
        if typed.root == name {
            let dot = (row.stamp.actor, row.stamp.seq);
            let edits = TextEdits::decode(&typed.edits)?;
            body.type_in(dot, tables.actor(dot.0), &row.past, &edits)?;
        }
    }
    Ok(body)
}

/// An operation from outside that types in the text of `base`; `None` if it cannot.
pub(crate) fn typed_op(base: RawOp<'_>, root: OpName, edits: &[u8]) -> Option<Op> {
    let Some(Written::Set(text)) = base.write else { return None };
    Passage::of(text, place(base.address)?)?;
    TextEdits::decode(edits).ok().filter(|edits| !edits.is_empty())?;
    let entry = EntryId { ty: base.entry.0, id: base.entry.1.into() };
    let write = Write::Edits(Typed { root, edits: edits.into() });
    Some(Op { entry, address: Address::trusted(base.address), write })
}

impl Record {
    /// Edits the text of a text cell letter by letter, as it was at `base`. `pointer` is a JSON
    /// Pointer into the resource, such as `/note/0/text`; positions count Unicode scalar values, and
    /// each is that of the text which the edits before it have led to. Concurrent edits of one text
    /// merge. Returns `None` if there is nothing to do.
    ///
    /// Which members are texts is said by the `text` rows of the policy table (`docs/policy.md`).
    ///
    /// # Errors
    /// [`EditError::NoSuchEntry`]; [`EditError::Pointer`] if the pointer leads nowhere;
    /// [`EditError::NotText`]; [`EditError::Position`]; [`EditError::UnknownVersion`]. The record is
    /// unchanged.
    pub fn edit_text(
        &mut self,
        id: &EntryId,
        pointer: &str,
        edits: &TextEdits,
        base: &Base,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let change = self.type_quietly(id, pointer, edits, base, origin, actors)?;
        Ok(change.and_then(|change| self.id_of(change)))
    }

    /// As [`Self::edit_text`] of the text as it is now, without the change's id, which takes time
    /// to compute. Returns whether anything changed.
    ///
    /// # Errors
    /// As [`Self::edit_text`].
    pub fn type_text(
        &mut self,
        id: &EntryId,
        pointer: &str,
        edits: &TextEdits,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<bool, EditError> {
        Ok(self.type_quietly(id, pointer, edits, &Base::Current, origin, actors)?.is_some())
    }

    fn type_quietly(
        &mut self,
        id: &EntryId,
        pointer: &str,
        edits: &TextEdits,
        base: &Base,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeNo>, EditError> {
        if origin.source.is_some() {
            return Err(EditError::NotText);
        }
        let is_current = matches!(base, Base::Current);
        if is_current && let Some(change) = self.type_on(id, pointer, edits, origin) {
            return Ok(Some(change));
        }
        let plan = self.plan(base, std::iter::once(id))?;
        let (address, is_fixed) = match plan.state(self).find_text(id, pointer)? {
            Found::Cell { address, is_fixed } => (address, is_fixed && is_current),
            Found::Substituted => {
                let resource = plan.state(self).with_text(id, pointer, edits)?;
                return self.edit_quietly(
                    &[resource.as_object().ok_or(EditError::Pointer)?],
                    base,
                    origin,
                    actors,
                );
            }
        };
        let stroke = is_current.then(|| self.type_on_at(id, Some(&address), edits, origin));
        let change = if let Some(Some(change)) = stroke {
            Some(change)
        } else {
            let ops = plan.state(self).typing(id, address, edits)?;
            self.commit(plan, &ops, origin, actors)?
        };
        if let Some(change) = change.filter(|_| is_fixed) {
            self.put_down(pointer, change);
        }
        Ok(change)
    }

    /// Takes what the operations of a change type into the texts, all of it or nothing; the change
    /// must be appended next.
    pub(crate) fn type_all(
        &mut self,
        ops: &[u8],
        stamp: &Stamp,
        past: &Past,
    ) -> Result<(), TextError> {
        if !types(ops) {
            return Ok(());
        }
        let ops = decode_ops(ops);
        let mut typing: Vec<(&Op, &Typed)> = ops.iter().filter_map(edits_of).collect();
        typing.retain(|(_, typed)| !self.log.is_erased(&typed.root, &self.tables));
        if typing.is_empty() {
            return Ok(());
        }
        for (op, typed) in &typing {
            let same = |other: &&Op| other.address == op.address && other.entry == op.entry;
            if ops.iter().filter(same).count() > 1 {
                return Err(TextError::Limit("the operations on one text"));
            }
            self.prepare(op, typed.root)?;
        }
        // One text takes an operation whole or not at all; several are put back as they were.
        let before = (typing.len() > 1).then(|| self.texts_of(&typing));
        for (op, typed) in &typing {
            let typing = Typing { stamp, past, tables: &self.tables, log: &self.log };
            let entry = self.entries.get_mut(&op.entry).ok_or(TextError::Damaged);
            let cell = (op.entry.name(), op.address.as_bytes());
            let outcome = entry.and_then(|entry| typing.type_in(entry, cell, typed));
            if outcome.is_err() {
                self.put_back(before.unwrap_or_default());
                let cells = ops.iter().map(|op| (op.entry.name(), op.address.as_bytes()));
                self.forget_overwritten(cells);
                return outcome;
            }
        }
        Ok(())
    }

    /// Makes the history of a text that was loaded, or was overwritten before this was typed.
    fn prepare(&mut self, op: &Op, root: OpName) -> Result<(), TextError> {
        let address = op.address.as_bytes();
        let root = root.number(&self.tables).ok_or(TextError::Damaged)?;
        let entry = self.entries.get(&op.entry).ok_or(TextError::Damaged)?;
        let note = entry.notes.get(address, root);
        if note.is_some_and(|note| note.body.is_some()) || self.is_live(entry, address, root) {
            return Ok(());
        }
        let body = remake(&self.log, &self.tables, &op.entry, address, root)?;
        if let Some(entry) = self.entries.get_mut(&op.entry) {
            entry.notes.put(address, Arc::new(Note::new(root, body)));
        }
        Ok(())
    }

    /// Whether nobody has typed in the text of `root` yet.
    fn is_live(&self, entry: &Entry, address: &[u8], root: Root) -> bool {
        let cell = entry.pages.cell(address).unwrap_or_default();
        cell.siblings.iter().any(|sibling| {
            let stamp = self.tables.stamps.get(sibling.change);
            matches!(sibling.write, Written::Set(_))
                && stamp.is_some_and(|stamp| (stamp.actor, stamp.seq) == (root.actor, root.seq))
        })
    }

    fn texts_of(&self, typing: &[(&Op, &Typed)]) -> Vec<Before> {
        let before = typing.iter().filter_map(|(op, typed)| {
            let root = typed.root.number(&self.tables)?;
            let notes = &self.entries.get(&op.entry)?.notes;
            let note = notes.get(op.address.as_bytes(), root).cloned();
            Some(Before { entry: op.entry.clone(), address: op.address.clone(), root, note })
        });
        before.collect()
    }

    fn put_back(&mut self, before: Vec<Before>) {
        for Before { entry, address, root, note } in before {
            let Some(entry) = self.entries.get_mut(&entry) else { continue };
            match note {
                Some(note) => entry.notes.put(address.as_bytes(), note),
                None => entry.notes.remove(address.as_bytes(), root),
            }
        }
    }

    /// Forgets texts of which nothing is live any more, of these cells; the log has them.
    pub(crate) fn forget_overwritten<'c>(
        &mut self,
        cells: impl Iterator<Item = ((TypeId, &'c str), &'c [u8])>,
    ) {
        let mut noted: Option<((TypeId, &str), bool)> = None;
        for (id, address) in cells {
            // The cells of an entry stand together.
            if noted == Some((id, false)) {
                continue;
            }
            let Some(entry) = self.entries.get_mut(&id as &dyn Named) else { continue };
            noted = Some((id, !entry.notes.is_empty()));
            if entry.notes.is_empty() {
                continue;
            }
            let cell = entry.pages.cell(address).unwrap_or_default();
            let is_wanted = |root: Root| cell.siblings.iter().any(|s| s.text_root() == Some(root));
            entry.notes.retain(address, is_wanted);
        }
    }
}

/// A text before a change that types in several.
struct Before {
    entry: EntryId,
    address: Address,
    root: Root,
    note: Option<Arc<Note>>,
}

fn edits_of(op: &Op) -> Option<(&Op, &Typed)> {
    match &op.write {
        Write::Edits(typed) => Some((op, typed)),
        _ => None,
    }
}

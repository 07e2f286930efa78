//! Typing: edits inside a text become operations, and operations become text.

use std::sync::Arc;

use clisonix_fhir::json::Value;
use clisonix_fhir::patch::{target_mut, tokens};
use clisonix_fhir::schema::Scope;

use crate::actor::{ActorSource, Past};
use crate::address::{Address, Path, Step};
use crate::change::{ChangeId, Op, RawOp, Typed, Write, find_op, op_at};
use crate::edit::{Base, EditError, Origin};
use crate::log::Log;
use crate::page::Cell;
use crate::record::Record;
use crate::stamp::Stamp;
use crate::state::{ChangeNo, Entry, EntryId, Written};
use crate::tables::Tables;
use crate::text::{Text, TextEdits, TextError};
use crate::tree::{Content, Node, Place, Thing};
use crate::version::View;
use crate::view;

use super::body::{Authored, Body};
use super::spot::straight_to;
use super::{Note, OpName, Passage, Root, place, words};

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
        op: &Op,
        typed: &Typed,
    ) -> Result<(), TextError> {
        let address = op.address.as_bytes();
        let root = typed.root.number(self.tables).ok_or(TextError::Damaged)?;
        let (actor, seq) = (self.stamp.actor, self.stamp.seq);
        let edits = || TextEdits::decode(&typed.edits);
        let id = self.tables.actor(actor);
        if let Some(note) = entry.notes.get_mut(address, root) {
            let body = note.body.as_mut().ok_or(TextError::Damaged)?;
            if !body.has(actor, seq) {
                body.type_in((actor, seq), id, self.past, &edits()?)?;
                note.shown.take();
            }
            return Ok(());
        }
        let mut body = begin(self.log, self.tables, &op.entry, address, root)?;
        body.type_in((actor, seq), id, self.past, &edits()?)?;
        entry.notes.put(address, Arc::new(Note::new(root, body)));
        Ok(())
    }
}

/// The text as its root put it there.
fn begin(
    log: &Log,
    tables: &Tables,
    id: &EntryId,
    address: &[u8],
    root: Root,
) -> Result<Body, TextError> {
    let passage = || {
        let row = log.get(log.of_actor(root.actor, root.seq, tables)?)?;
        let op = op_at(&row.ops, root.op)?;
        let Some(Written::Set(text)) = op.write else { return None };
        let is_here = op.entry == (id.ty, &*id.id) && op.address == address;
        Passage::of(text, place(address)?).filter(|_| is_here)
    };
    let passage = passage().ok_or(TextError::Damaged)?;
    Body::new(&passage, (root.actor, root.seq), tables.actor(root.actor))
}

/// A text with its history, made from all of the log.
fn remake(
    log: &Log,
    tables: &Tables,
    id: &EntryId,
    address: &[u8],
    root: Root,
) -> Result<Body, TextError> {
    let mut body = begin(log, tables, id, address, root)?;
    let name = root.name(tables);
    for (_, row) in log.rows() {
        let Some((_, op)) = find_op(&row.ops, (id.ty, &id.id), address) else { continue };
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
        let plan = self.plan(base, std::iter::once(id))?;
        let ops = match plan.state(self).find_text(id, pointer)? {
            Found::Cell(address) => plan.state(self).typing(id, address, edits)?,
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
        self.commit(plan, &ops, origin, actors)
    }

    /// Makes edits inside a text of operations that only change the text of a text cell.
    pub(crate) fn type_what_changed(&self, state: View<'_>, ops: &mut [Op]) {
        for op in ops {
            if let Write::Set(text) = &op.write
                && let Some(typed) = state.typed_instead(&op.entry, &op.address, text)
            {
                op.write = Write::Edits(typed);
            }
        }
    }

    /// Takes what the operations of a change type into the texts, all of it or nothing; the change
    /// must be appended next.
    pub(crate) fn type_all(
        &mut self,
        ops: &[Op],
        stamp: &Stamp,
        past: &Past,
    ) -> Result<(), TextError> {
        let typing: Vec<(&Op, &Typed)> = ops.iter().filter_map(edits_of).collect();
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
            let outcome = entry.and_then(|entry| typing.type_in(entry, op, typed));
            if outcome.is_err() {
                self.put_back(before.unwrap_or_default());
                self.forget_overwritten(ops);
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

    /// Forgets texts of which nothing is live any more; the log has them.
    pub(crate) fn forget_overwritten(&mut self, ops: &[Op]) {
        for op in ops {
            let Some(entry) = self.entries.get_mut(&op.entry) else { continue };
            if entry.notes.is_empty() {
                continue;
            }
            let address = op.address.as_bytes();
            let cell = entry.pages.cell(address).unwrap_or_default();
            let is_wanted = |root: Root| {
                let mut siblings = cell.siblings.iter();
                siblings.any(|s| matches!(s.write, Written::Text(of, _) if of == root))
            };
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

/// Where a pointer to a text leads.
enum Found {
    Cell(Address),
    /// The validity guard shows something else than the cells say.
    Substituted,
}

impl<'a> View<'a> {
    /// The text at a JSON Pointer, such as `/note/0/text`.
    ///
    /// # Errors
    /// [`EditError::NoSuchEntry`]; [`EditError::Pointer`] if the pointer leads nowhere;
    /// [`EditError::NotText`] if the member is not one that is edited letter by letter.
    pub fn text(&self, id: &EntryId, pointer: &str) -> Result<String, EditError> {
        match self.find_text(id, pointer)? {
            Found::Cell(address) => {
                let entry = self.entries.get(id).ok_or(EditError::NoSuchEntry)?;
                let cell = entry.cell(address.as_bytes()).ok_or(EditError::Pointer)?;
                let text = self.shown_text(&cell, address.as_bytes());
                let passage = place(address.as_bytes())
                    .and_then(|way| Passage::of(text.ok_or(EditError::Pointer).ok()?, way));
                Ok(passage.ok_or(EditError::Pointer)?.text())
            }
            Found::Substituted => {
                let mut resource = self.resource(id).ok_or(EditError::NoSuchEntry)?;
                Ok(string_at(&mut resource, pointer).ok_or(EditError::Pointer)?.clone().into())
            }
        }
    }

    /// Which changes wrote the text of a sibling, by positions.
    pub(crate) fn typed_by(
        &self,
        id: &EntryId,
        address: &[u8],
        note: &Note,
    ) -> Result<Vec<Authored>, TextError> {
        match &note.body {
            Some(body) => body.authors(),
            None => remake(self.log, self.tables, id, address, note.root)?.authors(),
        }
    }

    /// Edits that take back what a change typed.
    pub(crate) fn untyped(
        &self,
        id: &EntryId,
        address: &[u8],
        note: &Note,
        change: (u32, u32),
    ) -> Result<TextEdits, TextError> {
        match &note.body {
            Some(body) => body.undone(change),
            None => remake(self.log, self.tables, id, address, note.root)?.undone(change),
        }
    }

    /// Where a pointer to a text leads.
    fn find_text(&self, id: &EntryId, pointer: &str) -> Result<Found, EditError> {
        let (id, entry) = self.entries.get_key_value(id).ok_or(EditError::NoSuchEntry)?;
        let tokens = tokens(pointer).ok_or(EditError::Pointer)?;
        let tokens: Vec<&str> = tokens.iter().map(AsRef::as_ref).collect();
        let (address, rest) = match straight_to(self.policy, (id, entry), &tokens) {
            Some(found) => found,
            None => {
                let shown = self.shown(id, entry).ok_or(EditError::NoSuchEntry)?;
                let mut path = Path::default();
                let found = self.way(&shown.tree, Scope::Type(id.ty), &tokens, &mut path);
                let found = found.ok_or(EditError::Pointer)?;
                if !shown.substitutes.is_empty() {
                    return Ok(Found::Substituted);
                }
                found
            }
        };
        let way = place(address.as_bytes()).ok_or(EditError::NotText)?;
        let is_whole = way.tokens.len() == rest.len()
            && way.tokens.iter().zip(rest).all(|(token, rest)| **token == **rest);
        if is_whole { Ok(Found::Cell(address)) } else { Err(EditError::NotText) }
    }

    /// The address of the cell that a pointer leads into, and what is left of the pointer there.
    fn way<'t>(
        &self,
        thing: &Thing<'_>,
        scope: Scope,
        tokens: &'t [&'t str],
        path: &mut Path,
    ) -> Option<(Address, &'t [&'t str])> {
        let (name, rest) = tokens.split_first()?;
        let element = scope.member(name).filter(|member| !member.sibling)?.element;
        let leader = self.policy.leader(element);
        path.push(Step::Element(leader));
        match thing.node(Place::Element(leader))? {
            Node::Cell(_) => Some((path.whole(), rest)),
            Node::Thing(inner) => {
                self.way(inner, crate::layout::thing_scope(element), rest, path)
            }
            Node::List(items) => {
                let (index, rest) = rest.split_first()?;
                let item = items.get(clisonix_fhir::patch::index(index)?)?;
                path.push(Step::Key(item.key()));
                match &item.content {
                    Content::Atomic(_) => {
                        path.push(Step::Content);
                        Some((path.whole(), rest))
                    }
                    Content::Thing(inner) => {
                        self.way(inner, crate::layout::thing_scope(element), rest, path)
                    }
                }
            }
        }
    }

    /// The operation that types `edits` in a text cell.
    fn typing(
        &self,
        id: &EntryId,
        address: Address,
        edits: &TextEdits,
    ) -> Result<Vec<Op>, EditError> {
        let entry = self.entries.get(id).ok_or(EditError::NoSuchEntry)?;
        let at = address.as_bytes();
        let cell = entry.cell(at).ok_or(EditError::Pointer)?;
        let (root, chars) = self.root_of(id, at, &cell).ok_or(EditError::NotText)?;
        edits.length_after(chars).ok_or(EditError::Position)?;
        if edits.is_empty() {
            return Ok(Vec::new());
        }
        let write = Write::Edits(Typed { root, edits: edits.encode().into() });
        drop(cell);
        Ok(vec![Op { entry: id.clone(), address, write }])
    }

    /// The text shown for a cell.
    fn shown_text<'c>(&self, cell: &Cell<'c>, address: &[u8]) -> Option<&'c str> {
        let leader = view::leader_of(address);
        let shown = view::shown_sibling(cell, leader, self.tables, self.policy)?;
        Some(view::text_of(shown))
    }

    /// The operation that the shown text of a cell begins with, and the text's length.
    fn root_of(&self, id: &EntryId, address: &[u8], cell: &Cell<'_>) -> Option<(OpName, usize)> {
        if let [only] = cell.siblings.as_slice()
            && let Written::Text(root, Some(note)) = only.write
            && let Some(chars) = note.chars()
        {
            return Some((root.name(self.tables), chars));
        }
        let text = self.shown_text(cell, address)?;
        let passage = Passage::of(text, place(address)?)?;
        Some((self.root_showing(id, address, cell, text)?, passage.text().chars().count()))
    }

    /// The root of a sibling that shows `text`: the same wherever the same siblings are.
    fn root_showing(
        &self,
        id: &EntryId,
        address: &[u8],
        cell: &Cell<'_>,
        text: &str,
    ) -> Option<OpName> {
        let showing = || cell.siblings.iter().filter(|sibling| view::text_of(sibling) == text);
        let typed = showing().filter_map(|sibling| match sibling.write {
            Written::Text(root, _) => Some(root.name(self.tables)),
            _ => None,
        });
        let least = |name: &OpName| (name.actor, name.seq);
        typed.min_by_key(least).or_else(|| {
            let set = showing().flat_map(|sibling| sibling.changes());
            set.filter_map(|change| self.op_name(change, id, address)).min_by_key(least)
        })
    }

    /// The operation with which a change set a cell.
    fn op_name(&self, change: ChangeNo, id: &EntryId, address: &[u8]) -> Option<OpName> {
        let row = self.log.get(change)?;
        let (op, there) = find_op(&row.ops, (id.ty, &id.id), address)?;
        let actor = self.tables.actor(row.stamp.actor);
        matches!(there.write, Some(Written::Set(_))).then_some(OpName {
            actor,
            seq: row.stamp.seq,
            op,
        })
    }

    /// Edits inside the shown text in place of setting the cell to `wanted`; `None` where more than
    /// the text differs, or the text is another one.
    fn typed_instead(&self, id: &EntryId, address: &Address, wanted: &str) -> Option<Typed> {
        let at = address.as_bytes();
        let way = place(at)?;
        let cell = self.entries.get(id)?.cell(at)?;
        let text = self.shown_text(&cell, at)?;
        let (old, new) = (Passage::of(text, way)?, Passage::of(wanted, way)?);
        if !old.frames(&new) {
            return None;
        }
        let edits = words::difference(&old.text(), &new.text()).filter(|edits| !edits.is_empty())?;
        let root = self.root_showing(id, at, &cell, text)?;
        Some(Typed { root, edits: edits.encode().into() })
    }

    /// The resource as it is shown, with `edits` made in the text at `pointer`.
    fn with_text(
        &self,
        id: &EntryId,
        pointer: &str,
        edits: &TextEdits,
    ) -> Result<Value, EditError> {
        let mut resource = self.resource(id).ok_or(EditError::NoSuchEntry)?;
        let string = string_at(&mut resource, pointer).ok_or(EditError::Pointer)?;
        let nobody = crate::actor::ActorId([0; 16]);
        let mut text = Text::new();
        let typed = text.insert(nobody, 0, string).and_then(|_| {
            let seen = text.version();
            text.apply(nobody, seen.heads(), edits)
        });
        typed.map_err(|_| EditError::Position)?;
        *string = text.to_string().into();
        Ok(resource)
    }
}

/// The string at a JSON Pointer.
fn string_at<'v>(resource: &'v mut Value, pointer: &str) -> Option<&'v mut Box<str>> {
    match target_mut(resource, &tokens(pointer)?)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

//! Reading texts: where a pointer leads, what is shown there, and how an edit of it is spelled.

use std::borrow::Cow;

use clisonix_fhir::json::Value;
use clisonix_fhir::patch::{target_mut, tokens};
use clisonix_fhir::schema::Scope;

use crate::actor::ActorId;
use crate::address::{Address, Path, Step};
use crate::change::{Op, Typed, Write, find_op};
use crate::edit::{EditError, Origin};
use crate::layout::thing_scope;
use crate::page::Cell;
use crate::state::{ChangeNo, EntryId, Sibling, Written};
use crate::text::{Text, TextEdits, TextError};
use crate::tree::{Content, Node, Place, Thing};
use crate::version::View;
use crate::view;

use super::additions::additions;
use super::body::{Authored, Body};
use super::spot::straight_to;
use super::typing::remake;
use super::{Note, OpName, Passage, place};

/// Where a pointer to a text leads.
pub(super) enum Found {
    Cell {
        address: Address,
        /// Whether it leads there whatever is typed in the text.
        is_fixed: bool,
    },
    /// The validity guard shows something else than the cells say.
    Substituted,
}

impl View<'_> {
    /// The text at a JSON Pointer, such as `/note/0/text`.
    ///
    /// # Errors
    /// [`EditError::NoSuchEntry`]; [`EditError::Pointer`] if the pointer leads nowhere;
    /// [`EditError::NotText`] if the member is not one that is edited letter by letter.
    pub fn text(&self, id: &EntryId, pointer: &str) -> Result<String, EditError> {
        match self.find_text(id, pointer)? {
            Found::Cell { address, .. } => {
                let entry = self.entries.get(id).ok_or(EditError::NoSuchEntry)?;
                let cell = entry.cell(address.as_bytes()).ok_or(EditError::Pointer)?;
                let text = self.shown_text(&cell, address.as_bytes());
                let way = place(address.as_bytes());
                let passage = text.zip(way).and_then(|(text, way)| Passage::of(text, way));
                Ok(passage.ok_or(EditError::Pointer)?.text())
            }
            Found::Substituted => {
                let mut resource = self.resource(id).ok_or(EditError::NoSuchEntry)?;
                let string = string_at(&mut resource, pointer).ok_or(EditError::Pointer)?;
                Ok(string.clone().into())
            }
        }
    }

    /// The number of characters of that text, which needs no reading of one that is typed in.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn text_length(&self, id: &EntryId, pointer: &str) -> Result<usize, EditError> {
        if let Found::Cell { address, .. } = self.find_text(id, pointer)? {
            let cell = self.entries.get(id).and_then(|entry| entry.cell(address.as_bytes()));
            let siblings = cell.map(|cell| cell.siblings).unwrap_or_default();
            if let [Sibling { write: Written::Text(_, Some(note)), .. }] = siblings.as_slice()
                && let Some(chars) = note.chars()
            {
                return Ok(chars);
            }
        }
        Ok(self.text(id, pointer)?.chars().count())
    }

    /// Which changes wrote the text of a sibling, by positions.
    pub(crate) fn typed_by(
        &self,
        id: &EntryId,
        address: &[u8],
        note: &Note,
    ) -> Result<Vec<Authored>, TextError> {
        self.body_of(id, address, note)?.authors()
    }

    /// Edits that take back what a change typed.
    pub(crate) fn untyped(
        &self,
        id: &EntryId,
        address: &[u8],
        note: &Note,
        change: (u32, u32),
    ) -> Result<TextEdits, TextError> {
        self.body_of(id, address, note)?.undone(change)
    }

    /// A text with its history, which is made from the log if it is not there.
    pub(super) fn body_of<'n>(
        &self,
        id: &EntryId,
        address: &[u8],
        note: &'n Note,
    ) -> Result<Cow<'n, Body>, TextError> {
        match &note.body {
            Some(body) => Ok(Cow::Borrowed(body)),
            None => remake(self.log, self.tables, id, address, note.root).map(Cow::Owned),
        }
    }

    /// Where a pointer to a text leads.
    pub(super) fn find_text(&self, id: &EntryId, pointer: &str) -> Result<Found, EditError> {
        let (id, entry) = self.entries.get_key_value(id).ok_or(EditError::NoSuchEntry)?;
        let tokens = tokens(pointer).ok_or(EditError::Pointer)?;
        let tokens: Vec<&str> = tokens.iter().map(AsRef::as_ref).collect();
        let straight = straight_to(self.policy, (id, entry), &tokens);
        let mut is_fixed = false;
        let (address, rest) = if let Some(way) = straight {
            is_fixed = way.is_fixed;
            (way.address, way.rest)
        } else {
            let shown = self.shown(id, entry).ok_or(EditError::NoSuchEntry)?;
            let mut path = Path::default();
            let found = self.way(&shown.tree, Scope::Type(id.ty), &tokens, &mut path);
            let found = found.ok_or(EditError::Pointer)?;
            if !shown.substitutes.is_empty() {
                return Ok(Found::Substituted);
            }
            found
        };
        let way = place(address.as_bytes()).ok_or(EditError::NotText)?;
        let is_whole = way.tokens.len() == rest.len()
            && way.tokens.iter().zip(rest).all(|(token, rest)| **token == **rest);
        if is_whole { Ok(Found::Cell { address, is_fixed }) } else { Err(EditError::NotText) }
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
            Node::Thing(inner) => self.way(inner, thing_scope(element), rest, path),
            Node::List(items) => {
                let (index, rest) = rest.split_first()?;
                let item = items.get(clisonix_fhir::patch::index(index)?)?;
                path.push(Step::Key(item.key()));
                match &item.content {
                    Content::Atomic(_) => {
                        path.push(Step::Content);
                        Some((path.whole(), rest))
                    }
                    Content::Thing(inner) => self.way(inner, thing_scope(element), rest, path),
                }
            }
        }
    }

    /// The operation that types `edits` in a text cell.
    pub(super) fn typing(
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
        let typed = showing().filter_map(Sibling::text_root).map(|root| root.name(self.tables));
        let least = |name: &OpName| (name.actor, name.seq);
        typed.min_by_key(least).or_else(|| {
            let set = showing().flat_map(Sibling::changes);
            set.filter_map(|change| self.op_name(change, id, address)).min_by_key(least)
        })
    }

    /// The operation with which a change set a cell.
    fn op_name(&self, change: ChangeNo, id: &EntryId, address: &[u8]) -> Option<OpName> {
        let row = self.log.get(change)?;
        let (place, there) = find_op(&row.ops, (id.ty, &id.id), address)?;
        let op = row.index_of(place)?;
        let actor = self.tables.actor(row.stamp.actor);
        matches!(there.write, Some(Written::Set(_))).then_some(OpName {
            actor,
            seq: row.stamp.seq,
            op,
        })
    }

    /// Makes edits inside a text of operations that only add to the text of a text cell; not of a
    /// feed's, which states and never types.
    pub(crate) fn type_what_changed(&self, ops: &mut [Op], origin: &Origin<'_>) {
        if origin.source.is_some() {
            return;
        }
        for op in ops {
            if let Write::Set(text) = &op.write
                && let Some(typed) = self.typed_instead(&op.entry, &op.address, text)
            {
                op.write = Write::Edits(typed);
            }
        }
    }

    /// Edits inside the shown text in place of setting the cell to `wanted`; `None` where more than
    /// the text differs, or the text is another one.
    fn typed_instead(&self, id: &EntryId, address: &Address, wanted: &str) -> Option<Typed> {
        let at = address.as_bytes();
        let entry = self.entries.get(id)?;
        let way = place(at)?;
        let cell = entry.cell(at)?;
        let text = self.shown_text(&cell, at)?;
        let (old, new) = (Passage::of(text, way)?, Passage::of(wanted, way)?);
        if !old.frames(&new) {
            return None;
        }
        let edits = additions(&old.text(), &new.text()).filter(|edits| !edits.is_empty())?;
        let root = self.root_showing(id, at, &cell, text)?;
        Some(Typed { root, edits: edits.encode().into() })
    }

    /// The resource as it is shown, with `edits` made in the text at `pointer`.
    pub(super) fn with_text(
        &self,
        id: &EntryId,
        pointer: &str,
        edits: &TextEdits,
    ) -> Result<Value, EditError> {
        let mut resource = self.resource(id).ok_or(EditError::NoSuchEntry)?;
        let string = string_at(&mut resource, pointer).ok_or(EditError::Pointer)?;
        let nobody = ActorId([0; 16]);
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

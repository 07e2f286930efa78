//! Edits of one member, named by a JSON Pointer (RFC 6901) into the resource as it is shown.
//!
//! Where nothing is concurrent the pointer leads straight to a cell; otherwise the resource is read,
//! changed and compared as a whole, which gives the same.

use std::borrow::Cow;

use clisonix_fhir::json::Value;
use clisonix_fhir::patch::{index, target_mut, tokens};
use clisonix_fhir::schema::Scope;

use crate::actor::ActorSource;
use crate::address::{self, ElementKey, Path, Step, Steps};
use crate::canonical;
use crate::change::{ChangeId, Op, Write, named_value};
use crate::edit::{Base, EditError, Origin};
use crate::layout::{Shape, shape, thing_scope};
use crate::page::Cell;
use crate::record::Record;
use crate::state::{ChangeNo, Entry, EntryId, Written};
use crate::tree::skipped;
use crate::writing::Plan;

impl Record {
    /// Puts `value` at a member of an entry, or over an element of a list, as it is shown now.
    /// `pointer` is a JSON Pointer into the resource, such as `/telecom/0/value`; what is around
    /// the member must be there. A text that others type in is overwritten as a whole. Returns
    /// whether anything changed.
    ///
    /// # Errors
    /// [`EditError::NoSuchEntry`]; [`EditError::Pointer`] if it leads nowhere; otherwise as
    /// [`Self::edit`]. The record is unchanged.
    pub fn set(
        &mut self,
        id: &EntryId,
        pointer: &str,
        value: &Value,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<bool, EditError> {
        Ok(self.set_quietly(id, &[(pointer, value)], origin, actors)?.is_some())
    }

    /// As [`Self::set`], of several members in one change: all of them or none, in this order.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_all(
        &mut self,
        id: &EntryId,
        edits: &[(&str, &Value)],
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let change = self.set_quietly(id, edits, origin, actors)?;
        Ok(change.and_then(|change| self.id_of(change)))
    }

    /// The change without its id, which takes time to compute.
    fn set_quietly(
        &mut self,
        id: &EntryId,
        edits: &[(&str, &Value)],
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeNo>, EditError> {
        let entry = self.entries.get(id).ok_or(EditError::NoSuchEntry)?;
        if let Some(ops) = self.straight(id, entry, edits)? {
            return self.commit(Plan::now(), &ops, origin, actors);
        }
        let mut resource = self.view().resource(id).ok_or(EditError::NoSuchEntry)?;
        for (pointer, value) in edits {
            let tokens = tokens(pointer).ok_or(EditError::Pointer)?;
            put(&mut resource, &tokens, value).ok_or(EditError::Pointer)?;
        }
        let object = resource.as_object().ok_or(EditError::NotAResource)?;
        self.overwrite_quietly(&[object], &Base::Current, origin, actors)
    }

    /// The operations of edits that each lead straight to a cell of their own.
    fn straight(
        &self,
        id: &EntryId,
        entry: &Entry,
        edits: &[(&str, &Value)],
    ) -> Result<Option<Vec<Op>>, EditError> {
        let mut ops: Vec<Op> = Vec::with_capacity(edits.len());
        for (pointer, value) in edits {
            let tokens = tokens(pointer).ok_or(EditError::Pointer)?;
            let tokens: Vec<&str> = tokens.iter().map(AsRef::as_ref).collect();
            let walk = Walk { record: self, entry, path: Path::default() };
            let Some((address, write)) = walk.member(Scope::Type(id.ty), &tokens, value, 0) else {
                return Ok(None);
            };
            if edits.len() > 1 && ops.iter().any(|op| op.address == address) {
                return Ok(None);
            }
            if let Some(write) = write {
                ops.push(Op { entry: id.clone(), address, write });
            }
        }
        Ok(Some(ops))
    }
}

/// Puts a value at a member of a document, or over an element of a list.
fn put(document: &mut Value, tokens: &[Cow<'_, str>], value: &Value) -> Option<()> {
    let (last, above) = tokens.split_last()?;
    match target_mut(document, above)? {
        Value::Object(object) => drop(object.insert(last.as_ref(), value.clone())),
        Value::Array(items) => *items.get_mut(index(last)?)? = value.clone(),
        _ => return None,
    }
    Some(())
}

/// A way from the entry to one cell. Every step gives `None` where the long way must be taken.
struct Walk<'r> {
    record: &'r Record,
    entry: &'r Entry,
    path: Path,
}

/// The cell and what to write; `None` in the second place if it says so already.
type Found = (address::Address, Option<Write>);

impl<'r> Walk<'r> {
    fn member(
        mut self,
        scope: Scope,
        tokens: &[&str],
        value: &Value,
        depth: usize,
    ) -> Option<Found> {
        if depth == 0 && !self.is_plain() {
            return None;
        }
        let (name, rest) = tokens.split_first()?;
        let member = scope.member(name)?;
        let element = member.element;
        let policy = &self.record.policy;
        if skipped(scope, depth, name) || member.sibling || policy.is_grouped(element) {
            return None;
        }
        let nests = shape(element) == Shape::Thing && depth + 1 < address::MAX_THING_DEPTH;
        self.path.push(Step::Element(element));
        if !element.element().is_list() {
            if nests {
                return self.member(thing_scope(element), rest, value, depth + 1);
            }
            return self.cell(name, rest, value);
        }
        let (token, rest) = rest.split_first()?;
        if !nests {
            return self.element(token, rest, value);
        }
        let key = self.items()?.get(index(token)?)?.key;
        self.path.push(Step::Key(key));
        self.member(thing_scope(element), rest, value, depth + 1)
    }

    /// Whether nothing about the entry is concurrent or was ever removed.
    fn is_plain(&self) -> bool {
        let mut cells = self.entry.cells();
        let presence = cells.next().is_some_and(|(at, _)| address::is_presence(at));
        self.entry.heads.len() == 1 && !presence
    }

    /// The elements of the list at the path, in the order in which they are shown.
    fn items(&self) -> Option<Vec<Item<'r>>> {
        let prefix = self.path.as_bytes();
        let mut items: Vec<Item<'r>> = Vec::new();
        for (at, cell) in self.entry.under(prefix) {
            let mut steps = Steps::of(at.get(prefix.len()..)?, true);
            let Some(Step::Key(key)) = steps.next() else { return None };
            let [only] = cell.siblings.as_slice() else { return None };
            match (steps.next()?, only.write) {
                // Comes first of an element's cells.
                (Step::Position, Written::Position(position)) => {
                    items.push(Item { position, key, text: "" });
                }
                (Step::Content, Written::Set(text)) if only.covered == 0 && !text.is_empty() => {
                    items.last_mut().filter(|item| item.key == key)?.text = text;
                }
                (Step::Position | Step::Content, _) => return None,
                (_, write) if only.covered == 0 && write != Written::Set("") => {}
                _ => return None,
            }
        }
        items.sort_unstable();
        Some(items)
    }

    /// The cell of an element that is one cell, with the value put into its text.
    fn element(mut self, token: &str, rest: &[&str], value: &Value) -> Option<Found> {
        let items = self.items()?;
        let item = items.get(index(token)?)?;
        let mut texts: Vec<&str> = items.iter().map(|item| item.text).collect();
        texts.sort_unstable();
        // Equal content under different keys is shown as one element, empty content as none.
        if texts.first() == Some(&"") || texts.windows(2).any(|pair| pair.first() == pair.last()) {
            return None;
        }
        self.path.push(Step::Key(item.key));
        self.path.push(Step::Content);
        let address = self.path.whole();
        let text = canonical::replaced(item.text, rest, &canonical::text(value))?;
        if text == item.text {
            return Some((address, None));
        }
        let is_elsewhere = texts.binary_search(&text.as_str()).is_ok();
        (!is_elsewhere).then(|| (address, Some(Write::Set(text.into()))))
    }

    /// The cell of a member, with the value put into its text.
    fn cell(mut self, name: &str, rest: &[&str], value: &Value) -> Option<Found> {
        let address = self.path.whole();
        let value = canonical::text(value);
        let text = match self.entry.pages.cell(address.as_bytes()) {
            None if rest.is_empty() => named(name, &value),
            None => return None,
            Some(cell) => {
                let inside = named_value(address.as_bytes(), only_text(&cell)?)?;
                let new = canonical::replaced(inside, rest, &value)?;
                if new == inside {
                    return Some((address, None));
                }
                named(name, &new)
            }
        };
        Some((address, Some(Write::Set(text.into()))))
    }
}

/// An element of a list; orders as it is shown.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Item<'r> {
    position: &'r [u8],
    key: ElementKey,
    /// Its content, if it is one cell.
    text: &'r str,
}

fn named(name: &str, value: &str) -> String {
    ["\"", name, "\":", value].concat()
}

fn only_text<'a>(cell: &Cell<'a>) -> Option<&'a str> {
    match cell.siblings.as_slice() {
        [only] if only.covered == 0 => match only.write {
            Written::Set(text) if !text.is_empty() => Some(text),
            _ => None,
        },
        _ => None,
    }
}

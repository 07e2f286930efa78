//! Edits of one member, named by a JSON Pointer (RFC 6901) into the resource as it is shown.
//!
//! Where nothing is concurrent the pointer leads straight to a cell; otherwise the resource is read,
//! changed and compared as a whole, which gives the same.

use std::borrow::Cow;
use std::rc::Rc;

use clisonix_fhir::json::Value;
use clisonix_fhir::patch::{index, target_mut, tokens};
use clisonix_fhir::schema::{ElementId, Scope};

use crate::actor::ActorSource;
use crate::address::{self, ElementKey, Path, Step, Steps};
use crate::canonical;
use crate::change::{ChangeId, MAX_VALUE_BYTES, Op, Write, plain_name_of, value_named};
use crate::edit::{Base, EditError, Origin};
use crate::layout::{Shape, shape, thing_scope};
use crate::page::Spot;
use crate::record::Record;
use crate::state::{ChangeNo, Entry, EntryId, Written};
use crate::tree::skipped;
use crate::writing::Plan;

impl Record {
    /// Puts `value` at a member of an entry, or over an element of a list, as it is shown now.
    /// `pointer` is a JSON Pointer into the resource, such as `/telecom/0/value`; what is around
    /// the member must be there. Returns whether anything changed.
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
        let places: Option<Vec<Place<'_>>> =
            edits.iter().map(|(pointer, value)| Some((tokens(pointer)?, *value))).collect();
        let places = places.ok_or(EditError::Pointer)?;
        if let Some((mut ops, fit)) = self.straight(id, entry, &places) {
            self.view().type_what_changed(&mut ops, origin);
            let fit = fit && ops.iter().all(|op| matches!(op.write, Write::Set(_)));
            let plan = if fit { Plan::fitting() } else { Plan::now() };
            return self.commit(plan, &ops, origin, actors);
        }
        let mut resource = self.view().resource(id).ok_or(EditError::NoSuchEntry)?;
        for (tokens, value) in &places {
            put(&mut resource, tokens, value).ok_or(EditError::Pointer)?;
        }
        let object = resource.as_object().ok_or(EditError::NotAResource)?;
        self.edit_quietly(&[object], &Base::Current, origin, actors)
    }

    /// The operations of edits that each lead straight to a cell, in order of addresses, and whether
    /// they are known to fit their cells.
    fn straight(
        &self,
        id: &EntryId,
        entry: &Entry,
        places: &[Place<'_>],
    ) -> Option<(Vec<Op>, bool)> {
        if !entry.is_plain() {
            return None;
        }
        let ops = Vec::with_capacity(places.len());
        let is_last = places.len() < 2;
        let (lists, near) = (Vec::new(), Spot::default());
        let mut known = Known { entry, lists, near, ops, fit: true, is_last };
        for (tokens, value) in places {
            let walk = Walk { record: self, known: &mut known, path: Path::default() };
            let (address, write) = walk.member(Scope::Type(id.ty), tokens, value, 0)?;
            let Some(write) = write else { continue };
            match known.place(address.as_bytes()) {
                Ok(place) => known.ops.get_mut(place)?.write = write,
                Err(place) => known.ops.insert(place, Op { entry: id.clone(), address, write }),
            }
        }
        Some((known.ops, known.fit))
    }
}

/// The tokens of a pointer, and the value to be put there.
type Place<'a> = (Vec<Cow<'a, str>>, &'a Value);

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

/// What the edits so far have found and written.
struct Known<'r> {
    entry: &'r Entry,
    lists: Vec<List<'r>>,
    /// Where the last cell was.
    near: Spot,
    /// In order of addresses.
    ops: Vec<Op>,
    /// Whether all operations fit their cells, as is known without looking at the texts again.
    fit: bool,
    /// Whether nothing comes after that a list would be remembered for.
    is_last: bool,
}

/// A list that was looked at.
struct List<'r> {
    path: Box<[u8]>,
    /// Its elements, in the order in which they are shown.
    items: Rc<[Item<'r>]>,
}

impl<'r> Known<'r> {
    /// Where the operation on a cell stands, or would stand.
    fn place(&self, address: &[u8]) -> Result<usize, usize> {
        self.ops.binary_search_by(|op| op.address.as_bytes().cmp(address))
    }

    /// What an edit before has written to a cell.
    fn written(&self, address: &[u8]) -> Option<&str> {
        let op = self.ops.get(self.place(address).ok()?)?;
        match &op.write {
            Write::Set(text) => Some(text),
            _ => None,
        }
    }

    /// As [`Self::written`], to the content of a list's element.
    fn written_at(&self, list: &mut Path, key: ElementKey) -> Option<&str> {
        if self.ops.is_empty() {
            return None;
        }
        let address = list.with(Step::Key(key), |path| path.address(Step::Content));
        self.written(address.as_bytes())
    }

    /// The elements of the list at a path, in the order in which they are shown.
    fn items(&mut self, path: &[u8]) -> Option<Rc<[Item<'r>]>> {
        if let Some(list) = self.lists.iter().find(|list| *list.path == *path) {
            return Some(Rc::clone(&list.items));
        }
        let items: Rc<[Item<'r>]> = items(self.entry, path)?.into();
        if !self.is_last {
            self.lists.push(List { path: path.into(), items: Rc::clone(&items) });
        }
        Some(items)
    }
}

/// The elements of a list, in the order in which they are shown.
fn items<'r>(entry: &'r Entry, prefix: &[u8]) -> Option<Vec<Item<'r>>> {
    let mut items: Vec<Item<'r>> = Vec::new();
    for (at, write) in entry.pages.lone_under(prefix) {
        let mut steps = Steps::of(at.get(prefix.len()..)?, true);
        let Some(Step::Key(key)) = steps.next() else { return None };
        match (steps.next()?, write?) {
            // Comes first of an element's cells.
            (Step::Position, Written::Position(position)) => {
                items.push(Item { position, key, text: "" });
            }
            (Step::Content, Written::Set(text)) if !text.is_empty() => {
                items.last_mut().filter(|item| item.key == key)?.text = text;
            }
            (Step::Position | Step::Content, _) => return None,
            (_, write) if write != Written::Set("") => {}
            _ => return None,
        }
    }
    items.sort_unstable();
    Some(items)
}

/// A way from the entry to one cell. Every step gives `None` where the long way must be taken.
struct Walk<'r, 'k> {
    record: &'r Record,
    known: &'k mut Known<'r>,
    path: Path,
}

/// The cell and what to write; `None` in the second place if it says so already.
type Found = (address::Address, Option<Write>);

impl Walk<'_, '_> {
    fn member(
        mut self,
        scope: Scope,
        tokens: &[Cow<'_, str>],
        value: &Value,
        depth: usize,
    ) -> Option<Found> {
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
            return self.cell((element, name), rest, value);
        }
        let (token, rest) = rest.split_first()?;
        if !nests {
            return self.element(token, rest, value);
        }
        let key = self.known.items(self.path.as_bytes())?.get(index(token)?)?.key;
        self.path.push(Step::Key(key));
        self.member(thing_scope(element), rest, value, depth + 1)
    }

    /// The cell of an element that is one cell, with the value put into its text.
    fn element(mut self, token: &str, rest: &[Cow<'_, str>], value: &Value) -> Option<Found> {
        let items = self.known.items(self.path.as_bytes())?;
        let place = index(token)?;
        let key = items.get(place)?.key;
        let mut texts: Vec<&str> = Vec::with_capacity(items.len());
        for item in items.iter() {
            texts.push(self.known.written_at(&mut self.path, item.key).unwrap_or(item.text));
        }
        let old = *texts.get(place)?;
        texts.sort_unstable();
        // Equal content under different keys is shown as one element, empty content as none.
        if texts.first() == Some(&"") || texts.windows(2).any(|pair| pair.first() == pair.last()) {
            return None;
        }
        let address = self.path.with(Step::Key(key), |path| path.address(Step::Content));
        let text = canonical::replaced(old, rest, &canonical::text(value))?;
        if text == old {
            return Some((address, None));
        }
        let is_elsewhere = texts.binary_search(&text.as_str()).is_ok();
        let fits = stays_fit(old, value, &text);
        self.known.fit &= fits;
        (!is_elsewhere).then(|| (address, Some(Write::Set(text.into()))))
    }

    /// The cell of a member, with the value put into its text.
    fn cell(
        mut self,
        (element, name): (ElementId, &str),
        rest: &[Cow<'_, str>],
        value: &Value,
    ) -> Option<Found> {
        let address = self.path.whole();
        let old = match self.known.written(address.as_bytes()) {
            Some(written) => Some(written),
            None => {
                match self.known.entry.pages.lone(&mut self.known.near, address.as_bytes()).ok()? {
                    Some(Written::Set("")) => return None,
                    Some(Written::Set(text)) => Some(text),
                    Some(_) => return None,
                    None => None,
                }
            }
        };
        let spelled = canonical::text(value);
        let (text, fits) = match old {
            None if rest.is_empty() => (named(name, &spelled), false),
            None => return None,
            Some(old) => {
                let inside = value_named(plain_name_of(element)?, old)?;
                let new = match rest {
                    [] => spelled,
                    _ => canonical::replaced(inside, rest, &spelled)?,
                };
                if new == inside {
                    return Some((address, None));
                }
                let text = named(name, &new);
                let fits = stays_fit(old, value, &text);
                (text, fits)
            }
        };
        self.known.fit &= fits;
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

/// Whether a text with a value in it fits the cell because the text before did: a value without
/// members makes it no deeper, and where no name is escaped members stand in order.
fn stays_fit(old: &str, value: &Value, new: &str) -> bool {
    let is_flat = !matches!(value, Value::Array(_) | Value::Object(_));
    is_flat && !old.contains('\\') && new.len() <= MAX_VALUE_BYTES
}

//! Edits of one member, named by a JSON Pointer (RFC 6901) into the resource as it is shown.
//!
//! Where nothing is concurrent the pointer leads straight to a cell; otherwise the resource is read,
//! changed and compared as a whole, which gives the same.

use std::borrow::Cow;

use clisonix_fhir::json::Value;
use clisonix_fhir::patch::{MAX_POINTER_BYTES, index, target_mut, tokens};
use clisonix_fhir::schema::{ElementId, Scope};
use smallvec::SmallVec;

use crate::actor::ActorSource;
use crate::address::{self, ElementKey, MAX_THING_DEPTH, Path, Step};
use crate::canonical;
use crate::change::{
    ChangeId, MAX_VALUE_BYTES, Op, OpsWriter, RawOp, Write, plain_name_of, value_named,
};
use crate::diff::has_twins;
use crate::edit::{Base, EditError, Origin};
use crate::layout::{Shape, shape, thing_scope};
use crate::page::{Lone, Spot};
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
        if let [(pointer, value)] = edits
            && let Some(one) = self.straight_to(id, entry, pointer, value)
        {
            let (Found { path, text: Some(text), .. }, plan) = one else { return Ok(None) };
            let write = Some(Written::Set(&text));
            let op = RawOp { entry: id.name(), address: path.as_bytes(), write };
            let encoded = OpsWriter::one_set(op.entry, op.address, &[&text]);
            return self.commit_encoded(plan, (encoded, Some(&[op])), origin, actors).map(Some);
        }
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

    /// Where one edit leads straight to a cell. `None` where it must be made in another way.
    fn straight_to(
        &self,
        id: &EntryId,
        entry: &Entry,
        pointer: &str,
        value: &Value,
    ) -> Option<(Found, Plan)> {
        if !entry.is_plain() || pointer.contains('~') || pointer.len() > MAX_POINTER_BYTES {
            return None;
        }
        let mut tokens: SmallVec<[&str; 8]> = SmallVec::new();
        let mut rest = Some(pointer.strip_prefix('/')?);
        while let Some(text) = rest {
            let end = text.bytes().position(|byte| byte == b'/');
            let (token, after) = text.split_at_checked(end.unwrap_or(text.len()))?;
            tokens.push(token);
            rest = after.get(1..);
        }
        let mut known = Known::of(entry, 1);
        let walk = Walk { record: self, known: &mut known, path: Path::default() };
        let found = walk.member(Scope::Type(id.ty), &tokens, value, 0)?;
        // What was added to a text is typed.
        if found.is_typed {
            return None;
        }
        let plan = if known.fit { Plan::fitting() } else { Plan::now() };
        Some((found, plan.at(known.near)))
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
        let mut known = Known::of(entry, places.len());
        for (tokens, value) in places {
            let walk = Walk { record: self, known: &mut known, path: Path::default() };
            let tokens: SmallVec<[&str; 8]> = tokens.iter().map(AsRef::as_ref).collect();
            let found = walk.member(Scope::Type(id.ty), &tokens, value, 0)?;
            let Found { mut path, text, .. } = found;
            let Some(text) = text else { continue };
            let write = Write::Set(text.into());
            match known.place(path.as_bytes()) {
                Ok(place) => known.ops.get_mut(place)?.write = write,
                Err(place) => {
                    known.ops.insert(place, Op { entry: id.clone(), address: path.whole(), write });
                }
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
    items: Items<'r>,
}

/// Most lists have few elements.
type Items<'r> = SmallVec<[Item<'r>; 4]>;

impl<'r> Known<'r> {
    /// Nothing yet, of so many edits.
    fn of(entry: &'r Entry, edits: usize) -> Self {
        let (lists, near, is_last) = (Vec::new(), Spot::default(), edits < 2);
        let ops = if is_last { Vec::new() } else { Vec::with_capacity(edits) };
        Self { entry, lists, near, ops, fit: true, is_last }
    }

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
    fn items(&mut self, path: &[u8]) -> Option<Items<'r>> {
        if let Some(list) = self.lists.iter().find(|list| *list.path == *path) {
            return Some(list.items.clone());
        }
        let items = items(self.entry, path)?;
        if !self.is_last {
            self.lists.push(List { path: path.into(), items: items.clone() });
        }
        Some(items)
    }
}

/// The elements of a list, in the order in which they are shown.
fn items<'r>(entry: &'r Entry, prefix: &[u8]) -> Option<Items<'r>> {
    let mut items = Items::new();
    for (spot, at, write) in entry.pages.lone_under(prefix) {
        let (key, last) = address::in_list(at.get(prefix.len()..)?)?;
        match (last, write?) {
            // Comes first of an element's cells.
            (Some(Step::Position), Lone::Position(position)) => {
                items.push(Item { position, key, text: b"", spot });
            }
            (Some(Step::Content), Lone::Set(text)) if !text.is_empty() => {
                let item = items.last_mut().filter(|item| item.key == key)?;
                (item.text, item.spot) = (text, spot);
            }
            (None, write) if write != Lone::Set(b"") => {}
            _ => return None,
        }
    }
    items.sort_unstable_by_key(|item| (item.position, item.key));
    Some(items)
}

/// A way from the entry to one cell. Every step gives `None` where the long way must be taken.
struct Walk<'r, 'k> {
    record: &'r Record,
    known: &'k mut Known<'r>,
    path: Path,
}

/// What a way leads to.
struct Found {
    /// The cell's address.
    path: Path,
    /// What to write; `None` if it says so already.
    text: Option<String>,
    /// Whether several people type in a text there.
    is_typed: bool,
}

impl Walk<'_, '_> {
    fn member(
        mut self,
        scope: Scope,
        tokens: &[&str],
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
        let nests = shape(element) == Shape::Thing && depth + 1 < MAX_THING_DEPTH;
        self.path.push(Step::Element(element));
        if !element.element().is_list() {
            if nests {
                return self.member(thing_scope(element), rest, value, depth + 1);
            }
            return self.cell((element, name), rest, value);
        }
        let (token, rest) = rest.split_first()?;
        if !nests {
            return self.item(element, token, rest, value);
        }
        let key = self.known.items(self.path.as_bytes())?.get(index(token)?)?.key;
        self.path.push(Step::Key(key));
        self.member(thing_scope(element), rest, value, depth + 1)
    }

    /// The cell of an element that is one cell, with the value put into its text.
    fn item(
        mut self,
        element: ElementId,
        token: &str,
        rest: &[&str],
        value: &Value,
    ) -> Option<Found> {
        let items = self.known.items(self.path.as_bytes())?;
        let place = index(token)?;
        let Item { key, spot, .. } = *items.get(place)?;
        let mut texts: SmallVec<[&[u8]; 8]> = SmallVec::new();
        for item in &items {
            let written = self.known.written_at(&mut self.path, item.key);
            texts.push(written.map_or(item.text, str::as_bytes));
        }
        let bytes = *texts.get(place)?;
        // Equal content under different keys is shown as one element, empty content as none.
        if texts.contains(&&b""[..]) || has_twins(&texts) {
            return None;
        }
        let old = std::str::from_utf8(bytes).ok()?;
        let text = canonical::replaced("", old, rest, value)?;
        let (is_new, fits) = (text != old, stays_fit(old, value, &text));
        let is_elsewhere = is_new && texts.contains(&text.as_bytes());
        drop(texts);
        if is_elsewhere {
            return None;
        }
        let text = Some(text).filter(|_| is_new);
        self.known.fit &= fits || !is_new;
        self.known.near = spot;
        self.path.push(Step::Key(key));
        self.path.push(Step::Content);
        let is_typed = self.record.policy.text(element).is_some();
        Some(Found { path: self.path, text, is_typed })
    }

    /// The cell of a member, with the value put into its text.
    fn cell(
        self,
        (element, name): (ElementId, &str),
        rest: &[&str],
        value: &Value,
    ) -> Option<Found> {
        let address = self.path.as_bytes();
        let old = match self.known.written(address) {
            Some(written) => Some(written),
            None => match self.known.entry.pages.lone(&mut self.known.near, address).ok()? {
                Some(Lone::Set(b"")) => return None,
                Some(Lone::Set(text)) => Some(std::str::from_utf8(text).ok()?),
                Some(_) => return None,
                None => None,
            },
        };
        let is_typed = self.record.policy.text(element).is_some();
        let (text, fits) = match old {
            None if rest.is_empty() => (canonical::member(name, value), false),
            None => return None,
            Some(old) => {
                let inside = value_named(plain_name_of(element)?, old)?;
                let head = old.get(..old.len() - inside.len())?;
                let text = canonical::replaced(head, inside, rest, value)?;
                if text == old {
                    return Some(Found { path: self.path, text: None, is_typed });
                }
                let fits = stays_fit(old, value, &text);
                (text, fits)
            }
        };
        self.known.fit &= fits;
        Some(Found { path: self.path, text: Some(text), is_typed })
    }
}

/// An element of a list; it is shown in the order of position and key.
#[derive(Clone, Copy)]
struct Item<'r> {
    position: &'r [u8],
    key: ElementKey,
    /// Its content, if it is one cell.
    text: &'r [u8],
    /// Where its content is, then.
    spot: Spot,
}

/// Whether a text with a value in it fits the cell because the text before did: a value without
/// members makes it no deeper, and where no name is escaped members stand in order.
fn stays_fit(old: &str, value: &Value, new: &str) -> bool {
    let is_flat = !matches!(value, Value::Array(_) | Value::Object(_));
    is_flat && !old.contains('\\') && new.len() <= MAX_VALUE_BYTES
}

//! Edits of one member, named by a JSON Pointer (RFC 6901) into the resource as it is shown.
//!
//! Where nothing is concurrent the pointer leads straight to a cell; otherwise the resource is read,
//! changed and compared as a whole, which gives the same.

use clisonix_fhir::json::Value;
use clisonix_fhir::patch::{index, target_mut, tokens};
use clisonix_fhir::schema::Scope;

use crate::actor::ActorSource;
use crate::address::{self, Address, ElementKey, Path, Step, Steps};
use crate::canonical;
use crate::change::{ChangeId, Op, Write, named_value};
use crate::edit::{Base, EditError, Origin};
use crate::layout::{Shape, shape, thing_scope};
use crate::page::Cell;
use crate::policy::Policy;
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
            let walk = Walk { policy: &self.policy, entry, path: Path::default() };
            let spot = walk.member(Scope::Type(id.ty), &tokens, 0);
            let Some((address, write)) = spot.and_then(|spot| spot.content(value)) else {
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
fn put(document: &mut Value, tokens: &[String], value: &Value) -> Option<()> {
    let (last, above) = tokens.split_last()?;
    match target_mut(document, above)? {
        Value::Object(object) => drop(object.insert(last.as_str(), value.clone())),
        Value::Array(items) => *items.get_mut(index(last)?)? = value.clone(),
        _ => return None,
    }
    Some(())
}

/// The address of the cell that a pointer leads to or into, and what is left of the pointer there;
/// `None` where the long way must be taken.
pub(crate) fn straight_to<'t>(
    policy: &Policy,
    (id, entry): (&EntryId, &Entry),
    tokens: &'t [&'t str],
) -> Option<(Address, &'t [&'t str])> {
    let walk = Walk { policy, entry, path: Path::default() };
    let mut spot = walk.member(Scope::Type(id.ty), tokens, 0)?;
    Some((spot.walk.path.whole(), spot.rest))
}

/// A way from the entry to one cell. Every step gives `None` where the long way must be taken.
struct Walk<'r> {
    policy: &'r Policy,
    entry: &'r Entry,
    path: Path,
}

/// The end of the way.
struct CellSpot<'r, 't> {
    walk: Walk<'r>,
    /// The member; `None` for a list element.
    name: Option<&'t str>,
    /// From the member or element on.
    rest: &'t [&'t str],
}

/// The cell and what to write; `None` in the second place if it says so already.
type Found = (Address, Option<Write>);

impl<'r> Walk<'r> {
    fn member<'t>(
        mut self,
        scope: Scope,
        tokens: &'t [&'t str],
        depth: usize,
    ) -> Option<CellSpot<'r, 't>> {
        if depth == 0 && !self.is_plain() {
            return None;
        }
        let (name, rest) = tokens.split_first()?;
        let member = scope.member(name)?;
        let element = member.element;
        let policy = self.policy;
        if skipped(scope, depth, name) || member.sibling || policy.is_grouped(element) {
            return None;
        }
        let nests = shape(element) == Shape::Thing && depth + 1 < address::MAX_THING_DEPTH;
        self.path.push(Step::Element(element));
        if element.element().is_list() {
            let (item, rest) = rest.split_first()?;
            let key = self.item(nests, index(item)?)?;
            self.path.push(Step::Key(key));
            if nests {
                return self.member(thing_scope(element), rest, depth + 1);
            }
            self.path.push(Step::Content);
            return Some(CellSpot { walk: self, name: None, rest });
        }
        if nests {
            return self.member(thing_scope(element), rest, depth + 1);
        }
        Some(CellSpot { walk: self, name: Some(name), rest })
    }

    /// Whether nothing about the entry is concurrent or was ever removed.
    fn is_plain(&self) -> bool {
        let mut cells = self.entry.cells();
        let presence = cells.next().is_some_and(|(at, _)| address::is_presence(at));
        self.entry.heads.len() == 1 && !presence
    }

    /// The key of the list element shown at `index`.
    fn item(&self, nests: bool, index: usize) -> Option<ElementKey> {
        let prefix = self.path.as_bytes();
        let mut items: Vec<(&[u8], ElementKey)> = Vec::new();
        for (at, cell) in self.entry.under(prefix) {
            let mut steps = Steps::of(at.get(prefix.len()..)?, true);
            let Some(Step::Key(key)) = steps.next() else { return None };
            match (steps.next()?, cell.siblings.as_slice()) {
                (Step::Position, [only]) => {
                    let Written::Position(position) = only.write else { return None };
                    items.push((position, key));
                }
                (_, [only]) if only.covered == 0 && only.write != Written::Set("") => {}
                _ => return None,
            }
        }
        items.sort_unstable();
        // Equal content under different keys is shown as one element.
        if nests || items.len() < 2 {
            return items.get(index).map(|(_, key)| *key);
        }
        let mut texts: Vec<&str> = Vec::with_capacity(items.len());
        for (at, cell) in self.entry.under(prefix) {
            if Steps::of(at, false).last() == Some(Step::Content) {
                texts.push(only_text(&cell)?);
            }
        }
        texts.sort_unstable();
        if texts.windows(2).any(|pair| pair.first() == pair.last()) {
            return None;
        }
        items.get(index).map(|(_, key)| *key)
    }

    /// Whether another element of the list has this content already.
    fn is_elsewhere(&self, text: &str) -> bool {
        let bytes = self.path.as_bytes();
        // The list's prefix: without the key and the last step.
        let list = bytes.get(..bytes.len().saturating_sub(12)).unwrap_or_default();
        self.entry.under(list).any(|(_, cell)| only_text(&cell) == Some(text))
    }
}

impl CellSpot<'_, '_> {
    /// The cell with the value put into its text.
    fn content(mut self, value: &Value) -> Option<Found> {
        let Self { name, rest, .. } = self;
        let address = self.walk.path.whole();
        let cell = self.walk.entry.cell(address.as_bytes());
        let value = canonical::text(value);
        let text = match (&cell, name) {
            (None, Some(name)) if rest.is_empty() => Some(named(name, &value)),
            (None, _) => None,
            (Some(cell), name) => {
                let old = only_text(cell)?;
                let inside = match name {
                    Some(_) => named_value(address.as_bytes(), old)?,
                    None => old,
                };
                let new = canonical::replaced(inside, rest, &value)?;
                if new == inside {
                    return Some((address, None));
                }
                Some(name.map_or_else(|| new.clone(), |name| named(name, &new)))
            }
        }?;
        if name.is_none() && self.walk.is_elsewhere(&text) {
            return None;
        }
        Some((address, Some(Write::Set(text.into()))))
    }
}

fn named(name: &str, value: &str) -> String {
    ["\"", name, "\":", value].concat()
}

fn only_text<'a>(cell: &Cell<'a>) -> Option<&'a str> {
    match cell.siblings.as_slice() {
        [only] if only.covered == 0 => match only.write {
            Written::Set(text) if !text.is_empty() => Some(text),
            Written::Text(_, Some(note)) => Some(note.cell_text()),
            _ => None,
        },
        _ => None,
    }
}

//! What an erasure is about: the cells that a JSON Pointer leads to, and whether what is left
//! would name the value.

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::patch::{index, tokens};
use clisonix_fhir::schema::{Member, Scope};

use super::EraseError;
use crate::address::{ElementKey, MAX_THING_DEPTH, Path, Step};
use crate::change::RawOp;
use crate::identity::derived_id;
use crate::layout::{Shape, key_hash, shape, thing_scope};
use crate::policy::Policy;
use crate::state::{EntryId, Written};
use crate::tree::{Content, Item, Node, Place, Thing, skipped};
use crate::version::View;
use crate::view;

/// Entries that say the same natural key are numbered; so many are looked at.
const MAX_ALIKE: u32 = 64;

/// Which operations are meant: all, or those of an entry, or those under some addresses of it.
#[derive(Default)]
pub(super) struct Selection<'a> {
    entry: Option<&'a EntryId>,
    /// Beginnings of addresses; `None` for the whole entry.
    prefixes: Option<Vec<Vec<u8>>>,
    /// The cell of the narrative, of which a generated one is meant too.
    narrative: Vec<u8>,
    /// As [`super::order::Order::place`].
    pub(super) place: String,
}

impl<'a> Selection<'a> {
    pub(super) fn entry(id: &'a EntryId) -> Self {
        Self { entry: Some(id), place: id.ty.name().to_owned(), ..Self::default() }
    }

    /// The unit that holds the member at a pointer into the resource that `view` shows.
    pub(super) fn of_value(
        view: &View<'_>,
        id: &'a EntryId,
        pointer: &str,
    ) -> Result<Self, EraseError> {
        let entry = view.entries.get(id).ok_or(EraseError::NoSuchEntry)?;
        let shown = view.shown(id, entry).map(|shown| shown.tree);
        let tree = shown.or_else(|| view::tree(entry, view.tables, view.policy, true));
        let tree = tree.ok_or(EraseError::NoSuchEntry)?;
        let tokens = tokens(pointer).ok_or(EraseError::Pointer)?;
        let tokens: Vec<&str> = tokens.iter().map(AsRef::as_ref).collect();
        let scope = Scope::Type(id.ty);
        let place = id.ty.name().to_owned();
        let mut walk = Walk { path: Path::default(), pointer: String::new(), place, found: vec![] };
        walk.thing(scope, Some(&tree), &tokens, 0)?;
        if tokens.first().is_some_and(|member| names_entry(id, &tree, member)) {
            return Err(EraseError::Named { pointer: String::new() });
        }
        let narrative = scope.member("text").map(|member| {
            let mut path = Path::default();
            path.push(Step::Element(member.element));
            path.as_bytes().to_vec()
        });
        Ok(Self {
            entry: Some(id),
            prefixes: Some(walk.found),
            narrative: narrative.unwrap_or_default(),
            place: walk.place,
        })
    }

    /// Whether it is what the erasure is about.
    pub(super) fn aims_at(&self, op: &RawOp<'_>) -> bool {
        let under = |prefix: &Vec<u8>| op.address.starts_with(prefix);
        self.is_in_entry(op)
            && self.prefixes.as_ref().is_none_or(|prefixes| prefixes.iter().any(under))
    }

    /// Whether it is a narrative that may tell what the erasure is about.
    pub(super) fn may_be_told_by(&self, op: &RawOp<'_>) -> bool {
        let is_generated = |write| matches!(write, Written::Set(text) if view::is_generated(text));
        self.is_in_entry(op) && op.address == self.narrative && op.write.is_some_and(is_generated)
    }

    fn is_in_entry(&self, op: &RawOp<'_>) -> bool {
        self.entry.is_none_or(|entry| op.entry == (entry.ty, &*entry.id))
    }
}

/// Whether the entry's id is derived from a member of its content.
fn names_entry(id: &EntryId, tree: &Thing<'_>, member: &str) -> bool {
    let mut resource = view::resource_value(id, tree);
    let Some(object) = resource.as_object_mut() else { return false };
    object.remove("id");
    let mut without = object.clone();
    without.remove(member);
    (0..MAX_ALIKE).any(|alike| {
        derived_id(id.ty, object, alike) == *id.id && derived_id(id.ty, &without, alike) != *id.id
    })
}

/// A walk from the entry to the unit that is erased as a whole.
struct Walk {
    path: Path,
    /// The way so far, as a JSON Pointer.
    pointer: String,
    place: String,
    found: Vec<Vec<u8>>,
}

impl Walk {
    fn thing(
        &mut self,
        scope: Scope,
        thing: Option<&Thing<'_>>,
        tokens: &[&str],
        depth: usize,
    ) -> Result<(), EraseError> {
        let (&name, rest) = tokens.split_first().ok_or(EraseError::Pointer)?;
        if skipped(scope, depth, name) {
            return Err(EraseError::Pointer);
        }
        let Some(member) = scope.member(name) else {
            let known = thing.and_then(|thing| thing.node(Place::Unknown(name)));
            known.ok_or(EraseError::Pointer)?;
            self.path.push(Step::Unknown(name));
            return self.whole();
        };
        let element = Policy::r4().leader(member.element);
        let nests = shape(element) == Shape::Thing && depth + 1 < MAX_THING_DEPTH;
        self.path.push(Step::Element(element));
        self.pointer.push('/');
        self.pointer.push_str(name);
        self.place.push('.');
        self.place.push_str(element.element().name);
        let node = thing.and_then(|thing| thing.node(Place::Element(element)));
        match (node, rest) {
            (_, []) => self.whole(),
            (Some(Node::List(items)), [at, rest @ ..]) => {
                let item = index(at).and_then(|at| items.get(at)).ok_or(EraseError::Pointer)?;
                self.pointer.push('/');
                self.pointer.push_str(at);
                self.item(member, item, if nests { rest } else { &[] }, depth)
            }
            (Some(Node::Thing(inner)), rest) => {
                self.thing(thing_scope(element), Some(inner), rest, depth + 1)
            }
            (_, rest) if nests && !element.element().is_list() => {
                self.thing(thing_scope(element), None, rest, depth + 1)
            }
            _ if element.element().is_list() => Err(EraseError::Pointer),
            _ => self.whole(),
        }
    }

    /// All elements that are shown as this one.
    fn item(
        &mut self,
        list: Member,
        item: &Item<'_>,
        rest: &[&str],
        depth: usize,
    ) -> Result<(), EraseError> {
        let (path, pointer) = (self.path.clone(), self.pointer.clone());
        let place = self.place.clone();
        for key in std::iter::once(item.key()).chain(item.twins.iter().copied()) {
            (self.path, self.pointer) = (path.clone(), pointer.clone());
            self.place.clone_from(&place);
            self.path.push(Step::Key(key));
            match (&item.content, rest) {
                (Content::Thing(thing), [member, ..]) => {
                    if names_item(list, thing, key, member) {
                        return Err(EraseError::Named { pointer });
                    }
                    self.thing(thing_scope(list.element), Some(thing), rest, depth + 1)?;
                }
                _ => self.whole()?,
            }
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "the end of every way")]
    fn whole(&mut self) -> Result<(), EraseError> {
        self.found.push(self.path.as_bytes().to_vec());
        Ok(())
    }
}

/// Whether a list element's key may be derived from a member of it. A key that its present content
/// does not give was made of content that is not known any more.
fn names_item(list: Member, item: &Thing<'_>, key: ElementKey, member: &str) -> bool {
    let mut text = String::from("{");
    item.write_members(&mut text);
    text.push('}');
    let Ok(mut value) = json::parse(text.as_bytes()) else { return true };
    let hash = |value: &Value| key_hash(list, value, || crate::canonical::text(value).into());
    if hash(&value) != key.hash {
        return true;
    }
    if let Some(object) = value.as_object_mut() {
        object.remove(member);
    }
    hash(&value) != key.hash
}

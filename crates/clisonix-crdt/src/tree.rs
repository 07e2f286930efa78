//! A resource as the merge layer sees it: things with cells, lists and things in them.
//!
//! JSON becomes a tree on the way in ([`decompose`]), cells become a tree on the way out, a tree
//! becomes JSON text ([`Thing::write_members`]), and an edit is the difference of two trees.
//!
//! The text of a cell is a run of JSON members without braces (`"valueQuantity":{..}`, or several
//! for a group, or none for *explicitly empty*); the text of an atomic list element is one JSON
//! value, or the pair `[value,extensions]` for a primitive that has extensions.

use std::borrow::Cow;

use clisonix_fhir::json::{MAX_DEPTH, Object, Value};
use clisonix_fhir::schema::{ElementId, Kind, Member, Scope, TypeId};

use crate::address::{ElementKey, MAX_THING_DEPTH, MAX_UNKNOWN_NAME_BYTES};
use crate::canonical;
use crate::change::MAX_VALUE_BYTES;
use crate::edit::EditError;
use crate::layout::{Shape, key_hash, shape};
use crate::policy::Policy;

#[cfg(test)]
mod tests;

/// Where a node stands in its thing; orders as the address bytes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place<'a> {
    Unknown(&'a str),
    Element(ElementId),
}

/// The entry, a list element or a backbone element: whatever has cells of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thing<'a> {
    /// In address order, each place once.
    pub(crate) nodes: Vec<(Place<'a>, Node<'a>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node<'a> {
    Cell(Cow<'a, str>),
    Thing(Thing<'a>),
    List(Vec<Item<'a>>),
}

/// One element of a list, in display order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item<'a> {
    pub(crate) hash: [u8; 8],
    /// Set where the item comes from cells; an item from JSON has none yet.
    pub(crate) occurrence: Option<u16>,
    pub(crate) position: Cow<'a, [u8]>,
    pub(crate) content: Content<'a>,
    /// Further elements with the same content that are shown as this one.
    pub(crate) twins: Vec<ElementKey>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content<'a> {
    Atomic(Cow<'a, str>),
    Thing(Thing<'a>),
}

impl<'a> Thing<'a> {
    pub(crate) fn node(&self, place: Place<'_>) -> Option<&Node<'a>> {
        let index = self.nodes.binary_search_by(|(at, _)| at.cmp(&place)).ok()?;
        self.nodes.get(index).map(|(_, node)| node)
    }

    /// Appends the members as JSON text, with commas where `out` needs them.
    pub(crate) fn write_members(&self, out: &mut String) {
        write_nodes(&self.nodes, out);
    }
}

/// Appends `nodes` as JSON members, with commas where `out` needs them.
pub(crate) fn write_nodes(nodes: &[(Place<'_>, Node<'_>)], out: &mut String) {
    for (place, node) in nodes {
        match node {
            Node::Cell(text) if text.is_empty() => {}
            Node::Cell(text) => {
                separate(out);
                out.push_str(text);
            }
            Node::Thing(thing) => {
                let start = begin_member(*place, out);
                let inside = out.len();
                out.push('{');
                thing.write_members(out);
                out.push('}');
                if out.len() == inside + 2 {
                    out.truncate(start);
                }
            }
            Node::List(items) => write_list(*place, items, out),
        }
    }
}

fn separate(out: &mut String) {
    if !out.ends_with('{') && !out.is_empty() {
        out.push(',');
    }
}

/// Writes `"name":` and returns where the member begins, for taking it back.
fn begin_member(place: Place<'_>, out: &mut String) -> usize {
    let start = out.len();
    separate(out);
    match place {
        Place::Element(element) => {
            out.push('"');
            out.push_str(element.element().name);
            out.push_str("\":");
        }
        Place::Unknown(name) => {
            canonical::write_string(name, out);
            out.push(':');
        }
    }
    start
}

fn write_list(place: Place<'_>, items: &[Item<'_>], out: &mut String) {
    if items.is_empty() {
        return;
    }
    begin_member(place, out);
    out.push('[');
    let mut extensions = Vec::new();
    let primitive = is_primitive_list(place);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match &item.content {
            Content::Atomic(text) if primitive && text.starts_with('[') => {
                let (value, extension) = split_pair(text);
                out.push_str(&value);
                extensions.push((index, extension));
            }
            Content::Atomic(text) => out.push_str(text),
            Content::Thing(thing) => {
                out.push('{');
                thing.write_members(out);
                out.push('}');
            }
        }
    }
    out.push(']');
    if let (Place::Element(element), false) = (place, extensions.is_empty()) {
        write_extensions(element, items.len(), &extensions, out);
    }
}

fn write_extensions(
    element: ElementId,
    len: usize,
    extensions: &[(usize, String)],
    out: &mut String,
) {
    out.push_str(",\"_");
    out.push_str(element.element().name);
    out.push_str("\":[");
    let mut given = extensions.iter().peekable();
    for index in 0..len {
        if index > 0 {
            out.push(',');
        }
        match given.next_if(|(at, _)| *at == index) {
            Some((_, text)) => out.push_str(text),
            None => out.push_str("null"),
        }
    }
    out.push(']');
}

fn is_primitive_list(place: Place<'_>) -> bool {
    let Place::Element(element) = place else { return false };
    let ty = element.element().types.first();
    ty.is_some_and(|ty| ty.definition().kind == Kind::Primitive)
}

/// Takes `[value,extensions]` apart; the text was written by [`primitive_text`] or checked on
/// receipt, so anything else shows as the value alone.
fn split_pair(text: &str) -> (String, String) {
    match clisonix_fhir::json::parse(text.as_bytes()) {
        Ok(pair) => match (pair.at(0), pair.at(1)) {
            (Some(value), Some(extension)) => (canonical::text(value), canonical::text(extension)),
            _ => ("null".to_owned(), "null".to_owned()),
        },
        Err(_) => ("null".to_owned(), "null".to_owned()),
    }
}

/// Takes a resource apart into its tree. `resourceType`, `id`, `meta.versionId` and
/// `meta.lastUpdated` are not cells: the first two are the entry's address, the others follow from
/// the heads.
///
/// # Errors
/// [`EditError::Shape`] where a list is no array, an object no object, or a list element `null`.
pub(crate) fn decompose(ty: TypeId, resource: &Object) -> Result<Decomposed<'_>, EditError> {
    let mut walk = Walk { policy: Policy::r4(), fits: true };
    let way = Way { above: None, name: ty.definition().name, index: None };
    let tree = walk.thing(Scope::Type(ty), resource, 0, &way)?;
    Ok(Decomposed { tree, fits: walk.fits })
}

/// A resource as a tree.
pub(crate) struct Decomposed<'a> {
    pub(crate) tree: Thing<'a>,
    /// Whether every text is known to fit its cell, as [`crate::change::fits`] asks.
    pub(crate) fits: bool,
}

/// A value that is nested no deeper fits wherever its cell stands.
const MAX_FIT_DEPTH: usize = MAX_DEPTH - 2 * (MAX_THING_DEPTH + 1) - 1;

struct Walk {
    policy: &'static Policy,
    /// Whether all texts so far are known to fit. One element of R4, as it is written here, does
    /// where its cell is, unless it is too deep or too long.
    fits: bool,
}

/// Where a thing stands, spelled out in errors only.
struct Way<'w> {
    above: Option<&'w Way<'w>>,
    name: &'w str,
    index: Option<usize>,
}

impl<'w> Way<'w> {
    fn below(&'w self, name: &'w str, index: Option<usize>) -> Self {
        Self { above: Some(self), name, index }
    }

    fn text(&self) -> String {
        let above = self.above.map_or_else(String::new, |above| above.text() + ".");
        let index = self.index.map_or_else(String::new, |index| format!("[{index}]"));
        [&above, self.name, &index].concat()
    }

    fn error(&self, name: &str) -> EditError {
        EditError::Shape { path: self.below(name, None).text() }
    }
}

/// Members that will be one cell, before they are joined.
struct Piece<'a> {
    place: Place<'a>,
    element: ElementId,
    sibling: bool,
    text: String,
}

impl Walk {
    fn thing<'a>(
        &mut self,
        scope: Scope,
        object: &'a Object,
        depth: usize,
        way: &Way<'_>,
    ) -> Result<Thing<'a>, EditError> {
        let mut nodes = Vec::with_capacity(object.len());
        let mut pieces: Vec<Piece<'a>> = Vec::new();
        for (name, value) in object {
            if skipped(scope, depth, name) {
                continue;
            }
            let Some(member) = scope.member(name) else {
                if name.len() > MAX_UNKNOWN_NAME_BYTES {
                    return Err(EditError::Shape { path: way.text() });
                }
                let text = Cow::Owned(canonical::member(name, value));
                nodes.push((Place::Unknown(name), Node::Cell(text)));
                self.fits = false;
                continue;
            };
            let element = member.element;
            let place = Place::Element(element);
            if value.is_null() {
                // Only a feed's statement holds `null`: it retracts what the feed said here.
                nodes.push(self.retraction(element, depth));
            } else if self.policy.is_grouped(element) {
                pieces.push(self.piece(member, name, value));
            } else if element.element().is_list() {
                if member.sibling && object.contains_key(name.trim_start_matches('_')) {
                    continue; // taken in with the values
                }
                nodes.push((place, Node::List(self.list(member, name, object, depth, way)?)));
            } else if shape(element) == Shape::Thing && depth + 1 < MAX_THING_DEPTH {
                let inner = value.as_object().ok_or_else(|| way.error(name))?;
                let inner_scope = member.scope().ok_or_else(|| way.error(name))?;
                let below = way.below(name, None);
                let thing = self.thing(inner_scope, inner, depth + 1, &below)?;
                nodes.push((place, Node::Thing(thing)));
            } else {
                pieces.push(self.piece(member, name, value));
            }
        }
        self.fits &= join(pieces, &mut nodes);
        nodes.sort_by_key(|(a, _)| *a);
        Ok(Thing { nodes })
    }

    fn retraction<'a>(&self, element: ElementId, depth: usize) -> (Place<'a>, Node<'a>) {
        let leader = self.policy.leader(element);
        let node = if self.policy.is_grouped(element) {
            Node::Cell(Cow::Borrowed(""))
        } else if element.element().is_list() {
            Node::List(Vec::new())
        } else if shape(element) == Shape::Thing && depth + 1 < MAX_THING_DEPTH {
            Node::Thing(Thing::default())
        } else {
            Node::Cell(Cow::Borrowed(""))
        };
        (Place::Element(leader), node)
    }

    fn piece<'a>(&mut self, member: Member, name: &str, value: &Value) -> Piece<'a> {
        let text = canonical::member(name, value);
        self.judge(value, &text);
        Piece {
            place: Place::Element(self.policy.leader(member.element)),
            element: member.element,
            sibling: member.sibling,
            text,
        }
    }

    fn judge(&mut self, value: &Value, text: &str) {
        self.fits &= text.len() <= MAX_VALUE_BYTES && is_within(value, MAX_FIT_DEPTH);
    }

    fn list<'a>(
        &mut self,
        member: Member,
        name: &'a str,
        object: &'a Object,
        depth: usize,
        way: &Way<'_>,
    ) -> Result<Vec<Item<'a>>, EditError> {
        let error = || way.error(name);
        let plain = name.strip_prefix('_').filter(|_| member.sibling).unwrap_or(name);
        let values = match object.get(plain) {
            Some(value) => value.as_array().ok_or_else(error)?,
            None => &[],
        };
        let extensions = match member.ty.definition().kind {
            Kind::Primitive => object.get(&format!("_{plain}")).and_then(Value::as_array),
            _ => None,
        };
        let len = values.len().max(extensions.map_or(0, <[Value]>::len));
        let nested = shape(member.element) == Shape::Thing && depth + 1 < MAX_THING_DEPTH;
        let mut items = Vec::with_capacity(len);
        for index in 0..len {
            let value = values.get(index).unwrap_or(&Value::Null);
            let extension = extensions.and_then(|list| list.get(index)).filter(|v| !v.is_null());
            if value.is_null() && extension.is_none() {
                return Err(error());
            }
            let (hash, content) = if nested {
                let inner = value.as_object().ok_or_else(error)?;
                let scope = member.scope().ok_or_else(error)?;
                let thing = self.thing(scope, inner, depth + 1, &way.below(plain, Some(index)))?;
                (key_hash(member, value, || canonical::text(value).into()), Content::Thing(thing))
            } else {
                let text = primitive_text(value, extension);
                self.judge(value, &text);
                self.fits &= extension.is_none();
                (
                    key_hash(member, value, || text.as_str().into()),
                    Content::Atomic(Cow::Owned(text)),
                )
            };
            items.push(Item::wanted(hash, content));
        }
        Ok(items)
    }
}

/// Whether a value has no more arrays and objects in one another than these.
fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        Value::Object(object) => {
            levels > 0 && object.iter().all(|(_, member)| is_within(member, levels - 1))
        }
        _ => true,
    }
}

pub(crate) fn skipped(scope: Scope, depth: usize, name: &str) -> bool {
    match (depth, name) {
        (0, "resourceType" | "id") => true,
        (1, "versionId" | "lastUpdated") => {
            matches!(scope, Scope::Type(ty) if ty.definition().name == "Meta")
        }
        _ => false,
    }
}

fn primitive_text(value: &Value, extension: Option<&Value>) -> String {
    match extension {
        None => canonical::text(value),
        Some(extension) => format!("[{},{}]", canonical::text(value), canonical::text(extension)),
    }
}

impl Thing<'_> {
    /// The same tree with its own copies of all texts.
    pub(crate) fn into_owned(self) -> Thing<'static> {
        let nodes = self.nodes.into_iter().filter_map(|(place, node)| {
            // Unknown names borrow from their cells; a substitute never needs them.
            let Place::Element(element) = place else { return None };
            Some((Place::Element(element), node.into_owned()))
        });
        Thing { nodes: nodes.collect() }
    }
}

impl Node<'_> {
    pub(crate) fn into_owned(self) -> Node<'static> {
        match self {
            Node::Cell(text) => Node::Cell(Cow::Owned(text.into_owned())),
            Node::Thing(thing) => Node::Thing(thing.into_owned()),
            Node::List(items) => Node::List(items.into_iter().map(Item::into_owned).collect()),
        }
    }
}

impl<'a> Item<'a> {
    /// An element of a new list.
    fn wanted(hash: [u8; 8], content: Content<'a>) -> Self {
        Self { hash, occurrence: None, position: Cow::Borrowed(&[]), content, twins: Vec::new() }
    }

    /// An element as it is in the cells.
    pub(crate) fn stored(key: ElementKey, position: Cow<'a, [u8]>, content: Content<'a>) -> Self {
        let ElementKey { hash, occurrence } = key;
        Self { hash, occurrence: Some(occurrence), position, content, twins: Vec::new() }
    }

    /// The key of a stored element.
    pub(crate) fn key(&self) -> ElementKey {
        ElementKey { hash: self.hash, occurrence: self.occurrence.unwrap_or(0) }
    }

    fn into_owned(self) -> Item<'static> {
        Item {
            hash: self.hash,
            occurrence: self.occurrence,
            position: Cow::Owned(self.position.into_owned()),
            content: match self.content {
                Content::Atomic(text) => Content::Atomic(Cow::Owned(text.into_owned())),
                Content::Thing(thing) => Content::Thing(thing.into_owned()),
            },
            twins: self.twins,
        }
    }
}

/// Joins the pieces of one cell in definition order, the value before its extensions; `false` if any
/// cell has several.
fn join<'a>(mut pieces: Vec<Piece<'a>>, nodes: &mut Vec<(Place<'a>, Node<'a>)>) -> bool {
    let mut is_alone = true;
    // Two types of one choice are one author's fault, kept as it was stated, in one order for all.
    let order = |piece: &Piece<'a>| (piece.place, piece.element, piece.sibling);
    pieces.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.text.cmp(&b.text)));
    for piece in pieces {
        match nodes.last_mut() {
            Some((place, Node::Cell(Cow::Owned(text)))) if *place == piece.place => {
                text.push(',');
                text.push_str(&piece.text);
                is_alone = false;
            }
            _ => nodes.push((piece.place, Node::Cell(Cow::Owned(piece.text)))),
        }
    }
    is_alone
}

//! What differs between two versions of a record, in terms of FHIR elements.

use clisonix_fhir::json::{Object, Value};

use crate::change::ChangeId;
use crate::conflict::cell_value;
use crate::edit::EditError;
use crate::record::Record;
use crate::state::EntryId;
use crate::tree::{Content, Item, Node, Place, Thing};
use crate::version::{Version, View};

/// One place that two versions show differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The entry it is in.
    pub entry: EntryId,
    /// Where, FHIRPath-like: `Patient.telecom[1]`. Indexes are those of the later version, or of
    /// the earlier one for what is gone.
    pub path: String,
    /// The cell's members as an object, or a list element, in the earlier version.
    pub before: Option<Value>,
    /// The same in the later version.
    pub after: Option<Value>,
}

impl Difference {
    /// `{entry, path, before, after}`.
    pub fn to_value(&self) -> Value {
        let mut object = Object::with_capacity(4);
        object.insert("entry", self.entry.to_string());
        object.insert("path", self.path.as_str());
        object.insert("before", self.before.clone().unwrap_or_default());
        object.insert("after", self.after.clone().unwrap_or_default());
        Value::Object(object)
    }
}

impl Record {
    /// What changed from one version to another, cell by cell, in the order of the resources. A
    /// moved list element alone is no difference.
    ///
    /// # Errors
    /// [`EditError::UnknownVersion`] if a head has not arrived here.
    pub fn differences(
        &self,
        from: &[ChangeId],
        to: &[ChangeId],
    ) -> Result<Vec<Difference>, EditError> {
        let (from, to): (Version, Version) = (self.at(from)?, self.at(to)?);
        let (from, to) = (self.view_of(&from), self.view_of(&to));
        let mut found = Vec::new();
        for id in self.entries.keys() {
            let (before, after) = (shown(&from, id), shown(&to, id));
            let empty = Thing::default();
            let mut walk = Walk { entry: id, path: id.ty.name().to_owned(), found: &mut found };
            walk.thing(before.as_ref().unwrap_or(&empty), after.as_ref().unwrap_or(&empty));
        }
        Ok(found)
    }
}

fn shown<'a>(view: &View<'a>, id: &EntryId) -> Option<Thing<'a>> {
    let entry = view.entries.get(id)?;
    view.shown(id, entry).map(|shown| shown.tree)
}

struct Walk<'w> {
    entry: &'w EntryId,
    path: String,
    found: &'w mut Vec<Difference>,
}

impl Walk<'_> {
    fn within(&mut self, step: &str, inner: impl FnOnce(&mut Self)) {
        let len = self.path.len();
        self.path.push_str(step);
        inner(self);
        self.path.truncate(len);
    }

    fn push(&mut self, before: Option<Value>, after: Option<Value>) {
        if before != after {
            let (entry, path) = (self.entry.clone(), self.path.clone());
            self.found.push(Difference { entry, path, before, after });
        }
    }

    fn thing(&mut self, before: &Thing<'_>, after: &Thing<'_>) {
        let gone = before.nodes.iter().filter(|(place, _)| after.node(*place).is_none());
        let mut places: Vec<Place<'_>> =
            gone.chain(&after.nodes).map(|(place, _)| *place).collect();
        places.sort_unstable();
        for place in places {
            let name = match place {
                Place::Unknown(name) => name,
                Place::Element(element) => element.element().name,
            };
            let (before, after) = (before.node(place), after.node(place));
            self.within(&format!(".{name}"), |walk| walk.node(before, after));
        }
    }

    fn node(&mut self, before: Option<&Node<'_>>, after: Option<&Node<'_>>) {
        let text = |node: Option<&Node<'_>>| match node {
            Some(Node::Cell(text)) => cell_value(text),
            _ => None,
        };
        if matches!((before, after), (Some(Node::Cell(_)), _) | (_, Some(Node::Cell(_)))) {
            self.push(text(before), text(after));
        }
        let empty = Thing::default();
        let (old, new) = (as_thing(before), as_thing(after));
        if old.is_some() || new.is_some() {
            self.thing(old.unwrap_or(&empty), new.unwrap_or(&empty));
        }
        self.list(items(before), items(after));
    }

    fn list(&mut self, before: &[Item<'_>], after: &[Item<'_>]) {
        let find = |list: &'_ [Item<'_>], item: &Item<'_>| {
            list.iter().position(|other| other.key() == item.key())
        };
        for (index, item) in before.iter().enumerate() {
            if find(after, item).is_none() {
                self.within(&format!("[{index}]"), |walk| walk.item(Some(item), None));
            }
        }
        for (index, item) in after.iter().enumerate() {
            let old = find(before, item).and_then(|at| before.get(at));
            self.within(&format!("[{index}]"), |walk| walk.item(old, Some(item)));
        }
    }

    fn item(&mut self, before: Option<&Item<'_>>, after: Option<&Item<'_>>) {
        let text = |item: Option<&Item<'_>>| match item.map(|item| &item.content) {
            Some(Content::Atomic(text)) => cell_value(text),
            Some(Content::Thing(thing)) => {
                let mut text = String::new();
                thing.write_members(&mut text);
                cell_value(&text)
            }
            None => None,
        };
        match (before.map(|item| &item.content), after.map(|item| &item.content)) {
            (Some(Content::Thing(before)), Some(Content::Thing(after))) => {
                self.thing(before, after);
            }
            _ => self.push(text(before), text(after)),
        }
    }
}

fn as_thing<'n, 'a>(node: Option<&'n Node<'a>>) -> Option<&'n Thing<'a>> {
    match node {
        Some(Node::Thing(thing)) => Some(thing),
        _ => None,
    }
}

fn items<'n, 'a>(node: Option<&'n Node<'a>>) -> &'n [Item<'a>] {
    match node {
        Some(Node::List(items)) => items,
        _ => &[],
    }
}

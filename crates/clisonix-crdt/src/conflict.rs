//! Conflicts: what cannot both be true, shown with every author, value and time.

use std::fmt::Write as _;

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::ElementId;

use crate::address::{self, Address, ElementKey, Step, Steps};
use crate::agreement;
use crate::change::{ChangeId, Source};
use crate::page::Cell;
use crate::policy::ConflictSeverity;
use crate::policy::Policy;
use crate::state::{ChangeNo, Entry, EntryId, Sibling, Written};
use crate::tables::{DisplayOrder, Tables};
use crate::time::HybridTime;
use crate::tree::{Content, Item, Node, Place, Thing};
use crate::version::View;
use crate::view::{self, Shown};

/// What kind of disagreement a conflict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConflictKind {
    /// Several values for one cell.
    Value,
    /// Removed by one author, written by another who had not seen the removal.
    Removal,
    /// A rule of FHIR that every author kept would break; members come from one author's version.
    Guard,
    /// A removed entry stays, because a concurrent write refers to it.
    Reference,
    /// Several people typed in one text at the same time, and words stand together there that none
    /// of them has read.
    Text,
}

impl ConflictKind {
    /// The lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Removal => "removal",
            Self::Guard => "guard",
            Self::Reference => "reference",
            Self::Text => "text",
        }
    }
}

/// One author's side of a conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The members written, as an object, or one list element; `None` if emptied or removed.
    pub value: Option<Value>,
    /// Whether this side removed the thing.
    pub removed: bool,
    /// The change that wrote it.
    pub change: ChangeId,
    /// Its author.
    pub author: Box<str>,
    /// Its time: the event time where a source stated it.
    pub time: HybridTime,
    /// Where it came from, if a feed stated it.
    pub source: Option<Source>,
}

/// One open conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The entry it is in.
    pub entry: EntryId,
    /// Where, FHIRPath-like, with list indexes as shown: `Patient.telecom[1]`.
    pub path: String,
    /// The cell or thing.
    pub address: Address,
    /// What kind.
    pub kind: ConflictKind,
    /// How grave.
    pub severity: ConflictSeverity,
    /// What is shown meanwhile.
    pub shown: Option<Value>,
    /// Why that is shown; for a guard conflict the key of the rule.
    pub why: String,
    /// All sides, the latest first.
    pub sides: Vec<Side>,
}

/// All open conflicts of one present entry.
pub(crate) fn of_entry(
    view: &View<'_>,
    id: &EntryId,
    entry: &Entry,
    shown: &Shown<'_>,
) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (address, cell) in entry.cells() {
        if address::is_position(address) || is_substituted(address, shown) {
            continue;
        }
        let Some(path) = path_of(id, address, &shown.tree) else { continue };
        if address::is_presence(address) {
            found.extend(removal(view, id, entry, address, &cell, path));
        } else if disagree(&cell, view.tables, view.policy) {
            found.push(value_conflict(view, id, address, &cell, path));
        } else {
            found.extend(mixed(view, id, address, &cell, path));
        }
    }
    for substitute in &shown.substitutes {
        found.extend(guarded(view, id, entry, substitute, &shown.tree));
    }
    found
}

/// Whether the guard shows something else here; it is told as one conflict of its own.
fn is_substituted(address: &[u8], shown: &Shown<'_>) -> bool {
    let first = Steps::of(address, false).next();
    shown.substitutes.iter().any(|substitute| first == Some(Step::Element(substitute.element)))
}

fn disagree(cell: &Cell<'_>, tables: &Tables, policy: &Policy) -> bool {
    if cell.siblings.len() < 2 {
        return false;
    }
    let standing = agreement::standing(cell, tables, policy);
    let mut texts = standing.into_iter().map(view::text_of);
    let first = texts.next();
    texts.any(|text| Some(text) != first)
}

fn value_conflict(
    view: &View<'_>,
    id: &EntryId,
    address: &[u8],
    cell: &Cell<'_>,
    path: String,
) -> Conflict {
    let leader = view::leader_of(address);
    let shown = view::shown_sibling(cell, leader, view.tables, view.policy);
    let settled = is_settled(view, cell, leader, shown);
    let why = match shown {
        Some(_) if settled => "the later state of its life cycle",
        Some(shown) if view::is_safest(cell, shown, leader, view.policy) => {
            "the safer value by policy"
        }
        Some(shown) if view.tables.order(shown) < latest(view, cell) => {
            "a value is shown before its removal"
        }
        _ => "the latest",
    };
    let severity = severity_of(view, leader);
    Conflict {
        entry: id.clone(),
        path,
        address: Address::trusted(address),
        kind: ConflictKind::Value,
        severity: if settled { severity.lowered() } else { severity },
        shown: shown.and_then(|sibling| cell_value(view::text_of(sibling))),
        why: why.to_owned(),
        sides: sides(view, agreement::standing(cell, view.tables, view.policy)),
    }
}

/// A text in which several people's typing makes phrases that none of them has read.
fn mixed(
    view: &View<'_>,
    id: &EntryId,
    address: &[u8],
    cell: &Cell<'_>,
    path: String,
) -> Option<Conflict> {
    let left = view.unread(id, address, cell);
    let shown = cell.siblings.first().filter(|_| !left.is_empty())?;
    let mut sides: Vec<Side> = left
        .iter()
        .filter_map(|left| side_of(view, left.change, cell_value(&left.cell_text), false))
        .collect();
    sides.sort_by_key(|side| std::cmp::Reverse((side.time, side.change)));
    Some(Conflict {
        entry: id.clone(),
        path,
        address: Address::trusted(address),
        kind: ConflictKind::Text,
        severity: severity_of(view, view::leader_of(address)),
        shown: cell_value(view::text_of(shown)),
        why: "typed by several at the same time; none of them has read all of it so".to_owned(),
        sides,
    })
}

fn severity_of(view: &View<'_>, leader: Option<ElementId>) -> ConflictSeverity {
    leader.map_or(ConflictSeverity::Medium, |leader| view.policy.severity(leader))
}

/// Whether the sides are states of one life cycle, of which the latest is shown.
fn is_settled(
    view: &View<'_>,
    cell: &Cell,
    leader: Option<ElementId>,
    shown: Option<&Sibling>,
) -> bool {
    let (Some(leader), Some(shown)) = (leader, shown) else { return false };
    let own = view::text_of(shown);
    let standing = agreement::standing(cell, view.tables, view.policy);
    let others = standing.into_iter().map(view::text_of).filter(|text| *text != own);
    let others: Vec<Value> = others.map(|text| view::members(leader, text)).collect();
    view.policy.is_settled(leader, &view::members(leader, own), &others)
}

fn latest<'a>(view: &View<'a>, cell: &Cell) -> DisplayOrder<'a> {
    let orders = cell.siblings.iter().map(|sibling| view.tables.order(sibling));
    orders.max().unwrap_or_default()
}

/// A live mark on a thing that is still present.
fn removal(
    view: &View<'_>,
    id: &EntryId,
    entry: &Entry,
    address: &[u8],
    cell: &Cell<'_>,
    path: String,
) -> Option<Conflict> {
    let marks = cell.siblings.iter().filter(|sibling| sibling.write == Written::Mark);
    let mut involved: Vec<Sibling<'_>> = marks.cloned().collect();
    if involved.is_empty() {
        return None;
    }
    let prefix = address.get(..address.len() - 2)?;
    let depth = address::thing_depth(address);
    let mut kept = false;
    for (other, cell) in entry.under(prefix) {
        if address::is_position(other) {
            continue;
        }
        for sibling in &cell.siblings {
            if sibling.write != Written::Mark && sibling.covered & (1 << depth.min(31)) == 0 {
                kept = true;
                involved.push(sibling.clone());
            }
        }
    }
    let (kind, why) = if kept {
        (ConflictKind::Removal, "removed by one author, edited by another at the same time")
    } else {
        (ConflictKind::Reference, "removed by one author, referred to by another at the same time")
    };
    Some(Conflict {
        entry: id.clone(),
        path,
        address: Address::trusted(address),
        kind,
        severity: ConflictSeverity::High,
        shown: None,
        why: why.to_owned(),
        sides: sides(view, &involved),
    })
}

fn guarded(
    view: &View<'_>,
    id: &EntryId,
    entry: &Entry,
    substitute: &view::Substitute,
    tree: &Thing<'_>,
) -> Option<Conflict> {
    let rule = substitute.rule?;
    let mut address = None;
    let mut involved = Vec::new();
    for (at, cell) in entry.cells() {
        let first = Steps::of(at, false).next();
        if first == Some(Step::Element(substitute.element)) && !address::is_position(at) {
            address.get_or_insert_with(|| Address::trusted(at));
            involved.extend(cell.siblings.into_iter().filter(|s| s.write != Written::Mark));
        }
    }
    let mut text = String::new();
    let place = Place::Element(substitute.element);
    if let Some(node) = tree.node(place) {
        Thing { nodes: vec![(place, node.clone())] }.write_members(&mut text);
    }
    Some(Conflict {
        entry: id.clone(),
        path: format!("{}.{}", id.ty.name(), substitute.element.element().name),
        address: address?,
        kind: ConflictKind::Guard,
        severity: ConflictSeverity::High,
        shown: cell_value(&text),
        why: format!(
            "the merged members would break {rule}; shown as change {} left them",
            substitute
                .from
                .and_then(|from| view.id_of(from))
                .map_or_else(String::new, |id| id.to_string())
        ),
        sides: sides(view, &involved),
    })
}

fn sides<'s, 'a: 's>(
    view: &View<'_>,
    siblings: impl IntoIterator<Item = &'s Sibling<'a>>,
) -> Vec<Side> {
    let mut ordered: Vec<&Sibling<'_>> = siblings.into_iter().collect();
    ordered.sort_by_key(|sibling| std::cmp::Reverse(view.tables.order(sibling)));
    ordered.into_iter().filter_map(|sibling| side(view, sibling)).collect()
}

fn side(view: &View<'_>, sibling: &Sibling<'_>) -> Option<Side> {
    let removed = sibling.write == Written::Mark;
    side_of(view, view.writer(sibling), cell_value(view::text_of(sibling)), removed)
}

fn side_of(view: &View<'_>, change: ChangeNo, value: Option<Value>, removed: bool) -> Option<Side> {
    let stamp = view.tables.stamps.get(change)?;
    Some(Side {
        value,
        removed,
        change: view.id_of(change)?,
        author: view.tables.authors.name(stamp.author).into(),
        time: HybridTime(stamp.said),
        source: view.tables.source_of(stamp),
    })
}

/// A cell's text as a value: an object of its members, or the list element itself.
pub(crate) fn cell_value(text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    json::parse(text.as_bytes()).or_else(|_| json::parse(format!("{{{text}}}").as_bytes())).ok()
}

/// Where an address is shown; `None` if something around it is gone.
pub(crate) fn path_of(id: &EntryId, address: &[u8], tree: &Thing<'_>) -> Option<String> {
    let mut path = id.ty.name().to_owned();
    let mut thing = Some(tree);
    let mut list: Option<&Vec<Item<'_>>> = None;
    let mut steps = Steps::of(address, false);
    while let Some(step) = steps.next() {
        match step {
            Step::Element(element) => {
                push_name(&mut path, element);
                match thing?.node(Place::Element(element)) {
                    Some(Node::Thing(inner)) => thing = Some(inner),
                    Some(Node::List(items)) => {
                        list = Some(items);
                        thing = None;
                    }
                    Some(Node::Cell(_)) => thing = None,
                    // Nothing is shown here: fine for a cell that one side emptied.
                    None if steps.rest().is_empty() => thing = None,
                    None => return None,
                }
            }
            Step::Key(key) => {
                let (index, inner) = item(list?.as_slice(), key)?;
                let _ = write!(path, "[{index}]");
                thing = inner;
            }
            Step::Unknown(name) => {
                path.push('.');
                path.push_str(name);
            }
            Step::Presence | Step::Position | Step::Content => {}
        }
    }
    Some(path)
}

fn push_name(path: &mut String, element: ElementId) {
    path.push('.');
    path.push_str(element.element().name);
}

fn item<'t, 'a>(items: &'t [Item<'a>], key: ElementKey) -> Option<(usize, Option<&'t Thing<'a>>)> {
    let index = view::index_of(items, key)?;
    match &items.get(index)?.content {
        Content::Thing(thing) => Some((index, Some(thing))),
        Content::Atomic(_) => Some((index, None)),
    }
}

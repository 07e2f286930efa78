//! Reading: the shown resource of an entry, under a policy, with the validity guard.

use std::borrow::Cow;
use std::collections::BTreeMap;

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::{ElementId, Scope};
use clisonix_fhir::validate::{self, BrokenRule};

use crate::address::{self, ElementKey, Step, Steps};
use crate::agreement;
use crate::canonical;
use crate::page::Cell;
use crate::policy::Policy;
use crate::state::{ChangeNo, Entry, EntryId, Sibling, Sound, Written};
use crate::tables::Tables;
use crate::time::HybridTime;
use crate::tree::{Content, Item, Node, Place, Thing, write_nodes};

/// Most broken rules that the guard mends one by one before it takes a whole version.
const MAX_GUARD_ROUNDS: usize = 8;

/// An entry as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) tree: Thing<'a>,
    /// Places whose content is not what the cells say, with the reason.
    pub(crate) substitutes: Vec<Substitute>,
}

/// Members that the validity guard took from one author's version, or that a merge dropped.
#[derive(Clone, Debug)]
pub(crate) struct Substitute {
    pub(crate) element: ElementId,
    /// Key of the broken rule; `None` for a generated narrative that no longer fits.
    pub(crate) rule: Option<&'static str>,
    /// The change whose author's version was taken.
    pub(crate) from: Option<ChangeNo>,
}

/// Fewer than most cells take.
const CELL_BYTES: usize = 48;

/// The tree of an entry's cells, before the guard; `None` if the entry is gone and not `kept`.
pub(crate) fn tree<'a>(
    entry: &'a Entry,
    tables: &Tables,
    policy: &Policy,
    kept: bool,
) -> Option<Thing<'a>> {
    let mut cells: Vec<(&[u8], Cell<'_>)> =
        Vec::with_capacity(entry.pages.size_bytes() / CELL_BYTES);
    cells.extend(entry.cells());
    let builder = Builder { tables, policy };
    let mut presence = Presence::default();
    let thing = builder.thing(&cells, 0, 0, &mut presence);
    (presence.is_present(0) || kept).then_some(thing)
}

/// Whether some write of the entry is not covered by a mark.
pub(crate) fn is_present(entry: &Entry) -> bool {
    let mut written = entry.cells().filter(|(address, _)| !address::is_position(address));
    written.any(|(_, cell)| {
        let mut presence = Presence::default();
        cell.siblings.iter().for_each(|sibling| presence.add(sibling));
        presence.is_present(0)
    })
}

/// Which depths' marks cover all writes seen so far.
#[derive(Clone, Copy, Debug, Default)]
struct Presence {
    any: bool,
    uncovered: u32,
}

impl Presence {
    fn add(&mut self, sibling: &Sibling<'_>) {
        if sibling.write != Written::Mark {
            self.any = true;
            self.uncovered |= !sibling.covered;
        }
    }

    fn join(&mut self, other: Presence) {
        self.any |= other.any;
        self.uncovered |= other.uncovered;
    }

    /// Present unless every write is in the past of some mark on the thing at `depth`.
    fn is_present(self, depth: usize) -> bool {
        self.any && self.uncovered & (1 << depth.min(31)) != 0
    }
}

struct Builder<'t> {
    tables: &'t Tables,
    policy: &'t Policy,
}

type Cells<'a> = [(&'a [u8], Cell<'a>)];

impl Builder<'_> {
    /// Builds the thing whose address is the first `at` bytes of every address in `cells`.
    fn thing<'a>(
        &self,
        cells: &Cells<'a>,
        at: usize,
        depth: usize,
        presence: &mut Presence,
    ) -> Thing<'a> {
        let mut nodes = Vec::new();
        let mut rest = cells;
        while let Some((address, cell)) = rest.first() {
            let address = *address;
            let mut steps = Steps::of(address.get(at..).unwrap_or_default(), false);
            let step = steps.next();
            let len = address.len() - steps.rest().len();
            match step {
                Some(Step::Element(element)) if !steps.rest().is_empty() => {
                    let prefix = address.get(..len).unwrap_or_default();
                    let count = rest
                        .partition_point(|(other, _)| other.starts_with(prefix) || *other < prefix);
                    let (inner, after) = rest.split_at(count);
                    rest = after;
                    let node = if element.element().is_list() {
                        let items = self.list(element, inner, len, depth, presence);
                        (!items.is_empty()).then_some(Node::List(items))
                    } else {
                        let mut own = Presence::default();
                        let thing = self.thing(inner, len, depth + 1, &mut own);
                        presence.join(own);
                        (own.is_present(depth + 1) && !thing.nodes.is_empty())
                            .then_some(Node::Thing(thing))
                    };
                    nodes.extend(node.map(|node| (Place::Element(element), node)));
                    continue;
                }
                Some(Step::Element(element)) => {
                    self.cell(Place::Element(element), Some(element), cell, presence, &mut nodes);
                }
                Some(Step::Unknown(name)) => {
                    self.cell(Place::Unknown(name), None, cell, presence, &mut nodes);
                }
                Some(Step::Presence) => cell.siblings.iter().for_each(|s| presence.add(s)),
                _ => {}
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        Thing { nodes }
    }

    fn cell<'a>(
        &self,
        place: Place<'a>,
        leader: Option<ElementId>,
        cell: &Cell<'a>,
        presence: &mut Presence,
        nodes: &mut Vec<(Place<'a>, Node<'a>)>,
    ) {
        cell.siblings.iter().for_each(|sibling| presence.add(sibling));
        if let Some(text) =
            shown_text(cell, leader, self.tables, self.policy).filter(|t| !t.is_empty())
        {
            nodes.push((place, Node::Cell(Cow::Borrowed(text))));
        }
    }

    fn list<'a>(
        &self,
        element: ElementId,
        cells: &Cells<'a>,
        at: usize,
        depth: usize,
        presence: &mut Presence,
    ) -> Vec<Item<'a>> {
        let mut items = Vec::new();
        let mut rest = cells;
        while let Some(&(address, _)) = rest.first() {
            let Some(Step::Key(key)) =
                Steps::of(address.get(at..).unwrap_or_default(), true).next()
            else {
                break;
            };
            let len = at + 10;
            let prefix = address.get(..len).unwrap_or_default();
            let count =
                rest.partition_point(|(other, _)| other.starts_with(prefix) || *other < prefix);
            let (inner, after) = rest.split_at(count.max(1));
            rest = after;
            let mut own = Presence::default();
            let content = self.item(element, inner, len, depth + 1, &mut own);
            presence.join(own);
            if let (true, Some(content)) = (own.is_present(depth + 1), content) {
                let position = Cow::Borrowed(self.position(inner, len));
                items.push(Item::stored(key, position, content));
            }
        }
        // Positions of concurrent inserts may be equal; the key then decides, at every site alike.
        items.sort_by(|a, b| {
            (&a.position, a.hash, a.occurrence).cmp(&(&b.position, b.hash, b.occurrence))
        });
        show_once(&mut items);
        items
    }

    fn item<'a>(
        &self,
        element: ElementId,
        cells: &Cells<'a>,
        at: usize,
        depth: usize,
        presence: &mut Presence,
    ) -> Option<Content<'a>> {
        let content = cells.iter().find(|(address, _)| {
            Steps::of(address.get(at..).unwrap_or_default(), false).next() == Some(Step::Content)
        });
        if let Some((_, cell)) = content {
            for (address, cell) in cells {
                let step = Steps::of(address.get(at..).unwrap_or_default(), false).next();
                if step != Some(Step::Position) {
                    cell.siblings.iter().for_each(|sibling| presence.add(sibling));
                }
            }
            let text = shown_text(cell, Some(element), self.tables, self.policy)?;
            return (!text.is_empty()).then_some(Content::Atomic(Cow::Borrowed(text)));
        }
        let thing = self.thing(cells, at, depth, presence);
        (!thing.nodes.is_empty()).then_some(Content::Thing(thing))
    }

    fn position<'a>(&self, cells: &Cells<'a>, at: usize) -> &'a [u8] {
        let cell = cells.iter().find(|(address, _)| {
            Steps::of(address.get(at..).unwrap_or_default(), false).next() == Some(Step::Position)
        });
        let siblings = cell.map_or(&[][..], |(_, cell)| cell.siblings.as_slice());
        let latest = match siblings {
            [only] => Some(only),
            _ => siblings.iter().max_by_key(|sibling| self.tables.order(sibling)),
        };
        match latest.map(|sibling| sibling.write) {
            Some(Written::Position(position)) => position,
            _ => &[],
        }
    }
}

/// Elements with one content under different keys are one element that was corrected at one site
/// and added anew at another: it is shown once, and whoever edits it edits all of them.
fn show_once(items: &mut Vec<Item<'_>>) {
    if items.len() < 2 {
        return;
    }
    let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
    let mut twins: Vec<(usize, usize)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Content::Atomic(text) = &item.content else { return };
        match firsts.get(text.as_ref()) {
            Some(&first) if items.get(first).is_some_and(|first| first.hash != item.hash) => {
                twins.push((first, index));
            }
            Some(_) => {}
            None => {
                firsts.insert(text.clone().into_owned(), index);
            }
        }
    }
    for (first, twin) in twins.into_iter().rev() {
        let key = items.remove(twin).key();
        if let Some(item) = items.get_mut(first) {
            item.twins.push(key);
        }
    }
}

/// The text shown for a cell: the only value, else the safest by policy, a value before emptiness,
/// the latest.
fn shown_text<'a>(
    cell: &Cell<'a>,
    leader: Option<ElementId>,
    tables: &Tables,
    policy: &Policy,
) -> Option<&'a str> {
    let sibling = match cell.siblings.as_slice() {
        [only] => only,
        _ => agreement::standing(cell, tables, policy).into_iter().min_by_key(|sibling| {
            let text = text_of(sibling);
            let rank = leader.map(|leader| policy.rank(leader, || members(leader, text)));
            (rank, text.is_empty(), std::cmp::Reverse(tables.order(sibling)))
        })?,
    };
    match sibling.write {
        Written::Set(_) | Written::Text(..) => Some(text_of(sibling)),
        _ => None,
    }
}

/// The sibling that is shown, for telling who wrote it.
pub(crate) fn shown_sibling<'c, 'a>(
    cell: &'c Cell<'a>,
    leader: Option<ElementId>,
    tables: &Tables,
    policy: &Policy,
) -> Option<&'c Sibling<'a>> {
    let text = shown_text(cell, leader, tables, policy)?;
    let same = cell.siblings.iter().filter(|sibling| text_of(sibling) == text);
    same.max_by_key(|sibling| tables.order(sibling))
}

/// Whether policy alone chose `shown`: every differing value ranks below it.
pub(crate) fn is_safest(
    cell: &Cell<'_>,
    shown: &Sibling<'_>,
    leader: Option<ElementId>,
    policy: &Policy,
) -> bool {
    let Some(leader) = leader else { return false };
    let rank = |sibling: &Sibling<'_>| policy.rank(leader, || members(leader, text_of(sibling)));
    let best = rank(shown);
    let mut others = cell.siblings.iter().filter(|other| text_of(other) != text_of(shown));
    others.all(|other| rank(other) > best)
}

pub(crate) fn text_of<'a>(sibling: &Sibling<'a>) -> &'a str {
    match sibling.write {
        Written::Set(text) => text,
        Written::Text(_, Some(note)) => note.cell_text(),
        _ => "",
    }
}

/// A cell's text as the object of its members.
pub(crate) fn members(leader: ElementId, text: &str) -> Value {
    let named = text.starts_with('"') && !canonical::is_value(text, 0);
    let object = if named || text.is_empty() {
        format!("{{{text}}}")
    } else {
        format!("{{\"{}\":{text}}}", leader.element().name)
    };
    json::parse(object.as_bytes()).unwrap_or_default()
}

/// What a shown resource's `meta` says of its version.
pub(crate) struct MetaStamp<'a> {
    pub(crate) place: Option<Place<'a>>,
    pub(crate) version: &'a str,
    pub(crate) updated: HybridTime,
}

/// The entry's resource as JSON text without `meta.versionId` and `meta.lastUpdated`.
pub(crate) fn resource_text(id: &EntryId, tree: &Thing<'_>) -> String {
    let mut out = begin_resource(id);
    tree.write_members(&mut out);
    out.push('}');
    out
}

/// The entry's resource as JSON text with its version.
pub(crate) fn stamped_text(id: &EntryId, tree: &Thing<'_>, stamp: &MetaStamp<'_>) -> String {
    let mut out = begin_resource(id);
    let split = tree.nodes.iter().position(|(place, _)| Some(*place) == stamp.place);
    out.push_str(",\"meta\":{\"versionId\":\"");
    out.push_str(stamp.version);
    out.push_str("\",\"lastUpdated\":\"");
    out.push_str(&stamp.updated.to_string());
    out.push('"');
    let (before, after) = match split {
        None => (&[][..], tree.nodes.as_slice()),
        Some(at) => {
            if let Some((_, Node::Thing(meta))) = tree.nodes.get(at) {
                meta.write_members(&mut out);
            }
            let (before, after) = tree.nodes.split_at(at);
            (before, after.get(1..).unwrap_or_default())
        }
    };
    out.push('}');
    write_nodes(before, &mut out);
    write_nodes(after, &mut out);
    out.push('}');
    out
}

fn begin_resource(id: &EntryId) -> String {
    let mut out = String::with_capacity(2 << 10);
    out.push_str("{\"resourceType\":\"");
    out.push_str(id.ty.name());
    out.push_str("\",\"id\":\"");
    out.push_str(&id.id);
    out.push('"');
    out
}

pub(crate) fn resource_value(id: &EntryId, tree: &Thing<'_>) -> Value {
    // The text is made of checked texts; an empty object can only mean a broken invariant, and
    // then every rule fails visibly.
    json::parse(resource_text(id, tree).as_bytes()).unwrap_or_default()
}

/// What the guard needs of a record: the entry as one change's author left it.
pub(crate) trait Versions {
    /// The tree of the entry at exactly the ancestors of `change` and itself.
    fn version(&self, change: ChangeNo) -> Option<Thing<'static>>;
    /// Whether `ancestor` is `change` or in its past.
    fn is_before(&self, ancestor: ChangeNo, change: ChangeNo) -> bool;
}

/// Applies the merge's own duties to a tree whose entry has concurrent heads: a generated narrative
/// that describes no branch is dropped, and a rule of FHIR that every branch kept is kept.
pub(crate) fn guard<'a>(
    id: &EntryId,
    entry: &Entry,
    tree: Thing<'a>,
    tables: &Tables,
    policy: &Policy,
    versions: &dyn Versions,
) -> Shown<'a> {
    let mut shown = Shown { tree, substitutes: Vec::new() };
    if entry.heads.len() < 2 {
        return shown;
    }
    let known = entry.sound.get().filter(|sound| sound.rules == policy.rules());
    let is_branch = match known {
        Some(sound) => sound.is_branch,
        None => equals_a_branch(entry, tables, policy, versions),
    };
    if !is_branch {
        drop_narrative(id, &mut shown);
    }
    if known.is_some() {
        return shown;
    }
    let mut given_up: Vec<&str> = Vec::new();
    for round in 1..=MAX_GUARD_ROUNDS {
        let broken = validate::broken_rules(&resource_value(id, &shown.tree));
        if round == 1 && broken.is_empty() {
            entry.sound.get_or_init(|| Sound { rules: policy.rules(), is_branch });
        }
        let open = |rule: &&BrokenRule| {
            !given_up.contains(&rule.key)
                && !shown.substitutes.iter().any(|done| done.rule == Some(rule.key))
        };
        let Some(rule) = broken.iter().find(open) else { break };
        let whole = round == MAX_GUARD_ROUNDS;
        if !mend(id, entry, rule, whole, &mut shown, (tables, policy, versions)) {
            // Every author's version breaks it too: nothing that the merge could keep.
            given_up.push(rule.key);
        }
    }
    shown
}

/// Whether some head's author already saw everything that is shown now.
fn equals_a_branch(
    entry: &Entry,
    tables: &Tables,
    policy: &Policy,
    versions: &dyn Versions,
) -> bool {
    entry.heads.iter().any(|&head| {
        entry.cells().all(|(address, cell)| {
            let leader = leader_of(address);
            let seen = |sibling: &Sibling<'_>| {
                sibling.changes().any(|change| versions.is_before(change, head))
            };
            match shown_sibling(&cell, leader, tables, policy) {
                // What is shown of a text is what all who typed in it have typed.
                Some(sibling) if sibling.text_root().is_some() => {
                    let of_text = |s: &&Sibling<'_>| s.text_root() == sibling.text_root();
                    cell.siblings.iter().filter(of_text).all(seen)
                }
                Some(sibling) => seen(sibling),
                None => true,
            }
        })
    })
}

pub(crate) fn leader_of(address: &[u8]) -> Option<ElementId> {
    let mut leader = None;
    for step in Steps::of(address, false) {
        match step {
            Step::Element(element) => leader = Some(element),
            Step::Unknown(_) => leader = None,
            _ => {}
        }
    }
    leader
}

fn drop_narrative(id: &EntryId, shown: &mut Shown<'_>) {
    let Some(member) = Scope::Type(id.ty).member("text") else { return };
    let place = Place::Element(member.element);
    // FHIR R4 2.4.0.1: `additional` narrative says more than the data, so a merge must keep it.
    if matches!(shown.tree.node(place), Some(Node::Cell(text)) if is_generated(text)) {
        shown.tree.nodes.retain(|(at, _)| *at != place);
        shown.substitutes.push(Substitute { element: member.element, rule: None, from: None });
    }
}

/// Whether a narrative says nothing but what the data says (FHIR R4 2.4.0.1).
pub(crate) fn is_generated(text: &str) -> bool {
    text.contains("\"status\":\"generated\"") || text.contains("\"status\":\"extensions\"")
}

/// Takes the places that a broken rule reads from one author's version: the safest by policy, then
/// the newest. Returns whether a version was found that keeps the rule.
fn mend(
    id: &EntryId,
    entry: &Entry,
    rule: &BrokenRule,
    whole: bool,
    shown: &mut Shown<'_>,
    (tables, policy, versions): (&Tables, &Policy, &dyn Versions),
) -> bool {
    let mut places: Vec<ElementId> = Vec::new();
    for name in &rule.reads {
        let scope = Scope::Type(id.ty);
        let by_name = scope.elements().iter().copied().find(|e| e.element().name == &**name);
        let element = by_name.or_else(|| scope.member(name).map(|member| member.element));
        if let Some(element) = element.map(|element| policy.leader(element))
            && !places.contains(&element)
        {
            places.push(element);
        }
    }
    if whole || places.is_empty() {
        places = Scope::Type(id.ty).elements().iter().map(|&e| policy.leader(e)).collect();
        places.dedup();
    }
    let mut candidates = Vec::new();
    for change in authors_of(entry, &places, versions) {
        let Some(version) = versions.version(change) else { continue };
        let kept = validate::broken_rules(&resource_value(id, &version))
            .iter()
            .all(|broken| broken.key != rule.key);
        if kept {
            // Sites that took in one message of a feed each made a change of it: to the display they
            // are one, and here the same one must be taken everywhere.
            let stamp = tables.stamps.get(change);
            let name = stamp.map(|stamp| (tables.actor(stamp.actor), stamp.seq));
            candidates.push((
                safety(&version, &places, policy),
                (tables.stamp_order(change), name),
                change,
                version,
            ));
        }
    }
    candidates.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    let Some((_, _, from, version)) = candidates.into_iter().next() else { return false };
    for element in places {
        let place = Place::Element(element);
        let node = version.node(place).cloned();
        if shown.tree.node(place) == node.as_ref() {
            continue;
        }
        shown.tree.nodes.retain(|(at, _)| *at != place);
        if let Some(node) = node {
            shown.tree.nodes.push((place, node));
        }
        shown.substitutes.push(Substitute { element, rule: Some(rule.key), from: Some(from) });
    }
    shown.tree.nodes.sort_by_key(|(a, _)| *a);
    true
}

/// The changes that wrote the live content of `places`, without those that another one has seen;
/// all heads if the rule's content has one author only.
fn authors_of(entry: &Entry, places: &[ElementId], versions: &dyn Versions) -> Vec<ChangeNo> {
    let mut writers: Vec<ChangeNo> = Vec::new();
    for (address, cell) in entry.cells() {
        let first = Steps::of(address, false).next();
        if matches!(first, Some(Step::Element(element)) if places.contains(&element)) {
            writers.extend(cell.siblings.iter().flat_map(Sibling::changes));
        }
    }
    writers.sort_unstable();
    writers.dedup();
    let all = writers.clone();
    writers.retain(|&w| !all.iter().any(|&other| other != w && versions.is_before(w, other)));
    writers.extend(entry.heads.iter().copied().filter(|head| !all.contains(head)));
    writers
}

fn safety(version: &Thing<'_>, places: &[ElementId], policy: &Policy) -> Vec<usize> {
    let mut ranks = Vec::new();
    for &element in places {
        if let Some(Node::Cell(text)) = version.node(Place::Element(element)) {
            ranks.extend(policy.rank(element, || members(element, text)));
        }
    }
    ranks
}

/// Finds the shown list index of a key, for paths.
pub(crate) fn index_of(items: &[Item<'_>], key: ElementKey) -> Option<usize> {
    items.iter().position(|item| item.key() == key || item.twins.contains(&key))
}

//! The straight way from a JSON Pointer to the cell of a text, for typing: nothing is rendered.

use clisonix_fhir::patch::index;
use clisonix_fhir::schema::Scope;

use crate::address::{self, Address, ElementKey, MAX_THING_DEPTH, Path, Step, Steps};
use crate::layout::{Shape, shape, thing_scope};
use crate::policy::Policy;
use crate::state::{Entry, EntryId, Sibling, Written};
use crate::tree::skipped;
use crate::view::text_of;

/// Where a pointer leads that needs no rendering.
pub(super) struct Straight<'t> {
    /// Of the cell that it leads to or into.
    pub(super) address: Address,
    /// What is left of the pointer there.
    pub(super) rest: &'t [&'t str],
    /// Whether it leads there whatever the cells' values are.
    pub(super) is_fixed: bool,
}

/// The straight way; `None` where something is concurrent or was removed, and the shown resource
/// must tell.
pub(super) fn straight_to<'t>(
    policy: &Policy,
    (id, entry): (&EntryId, &Entry),
    mut tokens: &'t [&'t str],
) -> Option<Straight<'t>> {
    if !entry.is_plain() {
        return None;
    }
    let mut is_fixed = true;
    let mut path = Path::default();
    let mut scope = Scope::Type(id.ty);
    for depth in 0..MAX_THING_DEPTH {
        let (name, rest) = tokens.split_first()?;
        let member = scope.member(name)?;
        let element = member.element;
        if skipped(scope, depth, name) || member.sibling || policy.is_grouped(element) {
            return None;
        }
        let nests = shape(element) == Shape::Thing && depth + 1 < MAX_THING_DEPTH;
        path.push(Step::Element(element));
        tokens = rest;
        if element.element().is_list() {
            let (item, rest) = rest.split_first()?;
            let (key, is_alone) = key_at(entry, &path, index(item)?, nests)?;
            is_fixed &= nests || is_alone;
            path.push(Step::Key(key));
            tokens = rest;
            if !nests {
                path.push(Step::Content);
            }
        }
        if !nests {
            return Some(Straight { address: path.whole(), rest: tokens, is_fixed });
        }
        scope = thing_scope(element);
    }
    None
}

/// The key of the list element shown at `index`, and whether it is the only one.
fn key_at(entry: &Entry, list: &Path, index: usize, nests: bool) -> Option<(ElementKey, bool)> {
    let prefix = list.as_bytes();
    let mut items: Vec<(&[u8], ElementKey)> = Vec::new();
    for (at, cell) in entry.under(prefix) {
        let mut steps = Steps::of(at.get(prefix.len()..)?, true);
        let Some(Step::Key(key)) = steps.next() else { return None };
        let [only] = cell.siblings.as_slice() else { return None };
        match (steps.next()?, only.write) {
            (Step::Position, Written::Position(position)) => items.push((position, key)),
            (Step::Position, _) => return None,
            (_, write) if only.covered == 0 && write != Written::Set("") => {}
            _ => return None,
        }
    }
    items.sort_unstable();
    // Equal content under different keys is shown as one element.
    if !nests && items.len() > 1 && has_twins(entry, prefix) {
        return None;
    }
    items.get(index).map(|(_, key)| (*key, items.len() == 1))
}

/// Whether two elements of a list of cells have the same content. A text that is typed in is spelled
/// out only where another one may be as long.
fn has_twins(entry: &Entry, prefix: &[u8]) -> bool {
    let cells = entry.under(prefix).filter(|(at, _)| !address::is_position(at));
    let siblings = cells.flat_map(|(_, cell)| cell.siblings);
    let mut items: Vec<((usize, usize), Sibling<'_>)> =
        siblings.map(|sibling| (lengths(&sibling), sibling)).collect();
    items.sort_unstable_by_key(|((least, _), _)| *least);
    let mut rest = items.as_slice();
    while let Some(((_, most), _)) = rest.first() {
        let mut most = *most;
        let alike = rest.iter().take_while(|((least, end), _)| {
            let is_alike = *least <= most;
            most = most.max(*end);
            is_alike
        });
        let (alike, after) = rest.split_at(alike.count());
        let mut texts: Vec<&str> = match alike {
            [_] => Vec::new(),
            _ => alike.iter().map(|(_, sibling)| text_of(sibling)).collect(),
        };
        texts.sort_unstable();
        if texts.windows(2).any(|pair| pair.first() == pair.last()) {
            return true;
        }
        rest = after;
    }
    false
}

/// The least and the greatest length that a sibling's text can have, in bytes.
fn lengths(sibling: &Sibling<'_>) -> (usize, usize) {
    match sibling.write {
        Written::Text(_, Some(note)) => note.lengths(),
        _ => (text_of(sibling).len(), text_of(sibling).len()),
    }
}

//! What is shown while siblings disagree: life cycles and fail-safe orders.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::{ElementId, TypeId};

use super::cells::{Cells, of_kind};
use super::error::{PolicyError, PolicyErrorKind};
use super::lattice::Lattice;
use super::place::{ancestors, element_at};
use super::row::{PolicyRow, RowKind};

/// The code that retracts what it stands in, whatever else is said.
const RETRACTED: &str = "entered-in-error";

/// The fail-safe orders of a table, by the cells that they look into.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    by_leader: BTreeMap<u16, Vec<Choice>>,
}

#[derive(Clone, Debug)]
struct Choice {
    /// The names on the way from the cell's members to the element.
    way: Vec<&'static str>,
    /// The safest first.
    codes: Vec<Box<str>>,
    lifecycle: Option<Lattice>,
}

impl Choices {
    pub(super) fn compile(rows: &[PolicyRow], cells: &Cells) -> Result<Self, PolicyError> {
        let mut lifecycles = lifecycles(rows)?;
        let orders = orders(rows)?;
        for row in of_kind(rows, RowKind::Lifecycle) {
            let element = element_at(&row.path).map(|element| element.0);
            let order = element.and_then(|number| orders.get(&number));
            let (failsafe, codes) =
                order.ok_or_else(|| row.error(PolicyErrorKind::NoFailsafe(row.path.clone())))?;
            if let Some(lattice) = element.and_then(|number| lifecycles.get(&number)) {
                check_order(&row.path, lattice, codes).map_err(|kind| failsafe.error(kind))?;
            }
        }
        let mut choices = Self::default();
        for (number, (_, codes)) in orders {
            let lifecycle = lifecycles.remove(&number);
            let (leader, way) = cell_of(ElementId(number), cells);
            let choice = Choice { way, codes, lifecycle };
            choices.by_leader.entry(leader.0).or_default().push(choice);
        }
        Ok(choices)
    }

    fn of(&self, leader: ElementId) -> &[Choice] {
        self.by_leader.get(&leader.0).map_or(&[], Vec::as_slice)
    }

    /// Smaller is safer: whether nothing is retracted, then one number for each element with an
    /// order.
    pub(super) fn rank(&self, leader: ElementId, members: impl FnOnce() -> Value) -> Vec<usize> {
        let mut ranks = vec![1];
        let choices = self.of(leader);
        if choices.is_empty() {
            return ranks;
        }
        let members = members();
        for choice in choices {
            let found = codes_of(&choice.way, &members);
            if let (true, Some(first)) = (found.iter().any(|c| c == RETRACTED), ranks.first_mut()) {
                // A retraction absorbs whatever the cell's other members say.
                *first = 0;
            }
            let rank =
                choice.codes.iter().position(|code| found.iter().any(|have| **have == **code));
            ranks.push(rank.unwrap_or(choice.codes.len()));
        }
        ranks
    }

    /// Whether `shown` differs from every one of `others` only by a later state of a life cycle.
    pub(super) fn is_settled(&self, leader: ElementId, shown: &Value, others: &[Value]) -> bool {
        let choices = self.of(leader);
        let is_later = |other: &Value| {
            let mut later = false;
            for choice in choices {
                let Some(lifecycle) = &choice.lifecycle else { continue };
                let (own, others) = (codes_of(&choice.way, shown), codes_of(&choice.way, other));
                if own == others {
                    continue;
                }
                let ([own], [other]) = (own.as_slice(), others.as_slice()) else { return false };
                if own == RETRACTED || !lifecycle.is_before(other, own) {
                    return false;
                }
                later = true;
            }
            later && rest(choices, shown) == rest(choices, other)
        };
        others.iter().all(is_later)
    }
}

/// What a cell says beside its states.
fn rest(choices: &[Choice], members: &Value) -> Vec<(String, Value)> {
    let is_state =
        |name: &str| choices.iter().any(|c| c.lifecycle.is_some() && c.way.as_slice() == [name]);
    let members = members.as_object().into_iter().flat_map(|object| object.iter());
    members
        .filter(|(name, _)| !is_state(name))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

fn lifecycles(rows: &[PolicyRow]) -> Result<BTreeMap<u16, Lattice>, PolicyError> {
    let mut found = BTreeMap::new();
    for row in of_kind(rows, RowKind::Lifecycle) {
        let (element, lattice) = lifecycle(row).map_err(|kind| row.error(kind))?;
        if found.insert(element.0, lattice).is_some() {
            return Err(row.error(PolicyErrorKind::Twice(row.path.clone())));
        }
    }
    Ok(found)
}

type Orders<'r> = BTreeMap<u16, (&'r PolicyRow, Vec<Box<str>>)>;

/// The fail-safe order of each element that has one, with its row; what is named generally fills
/// what has no row of its own.
fn orders(rows: &[PolicyRow]) -> Result<Orders<'_>, PolicyError> {
    let mut found = Orders::new();
    for general in [false, true] {
        for row in of_kind(rows, RowKind::Failsafe) {
            if row.path.starts_with("*.") != general {
                continue;
            }
            for element in elements(row).map_err(|kind| row.error(kind))? {
                let codes = || (row, row.words().map(Box::from).collect());
                match found.entry(element.0) {
                    Entry::Vacant(entry) => {
                        entry.insert(codes());
                    }
                    Entry::Occupied(_) if general => {}
                    Entry::Occupied(_) => {
                        return Err(row.error(PolicyErrorKind::Twice(row.path.clone())));
                    }
                }
            }
        }
    }
    Ok(found)
}

fn lifecycle(row: &PolicyRow) -> Result<(ElementId, Lattice), PolicyErrorKind> {
    let element = element_at(&row.path).ok_or_else(|| PolicyErrorKind::Path(row.path.clone()))?;
    let codes = element.element().binding.map_or(&[][..], |binding| binding.codes);
    Ok((element, Lattice::new(&row.what, &row.path, codes)?))
}

/// The elements that a `failsafe` row is about, each allowing all its codes.
fn elements(row: &PolicyRow) -> Result<Vec<ElementId>, PolicyErrorKind> {
    let Some(name) = row.path.strip_prefix("*.") else {
        let element =
            element_at(&row.path).ok_or_else(|| PolicyErrorKind::Path(row.path.clone()))?;
        let mut seen = Vec::new();
        for code in row.words() {
            if !allows(element, code) || seen.contains(&code) {
                return Err(PolicyErrorKind::Code { path: row.path.clone(), code: code.into() });
            }
            seen.push(code);
        }
        return Ok(vec![element]);
    };
    let fits = |element: &ElementId| {
        let definition = element.element();
        definition.name == name
            && element_at(definition.path) == Some(*element)
            && row.words().all(|code| allows(*element, code))
    };
    let found: Vec<ElementId> = ElementId::all().filter(fits).collect();
    if found.is_empty() { Err(PolicyErrorKind::Path(row.path.clone())) } else { Ok(found) }
}

/// Whether `code` can be a value of the element: a code of its required binding, `true` or `false`,
/// or `[dateTime]` for a type that it may have.
fn allows(element: ElementId, code: &str) -> bool {
    let definition = element.element();
    let has_type = |name: &str| definition.types.iter().any(|ty: &TypeId| ty.name() == name);
    if let Some(ty) = code.strip_prefix('[').and_then(|code| code.strip_suffix(']')) {
        return definition.choice && has_type(ty);
    }
    match definition.binding {
        Some(binding) => binding.allows(code),
        None => has_type("boolean") && matches!(code, "true" | "false"),
    }
}

fn check_order(path: &str, lattice: &Lattice, codes: &[Box<str>]) -> Result<(), PolicyErrorKind> {
    let place = |code: &str| codes.iter().position(|have| **have == *code);
    for (earlier, later) in lattice.pairs() {
        let Some(at) = place(later) else {
            return Err(PolicyErrorKind::MissingCode { path: path.into(), code: later.into() });
        };
        if place(earlier).is_some_and(|earlier| earlier < at) {
            return Err(PolicyErrorKind::Order {
                path: path.into(),
                later: later.into(),
                earlier: earlier.into(),
            });
        }
    }
    Ok(())
}

/// The cell that the element is written in, and the way to it from the cell's members.
fn cell_of(element: ElementId, cells: &Cells) -> (ElementId, Vec<&'static str>) {
    let whole = ancestors(element).filter(|(around, _)| cells.is_whole(*around)).last();
    let (cell, way) = whole.unwrap_or((element, element.element().name));
    (cells.leader(cell), way.split('.').collect())
}

/// The values at the end of `way`: a code or boolean itself, a concept's codes, and for a choice its
/// type in brackets.
fn codes_of<'v>(way: &[&str], members: &'v Value) -> Vec<Cow<'v, str>> {
    let mut found = Vec::new();
    let Some((name, rest)) = way.split_first() else { return found };
    match members {
        Value::Object(object) => {
            for (member, value) in object {
                let Some(suffix) = member.strip_prefix(*name) else { continue };
                if !suffix.is_empty() && !suffix.starts_with(|c: char| c.is_ascii_uppercase()) {
                    continue;
                }
                if !rest.is_empty() {
                    found.extend(codes_of(rest, value));
                    continue;
                }
                push_codes(value, &mut found);
                if let Some(first) = suffix.chars().next() {
                    let tail = suffix.get(1..).unwrap_or_default();
                    found.push(format!("[{}{tail}]", first.to_ascii_lowercase()).into());
                    found.push(format!("[{suffix}]").into());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| found.extend(codes_of(way, item))),
        _ => {}
    }
    found
}

fn push_codes<'v>(value: &'v Value, found: &mut Vec<Cow<'v, str>>) {
    match value {
        Value::String(code) => found.push(Cow::Borrowed(code)),
        Value::Bool(true) => found.push("true".into()),
        Value::Bool(false) => found.push("false".into()),
        Value::Array(items) => items.iter().for_each(|item| push_codes(item, found)),
        other => {
            let codings = other.get("coding").and_then(Value::as_array).unwrap_or_default();
            let codes = codings.iter().filter_map(|coding| coding.get("code")?.as_str());
            found.extend(codes.map(Cow::Borrowed));
        }
    }
}

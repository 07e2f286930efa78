//! Equal, equivalent, before and after (N1 6.1 and 6.2).

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::decimal::Decimal;
use super::error::EvaluationError;
use super::item::Item;
use super::quantity::{self, Quantity, Unit};
use super::temporal::{Date, DateTime};
use crate::json::Value;

/// Whether two items are equal, where that is known.
pub(super) fn equal(a: &Item<'_>, b: &Item<'_>) -> Option<bool> {
    if let (Some(a), Some(b)) = (text(a), text(b)) {
        return Some(a == b);
    }
    if a.is_valueless() != b.is_valueless() {
        // An element with extensions only has no value to compare (FHIR R4 2.9.1.1).
        return None;
    }
    if let (Item::Node(a), Item::Node(b)) = (a, b)
        && !(a.is_primitive() && b.is_primitive() && a.value().is_some() && b.value().is_some())
    {
        let values = same(a.value(), b.value(), false);
        return Some(values && (a.value().is_some() || same(a.sibling(), b.sibling(), false)));
    }
    let (a, b) = (a.plain(), b.plain());
    match (&a, &b) {
        (Item::Boolean(a), Item::Boolean(b)) => Some(a == b),
        (Item::String(a), Item::String(b)) => Some(a == b),
        (Item::Type(a), Item::Type(b)) => Some(a == b),
        (Item::Time(a), Item::Time(b)) => a.compare(*b).map(Ordering::is_eq),
        _ => {
            if let (Some(a), Some(b)) = (number(&a), number(&b)) {
                return Some(a == b);
            }
            if let (Some(a), Some(b)) = (moment(&a), moment(&b)) {
                return a.compare(b).map(Ordering::is_eq);
            }
            match (measured(&a), measured(&b)) {
                (Some(a), Some(b)) => a.equals(&b),
                _ => Some(false),
            }
        }
    }
}

/// Whether two collections are equal (N1 6.1.1).
pub(super) fn all_equal(a: &[Item<'_>], b: &[Item<'_>]) -> Option<bool> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    if a.len() != b.len() {
        return Some(false);
    }
    a.iter().zip(b).try_fold(true, |all, (a, b)| Some(all && equal(a, b)?))
}

/// Whether two items are equivalent.
pub(super) fn equivalent(a: &Item<'_>, b: &Item<'_>) -> bool {
    if let (Item::Node(a), Item::Node(b)) = (a, b)
        && !(a.is_primitive() && b.is_primitive())
    {
        return same(a.value(), b.value(), true);
    }
    let (a, b) = (a.plain(), b.plain());
    match (&a, &b) {
        (Item::Boolean(a), Item::Boolean(b)) => a == b,
        (Item::String(a), Item::String(b)) => loosened(a) == loosened(b),
        (Item::Type(a), Item::Type(b)) => a == b,
        (Item::Time(a), Item::Time(b)) => a.compare(*b) == Some(Ordering::Equal),
        _ => {
            if let (Some(a), Some(b)) = (number(&a), number(&b)) {
                return quantity::is_equivalent(a, b);
            }
            if let (Some(a), Some(b)) = (moment(&a), moment(&b)) {
                return a.compare(b) == Some(Ordering::Equal);
            }
            match (measured(&a), measured(&b)) {
                (Some(a), Some(b)) => a.is_equivalent(&b),
                _ => false,
            }
        }
    }
}

/// Whether two collections are equivalent: the same items, in any order (N1 6.1.2).
pub(super) fn all_equivalent(a: &[Item<'_>], b: &[Item<'_>]) -> bool {
    a.len() == b.len() && paired(a, b, equivalent)
}

/// Whether each of `a` finds one of `b` for itself.
fn paired<T>(a: &[T], b: &[T], fits: impl Fn(&T, &T) -> bool) -> bool {
    let mut left: Vec<&T> = b.iter().collect();
    a.iter().all(|a| {
        let found = left.iter().position(|b| fits(a, b));
        found.is_some_and(|index| {
            left.swap_remove(index);
            true
        })
    })
}

/// Which of two items comes first, where that is known.
pub(super) fn order(a: &Item<'_>, b: &Item<'_>) -> Result<Option<Ordering>, EvaluationError> {
    let (a, b) = (a.plain(), b.plain());
    match (&a, &b) {
        (Item::String(a), Item::String(b)) => Ok(Some(a.cmp(b))),
        (Item::Time(a), Item::Time(b)) => Ok(a.compare(*b)),
        _ => {
            if let (Some(a), Some(b)) = (number(&a), number(&b)) {
                return Ok(Some(a.cmp(&b)));
            }
            if let (Some(a), Some(b)) = (moment(&a), moment(&b)) {
                return Ok(a.compare(b));
            }
            match (measured(&a), measured(&b)) {
                (Some(a), Some(b)) => Ok(a.compare(&b)),
                // Of a quantity without a value nothing is known.
                _ if is_quantity(&a) && is_quantity(&b) => Ok(None),
                _ => Err(EvaluationError::Operand("comparison")),
            }
        }
    }
}

/// Whether it is a quantity or number, also one without a value.
fn is_quantity(item: &Item<'_>) -> bool {
    match item {
        Item::Node(node) => node.is_quantity(),
        _ => measured(item).is_some(),
    }
}

pub(super) fn number(item: &Item<'_>) -> Option<Decimal> {
    match item {
        Item::Integer(whole) => Some((*whole).into()),
        Item::Decimal(decimal) => Some(*decimal),
        _ => None,
    }
}

fn moment(item: &Item<'_>) -> Option<DateTime> {
    let of_date = |date: Date| DateTime { date, time: None, offset_minutes: None };
    match item {
        Item::Date(date) => Some(of_date(*date)),
        Item::DateTime(moment) => Some(*moment),
        _ => None,
    }
}

/// A quantity; a number is one of the unit `1` (N1 4.1.8).
fn measured(item: &Item<'_>) -> Option<Quantity> {
    match item {
        Item::Quantity(quantity) => Some(quantity.clone()),
        _ => Some(Quantity { value: number(item)?, unit: Unit::code("1") }),
    }
}

/// Whether two JSON values say the same; loosely, in any order and with letters of any case.
fn same(a: Option<&Value>, b: Option<&Value>, loose: bool) -> bool {
    match (a, b) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            a.len() == b.len() && a.iter().all(|(name, a)| same(Some(a), b.get(name), loose))
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            let fits = |a: &Value, b: &Value| same(Some(a), Some(b), loose);
            a.len() == b.len()
                && if loose { paired(a, b, fits) } else { a.iter().zip(b).all(|(a, b)| fits(a, b)) }
        }
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a == b || {
                let decimals = Decimal::parse(a.as_str()).zip(Decimal::parse(b.as_str()));
                decimals.is_some_and(
                    |(a, b)| if loose { quantity::is_equivalent(a, b) } else { a == b },
                )
            }
        }
        (Some(Value::String(a)), Some(Value::String(b))) if loose => loosened(a) == loosened(b),
        (a, b) => a == b,
    }
}

/// N1 6.1.2: strings are equivalent whatever the case and the kind of white space.
fn loosened(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    spaced.flat_map(char::to_lowercase).collect()
}

/// What tells texts apart quickly: `None` unless all items are texts.
pub(super) fn texts<'i>(items: &'i [Item<'_>]) -> Option<Vec<&'i str>> {
    items.iter().map(text).collect()
}

/// The text, of an item that is one and no date or time.
fn text<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    match item {
        Item::String(text) => Some(text),
        Item::Node(node) => match node.ty()?.name() {
            "date" | "dateTime" | "instant" | "time" => None,
            _ => node.value()?.as_str(),
        },
        _ => None,
    }
}

/// The items, each once, in the order of their first occurrence.
pub(super) fn distinct<'a>(items: Vec<Item<'a>>) -> Vec<Item<'a>> {
    if let Some(texts) = texts(&items) {
        let mut seen = BTreeSet::new();
        let is_new: Vec<bool> = texts.into_iter().map(|text| seen.insert(text)).collect();
        return items
            .into_iter()
            .zip(is_new)
            .filter_map(|(item, new)| new.then_some(item))
            .collect();
    }
    let mut kept: Vec<Item<'a>> = Vec::new();
    for item in items {
        if !holds(&kept, &item) {
            kept.push(item);
        }
    }
    kept
}

/// Whether `item` is among `items`.
pub(super) fn holds(items: &[Item<'_>], item: &Item<'_>) -> bool {
    items.iter().any(|other| equal(other, item) == Some(true))
}

//! When two systems say the same, one of them with more words.
//!
//! Two feeds that state one fact seldom state it alike: one adds a display text, a second coding, a
//! unit's code, or writes the same instant in another time zone. What a feed leaves out it does not
//! deny, so a statement that holds everything another one says is no disagreement with it. The rule
//! is for feeds only: what a *person* left out of a cell was left out on purpose.

use clisonix_fhir::json::{self, Value};

use crate::page::Cell;
use crate::policy::Policy;
use crate::state::Sibling;
use crate::tables::Tables;
use crate::time;
use crate::view::text_of;

/// The siblings that stand beside each other: without a feed's statement that another feed's holds.
pub(crate) fn standing<'c, 'a>(
    cell: &'c Cell<'a>,
    tables: &Tables,
    policy: &Policy,
) -> Vec<&'c Sibling<'a>> {
    let from_feed = |sibling: &&Sibling<'_>| {
        tables.stamps.get(sibling.change).is_some_and(|stamp| stamp.source > 0)
    };
    let (mut stated, mut standing): (Vec<&Sibling<'a>>, Vec<&Sibling<'a>>) =
        cell.siblings.iter().partition(from_feed);
    if stated.len() > 1 {
        // Of two that say exactly the same, the later one stands.
        stated.sort_by_key(|sibling| std::cmp::Reverse(tables.order(sibling)));
        let values: Vec<Option<Value>> = stated.iter().map(|s| value(text_of(s))).collect();
        let is_held = |index: usize| {
            let Some(Some(own)) = values.get(index) else { return false };
            values.iter().enumerate().any(|(other_index, other)| {
                let Some(other) = other else { return false };
                other_index != index
                    && holds(other, own, policy)
                    && (other_index < index || !holds(own, other, policy))
            })
        };
        let held: Vec<bool> = (0..stated.len()).map(is_held).collect();
        stated = stated.into_iter().zip(held).filter(|(_, held)| !held).map(|(s, _)| s).collect();
    }
    standing.extend(stated);
    standing
}

fn value(text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    if text.starts_with('"') {
        return json::parse(format!("{{{text}}}").as_bytes())
            .or_else(|_| json::parse(text.as_bytes()))
            .ok();
    }
    json::parse(text.as_bytes()).ok()
}

/// Whether `more` says everything that `less` says, and nothing that changes its meaning.
fn holds(more: &Value, less: &Value, policy: &Policy) -> bool {
    match (more, less) {
        (Value::Object(more), Value::Object(less)) => {
            less.iter()
                .all(|(name, value)| more.get(name).is_some_and(|own| holds(own, value, policy)))
                && more.keys().all(|name| less.contains_key(name) || !policy.is_telling(name))
        }
        (Value::Array(more), Value::Array(less)) => {
            less.iter().all(|item| more.iter().any(|own| holds(own, item, policy)))
        }
        (Value::String(more), Value::String(less)) => {
            more == less || time::instant(more).is_some_and(|at| time::instant(less) == Some(at))
        }
        (more, less) => more == less,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(more: &str, less: &str) -> bool {
        holds(&value(more).expect("JSON"), &value(less).expect("JSON"), Policy::r4())
    }

    #[test]
    fn a_longer_statement_holds_a_shorter_one() {
        assert!(check(
            r#"{"coding":[{"code":"a"},{"code":"b","display":"B"}],"text":"t"}"#,
            r#"{"coding":[{"code":"b"}]}"#
        ));
        assert!(check(
            r#""effectiveDateTime":"2024-01-01T10:00:00Z""#,
            r#""effectiveDateTime":"2024-01-01T03:00:00-07:00""#
        ));
        assert!(!check(r#"{"coding":[{"code":"a"}]}"#, r#"{"coding":[{"code":"b"}]}"#));
        assert!(!check(r#"{"unit":"mg","value":5.0}"#, r#"{"unit":"mg","value":5}"#));
    }

    #[test]
    fn what_changes_the_meaning_must_be_on_both_sides() {
        assert!(!check(r#"{"comparator":"<","value":5}"#, r#"{"value":5}"#));
        assert!(!check(
            r#""code":{"text":"x"},"verificationStatus":{"text":"refuted"}"#,
            r#""code":{"text":"x"}"#
        ));
    }
}

//! Checks a resource against the element table: what may stand where, how often and in what form,
//! and the rules of the standard across elements.
//!
//! The rules across elements are the invariants of severity error of FHIR R4; [`invariants`] lists
//! them. They hold in contained resources, in a Bundle's entries and in every datatype alike. Those
//! of the datatypes and of the clinical record are coded by hand; those of all other resources are
//! evaluated by the standard's own expressions, and [`second_opinion`] does so for all.
//!
//! Not checked: profiles, terminology beyond required bindings that can be listed, and whether a
//! reference's target exists outside the resource.

mod expression;
mod invariant;
mod local;
mod moment;
mod narrative;
mod primitive;
mod walk;

#[cfg(test)]
mod tests;

pub use expression::{MAX_RULE_STEPS, Outcome, Verdict, expressions, second_opinion};

use crate::issue::{Issue, IssueCode};
use crate::json::Value;
use crate::schema::resource_named;

/// The most faults that are told of one resource.
pub const MAX_ISSUES: usize = 1_000;

/// A rule that a resource breaks, and what it was looked up in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// The standard's key of an invariant (`con-4`), or the kind of a structural rule: `unknown`,
    /// `kind`, `min`, `empty`, `choice`, `form`, `sibling`, `binding`, `type`.
    pub key: &'static str,
    /// The names of the resource's top-level elements that the rule reads, also those that are
    /// missing. Changing none of these elements cannot mend the resource.
    ///
    /// One name stands for all JSON forms of its element: `birthDate` for `birthDate` and
    /// `_birthDate`, `value` for `valueQuantity`, `valueString`, `_valueString`. A rule that is
    /// broken inside of an element names that element: `contained`, `entry`, `component`. Only a
    /// member that is no element of the type (`unknown`) stands here as JSON has it, and
    /// `resourceType` where the type itself is not known.
    pub reads: Vec<Box<str>>,
    /// The fault, for people.
    pub issue: Issue,
}

/// What is wrong with a resource: the rules that it breaks, as errors, and then, as warnings, the
/// references to a type of resource that may not stand there. At most [`MAX_ISSUES`] of each.
pub fn validate(resource: &Value) -> Vec<Issue> {
    let walk = walked(resource);
    walk.broken.into_iter().map(|rule| rule.issue).chain(walk.warnings).collect()
}

/// The rules that a resource breaks, at most [`MAX_ISSUES`]; none if it is valid as far as is
/// checked.
pub fn broken_rules(resource: &Value) -> Vec<BrokenRule> {
    walked(resource).broken
}

/// Whether the text may be the `div` of a narrative (FHIR R4 2.4.0.1, txt-1 and txt-2).
pub(crate) fn is_narrative(text: &str) -> bool {
    narrative::check(text).is_ok()
}

fn walked(resource: &Value) -> walk::Walk<'_> {
    let mut walk = walk::Walk::default();
    match resource.resource_type().and_then(resource_named) {
        Some(ty) => walk.outermost(resource, ty),
        None => walk.fault(
            ("type", IssueCode::Structure),
            "resourceType is missing or names no resource of FHIR R4",
            &["resourceType"],
        ),
    }
    walk
}

/// The standard's keys of the invariants that are checked, with the type or backbone element that
/// each holds for: `("con-4", "Condition")`, `("tim-1", "Timing.repeat")`.
pub fn invariants() -> impl Iterator<Item = (&'static str, &'static str)> {
    coded_invariants().chain(expression::invariants())
}

/// Those of them that are coded by hand.
pub fn coded_invariants() -> impl Iterator<Item = (&'static str, &'static str)> {
    walk::INVARIANTS.iter().copied().chain(invariant::rules().map(|rule| (rule.key, rule.at)))
}

/// The invariants that read several members of one object, as [`invariants`] has them, with the names
/// of the elements that each reads.
pub fn invariant_reads()
-> impl Iterator<Item = (&'static str, &'static str, &'static [&'static str])> {
    invariant::rules().map(|rule| (rule.key, rule.at, rule.reads))
}

//! Checks a resource against the element table: what may stand where, how often and in what form,
//! and a few rules of the standard across elements.
//!
//! Not checked: profiles, terminology beyond required bindings that can be listed, whether a
//! reference's target exists outside the resource, and most invariants.

mod invariant;
mod primitive;
mod walk;

#[cfg(test)]
mod tests;

use crate::issue::{Issue, IssueCode};
use crate::json::Value;
use crate::schema::resource_named;

/// The most faults that are told of one resource.
pub const MAX_ISSUES: usize = 1_000;

/// A rule that a resource breaks, and what it was looked up in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// The standard's key of an invariant (`con-4`), or the kind of a structural rule: `unknown`,
    /// `kind`, `min`, `empty`, `choice`, `form`, `sibling`, `binding`, `contained`, `type`.
    pub key: &'static str,
    /// The names of the resource's top-level members that the rule reads, as JSON has them
    /// (`valueQuantity`, not `value`); also those that are missing. Changing none of these members
    /// cannot mend the resource.
    pub reads: Vec<Box<str>>,
    /// The fault, for people.
    pub issue: Issue,
}

/// The faults of a resource; none if it is valid as far as is checked.
pub fn validate(resource: &Value) -> Vec<Issue> {
    broken_rules(resource).into_iter().map(|rule| rule.issue).collect()
}

/// The rules that a resource breaks, at most [`MAX_ISSUES`].
pub fn broken_rules(resource: &Value) -> Vec<BrokenRule> {
    let mut walk = walk::Walk::new();
    match resource.resource_type().and_then(resource_named) {
        Some(ty) => {
            walk.resource(resource, ty, ty.name(), false);
            invariant::check(resource, ty.name(), &mut walk);
        }
        None => walk.fault(
            "type",
            IssueCode::Structure,
            "",
            "resourceType is missing or names no resource of FHIR R4",
            &["resourceType"],
        ),
    }
    walk.broken
}

//! Known failures of the hazard suite, each with its reason. The list may only get shorter.

use super::suite::{Case, Fault, Problem};

/// Cases that are known to be merged unsafely.
pub(crate) struct Known {
    pub(crate) ty: &'static str,
    /// A part of the cases' names.
    pub(crate) part: &'static str,
    pub(crate) problems: &'static [Problem],
    /// Why, for people.
    pub(crate) reason: &'static str,
}

impl Known {
    /// Whether the case is one of those that may fail.
    pub(crate) fn is_about(&self, case: &Case) -> bool {
        case.ty == self.ty && case.name.contains(self.part)
    }

    /// Whether it fails as it is known to.
    pub(crate) fn covers(&self, case: &Case, faults: &[Fault]) -> bool {
        self.is_about(case) && faults.iter().all(|fault| self.problems.contains(&fault.problem))
    }
}

const TWO_ITEMS: &[Problem] =
    &[Problem::Doubled, Problem::Lost, Problem::Silent, Problem::Mixed];
const PARTED: &[Problem] = &[Problem::Mixed, Problem::Silent];

const NO_RANK: &str = "the policy table has no rank for this status, so a retraction does not absorb";
const NO_GROUP: &str = "elements that one invariant names are no group in the policy table";
const ONE_CELL: &str = "a correction of a backbone element that holds one cell is read as its \
                        removal and a new one, so that two corrections are shown as two elements";

pub(crate) const FAILURES: &[Known] = &[
    known("Communication", " status=", &[Problem::Retraction], NO_RANK),
    known("Device", " status=", &[Problem::Retraction], NO_RANK),
    known("FamilyMemberHistory", " status=", &[Problem::Retraction], NO_RANK),
    known("Medication", " status=", &[Problem::Retraction], NO_RANK),
    known("FamilyMemberHistory", "estimatedAge=", PARTED, NO_GROUP),
    known("MedicationDispense", "whenPrepared=", PARTED, NO_GROUP),
    known("ServiceRequest", "orderDetail=", PARTED, NO_GROUP),
    known("Task", "lastModified=", PARTED, NO_GROUP),
    known("Communication", " payload", TWO_ITEMS, ONE_CELL),
    known("Condition", " evidence.", TWO_ITEMS, ONE_CELL),
    known("Goal", " target", TWO_ITEMS, ONE_CELL),
    known("QuestionnaireResponse", " item.answer", TWO_ITEMS, ONE_CELL),
];

const fn known(
    ty: &'static str,
    part: &'static str,
    problems: &'static [Problem],
    reason: &'static str,
) -> Known {
    Known { ty, part, problems, reason }
}

//! De-identification of FHIR resources for research.
//!
//! * [`Rules`] say what goes out, and how: two built-in files, `safe-harbor` and `expert`, or a
//!   project's own; what no rule names does not go out;
//! * a [`Project`] applies them to the resources of one patient and gives what may go out with a
//!   [`Report`] of counts;
//! * a [`Cohort`] chooses whose resources those are, and tells how many fell at each step.
//!
//! The crate names no cryptographic algorithm: whoever holds the project's key hands it in as
//! [`Pseudonyms`].

mod cohort;
mod day;
mod pass;
mod place;
mod project;
mod pseudonym;
mod report;
mod rules;
mod target;
mod unit;

pub use cohort::{
    Attrition, Cohort, CohortError, Criterion, MAX_COHORT_BYTES, MAX_CRITERIA, Selection,
};
pub use pass::{MAX_CONTAINED, MAX_DEPTH};
pub use place::{MAX_POPULATION_BYTES, PopulationError, ZipPopulation};
pub use project::{Displays, MAX_RESOURCES, Project, ProjectError, Released, Scope};
pub use pseudonym::Pseudonyms;
pub use report::{Counts, QuasiIdentifier, Report, Withheld};
pub use rules::{MAX_RULE_BYTES, Profile, RuleError, RuleErrorKind, RuleKind, RuleRow, Rules};

//! Grading: comparing public output with the truth.
//!
//! The oracle reads what any client can read (each record as a Bundle, and the list of open
//! conflicts) and counts. It is handed no internals, so no figure can be right by accident.
//! - A *duplicate left* is an entry beyond the first for one true fact, an entry that stands for
//!   no true fact, or a record beyond the first for one person.
//! - A *false merge* is two true persons or two true facts shown as one.
//! - A fact is *lost* when it was received and stands nowhere.
//! - An edit is *lost* when what it claims is neither shown, nor in an open conflict, nor
//!   superseded by someone who had seen it.

mod cases;
mod facts;
mod losses;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use clisonix_fhir::json::Value;

pub use cases::CaseGrade;
pub use losses::lost;

use crate::compose::text;
use crate::export::Ledger;
use crate::play::Played;
use crate::population::Population;
use crate::sighting::entries;
use crate::site::{Outcome, Site};

/// Everything a client can read of one replica.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// Records by name.
    pub records: BTreeMap<String, Value>,
    /// Open conflicts by the record's name.
    pub conflicts: BTreeMap<String, Vec<Value>>,
}

impl Output {
    /// Reads everything.
    pub fn of<S: Site>(site: &mut S) -> Result<Self, S::Error> {
        let mut output = Self::default();
        for patient in site.patients()? {
            output.records.insert(patient.clone(), site.record(&patient)?);
            let conflicts = site.conflicts(&patient)?;
            output.conflicts.insert(patient, conflicts);
        }
        Ok(output)
    }

    /// The open conflicts of one entry.
    fn conflicts_of<'a>(&'a self, entry: &'a str) -> impl Iterator<Item = &'a Value> {
        let conflicts = self.conflicts.values().flatten();
        conflicts.filter(move |conflict| text(conflict, "entry") == Some(entry))
    }
}

/// The figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grades {
    /// People in the population of whom something was sent.
    pub patients_true: usize,
    /// People found in the output.
    pub patients_found: usize,
    /// True facts that were sent, and facts that the clinicians added.
    pub facts_true: usize,
    /// Statements of facts in all messages.
    pub facts_received: usize,
    /// Statements beyond the first for each fact.
    pub duplicates_received: usize,
    /// Entries and records beyond the first for each fact and person.
    pub duplicates_left: usize,
    /// Of these: entries that stand for no true fact.
    pub entries_unknown: usize,
    /// Persons or facts shown as one.
    pub false_merges: usize,
    /// Facts received that stand nowhere.
    pub facts_lost: usize,
    /// Results shown with a value that a newer message had corrected, without a conflict.
    pub corrections_missed: usize,
    /// Edits the clinicians made.
    pub edits_submitted: usize,
    /// Edits refused.
    pub edits_refused: usize,
    /// Edits that found nothing to edit.
    pub edits_without_target: usize,
    /// Edits lost.
    pub edits_lost: usize,
    /// Quantities in edited entries that nobody stated.
    pub statements_nobody_made: usize,
    /// Open conflicts.
    pub conflicts_shown: usize,
    /// Resources that are not valid FHIR R4.
    pub invalid_resources: usize,
    /// Resources in the output.
    pub resources: usize,
    /// The six cases.
    pub cases: Vec<CaseGrade>,
}

/// Grades one replica's output. `valid` says whether a resource is valid FHIR R4.
pub fn grade(
    population: &Population,
    ledger: &Ledger,
    played: &[Played],
    output: &Output,
    valid: &dyn Fn(&Value) -> bool,
) -> Grades {
    let mut grades = facts::grade(population, ledger, played, output);
    let resources = || output.records.values().flat_map(entries);
    grades.resources = resources().count();
    grades.invalid_resources = resources().filter(|resource| !valid(resource)).count();
    grades.conflicts_shown = output.conflicts.values().map(Vec::len).sum();
    let with = |outcome| played.iter().filter(|edit| edit.outcome == outcome).count();
    grades.edits_without_target = with(None);
    grades.edits_submitted = played.len() - grades.edits_without_target;
    grades.edits_refused = with(Some(Outcome::Refused));
    grades.edits_lost = losses::lost(population, played, output).len();
    grades.statements_nobody_made = losses::invented(played, output);
    grades.cases = cases::grade(population, played, output);
    grades
}

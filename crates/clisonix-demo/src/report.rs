//! The result of a run: a table for people, one JSON object for machines.

use std::fmt;

use clisonix_fhir::json::Value;

use crate::baseline::BaselineGrade;
use crate::compose::{number, object};
use crate::oracle::Grades;
use crate::site::Imported;

/// Everything a run has measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed of the population and of the script.
    pub seed: u64,
    /// The oracle's figures.
    pub grades: Grades,
    /// What the import took in.
    pub imported: Imported,
    /// Whether both replicas show and hold the same after the exchange.
    pub replicas_equal: bool,
    /// The same edits where the last write wins.
    pub overwrite: BaselineGrade,
    /// The same edits where a stale write is refused.
    pub refuse: BaselineGrade,
    /// Duration of the import, in seconds.
    pub import_s: f64,
    /// Duration of the whole run, in seconds.
    pub wall_s: f64,
}

impl Report {
    /// Resources taken in per second.
    pub fn resources_per_s(&self) -> f64 {
        if self.import_s <= 0.0 {
            return 0.0;
        }
        // A count of resources is far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let resources = self.imported.resources as f64;
        resources / self.import_s
    }

    /// Whether every promise of the demo is kept: no false merge, no edit or fact lost, nothing
    /// invalid or invented, replicas equal, at most 5 % of the duplicates left, all cases safe.
    pub fn passed(&self) -> bool {
        let grades = &self.grades;
        grades.duplicates_left * 20 <= grades.duplicates_received
            && grades.patients_found == grades.patients_true
            && [
                grades.false_merges,
                grades.facts_lost,
                grades.corrections_missed,
                grades.edits_lost,
                grades.edits_refused,
                grades.edits_without_target,
                grades.statements_nobody_made,
                grades.invalid_resources,
            ]
            .iter()
            .all(|count| *count == 0)
            && grades.cases.iter().all(|case| case.safe == case.played)
            && self.replicas_equal
    }

    /// One JSON object.
    pub fn to_json(&self) -> Value {
        let grades = &self.grades;
        let cases = grades.cases.iter().map(|case| {
            object! {
                "case": count(usize::from(case.case)),
                "played": count(case.played),
                "safe": count(case.safe),
            }
        });
        object! {
            "seed": number(&self.seed.to_string()),
            "passed": self.passed(),
            "patients_true": count(grades.patients_true),
            "patients_found": count(grades.patients_found),
            "facts_true": count(grades.facts_true),
            "facts_received": count(grades.facts_received),
            "facts_lost": count(grades.facts_lost),
            "duplicates_received": count(grades.duplicates_received),
            "duplicates_left": count(grades.duplicates_left),
            "entries_unknown": count(grades.entries_unknown),
            "false_merges": count(grades.false_merges),
            "corrections_missed": count(grades.corrections_missed),
            "edits_submitted": count(grades.edits_submitted),
            "edits_refused": count(grades.edits_refused),
            "edits_without_target": count(grades.edits_without_target),
            "edits_lost": count(grades.edits_lost),
            "statements_nobody_made": count(grades.statements_nobody_made),
            "conflicts_shown": count(grades.conflicts_shown),
            "invalid_resources": count(grades.invalid_resources),
            "replicas_equal": self.replicas_equal,
            "cases": Value::Array(cases.collect()),
            "last_write_wins": baseline(self.overwrite),
            "refuse_with_412": baseline(self.refuse),
            "messages": number(&self.imported.messages.to_string()),
            "messages_rejected": number(&self.imported.rejected.to_string()),
            "resources": number(&self.imported.resources.to_string()),
            "resources_per_s": number(&format!("{:.0}", self.resources_per_s())),
            "import_s": number(&format!("{:.3}", self.import_s)),
            "wall_s": number(&format!("{:.3}", self.wall_s)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grades = &self.grades;
        let mut row =
            |label: &str, value: &dyn fmt::Display| writeln!(f, "  {label:<46}{value:>10}");
        row("patients (true)", &grades.patients_true)?;
        row("patients found", &grades.patients_found)?;
        row("facts (true)", &grades.facts_true)?;
        row("facts received, by all routes", &grades.facts_received)?;
        row("facts lost", &grades.facts_lost)?;
        row("duplicates received", &grades.duplicates_received)?;
        row("duplicates left", &grades.duplicates_left)?;
        row("false merges", &grades.false_merges)?;
        row("corrections missed", &grades.corrections_missed)?;
        row("edits submitted, at two replicas", &grades.edits_submitted)?;
        row("edits lost", &grades.edits_lost)?;
        row("edits refused", &grades.edits_refused)?;
        row("conflicts shown", &grades.conflicts_shown)?;
        row("statements that nobody made", &grades.statements_nobody_made)?;
        row("invalid resources", &grades.invalid_resources)?;
        row("replicas equal", &if self.replicas_equal { "yes" } else { "no" })?;
        row("resources taken in per second", &format!("{:.0}", self.resources_per_s()))?;
        row("seconds in all", &format!("{:.1}", self.wall_s))?;
        writeln!(f, "\n  The six cases, in both orders of actors:      played      safe")?;
        for case in &grades.cases {
            writeln!(f, "  {:<44}{:>8}{:>10}", title(case.case), case.played, case.safe)?;
        }
        writeln!(f, "\n  The same edits today:                           lost   refused")?;
        for (name, today) in [("last write wins", self.overwrite), ("refuse with 412", self.refuse)]
        {
            writeln!(f, "  {name:<44}{:>8}{:>10}", today.lost, today.refused)?;
        }
        let (lost, refused) = (grades.edits_lost, grades.edits_refused);
        writeln!(f, "  {:<44}{lost:>8}{refused:>10}", "this program")
    }
}

fn title(case: u8) -> &'static str {
    match case {
        1 => "1 dose in other unit against other dose",
        2 => "2 text against number",
        3 => "3 resolved against relapse",
        4 => "4 entered in error against completed",
        5 => "5 removed against raised criticality",
        _ => "6 same allergy added twice",
    }
}

fn count(value: usize) -> Value {
    number(&value.to_string())
}

fn baseline(grade: BaselineGrade) -> Value {
    object! {
        "submitted": count(grade.submitted),
        "lost": count(grade.lost),
        "refused": count(grade.refused),
    }
}

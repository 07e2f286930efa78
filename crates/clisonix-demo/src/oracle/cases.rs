//! The six cases in which general merging ends wrong, each judged on what is shown.

use clisonix_fhir::json::Value;

use super::Output;
use super::losses::shown;
use crate::compose::{elements, holds, text};
use crate::edits::Target;
use crate::play::{Played, allergies};
use crate::population::Population;
use crate::sighting::Register;

/// How one case ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaseGrade {
    /// 1–6.
    pub case: u8,
    /// Times it was played.
    pub played: usize,
    /// Times it ended safe.
    pub safe: usize,
}

/// Grades every group of edits that belongs to a case.
pub(super) fn grade(population: &Population, played: &[Played], output: &Output) -> Vec<CaseGrade> {
    let register = Register::new(population);
    let mut grades: Vec<CaseGrade> =
        (1..=6).map(|case| CaseGrade { case, ..CaseGrade::default() }).collect();
    for group in played.chunk_by(|one, two| one.edit.group == two.edit.group) {
        let Some(first) = group.first().filter(|edit| edit.outcome.is_some()) else { continue };
        let Some(grade) = grades.iter_mut().find(|grade| Some(grade.case) == first.edit.case)
        else {
            continue;
        };
        grade.played += 1;
        let entry = shown(&register, first, output);
        let open =
            first.entry.as_ref().is_some_and(|entry| output.conflicts_of(entry).next().is_some());
        let safe = match grade.case {
            1 => open && entry.is_some_and(|entry| whole_dose(entry, group)),
            2 => open && entry.is_some_and(one_value),
            3 => open && entry.is_some_and(no_relapse_with_abatement),
            4 => open && entry.is_some_and(|it| text(it, "status") == Some("entered-in-error")),
            5 => open && entry.is_some_and(|it| text(it, "criticality") == Some("high")),
            _ => one_allergy(&register, first, output),
        };
        grade.safe += usize::from(safe);
    }
    grades
}

/// The dose shown is the whole dose of one of the authors.
fn whole_dose(entry: &Value, group: &[Played]) -> bool {
    let doses = |it: &Value| -> Vec<Value> {
        elements(it, "dosageInstruction")
            .iter()
            .flat_map(|dosage| elements(dosage, "doseAndRate"))
            .filter_map(|rate| rate.get("doseQuantity").cloned())
            .collect()
    };
    let written: Vec<Value> =
        group.iter().filter_map(|edit| edit.after.as_ref()).flat_map(doses).collect();
    let shown = doses(entry);
    !shown.is_empty() && shown.iter().all(|dose| written.iter().any(|w| holds(w, dose)))
}

/// FHIR R4 2.6.1.4: of a choice only one type is present.
fn one_value(entry: &Value) -> bool {
    entry.as_object().is_some_and(|it| it.keys().filter(|k| k.starts_with("value")).count() == 1)
}

/// FHIR R4 Condition, con-4: what is active again has no abatement.
fn no_relapse_with_abatement(entry: &Value) -> bool {
    let abated = entry.as_object().is_some_and(|it| it.keys().any(|k| k.starts_with("abatement")));
    let active = entry.get("clinicalStatus").is_some_and(|status| {
        elements(status, "coding")
            .iter()
            .any(|coding| matches!(text(coding, "code"), Some("active" | "relapse" | "recurrence")))
    });
    !(abated && active)
}

fn one_allergy(register: &Register<'_>, edit: &Played, output: &Output) -> bool {
    let Target::NewAllergy(allergen) = edit.edit.target else { return false };
    let of_person = |record: &&Value| {
        register.people(record).iter().any(|person| person.number == edit.edit.person)
    };
    let records = output.records.values().filter(of_person);
    records.map(|record| allergies(record, allergen).count()).sum::<usize>() == 1
}

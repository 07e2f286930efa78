//! What a section is about and which rule reads each of its entries.
//!
//! A section is known by its template, else by its LOINC code, else by its title; an entry by its
//! template, else by where it stands. Template numbers: C-CDA R1.1 and R2.1, which share roots.

use clisonix_fhir::issue::{Issue, IssueCode, Severity};

use super::draft::Draft;
use super::observations::Category as ObservationCategory;
use super::problems::Category;
use super::source::Elem;
use super::statements::is_entry;
use super::{
    allergies, encounters, immunizations, medications, observations, problems, procedures,
};

/// Where C-CDA registers its section templates.
const SECTION_TEMPLATES: &str = "2.16.840.1.113883.10.20.22.2.";

/// What a section is about, as far as it matters for its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// Problems, past or present.
    Problems,
    /// Allergies and intolerances.
    Allergies,
    /// Medications, also administered, at admission or discharge.
    Medications,
    /// Laboratory results.
    Results,
    /// Vital signs.
    VitalSigns,
    /// Immunizations.
    Immunizations,
    /// Encounters.
    Encounters,
    /// Procedures.
    Procedures,
    /// Social history.
    SocialHistory,
    /// Functional or mental status.
    Status,
    /// Physical examination.
    Exam,
    /// Anything else.
    Other,
}

/// Section, template numbers (without `.1` for "entries required"), LOINC codes, titles.
type Row = (Section, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        Section::Problems,
        &["5", "20"],
        &["11450-4", "11348-0"],
        &["problems", "problem list", "past medical history"],
    ),
    (Section::Allergies, &["6"], &["48765-2"], &["allergies", "allergies and intolerances"]),
    (
        Section::Medications,
        &["1", "38", "11", "44"],
        &["10160-0", "29549-3", "10183-2", "75311-1", "42346-7"],
        &["medications"],
    ),
    (Section::Results, &["3"], &["30954-2"], &["results"]),
    (Section::VitalSigns, &["4"], &["8716-3"], &["vital signs"]),
    (Section::Immunizations, &["2"], &["11369-6"], &["immunizations"]),
    (Section::Encounters, &["22"], &["46240-8"], &["encounters"]),
    (Section::Procedures, &["7"], &["47519-4"], &["procedures"]),
    (Section::SocialHistory, &["17"], &["29762-2"], &["social history"]),
    (
        Section::Status,
        &["14", "56"],
        &["47420-5", "10190-7"],
        &["functional status", "mental status"],
    ),
    (Section::Exam, &[], &["29545-1", "10210-3"], &["physical exam", "physical examination"]),
];

impl Section {
    /// What the section is about.
    pub(crate) fn of(section: Elem<'_>) -> Self {
        let by_template = ROWS.iter().find(|(_, templates, ..)| {
            section.children("templateId").any(|it| {
                let number = it.peek("root").and_then(|root| root.strip_prefix(SECTION_TEMPLATES));
                number.is_some_and(|number| {
                    let bare = number.strip_suffix(".1").unwrap_or(number);
                    templates.contains(&number) || templates.contains(&bare)
                })
            })
        });
        let code = section.child("code").and_then(|code| code.peek("code"));
        let by_code =
            || ROWS.iter().find(|(_, _, codes, _)| code.is_some_and(|it| codes.contains(&it)));
        let by_title = || {
            let title = section.child("title")?.peek_text().to_lowercase();
            ROWS.iter().find(|(.., titles)| titles.contains(&title.as_str()))
        };
        let row = by_template.or_else(by_code).or_else(by_title);
        section.take_templates(|root| root.starts_with(SECTION_TEMPLATES));
        row.map_or(Self::Other, |(kind, ..)| *kind)
    }

    fn observations(self) -> ObservationCategory {
        match self {
            Self::VitalSigns => ObservationCategory::VitalSigns,
            Self::SocialHistory => ObservationCategory::SocialHistory,
            Self::Status => ObservationCategory::Survey,
            Self::Exam => ObservationCategory::Exam,
            Self::Procedures => ObservationCategory::Procedure,
            _ => ObservationCategory::Laboratory,
        }
    }
}

/// Reads every entry of a section; gives the names of what they became.
pub(crate) fn entries(section: Elem<'_>, kind: Section, draft: &mut Draft) -> Vec<String> {
    let mut names = Vec::new();
    for entry in section.children("entry") {
        for statement in entry.elements().filter(|it| it.name() != "templateId") {
            let made = entry_of(statement, kind, draft);
            if made.is_empty() {
                report_kept(statement, draft);
            } else {
                entry.visit();
            }
            names.extend(made);
        }
    }
    names
}

/// An entry that became nothing is told once, unless a rule told more.
fn report_kept(statement: Elem<'_>, draft: &mut Draft) {
    let address = statement.address();
    let is_told = draft.issues.iter().rev().take(20).any(|issue| issue.path.starts_with(&address));
    if !is_told {
        draft.issues.push(Issue::new(
            Severity::Information,
            IssueCode::NotSupported,
            address,
            "no rule reads this entry; it is kept as it is",
        ));
    }
}

fn entry_of(statement: Elem<'_>, kind: Section, draft: &mut Draft) -> Vec<String> {
    let one = |name: Option<String>| name.into_iter().collect::<Vec<_>>();
    match statement.name() {
        "act" => act(statement, kind, draft),
        "observation" => observation(statement, kind, draft),
        "organizer" if is_entry(statement, "1") => observations::report(statement, draft),
        "organizer" if is_entry(statement, "26") => {
            observations::panel(statement, ObservationCategory::VitalSigns, draft)
        }
        "organizer" => match kind {
            Section::Results => observations::report(statement, draft),
            Section::VitalSigns | Section::Status | Section::Exam => {
                observations::panel(statement, kind.observations(), draft)
            }
            _ => Vec::new(),
        },
        "substanceAdministration"
            if is_entry(statement, "52") || kind == Section::Immunizations =>
        {
            one(immunizations::immunization(statement, draft))
        }
        "substanceAdministration" => one(medications::medication(statement, draft)),
        "encounter" => one(encounters::encounter(statement, draft)),
        "procedure" => one(procedures::procedure(statement, draft)),
        _ => Vec::new(),
    }
}

fn act(act: Elem<'_>, kind: Section, draft: &mut Draft) -> Vec<String> {
    if is_entry(act, "30") || kind == Section::Allergies {
        return allergies::concern(act, draft);
    }
    if is_entry(act, "12") {
        return procedures::procedure(act, draft).into_iter().collect();
    }
    if is_entry(act, "35") || is_entry(act, "36") {
        return medications::wrapped(act, draft);
    }
    let category = if ["33", "34", "80"].iter().any(|number| is_entry(act, number)) {
        Category::EncounterDiagnosis
    } else {
        Category::ProblemList
    };
    problems::concern(act, category, draft)
}

fn observation(statement: Elem<'_>, kind: Section, draft: &mut Draft) -> Vec<String> {
    let is_event = statement.peek("moodCode").is_none_or(|mood| mood == "EVN");
    let made = if !is_event {
        None
    } else if is_entry(statement, "4") {
        problems::condition(statement, Category::ProblemList, None, draft)
    } else if is_entry(statement, "7") {
        allergies::allergy(statement, None, draft)
    } else if is_entry(statement, "13") {
        procedures::procedure(statement, draft)
    } else if kind == Section::Other && !is_entry(statement, "2") && !is_entry(statement, "27") {
        None
    } else {
        observations::observation(statement, kind.observations(), draft)
    };
    made.into_iter().collect()
}

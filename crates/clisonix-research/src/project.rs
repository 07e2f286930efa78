//! A project: rules, a key and the year of release, applied to one patient's resources at a time.

use clisonix_fhir::json::Value;
use clisonix_fhir::validate::broken_rules;
use thiserror::Error;

use crate::pass::{Made, Pass, Shown};
use crate::place::ZipPopulation;
use crate::pseudonym::{Pseudonyms, Purpose, days, keyed};
use crate::report::{QuasiIdentifier, Report, Withheld};
use crate::rules::Rules;
use crate::target::{Entry, Targets};

/// The most resources in one call.
pub const MAX_RESOURCES: usize = 1_000_000;

/// Whose resources a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// One patient, by an id that is the same whenever this patient is released in this project: the
    /// person's where records of one person are linked.
    Patient(&'a str),
    /// Resources that several patients share (`Practitioner`, `Organization`, `Medication`, ...).
    /// Their dates cannot be shifted by a patient's days and are reduced to years.
    Shared,
}

/// Whether the display of a code (system, code, display) is the code's own.
pub type Displays<'a> = &'a dyn Fn(&str, &str, &str) -> bool;

/// One release: what goes out, and how it is made unrecognizable.
pub struct Project<'a> {
    pub(crate) rules: Rules,
    pub(crate) pseudonyms: &'a dyn Pseudonyms,
    pub(crate) release_year: i16,
    pub(crate) zips: Option<ZipPopulation>,
    pub(crate) displays: Option<Displays<'a>>,
    pub(crate) free_text: bool,
    quasi: Vec<QuasiIdentifier>,
    pub(crate) known: Targets,
}

/// What may go out.
#[derive(Debug)]
pub struct Released {
    /// The resources, in the order of those that they were made from.
    pub resources: Vec<Value>,
    /// What was done, in counts.
    pub report: Report,
    targets: Targets,
}

/// Why nothing was de-identified.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// More resources in one call than [`MAX_RESOURCES`].
    #[error("more than {MAX_RESOURCES} resources of one patient")]
    TooMany,
}

impl<'a> Project<'a> {
    /// A project that releases in `release_year`, from which ages over 89 are counted.
    pub fn new(rules: Rules, pseudonyms: &'a dyn Pseudonyms, release_year: i16) -> Self {
        use QuasiIdentifier::{BirthYear, Gender, Zip3};
        Self {
            rules,
            pseudonyms,
            release_year,
            zips: None,
            displays: None,
            free_text: false,
            quasi: vec![BirthYear, Gender, Zip3],
            known: Targets::default(),
        }
    }

    /// Lets ZIP codes out, by three digits; without a list they do not go out.
    #[must_use]
    pub fn with_zip_population(mut self, list: ZipPopulation) -> Self {
        self.zips = Some(list);
        self
    }

    /// Lets those displays of codes out that the function says are the code's own; without it none
    /// goes out, because a display is what the source wrote.
    #[must_use]
    pub fn with_displays(mut self, displays: Displays<'a>) -> Self {
        self.displays = Some(displays);
        self
    }

    /// Lets free text out, as it was written: then neither profile keeps its promise.
    #[must_use]
    pub fn with_free_text(mut self) -> Self {
        self.free_text = true;
        self
    }

    /// By what the report tells patients apart; birth year, gender and ZIP code if not set.
    #[must_use]
    pub fn with_quasi_identifiers(mut self, quasi: &[QuasiIdentifier]) -> Self {
        self.quasi = quasi.to_vec();
        self
    }

    /// The rules in effect.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Lets references of later calls lead to what this call released: release what patients share
    /// first.
    pub fn remember(&mut self, released: &Released) {
        self.known.remember(&released.targets);
    }

    /// Makes what may go out of the resources of one patient, or of what patients share. A `Bundle`
    /// stands for the resources in it. All resources of a patient belong in one call: a reference to
    /// what neither this call releases nor an earlier one did ([`Project::remember`]) is dropped.
    ///
    /// # Errors
    /// [`ProjectError::TooMany`]; what cannot go out is no error, but counted in the report.
    pub fn deidentify(
        &self,
        scope: Scope<'_>,
        resources: &[Value],
    ) -> Result<Released, ProjectError> {
        let entries = Entry::all(resources, scope.text(), self.pseudonyms);
        if entries.len() > MAX_RESOURCES {
            return Err(ProjectError::TooMany);
        }
        let mut call = Call::new(self, scope, &entries);
        call.run();
        Ok(call.finish())
    }
}

impl Scope<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Patient(id) => id,
            Self::Shared => "",
        }
    }
}

/// One call: what has been made so far.
struct Call<'a> {
    project: &'a Project<'a>,
    entries: &'a [Entry<'a>],
    targets: Targets,
    shown: Shown,
    made: Vec<Result<Made, Withheld>>,
}

impl<'a> Call<'a> {
    fn new(project: &'a Project<'a>, scope: Scope<'_>, entries: &'a [Entry<'a>]) -> Self {
        let mut targets = Targets::default();
        for (index, entry) in entries.iter().enumerate() {
            if entry.ty.is_some_and(|ty| project.rules.releases(ty)) {
                targets.add(entry, index);
            }
        }
        let most = project.rules.shift_days();
        let answer = |id| keyed(project.pseudonyms, Purpose::Shift, &[id]);
        let shift = match scope {
            Scope::Patient(id) => Some(days(&answer(id), most)),
            Scope::Shared => None,
        };
        let old = entries.iter().any(|entry| entry.is_old_patient(project.release_year));
        let shown = Shown { shift, old };
        Self { project, entries, targets, shown, made: Vec::with_capacity(entries.len()) }
    }

    /// Makes every resource, and again those that refer to one that turned out not to go out.
    fn run(&mut self) {
        for entry in self.entries {
            let made = self.make(entry);
            self.made.push(made);
        }
        // Each round takes at least one resource away.
        while self.drop_withheld() {
            for (index, entry) in self.entries.iter().enumerate() {
                let refers = |made: &Made| made.refers.iter().any(|&to| self.is_withheld(to));
                if self.made.get(index).is_some_and(|made| made.as_ref().is_ok_and(refers)) {
                    let again = self.make(entry);
                    if let Some(made) = self.made.get_mut(index) {
                        *made = again;
                    }
                }
            }
        }
    }

    fn is_withheld(&self, index: usize) -> bool {
        self.made.get(index).is_none_or(Result::is_err)
    }

    /// Takes withheld resources out of what references lead to; whether something still refers to
    /// one.
    fn drop_withheld(&mut self) -> bool {
        let made = &self.made;
        self.targets.retain(|index| made.get(index).is_some_and(Result::is_ok));
        let all = self.made.iter().flatten().flat_map(|made| &made.refers);
        all.into_iter().any(|&to| self.is_withheld(to))
    }

    fn make(&self, entry: &Entry<'_>) -> Result<Made, Withheld> {
        let ty = entry.ty.ok_or(Withheld::UnknownType)?;
        if !self.project.rules.releases(ty) {
            return Err(Withheld::Type);
        }
        let made = |mask_all| {
            let pass = Pass::new(self.project, &self.targets, self.shown, mask_all);
            let made = pass.whole(entry.resource, ty, entry.id.as_deref())?;
            match broken_rules(&made.resource).first() {
                Some(rule) => Err(Withheld::Invalid(rule.key)),
                None => Ok(made),
            }
        };
        // A rule that asks for one element or another holds again where what went is masked.
        match made(false) {
            Err(Withheld::Invalid(rule)) => made(true).map_err(|_| Withheld::Invalid(rule)),
            other => other,
        }
    }

    fn finish(self) -> Released {
        let mut report = Report::new(self.project.rules.name(), self.project.free_text);
        let mut resources = Vec::new();
        for (entry, made) in self.entries.iter().zip(self.made) {
            let ty = entry.ty.map_or("", |ty| ty.name());
            report.came(ty);
            match made {
                Err(why) => report.stayed(ty, why),
                Ok(made) => {
                    report.went(ty);
                    report.events(&made.events, made.unknown);
                    if ty == "Patient" {
                        report.patient(&made.resource, &self.project.quasi);
                    }
                    resources.push(made.resource);
                }
            }
        }
        Released { resources, report, targets: self.targets }
    }
}

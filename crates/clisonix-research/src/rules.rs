//! Rule files: what goes out of a resource, and how.
//!
//! A file is text (`docs/research.md` says how) and is checked against the element table when it is
//! loaded, so that a path that FHIR does not have is an error that names the row. A row for an
//! element goes before one for a name, that before one for a type; among equals a project's row goes
//! before that of the file it is based on. What no row names is denied.

mod anonymizer;
mod compiled;
mod error;
mod form;
mod method;
mod place;
mod row;

#[cfg(test)]
mod tests;

use clisonix_fhir::schema::{ElementId, TypeId};

use compiled::Compiled;
use row::File;

pub(crate) use compiled::{ROOT, Step};
pub use error::{RuleError, RuleErrorKind};
pub(crate) use method::Method;
pub use row::{MAX_RULE_BYTES, RuleKind, RuleRow};

/// A built-in rule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// 45 CFR 164.514(b)(2): the eighteen identifiers are gone, dates are years.
    SafeHarbor,
    /// Dates are shifted, each patient's by one number of days; 45 CFR 164.514(b)(1).
    Expert,
}

impl Profile {
    /// The word for it in files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SafeHarbor => "safe-harbor",
            Self::Expert => "expert",
        }
    }

    fn named(word: &str) -> Option<Self> {
        [Self::SafeHarbor, Self::Expert].into_iter().find(|profile| profile.as_str() == word)
    }

    fn text(self) -> &'static str {
        match self {
            Self::SafeHarbor => include_str!("../rules/safe-harbor.rules"),
            Self::Expert => include_str!("../rules/expert.rules"),
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::SafeHarbor => "safe-harbor.rules",
            Self::Expert => "expert.rules",
        }
    }
}

/// Loaded rules.
#[derive(Clone, Debug)]
pub struct Rules {
    base: Option<Profile>,
    own: bool,
    shift_days: u32,
    rows: Vec<RuleRow>,
    compiled: Compiled,
}

impl Rules {
    /// The built-in `safe-harbor` rules.
    pub fn safe_harbor() -> Self {
        Self::built_in(Profile::SafeHarbor)
    }

    /// The built-in `expert` rules.
    pub fn expert() -> Self {
        Self::built_in(Profile::Expert)
    }

    /// The built-in rules of a profile.
    pub fn built_in(profile: Profile) -> Self {
        // The files are constants that a test loads; an error can only deny everything.
        let loaded = Self::load(profile.file(), profile.text());
        let rules = loaded.unwrap_or_else(|_| Self::nothing());
        Self { base: Some(profile), own: false, ..rules }
    }

    /// Reads a rule file; `file` is its name for errors. A first line `base safe-harbor` or
    /// `base expert` lays it over those rules; without it, only what the file names goes out.
    ///
    /// # Errors
    /// [`RuleError`] names the first row that is wrong.
    pub fn load(file: &str, text: &str) -> Result<Self, RuleError> {
        let own = File::read(file, text)?;
        let base =
            own.base.map(|profile| File::read(profile.file(), profile.text())).transpose()?;
        let deeper = base.as_ref().and_then(|file| file.base);
        let deeper =
            deeper.map(|profile| File::read(profile.file(), profile.text())).transpose()?;
        let profile = own.base;
        let layers: Vec<File> = [Some(own), base, deeper].into_iter().flatten().collect();
        let compiled = Compiled::of(&[], &layers)?;
        Ok(Self::of(profile, layers, compiled))
    }

    /// Reads a configuration of Microsoft's FHIR Tools for Anonymization and lays it over a profile:
    /// its first rule that matches goes before the profile's; what none matches follows the profile,
    /// default deny included.
    ///
    /// # Errors
    /// [`RuleError`] with the number of the rule, also for everything of that format that is not
    /// supported, by name.
    pub fn load_anonymizer(file: &str, text: &str, base: Profile) -> Result<Self, RuleError> {
        let first = anonymizer::rows(file, text)?;
        let base_file = File::read(base.file(), base.text())?;
        let deeper = base_file.base;
        let deeper =
            deeper.map(|profile| File::read(profile.file(), profile.text())).transpose()?;
        let mut layers: Vec<File> = [Some(base_file), deeper].into_iter().flatten().collect();
        let compiled = Compiled::of(&first, &layers)?;
        layers.insert(0, File { base: None, shift_days: None, rows: first });
        Ok(Self::of(Some(base), layers, compiled))
    }

    fn of(base: Option<Profile>, layers: Vec<File>, compiled: Compiled) -> Self {
        let shift_days = layers.iter().find_map(|file| file.shift_days);
        let rows = layers.into_iter().flat_map(|file| file.rows).collect();
        let shift_days = shift_days.unwrap_or_else(row::default_shift_days);
        Self { base, own: true, shift_days, rows, compiled }
    }

    fn nothing() -> Self {
        Self {
            base: None,
            own: true,
            shift_days: row::default_shift_days(),
            rows: Vec::new(),
            compiled: Compiled::default(),
        }
    }

    /// `safe-harbor`, `expert`, or that these are a project's own rules, which may be laxer than
    /// either.
    pub fn name(&self) -> &'static str {
        match (self.own, self.base) {
            (false, Some(profile)) => profile.as_str(),
            (_, Some(Profile::SafeHarbor)) => "own rules over safe-harbor",
            (_, Some(Profile::Expert)) => "own rules over expert",
            (_, None) => "own rules",
        }
    }

    /// The rows in effect, a project's before those of the files that it is based on.
    pub fn rows(&self) -> &[RuleRow] {
        &self.rows
    }

    /// Days that dates are shifted by at most, either way.
    pub fn shift_days(&self) -> u32 {
        self.shift_days
    }

    /// Whether resources of the type go out at all.
    pub fn releases(&self, ty: TypeId) -> bool {
        self.compiled.releases(ty)
    }

    /// The row that decides about an element of the type `ty`, apart from rows for one place inside
    /// of a datatype; `None` if no row names it, so that it is denied.
    pub fn row(&self, element: ElementId, ty: TypeId) -> Option<&RuleRow> {
        self.compiled.row(element, ty).and_then(|(file, line)| {
            self.rows.iter().find(|row| row.line == line && *row.file == *file)
        })
    }

    pub(crate) fn step(&self, node: u32, element: ElementId, ty: TypeId) -> Step<'_> {
        self.compiled.step(node, element, ty)
    }

    /// How the value of an extension is treated, and which extensions it may hold.
    pub(crate) fn extension(&self, url: &str) -> Option<(&Method, &[Box<str>])> {
        self.compiled.extension(url)
    }

    /// Whether a code of that system may go out.
    pub(crate) fn knows_code(&self, system: &str, code: &str) -> bool {
        self.compiled.forms(system).is_some_and(|forms| forms.iter().any(|form| form.fits(code)))
    }

    /// Whether codes of that system may go out.
    pub(crate) fn knows_system(&self, system: &str) -> bool {
        self.compiled.forms(system).is_some_and(|forms| !forms.is_empty())
    }
}

//! Cohorts: whose resources are released, and how many patients fell at each step.

use std::collections::BTreeSet;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::{TypeId, resource_named};
use jiff::civil::Date;
use thiserror::Error;

use crate::day::Moment;

/// The most steps of a cohort.
pub const MAX_CRITERIA: usize = 1_000;
/// Longest cohort file, in bytes.
pub const MAX_COHORT_BYTES: usize = 64 << 20;

/// Members that say what a resource is about.
const CODES: &[&str] = &[
    "code",
    "medicationCodeableConcept",
    "vaccineCode",
    "type",
    "class",
    "substanceCodeableConcept",
];

/// Members that say when it was, the first that is there.
const DATES: &[&str] = &[
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveInstant",
    "onsetDateTime",
    "onsetPeriod",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "occurrencePeriod",
    "period",
    "billablePeriod",
    "servicedPeriod",
    "started",
    "authoredOn",
    "recordedDate",
    "assertedDate",
    "date",
    "created",
    "issued",
];

/// Who belongs: listed records, of those the ones that have what every criterion asks for.
#[derive(Clone, Debug, Default)]
pub struct Cohort {
    records: Option<BTreeSet<String>>,
    criteria: Vec<Criterion>,
}

/// What a patient must have: a resource of a type, with one of some codes, in a window of time.
#[derive(Clone, Debug)]
pub struct Criterion {
    text: String,
    ty: TypeId,
    codes: Vec<(String, String)>,
    from: Option<Date>,
    until: Option<Date>,
}

/// A cohort that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CohortError {
    /// The file has more bytes than [`MAX_COHORT_BYTES`].
    #[error("the cohort is longer than {MAX_COHORT_BYTES} bytes")]
    TooLong,
    /// More criteria than [`MAX_CRITERIA`].
    #[error("the cohort has more than {MAX_CRITERIA} criteria")]
    TooMany,
    /// The line is neither `record ID` nor `having TYPE [SYSTEM|CODE,...] [FROM..UNTIL]`.
    #[error("line {0} is neither `record ID` nor `having TYPE [SYSTEM|CODE,...] [FROM..UNTIL]`")]
    Line(usize),
    /// There is no such resource type.
    #[error("`{0}` is no resource of FHIR R4")]
    Type(String),
    /// A word of a criterion is neither codes nor a window.
    #[error("`{0}` is neither `system|code` nor `from..until`")]
    Word(String),
}

/// One step of a cohort, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attrition {
    /// The step, as it is written in a cohort file.
    pub step: String,
    /// How many patients it left.
    pub left: u64,
    /// How many fell.
    pub fell: u64,
}

/// A cohort at work: patients are shown to it one after the other.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    cohort: &'a Cohort,
    seen: u64,
    records: Vec<String>,
    /// How many fell at each step.
    fell: Vec<u64>,
}

impl Cohort {
    /// All patients.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these records; called again, these too.
    #[must_use]
    pub fn with_records<I: IntoIterator<Item = S>, S: Into<String>>(mut self, records: I) -> Self {
        self.records.get_or_insert_default().extend(records.into_iter().map(Into::into));
        self
    }

    /// Replaces the names in the list by the records that `record` finds for them; a name that it
    /// finds none for stays, so that the table shows that somebody is missing.
    ///
    /// # Errors
    /// The first of `record`.
    pub fn with_records_named<E>(
        mut self,
        mut record: impl FnMut(&str) -> Result<Option<String>, E>,
    ) -> Result<Self, E> {
        if let Some(names) = self.records.take() {
            let found = names.into_iter().map(|name| Ok(record(&name)?.unwrap_or(name)));
            self.records = Some(found.collect::<Result<_, E>>()?);
        }
        Ok(self)
    }

    /// Only patients who have this too.
    #[must_use]
    pub fn having(mut self, criterion: Criterion) -> Self {
        self.criteria.push(criterion);
        self
    }

    /// Reads a cohort file: lines of `record ID` and `having TYPE [SYSTEM|CODE,...] [FROM..UNTIL]`;
    /// empty lines and lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// [`CohortError`] for the first line that is wrong.
    pub fn load(text: &str) -> Result<Self, CohortError> {
        if text.len() > MAX_COHORT_BYTES {
            return Err(CohortError::TooLong);
        }
        let mut cohort = Self::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            cohort = match line.split_once(' ') {
                Some(("record", id)) => cohort.with_records([id.trim()]),
                Some(("having", rest)) if cohort.criteria.len() < MAX_CRITERIA => {
                    cohort.having(Criterion::read(rest)?)
                }
                Some(("having", _)) => return Err(CohortError::TooMany),
                _ => return Err(CohortError::Line(index + 1)),
            };
        }
        Ok(cohort)
    }

    /// Begins to choose.
    pub fn select(&self) -> Selection<'_> {
        let fell = vec![0; self.criteria.len() + usize::from(self.records.is_some())];
        Selection { cohort: self, seen: 0, records: Vec::new(), fell }
    }
}

impl Criterion {
    /// Reads `TYPE [SYSTEM|CODE,...] [FROM..UNTIL]`: dates as FHIR writes them, both included, either
    /// may be missing.
    ///
    /// # Errors
    /// [`CohortError::Type`] and [`CohortError::Word`].
    pub fn read(text: &str) -> Result<Self, CohortError> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let ty = resource_named(name).ok_or_else(|| CohortError::Type(name.to_owned()))?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut criterion = Self { text, ty, codes: Vec::new(), from: None, until: None };
        for word in words {
            let read =
                if word.contains('|') { criterion.codes(word) } else { criterion.window(word) };
            read.ok_or_else(|| CohortError::Word(word.to_owned()))?;
        }
        Ok(criterion)
    }

    fn codes(&mut self, word: &str) -> Option<()> {
        for one in word.split(',') {
            let (system, code) = one.split_once('|').filter(|(_, code)| !code.is_empty())?;
            self.codes.push((system.to_owned(), code.to_owned()));
        }
        Some(())
    }

    fn window(&mut self, word: &str) -> Option<()> {
        let (from, until) = word.split_once("..")?;
        let days = |text: &str| Moment::read(text).map(|moment| moment.days());
        if !from.is_empty() {
            self.from = Some(days(from)?.0);
        }
        if !until.is_empty() {
            self.until = Some(days(until)?.1);
        }
        Some(())
    }

    fn holds(&self, resource: &Value) -> bool {
        resource.resource_type() == Some(self.ty.name())
            && (self.codes.is_empty() || self.has_code(resource))
            && (self.from.is_none() && self.until.is_none() || self.is_in_window(resource))
    }

    fn has_code(&self, resource: &Value) -> bool {
        CODES.iter().filter_map(|name| resource.get(name)).any(|value| self.is_coded(value))
    }

    /// A list, a `CodeableConcept` or a `Coding`.
    fn is_coded(&self, value: &Value) -> bool {
        if let Some(items) = value.as_array() {
            return items.iter().any(|item| self.is_coded(item));
        }
        if let Some(codings) = value.get("coding") {
            return self.is_coded(codings);
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let (system, code) = (text("system"), text("code"));
        self.codes.iter().any(|(s, c)| system == Some(s) && code == Some(c))
    }

    /// Whether some day of the resource's time lies in the window.
    fn is_in_window(&self, resource: &Value) -> bool {
        let Some(value) = DATES.iter().find_map(|name| resource.get(name)) else { return false };
        let days = |value: Option<&Value>| Some(Moment::read(value?.as_str()?)?.days());
        let (first, last) = match value.as_object() {
            None => match days(Some(value)) {
                Some((first, last)) => (Some(first), Some(last)),
                None => return false,
            },
            Some(period) => (
                days(period.get("start")).map(|(first, _)| first),
                days(period.get("end")).map(|(_, last)| last),
            ),
        };
        // A period without an end goes on, one without a beginning has always been.
        let ends = self.from.is_none_or(|from| last.is_none_or(|last| last >= from));
        let begins = self.until.is_none_or(|until| first.is_none_or(|first| first <= until));
        ends && begins
    }
}

impl Selection<'_> {
    /// Whether the patient belongs; counts them.
    pub fn consider(&mut self, record: &str, resources: &[Value]) -> bool {
        self.seen += 1;
        match self.first_failed(record, resources) {
            None => {
                self.records.push(record.to_owned());
                true
            }
            Some(step) => {
                if let Some(fell) = self.fell.get_mut(step) {
                    *fell += 1;
                }
                false
            }
        }
    }

    fn first_failed(&self, record: &str, resources: &[Value]) -> Option<usize> {
        let listed = self.cohort.records.as_ref();
        if listed.is_some_and(|records| !records.contains(record)) {
            return Some(0);
        }
        let has = |criterion: &Criterion| {
            let inner = |resource: &Value| {
                let entries = resource.get("entry").and_then(Value::as_array).unwrap_or_default();
                entries.iter().filter_map(|entry| entry.get("resource")).any(|r| criterion.holds(r))
            };
            resources.iter().any(|resource| criterion.holds(resource) || inner(resource))
        };
        let failed = self.cohort.criteria.iter().position(|criterion| !has(criterion))?;
        Some(failed + usize::from(listed.is_some()))
    }

    /// The records that belong, in the order that they were shown in.
    pub fn records(&self) -> &[String] {
        &self.records
    }

    /// The table of the steps: first all that were shown, then each step.
    pub fn attrition(&self) -> Vec<Attrition> {
        let mut left = self.seen;
        let mut table = vec![Attrition { step: "all".into(), left, fell: 0 }];
        let listed =
            self.cohort.records.iter().map(|records| format!("record, of {}", records.len()));
        let having = self.cohort.criteria.iter().map(|one| format!("having {}", one.text));
        for (step, &fell) in listed.chain(having).zip(&self.fell) {
            left -= fell;
            table.push(Attrition { step, left, fell });
        }
        table
    }
}

#[cfg(test)]
mod tests;

//! The rows of a rule file: what a line says, before it is checked against FHIR.

use super::Profile;
use super::error::{RuleError, RuleErrorKind};

/// Longest rule file, in bytes.
pub const MAX_RULE_BYTES: usize = 1 << 20;

/// Days that dates are shifted by at most, where no file says otherwise.
const SHIFT_DAYS: u32 = 365;
const MAX_SHIFT_DAYS: u32 = 3650;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RuleKind {
    /// Whether resources of these types go out at all.
    Resource,
    /// Elements by their path: `Patient.birthDate`, `Address.city`, `Resource.id`.
    Element,
    /// All elements of these names, wherever they stand.
    Name,
    /// All elements of these types.
    Type,
    /// An extension by its address, and the names of the extensions in it.
    Extension,
    /// A code system by its address, a `*` at the end for all that begin so.
    System,
}

impl RuleKind {
    const ALL: [Self; 6] =
        [Self::Resource, Self::Element, Self::Name, Self::Type, Self::Extension, Self::System];

    /// The word in the first column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Element => "element",
            Self::Name => "name",
            Self::Type => "type",
            Self::Extension => "extension",
            Self::System => "system",
        }
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One row in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRow {
    /// The file that it comes from.
    pub file: Box<str>,
    /// Its line there, from 1.
    pub line: usize,
    /// What it is about.
    pub kind: RuleKind,
    /// Paths, names, types or addresses, with single spaces between them.
    pub place: Box<str>,
    /// What is done there, with single spaces between its words.
    pub method: Box<str>,
    /// The letter of 45 CFR 164.514(b)(2)(i), or empty.
    pub item: Box<str>,
    /// Why.
    pub reason: Box<str>,
}

impl RuleRow {
    /// The words of the second column.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.place.split(' ')
    }

    pub(super) fn error(&self, kind: RuleErrorKind) -> RuleError {
        RuleError { file: self.file.clone(), line: self.line, kind }
    }
}

/// A rule file as it is written.
pub(super) struct File {
    pub(super) base: Option<Profile>,
    pub(super) shift_days: Option<u32>,
    pub(super) rows: Vec<RuleRow>,
}

impl File {
    pub(super) fn read(file: &str, text: &str) -> Result<Self, RuleError> {
        let error = |line, kind| RuleError { file: file.into(), line, kind };
        if text.len() > MAX_RULE_BYTES {
            return Err(error(1, RuleErrorKind::TooLong));
        }
        let mut read = Self { base: None, shift_days: None, rows: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                read.line(file, index + 1, line).map_err(|kind| error(index + 1, kind))?;
            }
        }
        Ok(read)
    }

    fn line(&mut self, file: &str, line: usize, text: &str) -> Result<(), RuleErrorKind> {
        if let Some(name) = text.strip_prefix("base ") {
            let profile = Profile::named(name.trim()).filter(|_| self.base.is_none());
            self.base = Some(profile.filter(|_| self.rows.is_empty()).ok_or(RuleErrorKind::Base)?);
        } else if let Some(days) = text.strip_prefix("shift-days ") {
            self.shift_days = Some(shift_days(days.trim())?);
        } else {
            self.rows.push(row(file, line, text)?);
        }
        Ok(())
    }
}

pub(super) fn default_shift_days() -> u32 {
    SHIFT_DAYS
}

fn shift_days(text: &str) -> Result<u32, RuleErrorKind> {
    let days = text.parse().ok().filter(|days| (1..=MAX_SHIFT_DAYS).contains(days));
    days.ok_or(RuleErrorKind::ShiftDays)
}

fn row(file: &str, line: usize, text: &str) -> Result<RuleRow, RuleErrorKind> {
    let columns: Vec<&str> = text.split('|').map(str::trim).collect();
    let word = columns.first().copied().unwrap_or_default();
    let kind = RuleKind::named(word).ok_or_else(|| RuleErrorKind::Kind(word.into()))?;
    let [_, place, method, item, reason] = columns.as_slice() else {
        return Err(RuleErrorKind::Incomplete);
    };
    if place.is_empty() || method.is_empty() || reason.is_empty() {
        return Err(RuleErrorKind::Incomplete);
    }
    let is_item = |item: &str| matches!(item.as_bytes(), [] | [b'A'..=b'R']);
    if !is_item(item) {
        return Err(RuleErrorKind::Item((*item).into()));
    }
    let single = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").into();
    Ok(RuleRow {
        file: file.into(),
        line,
        kind,
        place: single(place),
        method: single(method),
        item: (*item).into(),
        reason: (*reason).into(),
    })
}

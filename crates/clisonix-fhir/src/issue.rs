//! How a problem in input is told: severity, code, place, words; never a clinical value.
//!
//! The shape follows `OperationOutcome.issue` of FHIR R4, so that one issue becomes an
//! `OperationOutcome`, a line of the command line or a row of a page without loss.

use std::fmt;

use crate::json::{ParseError, ParseErrorKind};

/// One problem in input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: IssueCode,
    /// Where: a path like `Patient.name[0].given[1]`, or a segment and field like `PID-3.1`.
    pub path: String,
    /// What, in words that name no clinical value.
    pub message: String,
    /// Where in a file, if it was read from one.
    pub at: Option<Location>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file's name as the user gave it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// How bad a problem is (FHIR R4 value set `issue-severity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing more was done.
    Fatal,
    /// The thing is not valid.
    Error,
    /// The thing may be wrong.
    Warning,
    /// Nothing is wrong.
    Information,
}

/// What kind of problem it is (FHIR R4 code system `issue-type`, without those on security and
/// sessions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IssueCode {
    /// `invalid`: not as the standard asks, in a way that no narrower code tells.
    Invalid,
    /// `structure`: wrong shape, for example an unknown member or no JSON at all.
    Structure,
    /// `required`: something that must be there is missing.
    Required,
    /// `value`: a value's form is wrong.
    Value,
    /// `invariant`: a rule of the standard is broken.
    Invariant,
    /// `processing`: something could not be done with it.
    Processing,
    /// `not-supported`: this program cannot do it.
    NotSupported,
    /// `duplicate`: it is there already.
    Duplicate,
    /// `multiple-matches`: it could be more than one.
    MultipleMatches,
    /// `not-found`: it points to nothing that is known.
    NotFound,
    /// `too-long`: longer than the limit.
    TooLong,
    /// `code-invalid`: not one of the codes that may stand here.
    CodeInvalid,
    /// `extension`: an extension that may not stand here.
    Extension,
    /// `too-costly`: more work than the limit.
    TooCostly,
    /// `business-rule`: a rule of this program forbids it.
    BusinessRule,
    /// `conflict`: it was changed in two places.
    Conflict,
    /// `incomplete`: part of it could not be had.
    Incomplete,
    /// `informational`: nothing is wrong.
    Informational,
}

impl Issue {
    /// An issue of severity error.
    pub fn error(code: IssueCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, path, message)
    }

    /// An issue of severity warning.
    pub fn warning(code: IssueCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, path, message)
    }

    /// An issue of severity information.
    pub fn information(
        code: IssueCode,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Information, code, path, message)
    }

    /// An issue without a place in a file.
    pub fn new(
        severity: Severity,
        code: IssueCode,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity, code, path: path.into(), message: message.into(), at: None }
    }

    /// The same issue, found at a place in a file.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.at = Some(location);
        self
    }

    /// What a JSON text of the file `file` was refused for.
    pub fn unreadable(error: &ParseError, file: &str) -> Self {
        let code = match error.kind {
            ParseErrorKind::TooLarge => IssueCode::TooLong,
            ParseErrorKind::TooDeep | ParseErrorKind::TooManyValues => IssueCode::TooCostly,
            _ => IssueCode::Structure,
        };
        let at = Location { file: file.to_owned(), line: error.line, column: error.column };
        Self::new(Severity::Fatal, code, "", error.kind.to_string()).at(at)
    }

    /// Whether the thing is refused for it: fatal or error.
    pub fn is_error(&self) -> bool {
        self.severity <= Severity::Error
    }
}

impl Severity {
    /// The code in the value set `issue-severity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

impl IssueCode {
    /// The code in the code system `issue-type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::Invariant => "invariant",
            Self::Processing => "processing",
            Self::NotSupported => "not-supported",
            Self::Duplicate => "duplicate",
            Self::MultipleMatches => "multiple-matches",
            Self::NotFound => "not-found",
            Self::TooLong => "too-long",
            Self::CodeInvalid => "code-invalid",
            Self::Extension => "extension",
            Self::TooCostly => "too-costly",
            Self::BusinessRule => "business-rule",
            Self::Conflict => "conflict",
            Self::Incomplete => "incomplete",
            Self::Informational => "informational",
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.severity)?;
        if let Some(at) = &self.at {
            write!(f, " in {at}")?;
        }
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        write!(f, ": {} ({})", self.message, self.code)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for IssueCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! Why a rule file is refused, with the file and the row.

use thiserror::Error;

/// A row of a rule file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}: {kind}")]
pub struct RuleError {
    /// The file's name, as it was handed in.
    pub file: Box<str>,
    /// Line number from 1; of a JSON file the number of the rule, 0 for what stands around them.
    pub line: usize,
    /// What is wrong.
    pub kind: RuleErrorKind,
}

/// What is wrong with a row. The names are words of the file, never data of a patient.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleErrorKind {
    /// The file has more bytes than [`MAX_RULE_BYTES`](super::MAX_RULE_BYTES).
    #[error("the file is longer than {} bytes", super::MAX_RULE_BYTES)]
    TooLong,
    /// The row has not five columns, or the place, the method or the reason is empty.
    #[error("a row is `kind | where | method | item | reason`; only the item may be empty")]
    Incomplete,
    /// The first column is no kind of row.
    #[error("unknown kind of row `{0}`")]
    Kind(Box<str>),
    /// The item is no letter of the list in 45 CFR 164.514(b)(2)(i).
    #[error("`{0}` is no item of 45 CFR 164.514(b)(2)(i), A to R")]
    Item(Box<str>),
    /// `base` names no built-in file, or comes after a row.
    #[error("`base` must name `safe-harbor` or `expert`, once, before all rows")]
    Base,
    /// `shift-days` is no number from 1 to 3650.
    #[error("`shift-days` must be a number from 1 to 3650")]
    ShiftDays,
    /// There is no such resource, element, type or name.
    #[error("`{0}` is not of FHIR R4")]
    Path(Box<str>),
    /// There is no such method.
    #[error("unknown method `{0}`")]
    Method(Box<str>),
    /// The method cannot be used for what stands there.
    #[error("`{method}` cannot be used for `{path}`")]
    Fit {
        /// The place.
        path: Box<str>,
        /// The method.
        method: Box<str>,
    },
    /// The form of a code or text is not written as it must be.
    #[error("`{0}` is no form")]
    Form(Box<str>),
    /// The place already has a row of this kind in this file.
    #[error("`{0}` already has such a row")]
    Twice(Box<str>),
    /// The file is not the JSON that it should be.
    #[error("not a rule file in JSON: line {line}, column {column}")]
    Json {
        /// Line from 1.
        line: u32,
        /// Column from 1.
        column: u32,
    },
    /// A member of a JSON rule file that is missing or of another kind than it should be.
    #[error("`{0}` is missing or not what it should be")]
    Member(Box<str>),
    /// Something of the JSON format that cannot be done here.
    #[error("`{0}` is not supported")]
    NotSupported(Box<str>),
    /// A key in a rule file.
    #[error(
        "`{0}` must be empty: a project's key is handed in apart, and never stands in a file of rules"
    )]
    KeyInFile(Box<str>),
}

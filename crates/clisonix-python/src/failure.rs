//! Why a call failed, and the Python exception that says so (`clisonix.errors`).

use std::io;
use std::path::{Path, PathBuf};

use clisonix_crdt::{DecodeError, EditError, EraseError, ReceiveError, Refusal};
use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::patch::PatchError;
use clisonix_pq::FormError;
use clisonix_pq::share::ShareError;
use pyo3::exceptions::{PyFileExistsError, PyOSError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use thiserror::Error;

/// Why a call failed. No variant holds a clinical value.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A Python object that JSON has no form for.
    #[error("{0}")]
    Type(String),
    /// The input is no valid resource.
    #[error("{}", summary(.0))]
    Invalid(Vec<Issue>),
    /// Heads or a version that this record has not seen.
    #[error("the version is not known to this document")]
    UnknownVersion,
    /// No such entry or open conflict.
    #[error("{0}")]
    NotFound(&'static str),
    /// A patch operation that cannot be applied.
    #[error("patch operation {index}: {reason}")]
    Patch {
        /// Its index, from 0.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// Bytes that are no changes of this format.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Changes of another document.
    #[error("the changes belong to another document")]
    OtherDocument,
    /// Some changes of another replica can never be applied.
    #[error("{} of the changes were refused: {}", refused.len(), reasons(refused))]
    Refused {
        /// Ids of those that were applied.
        applied: Vec<String>,
        /// The others.
        refused: Vec<Refusal>,
    },
    /// The edit is refused for another reason than its content.
    #[error("{0}")]
    Edit(String),
    /// A share that cannot be made, verified or opened.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// Terms that a share cannot have.
    #[error("{0}")]
    Sharing(String),
    /// A key file or a statement that cannot be used.
    #[error("{0}")]
    Key(String),
    /// A file that cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system's random source failed")]
    Randomness,
    /// A panic in an earlier call left the document in doubt.
    #[error("an earlier call on this document failed inside; load it from its saved bytes")]
    Broken,
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        match error {
            EditError::UnknownVersion => Self::UnknownVersion,
            EditError::NoSuchEntry => Self::NotFound("there is no such entry at this version"),
            EditError::Patch(error) => error.into(),
            EditError::NotAResource => Self::invalid("", "not a FHIR R4 resource"),
            EditError::Id => Self::invalid("id", "the resource's id is not a FHIR id"),
            EditError::Shape { path } => Self::invalid(path, "not the shape that FHIR R4 asks for"),
            other => Self::Edit(other.to_string()),
        }
    }
}

impl From<EraseError> for Failure {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Edit(error) => error.into(),
            EraseError::NoSuchEntry => Self::NotFound("there is no such entry at this version"),
            EraseError::Pointer => Self::NotFound("nothing is where the pointer leads"),
            EraseError::Nothing => Self::NotFound("there is nothing to erase"),
            other => Self::Edit(other.to_string()),
        }
    }
}

impl From<PatchError> for Failure {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::Operation { index, fault } => {
                Self::Patch { index, reason: fault.to_string() }
            }
            other => Self::Patch { index: 0, reason: other.to_string() },
        }
    }
}

impl From<ReceiveError> for Failure {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Decode(error) => Self::Decode(error),
            ReceiveError::OtherRecord => Self::OtherDocument,
            other => Self::Edit(other.to_string()),
        }
    }
}

impl From<FormError> for Failure {
    fn from(error: FormError) -> Self {
        Self::Key(error.to_string())
    }
}

impl Failure {
    /// A file that cannot be read or written.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// A key file that cannot be used.
    pub(crate) fn key_file(path: &Path, error: FormError) -> Self {
        Self::Key(format!("{}: {error}", path.display()))
    }

    /// One structural issue.
    pub(crate) fn invalid(path: impl Into<String>, message: &str) -> Self {
        Self::Invalid(vec![Issue::error(IssueCode::Structure, path, message)])
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| exception(py, failure).unwrap_or_else(|error| error))
    }
}

fn exception(py: Python<'_>, failure: Failure) -> PyResult<PyErr> {
    let message = failure.to_string();
    Ok(match failure {
        Failure::Type(message) => PyTypeError::new_err(message),
        Failure::Invalid(issues) => {
            let issues: PyResult<Vec<_>> = issues.iter().map(|issue| dict_of(py, issue)).collect();
            raise(class(py, &INVALID, "InvalidResource")?, (message, issues?))
        }
        Failure::UnknownVersion => raise(class(py, &VERSION, "UnknownVersion")?, (message,)),
        Failure::NotFound(_) => raise(class(py, &NOT_FOUND, "NotFound")?, (message,)),
        Failure::Patch { index, reason } => {
            raise(class(py, &PATCH, "PatchError")?, (message, index, reason))
        }
        Failure::Decode(_) => raise(class(py, &DECODE, "DecodeError")?, (message,)),
        Failure::OtherDocument => raise(class(py, &OTHER, "OtherDocument")?, (message,)),
        Failure::Refused { applied, refused } => {
            let refused: Vec<String> =
                refused.iter().map(|refusal| refusal.reason.to_string()).collect();
            raise(class(py, &REFUSED, "ChangesRefused")?, (message, applied, refused))
        }
        Failure::Edit(_) => raise(class(py, &EDIT, "EditRefused")?, (message,)),
        Failure::Share(ShareError::Io(error)) => os_error(&error, None),
        Failure::Share(error) => raise(share_class(py, &error)?, (message,)),
        Failure::Sharing(_) => raise(class(py, &SHARE, "ShareError")?, (message,)),
        Failure::Key(_) => raise(class(py, &KEY, "KeyFileError")?, (message,)),
        Failure::File { path, source } => os_error(&source, Some(&path)),
        Failure::Randomness | Failure::Broken => {
            raise(class(py, &BASE, "ClisonixError")?, (message,))
        }
    })
}

/// The exception that Python itself raises for such a failure.
fn os_error(error: &io::Error, path: Option<&Path>) -> PyErr {
    let path = path.map(|path| path.display().to_string());
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, error.kind().to_string(), path)),
        None if error.kind() == io::ErrorKind::AlreadyExists => PyFileExistsError::new_err(path),
        None => PyOSError::new_err(error.to_string()),
    }
}

fn share_class<'py>(py: Python<'py>, error: &ShareError) -> PyResult<Bound<'py, PyType>> {
    match error {
        ShareError::NotSigned
        | ShareError::UntrustedIssuer { .. }
        | ShareError::RevokedIssuer
        | ShareError::Withdrawn { .. }
        | ShareError::Expired { .. }
        | ShareError::WrongRecipient
        | ShareError::Resigned
        | ShareError::Readdressed => class(py, &SHARE_REFUSED, "ShareRefused"),
        ShareError::TooLarge { .. }
        | ShareError::Words { .. }
        | ShareError::Recipients
        | ShareError::Profile(_)
        | ShareError::ContentLength
        | ShareError::Seal(_) => class(py, &SHARE, "ShareError"),
        _ => class(py, &SHARE_DAMAGED, "ShareDamaged"),
    }
}

type Class = PyOnceLock<Py<PyType>>;
static BASE: Class = PyOnceLock::new();
static INVALID: Class = PyOnceLock::new();
static VERSION: Class = PyOnceLock::new();
static NOT_FOUND: Class = PyOnceLock::new();
static PATCH: Class = PyOnceLock::new();
static DECODE: Class = PyOnceLock::new();
static OTHER: Class = PyOnceLock::new();
static REFUSED: Class = PyOnceLock::new();
static EDIT: Class = PyOnceLock::new();
static SHARE: Class = PyOnceLock::new();
static SHARE_REFUSED: Class = PyOnceLock::new();
static SHARE_DAMAGED: Class = PyOnceLock::new();
static KEY: Class = PyOnceLock::new();

fn class<'py>(py: Python<'py>, slot: &'static Class, name: &str) -> PyResult<Bound<'py, PyType>> {
    slot.import(py, "clisonix.errors", name).cloned()
}

fn raise<A>(class: Bound<'_, PyType>, arguments: A) -> PyErr
where
    A: pyo3::PyErrArguments + Send + Sync + 'static,
{
    PyErr::from_type(class, arguments)
}

/// An issue as Python sees it: severity, code, path, message.
fn dict_of(py: Python<'_>, issue: &Issue) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("severity", issue.severity.as_str())?;
    dict.set_item("code", issue.code.as_str())?;
    dict.set_item("path", &issue.path)?;
    dict.set_item("message", &issue.message)?;
    Ok(dict.unbind())
}

fn summary(issues: &[Issue]) -> String {
    match issues {
        [] => "the resource is not valid".to_owned(),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" (+{})", rest.len()) };
            let place = if first.path.is_empty() { "the resource" } else { &first.path };
            format!("{place}: {}{more}", first.message)
        }
    }
}

fn reasons(refused: &[Refusal]) -> String {
    refused.first().map_or_else(String::new, |refusal| refusal.reason.to_string())
}

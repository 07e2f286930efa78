//! Patches: JSON Patch (RFC 6902), merge patch (RFC 7396) and `FHIRPath` Patch (FHIR R4 3.1.0.9.1).
//!
//! A patch is applied whole or not at all: each function takes the resource as it is and gives the
//! one that it becomes. Whether that is valid is another question, for [`crate::validate`].

mod fhirpath;
mod json;
mod merge;
mod place;

#[cfg(test)]
mod tests;

pub use fhirpath::fhirpath;
pub use json::{assignments, index, json, target, target_mut, tokens};
pub use merge::merge;

use crate::fhirpath::{EvaluationError, ParseError};
use crate::json::{MAX_DEPTH, Value};

/// Most operations in one patch.
pub const MAX_PATCH_OPERATIONS: usize = 10_000;
/// Longest JSON Pointer, in bytes.
pub const MAX_POINTER_BYTES: usize = 4096;
/// Most JSON values that all operations of one patch put in, compare or move; `copy` could double a
/// document with every operation.
pub const MAX_PATCH_VALUES: usize = 1_000_000;

/// Most steps that all paths of one `FHIRPath` Patch may take, in equal parts (see
/// [`MAX_STEPS`](crate::fhirpath::MAX_STEPS)).
pub const MAX_PATCH_STEPS: usize = 20_000_000;

/// Why a patch cannot be applied. Never tells a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// It is no list of operations: no array, no `Parameters`.
    #[error("a patch is a list of operations")]
    Form,
    /// More than [`MAX_PATCH_OPERATIONS`].
    #[error("the patch has more operations than the limit")]
    TooManyOperations,
    /// The result would be nested more deeply than [`MAX_DEPTH`].
    #[error("the document would be nested more deeply than the limit")]
    TooDeep,
    /// One operation cannot be applied.
    #[error("operation {index}: {fault}")]
    Operation {
        /// The operation's number, from 0.
        index: usize,
        /// What is wrong with it.
        fault: PatchFault,
    },
}

/// Why one operation of a patch cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchFault {
    /// A part of the operation is missing or is not of its form; tells which.
    #[error("`{0}` is missing or not of its form")]
    Part(&'static str),
    /// The path is no expression.
    #[error("the path is no expression: {0}")]
    Path(ParseError),
    /// The path cannot be evaluated.
    #[error("the path cannot be evaluated: {0}")]
    Evaluation(EvaluationError),
    /// Nothing is where the path leads.
    #[error("nothing is where the path leads")]
    NotFound,
    /// The path leads to more than one element, where the operation takes one.
    #[error("the path leads to more than one element")]
    NotSingle,
    /// The path leads to something that is no element: a number that it computes.
    #[error("the path leads to something that is no element")]
    NotElement,
    /// The operation takes the elements of one list.
    #[error("the path does not lead to one list")]
    NotList,
    /// The index is beyond the end, or no number.
    #[error("an index that is no number or beyond the end")]
    Index,
    /// The type has no element of that name.
    #[error("no element of this name may stand here")]
    Element,
    /// The value is not of a type that the element takes.
    #[error("the value is not of a type that the element takes")]
    Type,
    /// The element is there and may be there once only.
    #[error("the element is there already and is no list")]
    Occupied,
    /// A JSON Pointer that is none, or longer than [`MAX_POINTER_BYTES`].
    #[error("not a JSON Pointer")]
    Pointer,
    /// A path through something that is no object or array.
    #[error("the path leads through something that is no object or array")]
    NoPlace,
    /// The root cannot be taken away, and nothing can be moved into itself.
    #[error("the whole document cannot be removed, nor a value moved into itself")]
    Whole,
    /// A `test` that is false.
    #[error("the test is false")]
    Test,
    /// More values than [`MAX_PATCH_VALUES`].
    #[error("the patch handles more values than the limit")]
    TooManyValues,
    /// The result would be nested more deeply than [`MAX_DEPTH`].
    #[error("the document would be nested more deeply than the limit")]
    TooDeep,
}

/// What is left of [`MAX_PATCH_VALUES`].
struct Budget(usize);

impl Budget {
    fn spend(&mut self, value: &Value) -> Result<(), PatchFault> {
        self.0 = self.0.checked_sub(size(value)).ok_or(PatchFault::TooManyValues)?;
        Ok(())
    }
}

/// A patched document must stay readable for whoever reads what is written from it.
fn check_depth(above: usize, value: &Value) -> Result<(), PatchFault> {
    if above + depth(value) > MAX_DEPTH { Err(PatchFault::TooDeep) } else { Ok(()) }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(object) => 1 + object.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

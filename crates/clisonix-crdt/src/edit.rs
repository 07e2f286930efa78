//! What an edit says besides the resource, and why one is refused.

use clisonix_fhir::patch::PatchError;
use thiserror::Error;

use crate::change::{ChangeId, Source};
use crate::time::HybridTime;

/// Which version an edit was made against.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base {
    /// Nothing was read: the edit asserts. It adds and may conflict, it never clears or removes.
    Assertion,
    /// The record as it is now.
    Current,
    /// The version with these heads.
    Heads(Vec<ChangeId>),
}

/// Who makes an edit, and when.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// Who answers for the edit; not empty.
    pub author: &'a str,
    /// The author's hybrid time, from the caller's clock.
    pub time: HybridTime,
    /// Where it came from, if another system stated it.
    pub source: Option<Source>,
}

/// Why an edit was refused; the record is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EditError {
    /// The JSON is no resource: no object, no `resourceType` that FHIR R4 knows.
    #[error("not a FHIR R4 resource")]
    NotAResource,
    /// The logical id is missing or not a FHIR id.
    #[error("the resource's id is not a FHIR id")]
    Id,
    /// A list is no array, an object no object, or a list element is `null`.
    #[error("the JSON at {path} does not have the shape that FHIR R4 asks for")]
    Shape {
        /// Location, as a FHIRPath-like path.
        path: String,
    },
    /// More than 65,536 equal elements in one list.
    #[error("a list holds too many equal elements")]
    TooManyAlike,
    /// One edit holds two resources with one type and id.
    #[error("the edit holds one entry twice")]
    SameEntryTwice,
    /// The author is empty or too long.
    #[error("an edit needs an author of 1 to 512 bytes")]
    Author,
    /// A head or version is not known here; the change that it names has not arrived.
    #[error("the version is not known to this record")]
    UnknownVersion,
    /// Only the author of a change can undo it.
    #[error("the change is another author's")]
    OtherAuthor,
    /// The change is an erasure: what is gone cannot come back.
    #[error("an erasure cannot be undone")]
    Erasure,
    /// There is no such entry, conflict or cell at the version.
    #[error("there is no such entry at this version")]
    NoSuchEntry,
    /// The edit makes more operations than one change may hold.
    #[error("the edit is larger than one change may be")]
    TooLarge,
    /// The patch cannot be applied to the version.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The member is no text that several people write letter by letter, or a feed would type.
    #[error("the member is no text that can be edited letter by letter")]
    NotText,
    /// An edit of a text names a position beyond the text at that version.
    #[error("a position is beyond the text at this version")]
    Position,
    /// A pointer leads nowhere in the resource as it is shown.
    #[error("nothing is where the pointer leads")]
    Pointer,
}

//! Why an operation of the node failed.

use clisonix_crdt::{EditError, EraseError, ReceiveError};
use clisonix_fhir::issue::Issue;
use clisonix_store::{AccessLogError, BackupError, OpenError, ReadError, WriteError};
use thiserror::Error;

use crate::signing::SignedError;
use crate::vault::VaultFault;

/// Why an operation failed; nothing of it was applied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The data directory cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The engine under the store failed while reading rows.
    #[error(transparent)]
    Engine(#[from] clisonix_store::EngineFault),
    /// The store did not take the write.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A backup could not be made or restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The access log does not verify.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// The edit was refused.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Another node's changes were refused.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// Signed changes were refused, or nothing can be signed.
    #[error(transparent)]
    Signed(#[from] SignedError),
    /// A proof of equivocation proves nothing.
    #[error(transparent)]
    Equivocation(#[from] clisonix_pq::checkpoint::EquivocationError),
    /// The erasure was refused; nothing was erased.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// An order to erase, or a receipt, is not taken.
    #[error(transparent)]
    Order(#[from] crate::orders::OrderError),
    /// The vault of keys cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultFault),
    /// An input cannot be read from where it comes from.
    #[error("the input cannot be read")]
    Input(#[from] std::io::Error),
    /// Stored bytes of a record cannot be read; the store is damaged.
    #[error("the stored record {0} cannot be read")]
    Damaged(String),
    /// Checksums, rows or counts of the store are not as they were written.
    #[error("the store is not as it was written; restore a backup into a new data directory")]
    Unsound,
    /// The resource is not valid FHIR.
    #[error("the resource is not valid FHIR R4 ({} issues)", .0.len())]
    Invalid(Vec<Issue>),
    /// There is no such record, entry or conflict.
    #[error("there is no {0} of that name")]
    NotFound(&'static str),
    /// A name fits more than one record.
    #[error("the name fits {0} records; use the record's id")]
    Ambiguous(usize),
    /// A load has changed the record and is not durable yet; the same call succeeds after it.
    #[error("the record is being loaded; try again")]
    Loading,
    /// More rules about peers than [`MAX_RULES`](crate::MAX_RULES).
    #[error("there are too many rules about peers")]
    Rules,
    /// An author identity is required to write.
    #[error("an author is required")]
    Author,
}

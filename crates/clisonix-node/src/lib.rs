//! The API boundary: take in, read, history, conflicts, edit, resolve, exchange.
//!
//! A [`Node`] is one site: a store on disk and the records in it. It composes the crates below into
//! operations and is synchronous; whatever speaks to people or networks stands above it. Clock and
//! random source are handed in ([`Outside`]).

mod editing;
mod erasure;
mod error;
mod exchange;
mod load;
mod node;
mod outside;
mod quarantine;
mod reading;
mod records;
mod sharing;
mod signing;
mod stored;
mod upgrade;

/// What the operations give and take from the crates below.
pub use clisonix_crdt::{
    ActorId, ChangeId, ChangeInfo, EditError, HybridTime, ReceiveError, Received, Refusal,
    RefusalReason,
};
pub use clisonix_store::{
    AccessLogError, BackupError, BackupReport, OpenError, ReadError, WriteError,
};
pub use editing::{Edited, ReadVersion};
pub use error::NodeError;
pub use load::{Input, Load, MAX_WHOLE_BYTES, Read, TakenIn, is_large};
pub use node::{By, Node};
pub use outside::Outside;
pub use quarantine::Quarantined;
pub use reading::{Patient, RecordText};
pub use signing::{
    ActorStanding, Checkpointed, MAX_STATEMENTS, OVERDUE_MS, SignedChanges, SignedError,
};

//! The API boundary: take in, read, history, conflicts, edit, resolve, exchange.
//!
//! A [`Node`] is one site: a store on disk and the records in it. It composes the crates below into
//! operations and is synchronous; whatever speaks to people or networks stands above it. Clock and
//! random source are handed in ([`Outside`]).

mod apart;
pub mod consent;
mod damage;
mod editing;
mod erasing;
mod erasure;
mod error;
mod exchange;
mod flight;
mod load;
mod node;
mod orders;
mod outside;
mod quarantine;
mod reading;
mod records;
mod rotating;
mod row_keys;
mod scrub;
mod sharing;
mod signing;
mod stored;
mod tide;
mod upgrade;
mod vault;
mod version;

/// What the operations give and take from the crates below.
pub use clisonix_crdt::{
    ActorId, ChangeId, ChangeInfo, EditError, EraseError, HybridTime, ReceiveError, Received,
    Refusal, RefusalReason,
};
pub use clisonix_store::{
    AccessLogError, BackupError, BackupReport, EngineFault, FaultKind, OpenError, ReadError,
    StoreForm, WriteError,
};
pub use damage::Damage;
pub use editing::{Edited, ReadVersion};
pub use erasing::{Aim, Erased};
pub use error::NodeError;
pub use load::{Input, Load, MAX_WHOLE_BYTES, Read, TakenIn, is_large};
pub use node::{By, Keys, Node};
pub use orders::{KeptOrder, MAX_NOTICE_BYTES, MAX_ORDERS, OrderError, OrderReceipt, OrderState};
pub use outside::Outside;
pub use quarantine::Quarantined;
pub use reading::{Patient, RecordText};
pub use scrub::{MAX_NAMED, RecordFault, Scrubbed};
pub use signing::{
    ActorStanding, Checkpointed, MAX_CHECKPOINT_SPANS, MAX_STATEMENTS, OVERDUE_MS, SignedChanges,
    SignedError,
};
pub use tide::{
    Arrived, KeptReceipt, MAX_ASIDE_BYTES, MAX_RECEIPT_SIGNATURE_BYTES, MAX_RULES, MAX_RUN_BATCHES,
    MAX_RUN_STATEMENTS, NodeReplica, NodeScope, PeerState, ReceiptFault, ScopeChange,
};
pub use vault::VaultFault;

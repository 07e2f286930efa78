//! The CRDT merge layer: records in which concurrent edits merge.
//!
//! A [`Record`] holds one patient's compartment (or one shared resource). Sites edit it at the same
//! time and exchange changes in any order; every site that has the same changes has the same state,
//! byte for byte. What cannot both be true is shown as a [`Conflict`] with every author and value.
//!
//! The crate reads no clock and no random source: times and fresh actors are handed in.
//!
//! * a *change* is what one author wrote at one version; its past is the ancestors of its
//!   dependencies, nothing else;
//! * an *address* says which cell is written, made of schema elements and keys derived from content;
//! * a *policy* says what is shown while siblings disagree; the *validity guard* keeps what is shown
//!   valid FHIR.

mod actor;
mod address;
mod agreement;
mod batch;
mod canonical;
mod change;
mod conflict;
mod diff;
mod digest;
mod edit;
mod face;
mod identity;
mod layout;
mod log;
pub mod patch;
mod policy;
mod position;
mod record;
mod state;
mod tables;
pub mod text;
mod time;
mod tree;
mod version;
mod view;
mod wire;

pub use actor::{ActorId, ActorSecret, ActorSource};
pub use address::{
    Address, ElementKey, MAX_ADDRESS_BYTES, MAX_THING_DEPTH, MAX_UNKNOWN_NAME_BYTES,
};
pub use batch::{BATCH_VERSION, MAX_BATCH_CHANGES};
pub use change::{
    ChangeId, MAX_DEPENDENCIES, MAX_ENTRY_ID_BYTES, MAX_NAME_BYTES, MAX_OPS, MAX_POSITION_BYTES,
    MAX_VALUE_BYTES, Source,
};
pub use conflict::{Conflict, ConflictKind, Side};
pub use diff::Coverage;
pub use edit::{Base, EditError, Origin};
pub use policy::{ConflictSeverity, Policy, PolicyError};
pub use record::{ChangeInfo, MAX_WAITING, ReceiveError, Received, Record, Refusal, RefusalReason};
pub use state::EntryId;
pub use time::HybridTime;
pub use version::{Blame, Version, View};
pub use wire::DecodeError;

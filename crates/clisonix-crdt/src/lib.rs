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
mod coder;
mod conflict;
mod deflate;
mod diff;
mod difference;
mod digest;
mod edit;
mod erasure;
mod exchange;
mod face;
mod feed;
mod identity;
mod layout;
mod link;
mod log;
mod note;
mod overwritten;
mod page;
mod patch;
mod pointer;
mod policy;
mod position;
mod record;
mod saved;
mod segment;
mod stamp;
mod state;
mod tables;
pub mod text;
mod time;
mod travel;
mod tree;
mod undo;
mod version;
mod view;
pub mod wire;
mod writing;

pub use actor::keys::MAX_KEYS;
pub use actor::{ActorId, ActorSecret, ActorSource};
pub use address::{
    Address, ElementKey, MAX_ADDRESS_BYTES, MAX_THING_DEPTH, MAX_UNKNOWN_NAME_BYTES,
};
pub use batch::{BATCH_VERSION, MAX_BATCH_BYTES, MAX_BATCH_CHANGES, OLDEST_BATCH_VERSION};
pub use change::{
    ChangeId, MAX_DEPENDENCIES, MAX_ENTRY_ID_BYTES, MAX_EVENT_TIME_MS, MAX_NAME_BYTES, MAX_OPS,
    MAX_POSITION_BYTES, MAX_VALUE_BYTES, Source,
};
pub use conflict::{Conflict, ConflictKind, Side};
pub use diff::Coverage;
pub use difference::Difference;
pub use edit::{Base, EditError, Origin};
pub use erasure::order::{MAX_ERASED_RUNS, MAX_PLACE_BYTES, MAX_REASON_BYTES};
pub use erasure::{EraseError, Erasure, ErasureDone, ErasureInfo};
pub use exchange::{MAX_WAITING, ReceiveError, Received, Refusal, RefusalReason};
pub use link::{Link, LinkError, LinkMessage, MAX_LINK_RECORDS};
pub use patch::Patch;
pub use policy::{
    ConflictSeverity, MAX_STATES, MAX_TABLE_BYTES, Policy, PolicyError, PolicyErrorKind, PolicyRow,
    RowKind,
};
pub use record::{ChangeInfo, Record};
pub use saved::{MAX_RECORD_BYTES, OLDEST_RECORD_VERSION, RECORD_VERSION};
pub use segment::{LogSource, join_segments, segment_len, segment_places};
pub use state::EntryId;
pub use time::HybridTime;
pub use version::{Blame, Version, View, bundle_text};
pub use wire::DecodeError;

//! The Tide Engine: replication between sites that are often apart, as a state machine.
//!
//! Two nodes find which of their records differ at a cost that follows the difference and not the
//! size of what they hold, and exchange the changes that are missing. The crate opens no socket,
//! starts no thread and reads no clock and no random source: all that comes in from outside.
//!
//! * a [`Session`] is one end of the replication with one peer: messages and time in, messages and
//!   what is to be kept out. It works on a [`Replica`], within a [`Scope`];
//! * a [`Catalogue`] holds names and versions of a node's records, once for all its sessions;
//! * a [`Receipt`] says that two nodes hold the same; a [`Clock`] stamps it;
//! * an [`Entry`] stands for one record in one version, under a key that one pair of peers shares;
//! * a [`Sketch`] holds the coded symbols of a set of entries and is kept current at every write;
//! * a [`Decoder`] finds from two sketches' symbols the entries that only one side has.

mod catalogue;
mod clock;
mod entry;
mod fault;
mod former;
mod index;
mod message;
mod receipt;
mod replica;
mod roster;
mod session;
#[cfg(test)]
mod sim;
mod sketch;

pub use catalogue::Catalogue;
pub use clock::{Clock, MAX_DRIFT_MS, Seen};
pub use entry::{Entry, SetHash, SketchKey};
pub use message::{
    MAX_HAVE_BYTES, MAX_MESSAGE_BATCHES, MAX_MESSAGE_BYTES, MAX_MESSAGE_ENTRIES,
    MAX_MESSAGE_RECORDS, MAX_MESSAGE_SYMBOLS, MAX_SIGNATURE_BYTES, TIDE_VERSION,
};
pub use receipt::{Cursor, Receipt};
pub use replica::{
    NodeId, NoticeId, Outcome, Pushed, Reception, Refusal, Replica, Run, Scope, Signer, Version,
};
pub use session::{
    ANSWER_BYTES, AT_ONCE_BYTES, BUSY_MS, COMPARE_MS, CONFIRM_MS, CloseReason, EPOCH_LIFE_MS,
    EPOCH_MS, EXCHANGE_WINDOW, FEED_BYTES, FEED_WAIT_MS, FEED_WINDOW, Input, MAX_EPOCH,
    MAX_FOUND_ENTRIES, MAX_REFUSED, MAX_REFUSED_MS, MAX_RETRY_MS, Output, REFUSED_MS, RETRY_MS,
    SETTLE_MS, Session, Settings, Site, Status, epoch_at,
};
pub use sketch::{
    Decoder, HELLO_SYMBOLS, KEPT_SYMBOLS, LISTED_BYTES, MAX_SYMBOLS, SYMBOL_BYTES, Side, Sketch,
    SketchError, Symbol, is_list_shorter,
};

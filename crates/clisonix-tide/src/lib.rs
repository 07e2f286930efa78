//! The Tide Engine: replication between sites that are often apart, as a state machine.
//!
//! Two nodes find which of their records differ at a cost that follows the difference and not the
//! size of what they hold, and exchange the changes that are missing. The crate opens no socket,
//! starts no thread and reads no clock and no random source: all that comes in from outside.
//!
//! * an [`Entry`] stands for one record in one state, under a key that one pair of peers shares;
//! * a [`Sketch`] holds the coded symbols of a set of entries and is kept current at every write;
//! * a [`Decoder`] finds from two sketches' symbols the entries that only one side has.

mod entry;
mod sketch;

pub use entry::{Entry, SetHash, SketchKey};
pub use sketch::{
    Decoder, HELLO_SYMBOLS, KEPT_SYMBOLS, LISTED_BYTES, MAX_SYMBOLS, SYMBOL_BYTES, Side, Sketch,
    SketchError, Symbol, is_list_shorter,
};

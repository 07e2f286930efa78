//! The messages of a session.
//!
//! Every message is complete in itself: one that is lost is asked for again, one that comes twice or
//! late does no harm. Normative: `docs/formats/tide.md`.

mod bytes;

use crate::entry::SetHash;
use crate::receipt::{Cursor, Receipt};
use crate::sketch::Symbol;

/// The version of the messages that this program speaks.
pub const TIDE_VERSION: u8 = 1;
/// Largest message, in bytes: the longest value that a change may have, and room beside it.
pub const MAX_MESSAGE_BYTES: usize = 80 << 20;
/// Most symbols in one message.
pub const MAX_MESSAGE_SYMBOLS: usize = 1 << 14;
/// Most entries in one message.
pub const MAX_MESSAGE_ENTRIES: usize = 1 << 14;
/// Most records that one message asks for or has changes of.
pub const MAX_MESSAGE_RECORDS: usize = 1 << 10;
/// Most records of one push: of the shortest runs as many as [`FEED_BYTES`](crate::FEED_BYTES) hold.
pub const MAX_MESSAGE_BATCHES: usize = 1 << 14;
/// Most bytes that say what a node has of one record.
pub const MAX_HAVE_BYTES: usize = 1 << 20;
/// Longest signature, in bytes.
pub const MAX_SIGNATURE_BYTES: usize = 16 << 10;

/// What a node says of itself when it compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// The epoch of the entries' key.
    pub(crate) epoch: u64,
    /// The sender's store and its latest arrival.
    pub(crate) at: Cursor,
    /// Where the sender stands in the receiver's arrivals.
    pub(crate) seen: Cursor,
    /// Whether arrivals are on their way from the sender.
    pub(crate) feeding: Feeding,
    /// How many records the receiver may hold.
    pub(crate) count: u64,
    /// The hash of their entries.
    pub(crate) hash: SetHash,
    /// Names the set that the symbols belong to.
    pub(crate) version: u64,
    /// The first symbols of their sketch; none where only the hash is of interest.
    pub(crate) symbols: Vec<Symbol>,
}

/// Whether arrivals are on their way to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feeding {
    /// None are, and none will be without something new.
    Done,
    /// Some are.
    Running,
    /// The sender does not know yet where the receiver stands.
    Unknown,
}

/// Which record is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The one of this name.
    Name(Box<str>),
    /// The one that the receiver showed by this entry, which both have; the name's check tells that
    /// both mean the same.
    Entry { id: u64, check: u32 },
}

/// One thing that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A record that the asker does not know, by its entry.
    Id(u64),
    /// A record that the asker knows, and what it has of it.
    Known { subject: Subject, have: Vec<u8> },
}

/// What is said to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The item's record (its name only if the asker does not know it), what the answerer has of it
    /// (only if the asker may have more), and what the asker lacks.
    Run { record: Box<str>, have: Option<Vec<u8>>, run: Vec<u8>, is_all: bool },
    /// There is no such entry, or it is not told.
    Gone,
    /// By the answerer's rules the asker may not hold this record.
    Outside,
}

/// Something that is given unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Changes of a record.
    Run { subject: Subject, run: Vec<u8>, is_all: bool },
    /// By the giver's rules the receiver may not hold this record.
    Outside { subject: Subject },
}

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was taken; what is here now, if more is to come.
    Whole { have: Vec<u8> },
    /// It goes on from what is not here; what is here.
    Lacks { have: Vec<u8> },
    /// It is refused.
    Refused { reason: u8 },
    /// By the receiver's rules the giver may not hold this record.
    Outside,
    /// It could not be taken now.
    Later,
    /// There is no such entry.
    Gone,
}

/// A record's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) record: Box<str>,
    pub(crate) run: Vec<u8>,
}

/// A message. An answer carries the number of its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Hello { question: u64, state: State },
    State { question: u64, is_comparing: bool, state: State },
    AskSymbols { question: u64, version: u64, first: u64, count: u64 },
    Symbols { question: u64, version: u64, first: u64, symbols: Vec<Symbol> },
    AskList { question: u64, after: Option<u64> },
    List { question: u64, is_all: bool, ids: Vec<u64> },
    Want { question: u64, items: Vec<Item> },
    Runs { question: u64, parts: Vec<Part> },
    Give { question: u64, offers: Vec<Offer> },
    Taken { question: u64, results: Vec<Taken> },
    Feed { incarnation: u64, after: u64, upto: u64, batches: Vec<Batch> },
    Seen { cursor: Cursor },
    Receipt { question: u64, receipt: Receipt, signature: Vec<u8> },
    Kept { question: u64 },
    Close { reason: u8 },
}

impl Message {
    fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => 0,
            Self::State { .. } => 1,
            Self::AskSymbols { .. } => 2,
            Self::Symbols { .. } => 3,
            Self::AskList { .. } => 4,
            Self::List { .. } => 5,
            Self::Want { .. } => 6,
            Self::Runs { .. } => 7,
            Self::Give { .. } => 8,
            Self::Taken { .. } => 9,
            Self::Feed { .. } => 10,
            Self::Seen { .. } => 11,
            Self::Receipt { .. } => 12,
            Self::Kept { .. } => 13,
            Self::Close { .. } => 14,
        }
    }
}

#[cfg(test)]
mod tests;

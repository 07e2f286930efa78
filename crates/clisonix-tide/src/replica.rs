//! What a session asks of the node that it works for: records, arrivals, who may hold what, and
//! signatures.
//!
//! Tide knows neither what a record is nor what a change is: runs of changes and what a node has of
//! a record are bytes that only the two replicas read.

use std::fmt;

/// A node's public identity: the fingerprint of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 32]);

/// What a record is at a node: a digest over its heads and over how far each actor's changes are
/// signed. Two nodes with equal versions hold the same changes in the same standing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub [u8; 32]);

/// The id of a notice: a signed statement that is no change, such as an order to erase, a receipt of
/// an erasure, a proof of equivocation or a revocation. The id is a hash of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeId(pub [u8; 32]);

/// The records of a node, as far as replication needs them.
///
/// What [`Self::receive`] and [`Self::receive_notice`] take in is durable before they return: the
/// peer is told so. Names of records are not empty and do not begin with `!`.
pub trait Replica {
    /// The number of the latest durable arrival; 0 before the first.
    fn arrival(&self) -> u64;

    /// Each record with its version; called once at the start, see [`Catalogue::of`].
    ///
    /// [`Catalogue::of`]: crate::Catalogue::of
    fn versions(&self, each: &mut dyn FnMut(&str, Version));

    /// The version of a record, if it is here.
    fn version(&self, record: &str) -> Option<Version>;

    /// What this node has of a record, for the peer's replica to read: its heads, and how far each
    /// actor's changes are signed. Empty if nothing is here.
    fn have(&self, record: &str) -> Vec<u8>;

    /// What is told in place of [`Self::have`] to a peer that may not know what is here: the same
    /// whether the record is here or not. The peer answers with the whole record.
    fn have_nothing(&self, record: &str) -> Vec<u8> {
        let _ = record;
        Vec::new()
    }

    /// What a node that has `have` lacks of a record, causes before effects: about `most` bytes, but
    /// one change at least. What stands in `have` and is unknown here is passed over. `have` comes
    /// from the peer and may be anything. An empty run if nothing is lacking; `None` if it cannot be
    /// read now.
    fn beyond(&self, record: &str, have: &[u8], most: usize) -> Option<Run>;

    /// Everything of a record, for a peer that has it as it was here lately and did not say so; `None`
    /// if that is more than about `most` bytes. It may name what such a peer has and not hold it.
    fn whole(&self, record: &str, most: usize) -> Option<Run> {
        let run = self.beyond(record, &[], most)?;
        (run.is_all && run.bytes.len() <= most).then_some(run)
    }

    /// What arrived after the arrival `after`, for one push: about `most` bytes, but one arrival at
    /// least; only of records for which `wanted` says yes. `None` if that is not known any more.
    fn arrived(
        &self,
        after: u64,
        most: usize,
        wanted: &mut dyn FnMut(&str) -> bool,
    ) -> Option<Pushed>;

    /// Takes runs in, each whole or not at all; what it took is durable before it returns. One
    /// answer for each run, in their order.
    fn receive(&mut self, runs: &[(&str, &[u8])], from: &NodeId) -> Vec<Reception>;

    /// Each notice that is here.
    fn notices(&self, each: &mut dyn FnMut(NoticeId)) {
        let _ = each;
    }

    /// The bytes of a notice.
    fn notice(&self, id: &NoticeId) -> Option<Vec<u8>> {
        let _ = id;
        None
    }

    /// Verifies a notice and takes it in, durably. Taking one a second time changes nothing.
    fn receive_notice(&mut self, id: &NoticeId, bytes: &[u8], from: &NodeId) -> Outcome {
        let _ = (id, bytes, from);
        Outcome::Refused(Refusal::Unwanted)
    }
}

/// Which records a peer may hold, from consent and care relation. Asked at the sender, at every
/// answer and at every push.
///
/// A record that this node itself may not hold any more is not to be compared either: the answer
/// for it is no, or two nodes never agree after a consent was withdrawn.
pub trait Scope {
    /// Whether the peer may hold this record now.
    fn may_hold(&self, record: &str) -> bool;

    /// Whether the peer may have this notice.
    fn may_know(&self, notice: &NoticeId) -> bool {
        let _ = notice;
        true
    }

    /// Whether the peer was revoked: its session is closed at the next message.
    fn is_revoked(&self) -> bool {
        false
    }

    /// A digest of the rules by which it is decided; it stands in receipts.
    fn digest(&self) -> [u8; 32] {
        [0; 32]
    }
}

impl<F: Fn(&str) -> bool> Scope for F {
    fn may_hold(&self, record: &str) -> bool {
        self(record)
    }
}

/// Signs and verifies receipts; the algorithm is no matter of this crate.
pub trait Signer {
    /// The signature of this node.
    fn sign(&self, text: &[u8]) -> Vec<u8>;

    /// Whether it is the signature of that node.
    fn verify(&self, node: &NodeId, text: &[u8], signature: &[u8]) -> bool;
}

/// Changes of one record on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The changes and what their authors signed, for the peer's replica to read; empty for none.
    pub bytes: Vec<u8>,
    /// Whether that was all.
    pub is_all: bool,
    /// Whether the one that was asked for has everything that the other one said that it has. `false`
    /// where that is not certain: then it says what it has itself.
    pub knows_all: bool,
}

/// Arrivals on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// All arrivals up to this one are in it, or were not wanted.
    pub upto: u64,
    /// Records, each with a run.
    pub runs: Vec<(Box<str>, Vec<u8>)>,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reception {
    /// Whether it was taken in.
    pub outcome: Outcome,
    /// The record's version now.
    pub version: Option<Version>,
    /// The arrivals that it became: after the first number, up to the second. Equal numbers for
    /// none; then they may be pushed back to where they came from, which costs bytes only.
    pub arrivals: (u64, u64),
}

/// Whether something was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Yes, or it was here already.
    Taken,
    /// The run goes on from changes that are not here. The peer is told what is here.
    Lacks,
    /// It is not taken, now nor when it comes again soon. It is tried again at growing intervals.
    Refused(Refusal),
    /// It could not be taken now: the disk is full, the record is being loaded.
    Later,
}

/// Why something is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It cannot be read, or is over a limit.
    #[error("it cannot be read")]
    Unreadable,
    /// A change in it is not signed, or a signature is wrong.
    #[error("it is not validly signed")]
    Signature,
    /// An author is unknown, or was revoked before; it is in quarantine.
    #[error("its author is not known or was revoked")]
    Author,
    /// An author signed two different changes with one number.
    #[error("its author signed two different changes with one number")]
    Equivocation,
    /// Parts of the record were erased here, and it builds on them.
    #[error("it builds on what was erased")]
    Erased,
    /// This node does not take it: it may not hold the record, or knows no such notice.
    #[error("it is not wanted here")]
    Unwanted,
    /// The peer says that more is to come, and nothing new comes.
    #[error("it never completes")]
    Endless,
    /// Another reason of a newer program.
    #[error("it is refused for another reason")]
    Other,
}

impl Refusal {
    /// As it travels.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Unreadable => 1,
            Self::Signature => 2,
            Self::Author => 3,
            Self::Equivocation => 4,
            Self::Erased => 5,
            Self::Unwanted => 6,
            Self::Endless => 7,
            Self::Other => 0,
        }
    }

    pub(crate) fn of(number: u8) -> Self {
        match number {
            1 => Self::Unreadable,
            2 => Self::Signature,
            3 => Self::Author,
            4 => Self::Equivocation,
            5 => Self::Erased,
            6 => Self::Unwanted,
            7 => Self::Endless,
            _ => Self::Other,
        }
    }
}

impl NoticeId {
    /// The name under which a notice stands among the records: `!` and 64 hexadecimal digits.
    pub fn name(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold("!".to_owned(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }

    /// The id of the notice that has this name.
    pub fn of_name(name: &str) -> Option<Self> {
        let digits = name.strip_prefix('!')?.as_bytes();
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let mut id = [0; 32];
        if pairs.len() != id.len() {
            return None;
        }
        for (byte, [high, low]) in id.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(id))
    }
}

/// Lower case only: one notice has one name.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0.first_chunk().map_or(0, |start| u64::from_be_bytes(*start)))
    }
}

impl fmt::Debug for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

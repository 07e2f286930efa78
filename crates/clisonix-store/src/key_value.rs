//! The narrow seam under the store: ordered keys, atomic batch, range scan, snapshot read.
//!
//! Everything above it works on any engine that keeps these promises; redb does today, and a
//! relational database can with one `(table, key, value)` relation.

use std::ops::Bound;

use crate::error::EngineFault;

/// The key spaces. The number is part of the backup format and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// The store's own rows (keys that start with byte 0) and small settings of the node.
    Meta = 0,
    /// Raw inputs as received, by message id, and the parts of large ones.
    Raw = 1,
    /// Changes, by record id and arrival number.
    Changes = 2,
    /// Current state of each record.
    States = 3,
    /// Small metadata of each record.
    Records = 4,
    /// Names that lead to a record.
    Aliases = 5,
    /// Sorted, derived, rebuildable index rows.
    Index = 6,
    /// Messages that could not be interpreted.
    Quarantine = 7,
    /// The hash-chained log of accesses.
    AccessLog = 8,
    /// What arrived, by arrival number.
    Arrivals = 9,
}

impl Table {
    /// Every table, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::Meta,
        Self::Raw,
        Self::Changes,
        Self::States,
        Self::Records,
        Self::Aliases,
        Self::Index,
        Self::Quarantine,
        Self::AccessLog,
        Self::Arrivals,
    ];

    /// The table's number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The table of this number.
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The table's name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Raw => "raw",
            Self::Changes => "changes",
            Self::States => "states",
            Self::Records => "records",
            Self::Aliases => "aliases",
            Self::Index => "index",
            Self::Quarantine => "quarantine",
            Self::AccessLog => "access_log",
            Self::Arrivals => "arrivals",
        }
    }
}

/// One row: a key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// One row to write, or to remove when `value` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The key space.
    pub table: Table,
    /// The key.
    pub key: Vec<u8>,
    /// The new value; `None` removes the row.
    pub value: Option<Vec<u8>>,
}

impl Operation {
    /// Bytes of key and value.
    pub fn size_bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Which rows of a table, and in which direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the rows start, in key order.
    pub start: Bound<Vec<u8>>,
    /// Where the rows end, in key order.
    pub end: Bound<Vec<u8>>,
    /// From the greatest key down.
    pub backwards: bool,
}

impl Span {
    /// Every row.
    pub fn all() -> Self {
        Self { start: Bound::Unbounded, end: Bound::Unbounded, backwards: false }
    }

    /// The rows whose key starts with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        let end = after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { start: Bound::Included(prefix.to_vec()), end, backwards: false }
    }

    /// The rows whose key is `start` or greater.
    pub fn from(start: &[u8]) -> Self {
        Self { start: Bound::Included(start.to_vec()), ..Self::all() }
    }

    /// The same end, but only keys greater than `key`: how a next page starts.
    #[must_use]
    pub fn after(mut self, key: &[u8]) -> Self {
        self.start = Bound::Excluded(key.to_vec());
        self
    }

    /// The same start, but only keys less than `key`.
    #[must_use]
    pub fn before(mut self, key: &[u8]) -> Self {
        self.end = Bound::Excluded(key.to_vec());
        self
    }

    /// The same rows from the greatest key down.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.backwards = true;
        self
    }

    /// No key can lie in it; engines need not be asked.
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
            | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
            _ => false,
        }
    }
}

/// Rows of a range scan.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<Row, EngineFault>> + Send + 'a>;

/// An engine: named key spaces with ordered keys, written by atomic batches.
///
/// One thread commits at a time; any number of threads read.
pub trait KeyValue: Send + Sync {
    /// A view of everything committed so far, untouched by later commits.
    fn view(&self) -> Result<Box<dyn KeyValueView>, EngineFault>;

    /// Makes all operations durable together, or none; returns only when they are durable.
    /// At most one operation per (table, key).
    fn commit(&self, operations: Vec<Operation>) -> Result<(), EngineFault>;

    /// After a failed commit: brings the engine back to a committed state, in which that commit is
    /// whole or absent. [`crate::FaultKind::SyncLost`] says that this process must not go on.
    fn recover(&self) -> Result<(), EngineFault>;

    /// Gives unused room back to the file system; true when something was moved. Needs that no
    /// view is open.
    fn compact(&self) -> Result<bool, EngineFault>;

    /// Reads everything and compares checksums; true when nothing was wrong, false when something
    /// was and has been repaired. Needs that no view is open.
    fn check(&self) -> Result<bool, EngineFault>;
}

/// A consistent view of an engine.
pub trait KeyValueView: Send + Sync {
    /// The value of one key.
    fn value(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineFault>;

    /// Whether a key is there; its value is not copied.
    fn contains(&self, table: Table, key: &[u8]) -> Result<bool, EngineFault>;

    /// The rows of a span, in its direction.
    fn rows(&self, table: Table, span: &Span) -> Result<Rows<'_>, EngineFault>;

    /// How many rows a table holds.
    fn count(&self, table: Table) -> Result<u64, EngineFault>;
}

/// The least key that is greater than every key with this prefix.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end: Vec<u8> = prefix.iter().take(kept + 1).copied().collect();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests;

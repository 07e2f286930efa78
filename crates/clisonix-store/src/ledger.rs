//! The store's own rows: format, incarnation, and the counters that each commit moves on.

use crate::access::AccessHead;
use crate::codec::Reader;
use crate::error::{EngineFault, OpenError, ReadError};
use crate::key_value::{KeyValueView, Operation, Table};

/// The format this program writes.
pub const FORMAT_VERSION: u32 = 4;

/// The oldest format whose rows are all rows of [`FORMAT_VERSION`] as they are: format 2 only
/// added the parts of large raw inputs, format 3 sealed rows of changes, format 4 arrivals of notes.
pub(crate) const OLDEST_READABLE_FORMAT: u32 = 1;

/// Which life of a store this is: a restored or copied store is a new one.
pub type Incarnation = [u8; 16];

pub(crate) const FORMAT_KEY: &[u8] = b"\0format";
pub(crate) const INCARNATION_KEY: &[u8] = b"\0incarnation";
pub(crate) const LEDGER_KEY: &[u8] = b"\0ledger";
pub(crate) const RESTORED_FROM_KEY: &[u8] = b"\0restored-from";

/// What each commit moves on; one row, written in every group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Groups committed.
    pub(crate) commit: u64,
    /// The next arrival number.
    pub(crate) next_arrival: u64,
    /// End of the access log.
    pub(crate) access: AccessHead,
    /// Messages in quarantine.
    pub(crate) quarantine_count: u64,
    /// Their bytes.
    pub(crate) quarantine_bytes: u64,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            commit: 0,
            next_arrival: 1,
            access: AccessHead::empty(),
            quarantine_count: 0,
            quarantine_bytes: 0,
        }
    }

    pub(crate) fn load(view: &dyn KeyValueView) -> Result<Self, ReadError> {
        let value = view.value(Table::Meta, LEDGER_KEY)?;
        let damaged = ReadError::Damaged { table: Table::Meta };
        value.and_then(|value| Self::decode(&value)).ok_or(damaged)
    }

    pub(crate) fn row(&self) -> Operation {
        own_row(LEDGER_KEY, self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(72);
        out.extend_from_slice(&self.commit.to_be_bytes());
        out.extend_from_slice(&self.next_arrival.to_be_bytes());
        out.extend_from_slice(&self.access.entries.to_be_bytes());
        out.extend_from_slice(&self.access.hash);
        out.extend_from_slice(&self.quarantine_count.to_be_bytes());
        out.extend_from_slice(&self.quarantine_bytes.to_be_bytes());
        out
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let ledger = Self {
            commit: reader.u64()?,
            next_arrival: reader.u64()?,
            access: AccessHead { entries: reader.u64()?, hash: reader.array()? },
            quarantine_count: reader.u64()?,
            quarantine_bytes: reader.u64()?,
        };
        reader.end()?;
        Some(ledger)
    }
}

/// A row that only the store writes.
pub(crate) fn own_row(key: &[u8], value: Vec<u8>) -> Operation {
    Operation { table: Table::Meta, key: key.to_vec(), value: Some(value) }
}

/// The row that tells the format this program writes.
pub(crate) fn format_row() -> Operation {
    own_row(FORMAT_KEY, FORMAT_VERSION.to_be_bytes().to_vec())
}

/// The rows of a new, empty store.
pub(crate) fn founding_rows(incarnation: Incarnation) -> Vec<Operation> {
    vec![format_row(), own_row(INCARNATION_KEY, incarnation.to_vec()), Ledger::new().row()]
}

/// The format of the file; `None` in a file whose creation never finished.
pub(crate) fn load_format(view: &dyn KeyValueView) -> Result<Option<u32>, OpenError> {
    let Some(value) = view.value(Table::Meta, FORMAT_KEY)? else { return Ok(None) };
    let bytes = value.try_into().map_err(|_| OpenError::Damaged { row: "format" })?;
    Ok(Some(u32::from_be_bytes(bytes)))
}

/// The incarnation of the file.
pub(crate) fn load_incarnation(view: &dyn KeyValueView) -> Result<Incarnation, OpenError> {
    let value = view.value(Table::Meta, INCARNATION_KEY)?;
    value.and_then(|value| value.try_into().ok()).ok_or(OpenError::Damaged { row: "incarnation" })
}

/// A fault while reading the store's own rows on opening.
pub(crate) fn on_open(error: ReadError) -> OpenError {
    match error {
        ReadError::Engine(fault) => OpenError::Engine(fault),
        ReadError::Damaged { .. } => OpenError::Damaged { row: "ledger" },
    }
}

/// A fault while reading the store's own rows on writing.
pub(crate) fn as_fault(error: ReadError) -> EngineFault {
    match error {
        ReadError::Engine(fault) => fault,
        error @ ReadError::Damaged { .. } => {
            EngineFault::new(crate::error::FaultKind::Corrupt, error)
        }
    }
}

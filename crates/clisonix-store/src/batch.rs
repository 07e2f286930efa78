//! What one accepted write holds: raw input, change, state, index rows and accesses, together.

use crate::access::Access;
use crate::content::{
    ChangePlace, MessageId, Quarantined, RawInput, encode_part, part_count, part_key, placed_key,
    record_id,
};
use crate::error::WriteError;
use crate::key_value::{Operation, Table};
use crate::limit::{
    MAX_BATCH_ACCESSES, MAX_BATCH_BYTES, MAX_BATCH_ROWS, MAX_KEY_BYTES, MAX_VALUE_BYTES,
};

/// Rows that become durable together or not at all.
///
/// Of several writes to one key the last counts. The content is opaque to the store.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) rows: Vec<Operation>,
    pub(crate) arrivals: Vec<Arriving>,
    pub(crate) accesses: Vec<Access>,
    pub(crate) is_announced: bool,
    bytes: usize,
}

/// Something that gets an arrival number when it is committed.
#[derive(Clone, Debug)]
pub(crate) enum Arriving {
    Raw(RawInput),
    Change { record: String, bytes: Vec<u8> },
    Note(Vec<u8>),
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing was put in yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.arrivals.is_empty() && self.accesses.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// Has the thread that makes it durable tell the watchers of that at once
    /// ([`Store::on_durable`](crate::Store::on_durable)).
    pub fn announce(&mut self) {
        self.is_announced = true;
    }

    /// Keeps an input as received. Takes the next arrival number.
    pub fn raw(&mut self, input: RawInput) -> Result<&mut Self, WriteError> {
        input.validate()?;
        value_length(Table::Raw, input.bytes.len())?;
        self.bytes += input.bytes.len() + input.feed.len() + 64;
        self.arrivals.push(Arriving::Raw(input));
        Ok(self)
    }

    /// Keeps one part of an input that is too large for one row: part `number` from 0, each of
    /// [`RAW_PART_BYTES`] but the last, of an input of `size_bytes` in all. The parts come first;
    /// the input is there once its own row is, put in by [`Batch::raw`] without bytes.
    pub fn raw_part(
        &mut self,
        message: MessageId,
        number: u32,
        size_bytes: u64,
        bytes: &[u8],
    ) -> Result<&mut Self, WriteError> {
        let value = encode_part(size_bytes, number, bytes).ok_or(WriteError::ValueLength {
            table: Table::Raw,
            bytes: usize::try_from(size_bytes).unwrap_or(usize::MAX),
        })?;
        self.push(Table::Raw, part_key(message, number), Some(value))
    }

    /// Adds encoded changes to a record. Takes the next arrival number.
    pub fn change(&mut self, record: &str, bytes: Vec<u8>) -> Result<&mut Self, WriteError> {
        record_id(record)?;
        value_length(Table::Changes, bytes.len())?;
        self.bytes += bytes.len() + 2 * record.len() + 32;
        self.arrivals.push(Arriving::Change { record: record.to_owned(), bytes });
        Ok(self)
    }

    /// The bytes of the change that was put in last.
    pub fn latest_change(&self) -> Option<&[u8]> {
        self.arrivals.iter().rev().find_map(|arriving| match arriving {
            Arriving::Change { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        })
    }

    /// Notes that there is other news than inputs and changes. Takes the next arrival number.
    pub fn note(&mut self, bytes: Vec<u8>) -> Result<&mut Self, WriteError> {
        value_length(Table::Arrivals, bytes.len())?;
        self.bytes += bytes.len() + 32;
        self.arrivals.push(Arriving::Note(bytes));
        Ok(self)
    }

    /// Replaces the bytes of a row of changes that is there: how content is destroyed while the
    /// changes' place stays.
    pub fn replace_change(
        &mut self,
        record: &str,
        place: ChangePlace,
        bytes: Vec<u8>,
    ) -> Result<&mut Self, WriteError> {
        record_id(record)?;
        self.push(Table::Changes, placed_key(record, place), Some(bytes))
    }

    /// Seals rows of changes: one row takes the place of several that follow one another, and
    /// `bytes` holds what they held. Of fewer than two rows nothing becomes.
    pub fn seal(
        &mut self,
        record: &str,
        places: &[ChangePlace],
        bytes: Vec<u8>,
    ) -> Result<&mut Self, WriteError> {
        record_id(record)?;
        let [_, .., last] = places else { return Ok(self) };
        for place in places {
            self.push(Table::Changes, placed_key(record, *place), None)?;
        }
        let count = places.iter().fold(0_u32, |sum, place| sum.saturating_add(place.count));
        let sealed = ChangePlace { arrival: last.arrival, count };
        self.push(Table::Changes, placed_key(record, sealed), Some(bytes))
    }

    /// Destroys a raw input of this size with all its parts; its arrival number stays used.
    pub fn forget_raw(
        &mut self,
        message: MessageId,
        size_bytes: u64,
    ) -> Result<&mut Self, WriteError> {
        for number in 0..part_count(size_bytes) {
            self.push(Table::Raw, part_key(message, number), None)?;
        }
        self.push(Table::Raw, message.to_vec(), None)
    }

    /// Replaces the encoded state of a record.
    pub fn state(&mut self, record: &str, bytes: Vec<u8>) -> Result<&mut Self, WriteError> {
        record_id(record)?;
        self.push(Table::States, record.as_bytes().to_vec(), Some(bytes))
    }

    /// Replaces the small metadata of a record.
    pub fn record(&mut self, record: &str, bytes: Vec<u8>) -> Result<&mut Self, WriteError> {
        record_id(record)?;
        self.push(Table::Records, record.as_bytes().to_vec(), Some(bytes))
    }

    /// Puts a message into quarantine, or replaces it there.
    pub fn quarantine(&mut self, message: &Quarantined) -> Result<&mut Self, WriteError> {
        message.validate()?;
        self.push(Table::Quarantine, message.message.to_vec(), Some(message.encode()))
    }

    /// Takes a message out of quarantine.
    pub fn release(&mut self, message: MessageId) -> Result<&mut Self, WriteError> {
        self.push(Table::Quarantine, message.to_vec(), None)
    }

    /// Adds an entry to the access log.
    pub fn access(&mut self, access: Access) -> Result<&mut Self, WriteError> {
        access.validate()?;
        self.bytes += access.size_bytes();
        self.accesses.push(access);
        Ok(self)
    }

    /// Writes a row of `aliases`, `index` or `meta` (keys that do not start with byte 0).
    pub fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: Vec<u8>,
    ) -> Result<&mut Self, WriteError> {
        open_to_all(table, key)?;
        self.push(table, key.to_vec(), Some(value))
    }

    /// Removes a row of `aliases`, `index`, `meta`, `states` or `records`; nothing happens when
    /// there is none. What was received and changed is never removed by this.
    pub fn remove(&mut self, table: Table, key: &[u8]) -> Result<&mut Self, WriteError> {
        if !matches!(table, Table::States | Table::Records) {
            open_to_all(table, key)?;
        }
        self.push(table, key.to_vec(), None)
    }

    fn push(
        &mut self,
        table: Table,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
    ) -> Result<&mut Self, WriteError> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(WriteError::KeyLength { table, bytes: key.len() });
        }
        value_length(table, value.as_ref().map_or(0, Vec::len))?;
        let operation = Operation { table, key, value };
        self.bytes += operation.size_bytes();
        self.rows.push(operation);
        Ok(self)
    }

    /// Whether one batch may hold so much.
    pub(crate) fn validate(&self) -> Result<(), WriteError> {
        let rows = self.rows.len() + 2 * self.arrivals.len();
        let accesses = self.accesses.len();
        if self.bytes > MAX_BATCH_BYTES || rows > MAX_BATCH_ROWS || accesses > MAX_BATCH_ACCESSES {
            return Err(WriteError::BatchSize { rows, accesses, bytes: self.bytes });
        }
        Ok(())
    }
}

fn value_length(table: Table, bytes: usize) -> Result<(), WriteError> {
    if bytes > MAX_VALUE_BYTES { Err(WriteError::ValueLength { table, bytes }) } else { Ok(()) }
}

fn open_to_all(table: Table, key: &[u8]) -> Result<(), WriteError> {
    match table {
        Table::Aliases | Table::Index => Ok(()),
        Table::Meta if key.first() != Some(&0) => Ok(()),
        _ => Err(WriteError::Reserved { table }),
    }
}

//! Links: what two replicas that stay in contact need not say twice.
//!
//! Each direction of a link numbers records, actors and names as they come up. A message is
//! understood only by a link that has read all messages before it, in order; that is the
//! transport's duty. Normative: `docs/formats/change.md`.

use std::sync::Arc;

use thiserror::Error;

use crate::batch::{columns_flag, pack, read_flagged};
use crate::change::MAX_NAME_BYTES;
use crate::record::Record;
use crate::travel::{Numbering, Run};
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

/// Most records that one link may speak of before it must be made anew.
pub const MAX_LINK_RECORDS: usize = 1 << 20;

/// One end of a link between two replicas: one direction for sending, one for receiving.
#[derive(Clone, Debug, Default)]
pub struct Link {
    sent: Direction,
    read: Direction,
    broken: bool,
}

#[derive(Clone, Debug, Default)]
struct Direction {
    numbering: Numbering,
    records: Vec<Arc<str>>,
}

/// A message that was read and belongs to one record.
pub struct LinkMessage {
    pub(crate) record: Arc<str>,
    pub(crate) run: Run,
}

impl LinkMessage {
    /// The record that it belongs to.
    pub fn record(&self) -> &str {
        &self.record
    }
}

/// Why a message could not be read. The link cannot be used any more: both ends make a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The bytes are damaged, or a message before them is missing.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// An earlier message could not be read.
    #[error("the link is broken since an earlier message; both ends must make a new one")]
    Broken,
}

impl Link {
    /// A link that nothing was said on yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The message that carries the record's changes from the `first`-th on, in order of their
    /// arrival here (see [`Record::change_count`]).
    pub fn write(&mut self, record: &Record, first: usize) -> Vec<u8> {
        let in_columns = record.change_count().saturating_sub(first) > 4;
        let records = &mut self.sent.records;
        let known = records.iter().position(|name| **name == *record.id);
        let index = known.unwrap_or(records.len()) as u64;
        let mut out = Vec::with_capacity(64);
        put_u64(&mut out, index << 2 | u64::from(columns_flag(in_columns)));
        if known.is_none() {
            put_bytes(&mut out, record.id.as_bytes());
            records.push(record.id.as_ref().into());
        }
        let start = out.len();
        let mut out = record.write_run(first, &mut self.sent.numbering, in_columns, out);
        let flag = pack(&mut out, start);
        if let Some(head) = out.first_mut() {
            *head |= flag;
        }
        out
    }

    /// Reads the next message of the other end.
    ///
    /// # Errors
    /// [`LinkError`]; after it the link is broken.
    pub fn read(&mut self, bytes: &[u8]) -> Result<LinkMessage, LinkError> {
        if self.broken {
            return Err(LinkError::Broken);
        }
        let message = self.read.message(bytes);
        self.broken = message.is_err();
        Ok(message?)
    }
}

impl Direction {
    fn message(&mut self, bytes: &[u8]) -> Result<LinkMessage, DecodeError> {
        let mut reader = Reader::new(bytes);
        let head = reader.u64()?;
        let index = usize::try_from(head >> 2).unwrap_or(usize::MAX);
        if index > self.records.len() || index >= MAX_LINK_RECORDS {
            return Err(DecodeError::Meaningless { what: "record", at: 0 });
        }
        if index == self.records.len() {
            self.records.push(reader.str(MAX_NAME_BYTES, "record name")?.into());
        }
        let record = self.records.get(index).cloned();
        let record = record.ok_or(DecodeError::Meaningless { what: "record", at: 0 })?;
        let flags = (head & 3) as u8;
        let run = read_flagged(&mut reader, flags, &mut self.numbering, &record)?;
        Ok(LinkMessage { record, run })
    }
}

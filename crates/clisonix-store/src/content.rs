//! The rows with a shape of their own: raw inputs, quarantined messages, arrivals, and their keys.

use crate::codec::{Reader, put_bytes, put_optional_text, put_text};
use crate::error::WriteError;
use crate::limit::{
    MAX_INPUT_BYTES, MAX_NAME_BYTES, MAX_REASON_BYTES, MAX_RECORD_ID_BYTES, RAW_PART_BYTES,
};

/// Identity of a message, derived by the caller from feed and content.
pub type MessageId = [u8; 16];

/// One input exactly as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawInput {
    /// Identity of the message.
    pub message: MessageId,
    /// The feed it came by.
    pub feed: String,
    /// The file it came in, where there was one.
    pub file: Option<String>,
    /// When it was received, milliseconds since 1970-01-01 UTC.
    pub received_ms: i64,
    /// The bytes; none if the input lies in parts.
    pub bytes: Vec<u8>,
}

impl RawInput {
    pub(crate) fn validate(&self) -> Result<(), WriteError> {
        text_length("feed", &self.feed, 1, MAX_NAME_BYTES)?;
        self.file.as_ref().map_or(Ok(()), |file| text_length("file", file, 0, MAX_NAME_BYTES))
    }

    pub(crate) fn encode(&self, arrival: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.feed.len() + 64);
        out.extend_from_slice(&arrival.to_be_bytes());
        out.extend_from_slice(&self.received_ms.to_be_bytes());
        put_text(&mut out, &self.feed);
        put_optional_text(&mut out, self.file.as_deref());
        out.extend_from_slice(&self.bytes);
        out
    }

    /// The input and its arrival number.
    pub(crate) fn decode(message: MessageId, value: &[u8]) -> Option<(u64, Self)> {
        let mut reader = Reader::new(value);
        let arrival = reader.u64()?;
        let received_ms = reader.i64()?;
        let feed = reader.text()?;
        let file = reader.optional_text()?;
        let bytes = reader.remainder().to_vec();
        Some((arrival, Self { message, feed, file, received_ms, bytes }))
    }
}

/// The key of one part of a large raw input.
pub(crate) fn part_key(message: MessageId, number: u32) -> Vec<u8> {
    [message.as_slice(), &number.to_be_bytes()].concat()
}

/// Message and number behind a part's key.
pub(crate) fn read_part_key(key: &[u8]) -> Option<(MessageId, u32)> {
    let (message, number) = key.split_first_chunk::<16>()?;
    Some((*message, u32::from_be_bytes(number.try_into().ok()?)))
}

/// In how many parts an input of this size lies.
pub(crate) fn part_count(size_bytes: u64) -> u32 {
    u32::try_from(size_bytes.div_ceil(RAW_PART_BYTES as u64)).unwrap_or(u32::MAX)
}

/// How many bytes part `number` of an input of this size has; `None` if there is no such part.
fn part_length(size_bytes: u64, number: u32) -> Option<u64> {
    let left = size_bytes.checked_sub(u64::from(number) * RAW_PART_BYTES as u64)?;
    (left > 0).then(|| left.min(RAW_PART_BYTES as u64))
}

/// A part's row; `None` if it is not as long as its place asks for.
pub(crate) fn encode_part(size_bytes: u64, number: u32, bytes: &[u8]) -> Option<Vec<u8>> {
    let fits = part_length(size_bytes, number) == Some(bytes.len() as u64);
    (fits && size_bytes <= MAX_INPUT_BYTES)
        .then(|| [size_bytes.to_be_bytes().as_slice(), bytes].concat())
}

/// The size of the whole input and the bytes of a part's row.
pub(crate) fn decode_part(number: u32, value: &[u8]) -> Option<(u64, &[u8])> {
    let (size, bytes) = value.split_first_chunk::<8>()?;
    let size_bytes = u64::from_be_bytes(*size);
    let fits = part_length(size_bytes, number) == Some(bytes.len() as u64);
    fits.then_some((size_bytes, bytes))
}

/// A message that could not be interpreted, kept until someone looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Identity of the message.
    pub message: MessageId,
    /// The feed it came by.
    pub feed: String,
    /// The file it came in, where there was one.
    pub file: Option<String>,
    /// When it was received, milliseconds since 1970-01-01 UTC.
    pub received_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it is here, in a few words without any clinical value.
    pub reason: String,
    /// The issues found, as JSON.
    pub issues: Vec<u8>,
    /// The bytes; none if they are too many for one row and only the raw input holds them.
    pub bytes: Vec<u8>,
}

impl Quarantined {
    pub(crate) fn validate(&self) -> Result<(), WriteError> {
        text_length("feed", &self.feed, 1, MAX_NAME_BYTES)?;
        text_length("reason", &self.reason, 1, MAX_REASON_BYTES)?;
        self.file.as_ref().map_or(Ok(()), |file| text_length("file", file, 0, MAX_NAME_BYTES))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.issues.len() + 256);
        out.extend_from_slice(&self.received_ms.to_be_bytes());
        out.extend_from_slice(&self.attempts.to_be_bytes());
        put_text(&mut out, &self.feed);
        put_optional_text(&mut out, self.file.as_deref());
        put_text(&mut out, &self.reason);
        put_bytes(&mut out, &self.issues);
        out.extend_from_slice(&self.bytes);
        out
    }

    pub(crate) fn decode(message: MessageId, value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let received_ms = reader.i64()?;
        let attempts = reader.u32()?;
        let feed = reader.text()?;
        let file = reader.optional_text()?;
        let reason = reader.text()?;
        let issues = reader.bytes()?.to_vec();
        let bytes = reader.remainder().to_vec();
        Some(Self { message, feed, file, received_ms, attempts, reason, issues, bytes })
    }
}

/// What arrived under one arrival number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrival {
    /// A raw input.
    Raw(MessageId),
    /// A change of the record with this id.
    Change(String),
    /// Something else that is news, put in by [`crate::Batch::note`]; its bytes are the caller's.
    Note(Vec<u8>),
}

impl Arrival {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Raw(message) => [&[ARRIVAL_RAW], message.as_slice()].concat(),
            Self::Change(record) => [&[ARRIVAL_CHANGE], record.as_bytes()].concat(),
            Self::Note(bytes) => [&[ARRIVAL_NOTE], bytes.as_slice()].concat(),
        }
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let kind = reader.byte()?;
        let rest = reader.remainder();
        match kind {
            ARRIVAL_RAW => rest.try_into().ok().map(Self::Raw),
            ARRIVAL_CHANGE => String::from_utf8(rest.to_vec()).ok().map(Self::Change),
            ARRIVAL_NOTE => Some(Self::Note(rest.to_vec())),
            _ => None,
        }
    }
}

const ARRIVAL_RAW: u8 = 1;
const ARRIVAL_CHANGE: u8 = 2;
const ARRIVAL_NOTE: u8 = 3;

/// What all changes' keys of one record start with.
///
/// The length in front keeps the changes of `p-1` apart from those of `p-12`.
pub(crate) fn change_prefix(record: &str) -> Vec<u8> {
    let length = u8::try_from(record.len()).unwrap_or(u8::MAX);
    let mut key = Vec::with_capacity(record.len() + 9);
    key.push(length);
    key.extend_from_slice(record.as_bytes());
    key
}

/// The key of one change.
pub(crate) fn change_key(record: &str, arrival: u64) -> Vec<u8> {
    let mut key = change_prefix(record);
    key.extend_from_slice(&arrival.to_be_bytes());
    key
}

/// Where a row of changes stands among those of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangePlace {
    /// The arrival number of the last change in it.
    pub arrival: u64,
    /// How many arrivals it holds: 1, or more once it was sealed.
    pub count: u32,
}

/// The key of a row of changes. A sealed one sorts where the last of its rows stood.
pub(crate) fn placed_key(record: &str, place: ChangePlace) -> Vec<u8> {
    let mut key = change_key(record, place.arrival);
    if place.count != 1 {
        key.extend_from_slice(&place.count.to_be_bytes());
    }
    key
}

/// The record and the place behind the key of a row of changes.
pub(crate) fn read_change_key(key: &[u8]) -> Option<(&str, ChangePlace)> {
    let (length, rest) = key.split_first()?;
    let (record, rest) = rest.split_at_checked(usize::from(*length))?;
    let (arrival, count) = rest.split_first_chunk::<8>()?;
    let count = match count {
        [] => 1,
        _ => u32::from_be_bytes(count.try_into().ok()?),
    };
    let sealed = rest.len() > 8;
    let place = ChangePlace { arrival: u64::from_be_bytes(*arrival), count };
    (sealed == (count > 1)).then_some((std::str::from_utf8(record).ok()?, place))
}

/// A record id is a text of 1 to [`MAX_RECORD_ID_BYTES`] bytes.
pub(crate) fn record_id(record: &str) -> Result<(), WriteError> {
    text_length("record", record, 1, MAX_RECORD_ID_BYTES)
}

pub(crate) fn text_length(
    field: &'static str,
    text: &str,
    min: usize,
    max: usize,
) -> Result<(), WriteError> {
    let bytes = text.len();
    if (min..=max).contains(&bytes) {
        Ok(())
    } else {
        Err(WriteError::FieldLength { field, bytes, min, max })
    }
}

#[cfg(test)]
mod tests;

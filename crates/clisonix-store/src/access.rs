//! The access log: who did what to which record, when and why, chained by hashes.
//!
//! Each entry's hash covers the hash before it, so removing, changing or reordering an entry
//! breaks every later link. Someone who can rewrite the whole file can rewrite the whole chain:
//! the head should therefore also be kept where they cannot write (it is in every backup's
//! manifest).

use sha2::{Digest, Sha256};

use crate::codec::{Reader, put_optional_text, put_text};
use crate::content::{record_id, text_length};
use crate::error::{AccessLogError, EngineFault, ReadError, WriteError};
use crate::key_value::{KeyValueView, Row, Span, Table};
use crate::limit::{MAX_AUTHOR_BYTES, MAX_PURPOSE_BYTES};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash before the first entry.
pub const FIRST_LINK: Hash = [0; 32];

/// Keeps the log's hashes apart from every other use of SHA-256.
const DOMAIN: &[u8] = b"clisonix access 1\0";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Action {
    /// A record was read.
    Read = 1,
    /// Records were searched.
    Search = 2,
    /// A record was changed.
    Write = 3,
    /// A conflict was resolved.
    Resolve = 4,
    /// Two records were linked or unlinked.
    Link = 5,
    /// Data was sealed for someone else.
    Share = 6,
    /// Messages or files were taken in.
    Import = 7,
    /// Data was written out.
    Export = 8,
    /// Content was destroyed.
    Erase = 9,
    /// The site was configured, backed up or restored.
    Administer = 10,
}

impl Action {
    const ALL: [Self; 10] = [
        Self::Read,
        Self::Search,
        Self::Write,
        Self::Resolve,
        Self::Link,
        Self::Share,
        Self::Import,
        Self::Export,
        Self::Erase,
        Self::Administer,
    ];

    fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|action| *action as u8 == number)
    }
}

/// One access as the caller states it. Holds no clinical value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// When, milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
    /// Who; never empty.
    pub author: String,
    /// What was done.
    pub action: Action,
    /// The record, where it is about one.
    pub record: Option<String>,
    /// Digest of the record's heads that were read or made.
    pub version: Option<Hash>,
    /// What for; may be empty.
    pub purpose: String,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessEntry {
    /// Its number, from 0 without a gap.
    pub seq: u64,
    /// What it says.
    pub access: Access,
    /// SHA-256 over the previous entry's hash and this entry's canonical bytes.
    pub hash: Hash,
}

/// What a whole log amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessHead {
    /// How many entries there are.
    pub entries: u64,
    /// The last entry's hash, or [`FIRST_LINK`].
    pub hash: Hash,
}

impl Access {
    pub(crate) fn validate(&self) -> Result<(), WriteError> {
        text_length("author", &self.author, 1, MAX_AUTHOR_BYTES)?;
        text_length("purpose", &self.purpose, 0, MAX_PURPOSE_BYTES)?;
        self.record.as_deref().map_or(Ok(()), record_id)
    }

    /// Length in the log, about; for limits.
    pub(crate) fn size_bytes(&self) -> usize {
        self.author.len() + self.purpose.len() + self.record.as_ref().map_or(0, String::len) + 128
    }

    /// The canonical bytes that the hash covers.
    fn encode(&self, seq: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size_bytes());
        out.extend_from_slice(&seq.to_be_bytes());
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        out.push(self.action as u8);
        put_text(&mut out, &self.author);
        put_optional_text(&mut out, self.record.as_deref());
        out.push(u8::from(self.version.is_some()));
        out.extend(self.version.iter().flatten());
        put_text(&mut out, &self.purpose);
        out
    }

    fn decode(reader: &mut Reader<'_>) -> Option<(u64, Self)> {
        let seq = reader.u64()?;
        let time_ms = reader.i64()?;
        let action = Action::numbered(reader.byte()?)?;
        let author = reader.text()?;
        let record = reader.optional_text()?;
        let version = match reader.byte()? {
            0 => None,
            1 => Some(reader.array()?),
            _ => return None,
        };
        let purpose = reader.text()?;
        Some((seq, Self { time_ms, author, action, record, version, purpose }))
    }
}

impl AccessHead {
    /// The head of an empty log.
    pub(crate) fn empty() -> Self {
        Self { entries: 0, hash: FIRST_LINK }
    }

    /// Adds an access: the row to write. Only the committing thread calls this, in commit order.
    pub(crate) fn append(&mut self, access: &Access) -> Row {
        let canonical = access.encode(self.entries);
        let hash = link(&self.hash, &canonical);
        let row = Row {
            key: self.entries.to_be_bytes().to_vec(),
            value: [canonical.as_slice(), &hash].concat(),
        };
        *self = Self { entries: self.entries + 1, hash };
        row
    }
}

impl AccessEntry {
    pub(crate) fn decode(row: &Row) -> Option<Self> {
        let mut reader = Reader::new(&row.value);
        let (seq, access) = Access::decode(&mut reader)?;
        let hash = reader.array()?;
        reader.end()?;
        (row.key == seq.to_be_bytes()).then_some(Self { seq, access, hash })
    }
}

fn link(previous: &Hash, canonical: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(previous);
    hasher.update(canonical);
    hasher.finalize().into()
}

/// Walks the whole log and compares its end with the recorded head.
pub(crate) fn verify(
    view: &dyn KeyValueView,
    recorded: AccessHead,
) -> Result<AccessHead, AccessLogError> {
    let mut head = AccessHead::empty();
    let rows = view.rows(Table::AccessLog, &Span::all()).map_err(ReadError::from)?;
    for row in rows {
        follow(&mut head, row)?;
    }
    if head.entries < recorded.entries {
        return Err(AccessLogError::Missing { seq: head.entries });
    }
    if head != recorded {
        return Err(AccessLogError::HeadDiffers { seq: head.entries });
    }
    Ok(head)
}

fn follow(head: &mut AccessHead, row: Result<Row, EngineFault>) -> Result<(), AccessLogError> {
    let row = row.map_err(ReadError::from)?;
    let seq = head.entries;
    let key: [u8; 8] =
        row.key.as_slice().try_into().map_err(|_| AccessLogError::Unreadable { seq })?;
    if u64::from_be_bytes(key) != seq {
        return Err(AccessLogError::Missing { seq });
    }
    let entry = AccessEntry::decode(&row).ok_or(AccessLogError::Unreadable { seq })?;
    let hash = link(&head.hash, &entry.access.encode(seq));
    if entry.hash != hash {
        return Err(AccessLogError::BrokenLink { seq });
    }
    *head = AccessHead { entries: seq + 1, hash };
    Ok(())
}

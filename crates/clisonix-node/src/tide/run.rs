//! A run: changes of one record on their way to another node, with what their authors signed.
//!
//! Normative: `docs/formats/run.md`.

use clisonix_crdt::DecodeError;
use clisonix_crdt::wire::{Reader, put_bytes, put_u64};

/// Most batches of changes in one run.
pub const MAX_RUN_BATCHES: usize = 4_096;
/// Most statements in one run.
pub const MAX_RUN_STATEMENTS: usize = 4_096;

const VERSION: u8 = 1;

/// A run that is being put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// The record's key; empty where the other node knows it.
    pub(crate) key: Vec<u8>,
    /// Batches of changes, causes before effects.
    pub(crate) changes: Vec<Vec<u8>>,
    pub(crate) statements: Vec<Told>,
}

/// A statement as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Whole(Vec<u8>),
    /// The digest of a checkpoint that the other node has.
    Digest([u8; 32]),
}

impl Run {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.statements.is_empty()
    }

    /// Empty bytes for an empty run.
    pub(crate) fn encode(&self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut out = vec![VERSION];
        put_bytes(&mut out, &self.key);
        put_u64(&mut out, self.changes.len() as u64);
        for batch in &self.changes {
            put_bytes(&mut out, batch);
        }
        put_u64(&mut out, self.statements.len() as u64);
        for statement in &self.statements {
            match statement {
                Told::Whole(bytes) => put_bytes(&mut out, bytes),
                Told::Digest(digest) => {
                    out.push(0);
                    out.extend(digest);
                }
            }
        }
        out
    }

    /// # Errors
    /// [`DecodeError`]: damaged, of a newer version, or over a limit.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(bytes);
        match reader.byte()? {
            VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let key = reader.bytes(usize::MAX, "key")?.to_vec();
        let count = reader.count_up_to(MAX_RUN_BATCHES, "batches")?;
        let changes = (0..count).map(|_| Ok(reader.bytes(usize::MAX, "batch")?.to_vec()));
        let changes = changes.collect::<Result<_, DecodeError>>()?;
        let count = reader.count_up_to(MAX_RUN_STATEMENTS, "statements")?;
        let statements = (0..count).map(|_| {
            Ok(match reader.bytes(usize::MAX, "statement")? {
                [] => Told::Digest(reader.array()?),
                bytes => Told::Whole(bytes.to_vec()),
            })
        });
        let statements = statements.collect::<Result<_, DecodeError>>()?;
        reader.end()?;
        Ok(Self { key, changes, statements })
    }
}

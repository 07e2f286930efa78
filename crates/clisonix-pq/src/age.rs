//! Files of the age format, version 1, with native `mlkem768x25519` recipients
//! (<https://c2sp.org/age>), written and read as streams in constant memory.
//!
//! Any age from 1.3 opens what [`Writer`] writes. [`Reader`] takes only files that are sealed for
//! post-quantum recipients and for nobody else: one classical stanza would be enough for whoever
//! records today and computes later.

pub mod armor;
pub(crate) mod base64;
pub mod bech32;
mod header;
mod reader;
mod stanza;
mod stream;
mod text;
mod writer;

use std::io;

pub use self::armor::ArmorError;
pub use self::header::{
    Header, HeaderFault, MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_LINE_BYTES, MAX_STANZAS, Stanza,
};
pub use self::reader::Reader;
pub(crate) use self::reader::read_fully;
pub use self::stream::{CHUNK_BYTES, TAG_BYTES};
pub use self::text::{identity_from_text, identity_text, recipient_from_text, recipient_text};
pub use self::writer::{Writer, file_bytes};

/// Bytes of a file key.
const FILE_KEY_BYTES: usize = 16;
/// The key that all stanzas of a file wrap.
pub type FileKey = crate::Secret<FILE_KEY_BYTES>;
/// Bytes of the payload's nonce.
const NONCE_BYTES: usize = 16;

/// Why an age file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgeError {
    /// Not the form of an age file.
    #[error("line {line} of the age header: {fault}")]
    Header {
        /// Counted from 1.
        line: u32,
        /// What is wrong there.
        fault: HeaderFault,
    },
    /// Not the form of armour.
    #[error(transparent)]
    Armor(#[from] ArmorError),
    /// No stanza is for a post-quantum recipient.
    #[error("the file is not sealed for any post-quantum recipient")]
    NotPostQuantum,
    /// Beside post-quantum stanzas there are others.
    #[error("the file is also sealed for a recipient that is not post-quantum")]
    Mixed,
    /// The key opens no stanza. A damaged stanza and a wrong key look the same.
    #[error("no recipient of the file has this key, or its stanza is damaged")]
    NoMatch,
    /// The header is not the one that the holder of the file key wrote.
    #[error("the header of the age file was altered")]
    Mac,
    /// A chunk of the payload is not as it was written, or not where it was written.
    #[error("chunk {chunk} of the payload was altered, moved or cut")]
    Payload {
        /// Counted from 0, [`CHUNK_BYTES`] each.
        chunk: u64,
    },
    /// The file ends between two chunks.
    #[error("the file ends where chunk {chunk} of the payload should follow")]
    Truncated {
        /// Counted from 0, [`CHUNK_BYTES`] each.
        chunk: u64,
    },
    /// Something stands behind the last chunk.
    #[error("bytes follow behind the {chunks} chunks of the payload")]
    Trailing {
        /// How many there are.
        chunks: u64,
    },
    /// No recipient, or more than [`MAX_STANZAS`].
    #[error("an age file has between 1 and {MAX_STANZAS} recipients, not {0}")]
    Recipients(usize),
    /// A recipient of a profile that has no age files.
    #[error("an age file cannot be sealed for a key of profile {0}")]
    Profile(crate::Profile),
    /// Not the text of a key, or not of this kind of key.
    #[error("this is no {0}")]
    KeyText(&'static str),
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] crate::KeyError),
    /// Reading or writing failed.
    #[error("reading or writing an age file failed")]
    Io(#[source] io::Error),
}

impl From<io::Error> for AgeError {
    fn from(error: io::Error) -> Self {
        let armor = error.get_ref().and_then(|inner| inner.downcast_ref::<ArmorError>()).copied();
        armor.map_or(Self::Io(error), Self::Armor)
    }
}

impl From<AgeError> for io::Error {
    fn from(error: AgeError) -> Self {
        match error {
            AgeError::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

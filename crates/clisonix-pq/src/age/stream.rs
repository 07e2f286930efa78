//! The payload: chunks under ChaCha20-Poly1305, each bound to its place and the last one marked
//! (C2SP age.md, "Payload").

use zeroize::Zeroizing;

use super::{AgeError, FileKey, NONCE_BYTES};
use crate::aead::ChaCha20Poly1305;
use crate::{KeyError, hkdf_sha256};

/// Bytes of plain text in every chunk but the last.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes that a chunk is longer when sealed.
pub const TAG_BYTES: usize = 16;
/// Bytes of every sealed chunk but the last.
pub(super) const SEALED_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// The key of a payload and the place in it.
pub(super) struct Stream {
    aead: ChaCha20Poly1305,
    chunk: u64,
}

impl Stream {
    pub(super) fn new(file_key: &FileKey, nonce: &[u8; NONCE_BYTES]) -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf_sha256(nonce, file_key.expose(), &[b"payload"], &mut *key)?;
        Ok(Self { aead: ChaCha20Poly1305::with_key(&key), chunk: 0 })
    }

    /// How many chunks went through.
    pub(super) fn chunks(&self) -> u64 {
        self.chunk
    }

    /// Encrypts the next chunk where it lies; its tag goes behind it.
    pub(super) fn seal(&mut self, text: &mut [u8], last: bool) -> [u8; TAG_BYTES] {
        let tag = self.aead.seal_in_place(&self.nonce(last), b"", text);
        self.chunk += 1;
        tag
    }

    /// Decrypts the next chunk, tag and all, into `text` and returns the length of that. A chunk
    /// that does not open leaves the place as it was.
    pub(super) fn open(
        &mut self,
        sealed: &[u8],
        last: bool,
        text: &mut [u8],
    ) -> Result<usize, AgeError> {
        let fault = AgeError::Payload { chunk: self.chunk };
        let Some((sealed, tag)) = sealed.split_last_chunk() else { return Err(fault) };
        // Only a payload without any text has an empty chunk.
        if sealed.is_empty() && self.chunk > 0 {
            return Err(fault);
        }
        let Some(text) = text.get_mut(..sealed.len()) else { return Err(fault) };
        if self.aead.open_into(&self.nonce(last), b"", sealed, tag, text).is_err() {
            return Err(fault);
        }
        self.chunk += 1;
        Ok(text.len())
    }

    /// Eleven bytes of counter, then whether this is the last chunk.
    fn nonce(&self, last: bool) -> [u8; 12] {
        let counter = u128::from(self.chunk) << 8 | u128::from(last);
        let [_, _, _, _, nonce @ ..] = counter.to_be_bytes();
        nonce
    }
}

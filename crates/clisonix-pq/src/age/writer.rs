//! Writing an age file chunk by chunk.

use std::io::{self, Write};

use super::stream::{CHUNK_BYTES, SEALED_BYTES, Stream, TAG_BYTES};
use super::{AgeError, FileKey, MAX_STANZAS, NONCE_BYTES, header, stanza};
use crate::{PublicRecipient, Random};

/// Seals what is written to it. Without [`Writer::finish`] the file stays incomplete and no reader
/// takes it for whole.
pub struct Writer<W> {
    out: W,
    stream: Stream,
    chunk: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the header, with one stanza for each of `recipients` in their order.
    pub fn new(
        mut out: W,
        recipients: &[&PublicRecipient],
        random: &mut dyn Random,
    ) -> Result<Self, AgeError> {
        if recipients.is_empty() || recipients.len() > MAX_STANZAS {
            return Err(AgeError::Recipients(recipients.len()));
        }
        let file_key = FileKey::generate(random);
        let mut stanzas = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            stanzas.push(stanza::wrap(&file_key, recipient, random)?);
        }
        out.write_all(&header::write(&stanzas, &file_key)?)?;
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        out.write_all(&nonce)?;
        let stream = Stream::new(&file_key, &nonce)?;
        Ok(Self { out, stream, chunk: Vec::with_capacity(SEALED_BYTES) })
    }

    /// Seals the last chunk and gives back what was written to.
    pub fn finish(mut self) -> Result<W, AgeError> {
        self.seal(true)?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let tag = self.stream.seal(&mut self.chunk, last);
        self.chunk.extend_from_slice(&tag);
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until it is known not to be the last one.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.seal(false)?;
        }
        let room = CHUNK_BYTES - self.chunk.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.chunk.extend_from_slice(taken);
        Ok(taken.len())
    }

    /// Passes on what is sealed already; a chunk that is not full stays.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The bytes of the whole file, known before it is written: every recipient and every chunk takes
/// the same room. `None` beyond 2^64.
pub fn file_bytes(recipients: usize, text_bytes: u64) -> Option<u64> {
    let chunks = text_bytes.div_ceil(CHUNK_BYTES as u64).max(1);
    let header = header::BARE_BYTES + recipients as u64 * stanza::TEXT_BYTES;
    let tags = chunks.checked_mul(TAG_BYTES as u64)?;
    text_bytes.checked_add(tags)?.checked_add(header + NONCE_BYTES as u64)
}

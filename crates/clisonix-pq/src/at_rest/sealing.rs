//! A stream under the store key, sealed front to back in chunks (the STREAM construction of Hoang,
//! Reyhanitabar, Rogaway and Vizár, 2015): nothing comes out before its chunk was verified, and a
//! stream that was cut off or extended does not end well.

use std::io::{self, BufRead, BufReader, Read, Write};

use zeroize::Zeroizing;

use super::{Commitment, Purpose, Salt, StoreId, StoreKey};
use crate::aead::{Aes256Gcm, NONCE_BYTES, TAG_BYTES};
use crate::random::Random;

/// Bytes of plain text in each chunk but the last.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// What every such stream begins with.
pub const MAGIC: &[u8; 8] = b"CLXSEAL\n";

const FORMAT: u32 = 1;
/// Magic, format, store, commitment, salt.
const HEAD_BYTES: usize = 8 + 4 + 16 + 16 + 16;

/// Why a sealed stream cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealingError {
    /// It does not begin as one.
    #[error("it is not sealed under a store key")]
    Kind,
    /// A later program wrote it.
    #[error("it has format {found}, this program knows format 1")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// Another store key made it.
    #[error("it was made under another store key")]
    Key,
    /// The bytes cannot be read from where they are.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Seals what is written to it; [`Writer::finish`] ends it.
pub struct Writer<W> {
    out: W,
    chunks: Chunks,
    text: Zeroizing<Vec<u8>>,
}

impl<W: Write> Writer<W> {
    /// Begins a stream of a store.
    pub fn start(
        mut out: W,
        key: &StoreKey,
        store: StoreId,
        random: &mut dyn Random,
    ) -> io::Result<Self> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&FORMAT.to_be_bytes());
        head.extend_from_slice(&store);
        head.extend_from_slice(&key.commitment());
        head.extend_from_slice(&salt);
        out.write_all(&head)?;
        let chunks = Chunks::new(key, &salt, head);
        Ok(Self { out, chunks, text: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES)) })
    }

    /// Writes the last chunk and hands back where it went.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_chunk(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_chunk(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.chunks.next(last);
        let tag = self.chunks.cipher.seal_in_place(&nonce, &self.chunks.head, &mut self.text);
        self.out.write_all(&self.text)?;
        self.out.write_all(&tag)?;
        self.text.clear();
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for more, so that the last one is known to be the last.
        if self.text.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.write_chunk(false)?;
        }
        let (taken, _) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.text.len()));
        self.text.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens a stream front to back. What is not as it was sealed is [`io::ErrorKind::InvalidData`].
pub struct Reader<R> {
    input: BufReader<R>,
    chunks: Chunks,
    text: Zeroizing<Vec<u8>>,
    at: usize,
    ended: bool,
}

/// What a stream says it is, before anything is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The store it was made of.
    pub store: StoreId,
    /// The store key it was made under.
    pub commitment: Commitment,
}

impl<R: Read> Reader<R> {
    /// Reads the head of a stream and gets the key that it asks for.
    pub fn start<'k>(
        input: R,
        key: impl FnOnce(&Label) -> Option<&'k StoreKey>,
    ) -> Result<Self, SealingError> {
        let mut input = BufReader::with_capacity(CHUNK_BYTES + TAG_BYTES, input);
        let mut head = vec![0; HEAD_BYTES];
        input.read_exact(&mut head).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SealingError::Kind,
            _ => error.into(),
        })?;
        let (label, salt) = read_head(&head)?;
        let key = key(&label).filter(|key| key.made(&label.commitment));
        let chunks = Chunks::new(key.ok_or(SealingError::Key)?, &salt, head);
        Ok(Self { input, chunks, text: Zeroizing::default(), at: 0, ended: false })
    }

    fn read_chunk(&mut self) -> io::Result<()> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        self.text.clear();
        self.at = 0;
        let limit = (CHUNK_BYTES + TAG_BYTES) as u64;
        self.input.by_ref().take(limit).read_to_end(&mut self.text)?;
        let last = self.input.fill_buf()?.is_empty();
        let nonce = self.chunks.next(last);
        let Chunks { cipher, head, count } = &self.chunks;
        let (text, tag) = self.text.split_last_chunk_mut().ok_or_else(damaged)?;
        cipher.open_in_place(&nonce, head, text, tag).map_err(|_| damaged())?;
        // Only a stream of nothing ends with an empty chunk: each content has one form.
        if text.is_empty() && *count > 1 {
            return Err(damaged());
        }
        let length = text.len();
        self.text.truncate(length);
        self.ended = last;
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.text.len() && !self.ended {
            self.read_chunk()?;
        }
        let count = self.text.get(self.at..).unwrap_or_default().read(out)?;
        self.at += count;
        Ok(count)
    }
}

fn read_head(head: &[u8]) -> Result<(Label, Salt), SealingError> {
    let own = head.strip_prefix(MAGIC).ok_or(SealingError::Kind)?;
    let read = || {
        let (format, rest) = own.split_first_chunk()?;
        let (store, rest) = rest.split_first_chunk()?;
        let (commitment, salt) = rest.split_first_chunk()?;
        let label = Label { store: *store, commitment: *commitment };
        Some((u32::from_be_bytes(*format), label, salt.try_into().ok()?))
    };
    match read().ok_or(SealingError::Kind)? {
        (FORMAT, label, salt) => Ok((label, salt)),
        (found, ..) => Err(SealingError::Newer { found }),
    }
}

/// The cipher of a stream, and its nonces.
struct Chunks {
    cipher: Aes256Gcm,
    /// Bound to every chunk.
    head: Vec<u8>,
    count: u64,
}

impl Chunks {
    fn new(key: &StoreKey, salt: &Salt, head: Vec<u8>) -> Self {
        Self { cipher: key.cipher(Purpose::Backup, salt), head, count: 0 }
    }

    /// The nonce of the next chunk: three zeros, its number, whether it is the last.
    fn next(&mut self, last: bool) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        let bytes = self.count.to_be_bytes().into_iter().chain([u8::from(last)]);
        nonce.iter_mut().skip(3).zip(bytes).for_each(|(own, byte)| *own = byte);
        self.count += 1;
        nonce
    }
}

#[cfg(test)]
mod tests;

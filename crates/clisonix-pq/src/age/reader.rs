//! Reading an age file chunk by chunk. No byte is given out before its chunk is verified.

use std::io::{self, BufRead, Read};

use super::header::{Header, HeaderFault};
use super::stream::{CHUNK_BYTES, SEALED_BYTES, Stream};
use super::{AgeError, FileKey, NONCE_BYTES, stanza};
use crate::RecipientKey;

/// Opens what is read through it.
pub struct Reader<R> {
    input: R,
    stream: Stream,
    /// One sealed chunk and the byte behind it, which tells whether it is the last.
    sealed: Box<[u8]>,
    /// The text of the last chunk that was opened.
    text: Box<[u8]>,
    /// What of that text was not yet taken by [`BufRead`].
    left: std::ops::Range<usize>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first chunk.
    Start,
    /// Behind a chunk that is not the last; the first byte of the next one is known.
    Within,
    /// Behind the last chunk, which bytes follow that do not belong to the file.
    Trailing,
    /// Behind the last chunk, or behind an error.
    End,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header and finds the stanza that `key` opens.
    ///
    /// Refuses files without a post-quantum stanza and files that have other stanzas too.
    pub fn new(mut input: R, key: &RecipientKey) -> Result<Self, AgeError> {
        let header = Header::read(&mut input)?;
        stanza::refuse_classical(&header)?;
        let file_key = stanza::find(&header, key)?.ok_or(AgeError::NoMatch)?;
        Self::behind_header(input, &header, &file_key)
    }

    /// Goes on behind a header whose file key the caller found. Whether the file is sealed for
    /// others too is not looked at.
    pub fn behind_header(
        mut input: R,
        header: &Header,
        file_key: &FileKey,
    ) -> Result<Self, AgeError> {
        if !header.is_made_with(file_key) {
            return Err(AgeError::Mac);
        }
        let mut nonce = [0; NONCE_BYTES];
        if read_fully(&mut input, &mut nonce)? < NONCE_BYTES {
            return Err(header.fault(HeaderFault::Nonce));
        }
        Ok(Self {
            input,
            stream: Stream::new(file_key, &nonce)?,
            sealed: vec![0; SEALED_BYTES + 1].into(),
            text: vec![0; CHUNK_BYTES].into(),
            left: 0..0,
            state: State::Start,
        })
    }

    /// The text of the next chunk, [`CHUNK_BYTES`] but for the last one; `None` at the end. Drops
    /// what [`BufRead`] has not taken of the chunk before.
    pub fn chunk(&mut self) -> Result<Option<&[u8]>, AgeError> {
        self.left = 0..0;
        let text = self.advance()?;
        Ok(text.and_then(|text| self.text.get(..text)))
    }

    /// What was read from.
    pub fn into_inner(self) -> R {
        self.input
    }

    /// Opens the next chunk and returns the length of its text. A reader that failed gives nothing
    /// out any more.
    fn advance(&mut self) -> Result<Option<usize>, AgeError> {
        let carried = match std::mem::replace(&mut self.state, State::End) {
            State::Start => 0,
            State::Within => 1,
            State::Trailing => return Err(AgeError::Trailing { chunks: self.stream.chunks() }),
            State::End => return Ok(None),
        };
        self.sealed.copy_within(SEALED_BYTES.., 0);
        let room = self.sealed.get_mut(carried..).unwrap_or_default();
        let filled = carried + read_fully(&mut self.input, room)?;
        let more = filled > SEALED_BYTES;
        let sealed = self.sealed.get(..filled.min(SEALED_BYTES)).unwrap_or_default();
        let opened = self.stream.open(sealed, !more, &mut self.text);
        // What does not open as it stands there may be the other kind of chunk: the last one with
        // something behind it, or one that others should follow.
        let (text, state) = match opened {
            Ok(text) => (text, if more { State::Within } else { State::End }),
            Err(fault) => match self.stream.open(sealed, more, &mut self.text) {
                Ok(text) if more => (text, State::Trailing),
                Ok(_) => return Err(AgeError::Truncated { chunk: self.stream.chunks() }),
                Err(_) => return Err(fault),
            },
        };
        self.state = state;
        Ok(Some(text))
    }
}

impl<R: BufRead> BufRead for Reader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.left.is_empty() {
            match self.advance()? {
                Some(text) => self.left = 0..text,
                None => break,
            }
        }
        Ok(self.text.get(self.left.clone()).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.left.start = self.left.end.min(self.left.start + count);
    }
}

impl<R: BufRead> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut text = self.fill_buf()?;
        let count = text.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

/// Reads until `bytes` is full or the input ends, and returns how much it was.
pub(crate) fn read_fully(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match input.read(room) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

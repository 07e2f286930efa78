//! Reading and writing of the primitive shapes of the formats: LEB128 numbers, lengths, bytes.
//!
//! Normative: `docs/formats/change.md`.

use thiserror::Error;

/// Why bytes could not be read as a change, a batch or a saved record.
///
/// The usual cause is damage on the way or a file that is something else; a sender with a newer
/// format version gives [`DecodeError::Version`]. No variant carries content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end in the middle of a value.
    #[error("the bytes end in the middle of a value, at offset {0}")]
    Truncated(usize),
    /// The first bytes are not those of this kind of data.
    #[error("these bytes are not {0}")]
    Magic(&'static str),
    /// The format version is newer than this program.
    #[error("format version {0} is newer than this program understands")]
    Version(u8),
    /// A number, index or tag has no meaning here.
    #[error("a value without meaning ({what}) at offset {at}")]
    Meaningless {
        /// Which value.
        what: &'static str,
        /// Offset in bytes.
        at: usize,
    },
    /// A named limit is exceeded.
    #[error("{what} is over its limit at offset {at}")]
    Limit {
        /// Which limit.
        what: &'static str,
        /// Offset in bytes.
        at: usize,
    },
    /// Bytes remain after the end.
    #[error("bytes remain after the end, at offset {0}")]
    Trailing(usize),
}

/// Appends `value` as unsigned LEB128 (1 to 10 bytes).
#[inline]
pub fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` zigzag-coded, so that small negative numbers stay short.
pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends a length and the bytes.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A cursor over received bytes; every read is checked.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next byte.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether all bytes have been read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// How many bytes have not been read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = *self.bytes.get(self.at).ok_or(DecodeError::Truncated(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    /// The next `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(len).ok_or(DecodeError::Truncated(self.at))?;
        let slice = self.bytes.get(self.at..end).ok_or(DecodeError::Truncated(self.at))?;
        self.at = end;
        Ok(slice)
    }

    /// A reader of the next `len` bytes, whose offsets go on counting.
    pub fn within(&mut self, len: usize) -> Result<Self, DecodeError> {
        let start = self.at;
        self.take(len)?;
        Ok(Self { bytes: self.bytes.get(..self.at).unwrap_or_default(), at: start })
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| DecodeError::Truncated(at))
    }

    /// A number in its shortest form.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        match self.bytes.get(self.at) {
            // Most numbers are small.
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_u64(),
        }
    }

    fn long_u64(&mut self) -> Result<u64, DecodeError> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                // A longer spelling of the same number would give one change two hashes.
                if byte == 0 && shift > 0 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(DecodeError::Meaningless { what: "number", at: start })
    }

    /// A signed number, zigzag.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        let value = self.u64()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A number that fits 32 bits; `what` names it in the error.
    #[inline]
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let at = self.at;
        u32::try_from(self.u64()?).map_err(|_| DecodeError::Limit { what, at })
    }

    /// A count of things that each take at least one of the remaining bytes, so that a hostile
    /// count cannot make the reader reserve memory.
    pub fn count(&mut self, what: &'static str) -> Result<usize, DecodeError> {
        let at = self.at;
        let count = usize::try_from(self.u64()?).map_err(|_| DecodeError::Limit { what, at })?;
        if count > self.remaining() {
            return Err(DecodeError::Truncated(at));
        }
        Ok(count)
    }

    /// As [`Self::count`], and at most `limit`.
    pub fn count_up_to(&mut self, limit: usize, what: &'static str) -> Result<usize, DecodeError> {
        let at = self.at;
        let count = usize::try_from(self.u64()?).unwrap_or(usize::MAX);
        if count > limit {
            return Err(DecodeError::Limit { what, at });
        }
        if count > self.remaining() {
            return Err(DecodeError::Truncated(at));
        }
        Ok(count)
    }

    /// A length of at most `limit`, and that many bytes.
    #[inline]
    pub fn bytes(&mut self, limit: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.at;
        let len = usize::try_from(self.u64()?).map_err(|_| DecodeError::Limit { what, at })?;
        if len > limit {
            return Err(DecodeError::Limit { what, at });
        }
        self.take(len)
    }

    /// As [`Self::bytes`], and the bytes are UTF-8.
    pub fn str(&mut self, limit: usize, what: &'static str) -> Result<&'a str, DecodeError> {
        let at = self.at;
        std::str::from_utf8(self.bytes(limit, what)?)
            .map_err(|_| DecodeError::Meaningless { what, at })
    }

    /// Nothing remains.
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.at)) }
    }
}

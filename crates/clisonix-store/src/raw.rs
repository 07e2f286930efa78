//! Reading back a raw input that lies in parts.

use std::io;

use crate::content::{MessageId, RawInput, decode_part, part_key};
use crate::error::ReadError;
use crate::key_value::Table;
use crate::store::Store;

/// The bytes of a raw input, front to back, a part at a time.
///
/// Each part is read from a view of its own, so that a long reading keeps no old state of the
/// store alive.
pub struct RawReader<'s> {
    store: &'s Store,
    message: MessageId,
    size_bytes: u64,
    /// What was read last; the part after it has the number `next`.
    part: Vec<u8>,
    at: usize,
    next: u32,
    passed: u64,
}

impl Store {
    /// The bytes of a raw input, whether it lies in one row or in parts; `None` if it is not here.
    pub fn raw_content(&self, message: MessageId) -> Result<Option<RawReader<'_>>, ReadError> {
        let Some((_, RawInput { bytes, .. })) = self.snapshot()?.raw(message)? else {
            return Ok(None);
        };
        let size_bytes = bytes.len() as u64;
        let mut reader =
            RawReader { store: self, message, size_bytes, part: bytes, at: 0, next: 0, passed: 0 };
        if size_bytes == 0
            && let Some((size_bytes, part)) = reader.load_part()?
        {
            reader.size_bytes = size_bytes;
            reader.part = part;
            reader.next = 1;
        }
        Ok(Some(reader))
    }
}

impl RawReader<'_> {
    /// Length of the whole input.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The size of the whole and the bytes of the next part.
    fn load_part(&self) -> Result<Option<(u64, Vec<u8>)>, ReadError> {
        let key = part_key(self.message, self.next);
        let Some(value) = self.store.snapshot()?.value(Table::Raw, &key)? else { return Ok(None) };
        let damaged = ReadError::Damaged { table: Table::Raw };
        let (size_bytes, bytes) = decode_part(self.next, &value).ok_or(damaged)?;
        Ok(Some((size_bytes, bytes.to_vec())))
    }
}

impl io::Read for RawReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.part.len() {
            self.passed += self.part.len() as u64;
            if self.passed >= self.size_bytes {
                return Ok(0);
            }
            let part = self.load_part().map_err(io::Error::other)?;
            let (_, part) = part.ok_or(io::ErrorKind::UnexpectedEof)?;
            (self.part, self.at) = (part, 0);
            self.next += 1;
        }
        let count = self.part.get(self.at..).unwrap_or_default().read(out)?;
        self.at += count;
        Ok(count)
    }
}

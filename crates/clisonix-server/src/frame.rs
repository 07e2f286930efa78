//! Messages on a link: a length of four bytes, big-endian, and that many bytes. A message without
//! bytes only shows that its sender is there.

/// Most bytes of a message: the most that a session's has, and its kind.
pub const MAX_MESSAGE_BYTES: usize = clisonix_tide::MAX_MESSAGE_BYTES + 1;

/// Bytes of the length.
const HEAD_BYTES: usize = 4;

/// A length that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {0} bytes")]
pub struct FrameError(pub u64);

/// What came of a message so far. Memory grows with what came, not with what was announced.
#[derive(Debug, Default)]
pub struct Frames {
    held: Vec<u8>,
}

impl Frames {
    /// Takes bytes from the front of `input` until a message is whole; `None` if it needs more.
    ///
    /// # Errors
    /// [`FrameError`] for a length beyond [`MAX_MESSAGE_BYTES`].
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            let wanted = match self.held.first_chunk::<HEAD_BYTES>() {
                None => HEAD_BYTES,
                Some(head) => {
                    let length = u32::from_be_bytes(*head);
                    let size = usize::try_from(length).unwrap_or(usize::MAX);
                    if size > MAX_MESSAGE_BYTES {
                        return Err(FrameError(u64::from(length)));
                    }
                    HEAD_BYTES + size
                }
            };
            let missing = wanted.saturating_sub(self.held.len());
            if missing == 0 {
                let message = self.held.split_off(HEAD_BYTES);
                self.held.clear();
                return Ok(Some(message));
            }
            let (piece, rest) = input.split_at(missing.min(input.len()));
            self.held.extend_from_slice(piece);
            *input = rest;
            if piece.len() < missing {
                return Ok(None);
            }
        }
    }

    /// Whether a message has begun and is not whole.
    pub fn is_within(&self) -> bool {
        !self.held.is_empty()
    }

    /// How many bytes the message has that has begun, as far as is known.
    pub fn announced(&self) -> u64 {
        self.held.first_chunk().map_or(0, |head| u64::from(u32::from_be_bytes(*head)))
    }
}

/// A message as it goes over a link.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    // Longer ones are refused before they come here.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), message].concat()
}

#[cfg(test)]
mod tests;

//! Secret bytes that are wiped when they are dropped.

use zeroize::Zeroize;

use crate::error::KeyError;
use crate::random::Random;

/// `N` secret bytes. They lie on the heap and do not move, so wiping them leaves no copy behind.
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// New random bytes.
    pub fn generate(random: &mut dyn Random) -> Self {
        Self::filled(|bytes| random.fill(bytes))
    }

    /// Takes the bytes over and wipes the array it was given.
    pub fn take(bytes: &mut [u8; N]) -> Self {
        let secret = Self(Box::new(*bytes));
        bytes.zeroize();
        secret
    }

    /// A copy of bytes that somebody else wipes. Refuses another length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != N {
            return Err(KeyError::Length { what: "secret", given: bytes.len(), expected: N });
        }
        Ok(Self::filled(|own| own.copy_from_slice(bytes)))
    }

    /// Bytes that `write` puts where they stay; it starts from zeros.
    pub fn filled(write: impl FnOnce(&mut [u8; N])) -> Self {
        let mut own = Box::new([0; N]);
        write(&mut own);
        Self(own)
    }

    /// The bytes, to be used and not kept.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

//! Fingerprints of public keys that people can compare.

use std::fmt::{self, Write};

use crate::digest::sha384;

/// What stands for a public key: the first 32 bytes of the SHA-384 of what the key is for, its
/// suite and its bytes.
///
/// People compare eight groups of five digits. Each group is four of the bytes as a big-endian
/// number modulo 100,000; together they tell 132 bits (8 · log2 100,000), so finding another key
/// with the digits of a given one takes about 2^132 tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of an encoded public key that is for `purpose`.
    pub(crate) fn of(purpose: &str, key: &[u8]) -> Self {
        let digest = sha384(&[b"clisonix key 1\0", purpose.as_bytes(), b"\0", key].concat());
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(digest).for_each(|(own, byte)| *own = byte);
        Self(bytes)
    }

    /// The bytes, for formats.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// A fingerprint that a format holds.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads what [`Self::hexadecimal`] wrote.
    pub fn from_hexadecimal(text: &str) -> Option<Self> {
        let digits = text.as_bytes().as_chunks::<2>().0;
        let mut bytes = [0; 32];
        for (own, pair) in bytes.iter_mut().zip(digits) {
            *own = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        let fingerprint = Self(bytes);
        (fingerprint.hexadecimal() == text).then_some(fingerprint)
    }

    /// All 64 hexadecimal digits, for machines.
    pub fn hexadecimal(self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, group) in self.0.as_chunks::<4>().0.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{:05}", u32::from_be_bytes(*group) % 100_000)?;
        }
        Ok(())
    }
}

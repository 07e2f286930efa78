//! SHA-2 (FIPS 180-4), HMAC (RFC 2104) and HKDF (RFC 5869).

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::{constant_time, hkdf, hmac};

use crate::error::KeyError;

/// SHA-256 of bytes at hand.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::new().with(bytes).finish()
}

/// SHA-384 of bytes at hand.
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    sized(digest::digest(&SHA384, bytes).as_ref())
}

/// SHA-512 of bytes at hand.
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    sized(digest::digest(&SHA512, bytes).as_ref())
}

/// SHA-256 over bytes that come in pieces.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Over nothing yet.
    pub fn new() -> Self {
        Self(digest::Context::new(&SHA256))
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Takes the next piece.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.update(bytes);
        self
    }

    /// The digest of all pieces.
    pub fn finish(self) -> [u8; 32] {
        sized(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// HMAC with SHA-256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    hmac(Hash::Sha256, key, &[message]).try_into().unwrap_or_else(|_| unreachable!("32 bytes"))
}

/// Whether two byte strings are equal, in a time that tells only their lengths. For tags,
/// commitments and other values that must not be found out byte by byte.
pub fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// HKDF with SHA-256 into `output`, which may have at most 255 · 32 bytes.
pub fn hkdf_sha256(
    salt: &[u8],
    secret: &[u8],
    info: &[&[u8]],
    output: &mut [u8],
) -> Result<(), KeyError> {
    expand(Hash::Sha256, &extract(Hash::Sha256, salt, &[secret]), info, output)
}

/// The hash under HMAC and HKDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Of the profile `hybrid`.
    Sha256,
    /// Of the profile `cnsa2`.
    Sha384,
}

impl Hash {
    /// Bytes of a digest.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
        }
    }

    fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Self::Sha256 => hkdf::HKDF_SHA256,
            Self::Sha384 => hkdf::HKDF_SHA384,
        }
    }
}

/// HMAC over pieces.
pub fn hmac(hash: Hash, key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hash.hmac(), key));
    for piece in pieces {
        context.update(piece);
    }
    context.sign().as_ref().to_vec()
}

/// HKDF-Extract, which is HMAC under the salt (RFC 5869 section 2.2).
pub fn extract(hash: Hash, salt: &[u8], secret: &[&[u8]]) -> zeroize::Zeroizing<Vec<u8>> {
    hmac(hash, salt, secret).into()
}

/// HKDF-Expand into `output`, which may have at most 255 digests.
pub fn expand(
    hash: Hash,
    pseudorandom: &[u8],
    info: &[&[u8]],
    output: &mut [u8],
) -> Result<(), KeyError> {
    let given = output.len();
    let too_long =
        |_| KeyError::Length { what: "derived key", given, expected: 255 * hash.bytes() };
    let key = hkdf::Prk::new_less_safe(hash.hkdf(), pseudorandom);
    let expanded = key.expand(info, Length(given)).map_err(too_long)?;
    expanded.fill(output).map_err(too_long)
}

/// How much to derive, as aws-lc asks for it.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn sized<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest.try_into().unwrap_or_else(|_| unreachable!("a digest has the length of its algorithm"))
}

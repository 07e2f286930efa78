//! Authenticated encryption under a key: ChaCha20-Poly1305 (RFC 8439) and AES-256-GCM (NIST SP
//! 800-38D), with nonces of 12 bytes and tags of 16.
//!
//! Neither commits to its key. Where more than one key may be tried, compare a commitment (an HMAC
//! or an output of HKDF) before opening.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce};

use crate::error::{DecryptError, KeyError};
use crate::primitive::Aead;

/// Bytes of a key, of both algorithms.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce, of both algorithms.
pub const NONCE_BYTES: usize = 12;
/// Bytes of a tag, of both algorithms.
pub const TAG_BYTES: usize = 16;

/// ChaCha20-Poly1305 under one key.
pub struct ChaCha20Poly1305(LessSafeKey);

/// AES-256-GCM under one key.
pub struct Aes256Gcm(LessSafeKey);

macro_rules! aead {
    ($name:ident, $algorithm:expr) => {
        impl $name {
            /// Takes a key.
            pub fn with_key(key: &[u8; KEY_BYTES]) -> Self {
                Self(bound(&$algorithm, key))
            }

            /// Encrypts `text` where it lies and returns its tag. One nonce must never be used
            /// twice with one key.
            pub fn seal_in_place(
                &self,
                nonce: &[u8; NONCE_BYTES],
                aad: &[u8],
                text: &mut [u8],
            ) -> [u8; TAG_BYTES] {
                seal(&self.0, *nonce, aad, text)
            }

            /// Checks the tag and decrypts `text` where it lies; on an error `text` is zeros.
            pub fn open_in_place(
                &self,
                nonce: &[u8; NONCE_BYTES],
                aad: &[u8],
                text: &mut [u8],
                tag: &[u8; TAG_BYTES],
            ) -> Result<(), DecryptError> {
                open(&self.0, *nonce, aad, text, tag)
            }
        }

        impl Aead for $name {
            const KEY_BYTES: usize = KEY_BYTES;
            const NONCE_BYTES: usize = NONCE_BYTES;

            fn new(key: &[u8]) -> Result<Self, KeyError> {
                Ok(Self::with_key(&KeyError::sized("key", key)?))
            }

            fn seal(
                &self,
                nonce: &[u8],
                aad: &[u8],
                text: &mut [u8],
            ) -> Result<[u8; 16], KeyError> {
                Ok(self.seal_in_place(&KeyError::sized("nonce", nonce)?, aad, text))
            }

            fn open(
                &self,
                nonce: &[u8],
                aad: &[u8],
                text: &mut [u8],
                tag: &[u8; 16],
            ) -> Result<(), DecryptError> {
                let nonce = nonce.try_into().map_err(|_| DecryptError::Rejected)?;
                self.open_in_place(nonce, aad, text, tag)
            }
        }
    };
}

aead!(ChaCha20Poly1305, CHACHA20_POLY1305);
aead!(Aes256Gcm, AES_256_GCM);

fn bound(algorithm: &'static Algorithm, key: &[u8; KEY_BYTES]) -> LessSafeKey {
    match aws_lc_rs::aead::UnboundKey::new(algorithm, key) {
        Ok(key) => LessSafeKey::new(key),
        Err(_) => unreachable!("both algorithms take 32 bytes"),
    }
}

fn seal(key: &LessSafeKey, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; TAG_BYTES] {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), text);
    match tag.ok().and_then(|tag| tag.as_ref().try_into().ok()) {
        Some(tag) => tag,
        None => unreachable!("texts in memory are below the 2^36 bytes of either algorithm"),
    }
}

fn open(
    key: &LessSafeKey,
    nonce: [u8; 12],
    aad: &[u8],
    text: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> Result<(), DecryptError> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    if key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, text).is_err() {
        text.fill(0);
        return Err(DecryptError::Rejected);
    }
    Ok(())
}

//! AEADs of `RustCrypto`, among them those that the crate does not offer and vectors speak of.

use aes_gcm::AesGcm;
use aes_gcm::aead::array::ArraySize;
use aes_gcm::aead::array::typenum::{U1, U2, U4, U6, U8, U10, U12, U15, U16, U32, U128};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use clisonix_pq::primitive::Aead;
use clisonix_pq::{DecryptError, KeyError};

/// ChaCha20-Poly1305.
pub(crate) struct ChaCha20Poly1305(Box<dyn Detached>);

/// ChaCha20-Poly1305 with nonces of 24 bytes.
pub(crate) struct XChaCha20Poly1305(Box<dyn Detached>);

/// AES-GCM of every key size, with nonces of the sizes that vectors use.
pub(crate) struct Aes(Vec<u8>);

/// Any of them with its tag beside the text; `None` is a refusal.
trait Detached {
    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> Option<[u8; 16]>;
    fn open(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: [u8; 16]) -> Option<()>;
}

impl<A: AeadInOut<TagSize = U16>> Detached for A {
    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> Option<[u8; 16]> {
        let nonce = nonce.try_into().ok()?;
        Some(self.encrypt_inout_detached(nonce, aad, text.into()).ok()?.into())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: [u8; 16]) -> Option<()> {
        let nonce = nonce.try_into().ok()?;
        self.decrypt_inout_detached(nonce, aad, text.into(), &tag.into()).ok()
    }
}

fn boxed<A: KeyInit + AeadInOut<TagSize = U16> + 'static>(key: &[u8]) -> Option<Box<dyn Detached>> {
    Some(Box::new(A::new_from_slice(key).ok()?))
}

fn gcm<N: ArraySize + 'static>(key: &[u8]) -> Option<Box<dyn Detached>> {
    match key.len() {
        16 => boxed::<AesGcm<Aes128, N>>(key),
        24 => boxed::<AesGcm<Aes192, N>>(key),
        _ => boxed::<AesGcm<Aes256, N>>(key),
    }
}

impl Aes {
    fn with_nonce(&self, bytes: usize) -> Option<Box<dyn Detached>> {
        let key = &*self.0;
        match bytes {
            1 => gcm::<U1>(key),
            2 => gcm::<U2>(key),
            4 => gcm::<U4>(key),
            6 => gcm::<U6>(key),
            8 => gcm::<U8>(key),
            10 => gcm::<U10>(key),
            12 => gcm::<U12>(key),
            15 => gcm::<U15>(key),
            16 => gcm::<U16>(key),
            32 => gcm::<U32>(key),
            128 => gcm::<U128>(key),
            _ => None,
        }
    }
}

impl Aead for Aes {
    const KEY_BYTES: usize = 32;
    const NONCE_BYTES: usize = 12;

    fn new(key: &[u8]) -> Result<Self, KeyError> {
        Ok(Self(key.to_vec()))
    }

    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> Result<[u8; 16], KeyError> {
        let key = self.with_nonce(nonce.len());
        key.and_then(|key| key.seal(nonce, aad, text)).ok_or(KeyError::Invalid("nonce"))
    }

    fn open(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), DecryptError> {
        let key = self.with_nonce(nonce.len());
        key.and_then(|key| key.open(nonce, aad, text, *tag)).ok_or(DecryptError::Rejected)
    }
}

macro_rules! chacha {
    ($name:ident, $nonce:literal) => {
        impl Aead for $name {
            const KEY_BYTES: usize = 32;
            const NONCE_BYTES: usize = $nonce;

            fn new(key: &[u8]) -> Result<Self, KeyError> {
                boxed::<chacha20poly1305::$name>(key).map(Self).ok_or(KeyError::Invalid("key"))
            }

            fn seal(
                &self,
                nonce: &[u8],
                aad: &[u8],
                text: &mut [u8],
            ) -> Result<[u8; 16], KeyError> {
                self.0.seal(nonce, aad, text).ok_or(KeyError::Invalid("nonce"))
            }

            fn open(
                &self,
                nonce: &[u8],
                aad: &[u8],
                text: &mut [u8],
                tag: &[u8; 16],
            ) -> Result<(), DecryptError> {
                self.0.open(nonce, aad, text, *tag).ok_or(DecryptError::Rejected)
            }
        }
    };
}

chacha!(ChaCha20Poly1305, 12);
chacha!(XChaCha20Poly1305, 24);

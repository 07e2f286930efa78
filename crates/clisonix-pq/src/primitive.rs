//! The traits behind which the primitives stand, so that two implementations of one can be held
//! against each other.

use crate::error::{DecryptError, KeyError, VerifyError};
use crate::random::Random;
use crate::secret::Secret;

/// Authenticated encryption with associated data (RFC 5116), a 16-byte tag beside the text.
pub trait Aead: Sized {
    /// Bytes of a key.
    const KEY_BYTES: usize;
    /// Bytes of a nonce. One nonce must never be used twice with one key.
    const NONCE_BYTES: usize;

    /// Takes a key.
    fn new(key: &[u8]) -> Result<Self, KeyError>;

    /// Encrypts `text` where it lies and returns its tag.
    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> Result<[u8; 16], KeyError>;

    /// Checks the tag and decrypts `text` where it lies. On an error nothing of the plain text is
    /// in `text`; the caller still must not use what is there.
    fn open(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), DecryptError>;
}

/// A signature algorithm whose secret keys are seeds.
pub trait Signing {
    /// Its name.
    const NAME: &'static str;
    /// Bytes of a seed.
    const SEED_BYTES: usize;
    /// Bytes of a public key.
    const PUBLIC_BYTES: usize;
    /// Bytes of a signature.
    const SIGNATURE_BYTES: usize;
    /// Bytes a context may have; 0 where the algorithm knows none.
    const MAX_CONTEXT_BYTES: usize;
    /// What signing needs, computed from the seed once.
    type Key;

    /// Expands a seed.
    fn key(seed: &[u8]) -> Result<Self::Key, KeyError>;

    /// The public key.
    fn public(key: &Self::Key) -> Vec<u8>;

    /// Signs. Algorithms that use randomness take it from `random`.
    fn sign(
        key: &Self::Key,
        context: &[u8],
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, KeyError>;

    /// Verifies a signature under an encoded public key.
    fn verify(
        public: &[u8],
        context: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError>;
}

/// A key encapsulation mechanism (NIST SP 800-227) whose secret keys are seeds and whose shared
/// secrets have 32 bytes.
pub trait Kem {
    /// Its name.
    const NAME: &'static str;
    /// Bytes of a seed.
    const SEED_BYTES: usize;
    /// Bytes of a public key.
    const PUBLIC_BYTES: usize;
    /// Bytes of an encapsulated secret.
    const ENCAPSULATED_BYTES: usize;
    /// What decapsulation needs, computed from the seed once.
    type Key;

    /// Expands a seed.
    fn key(seed: &[u8]) -> Result<Self::Key, KeyError>;

    /// The public key.
    fn public(key: &Self::Key) -> Vec<u8>;

    /// Checks that bytes are a public key.
    fn check(public: &[u8]) -> Result<(), KeyError>;

    /// Makes a shared secret for the holder of a key. Checks the public key.
    fn encapsulate(
        public: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), KeyError>;

    /// The shared secret. What was encapsulated for another key, or changed on the way, gives an
    /// unrelated secret and no error (implicit rejection, FIPS 203 section 6.3); an error means a
    /// wrong length or a share of X25519 that takes no part.
    fn decapsulate(key: &Self::Key, encapsulated: &[u8]) -> Result<Secret<32>, DecryptError>;
}

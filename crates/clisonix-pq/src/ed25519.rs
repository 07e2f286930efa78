//! Ed25519 (RFC 8032), which is the classical half of a hybrid signature and is never used alone
//! for what must last.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::error::{KeyError, VerifyError};
use crate::primitive::Signing;
use crate::random::Random;

/// The algorithm.
pub struct Ed25519;

impl Signing for Ed25519 {
    const NAME: &'static str = "Ed25519";
    const SEED_BYTES: usize = 32;
    const PUBLIC_BYTES: usize = 32;
    const SIGNATURE_BYTES: usize = 64;
    const MAX_CONTEXT_BYTES: usize = 0;
    type Key = Ed25519KeyPair;

    fn key(seed: &[u8]) -> Result<Ed25519KeyPair, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Length {
            what: "seed of Ed25519",
            given: seed.len(),
            expected: Self::SEED_BYTES,
        })
    }

    fn public(key: &Ed25519KeyPair) -> Vec<u8> {
        key.public_key().as_ref().to_vec()
    }

    /// The algorithm is deterministic and takes nothing from `random`.
    fn sign(
        key: &Ed25519KeyPair,
        context: &[u8],
        message: &[u8],
        _random: &mut dyn Random,
    ) -> Result<Vec<u8>, KeyError> {
        if !context.is_empty() {
            let given = context.len();
            return Err(KeyError::Length { what: "context of Ed25519", given, expected: 0 });
        }
        Ok(key.sign(message).as_ref().to_vec())
    }

    fn verify(
        public: &[u8],
        context: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        let verified = UnparsedPublicKey::new(&ED25519, public).verify(message, signature);
        if !context.is_empty() || verified.is_err() {
            return Err(VerifyError::Rejected);
        }
        Ok(())
    }
}

//! Ed25519 of dalek, and ML-DSA of aws-lc, which knows no context.

use aws_lc_rs::signature::{
    KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, ML_DSA_87, ML_DSA_87_SIGNING, PqdsaKeyPair,
    UnparsedPublicKey,
};
use clisonix_pq::primitive::Signing;
use clisonix_pq::{KeyError, Random, VerifyError};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

/// Ed25519.
pub(crate) struct DalekEd25519;

impl Signing for DalekEd25519 {
    const NAME: &'static str = "Ed25519";
    const SEED_BYTES: usize = 32;
    const PUBLIC_BYTES: usize = 32;
    const SIGNATURE_BYTES: usize = 64;
    const MAX_CONTEXT_BYTES: usize = 0;
    type Key = SigningKey;

    fn key(seed: &[u8]) -> Result<SigningKey, KeyError> {
        seed.try_into().map_err(|_| KeyError::Invalid("seed"))
    }

    fn public(key: &SigningKey) -> Vec<u8> {
        key.verifying_key().to_bytes().to_vec()
    }

    fn sign(
        key: &SigningKey,
        _context: &[u8],
        message: &[u8],
        _random: &mut dyn Random,
    ) -> Result<Vec<u8>, KeyError> {
        Ok(key.sign(message).to_bytes().to_vec())
    }

    fn verify(
        public: &[u8],
        _context: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        let key = VerifyingKey::try_from(public).map_err(|_| VerifyError::Rejected)?;
        // RFC 8032 section 5.1.3 refuses a key that is not reduced; dalek takes it.
        if key.to_edwards().compress().as_bytes() != public {
            return Err(VerifyError::Rejected);
        }
        let signature = signature.try_into().map_err(|_| VerifyError::Rejected)?;
        ed25519_dalek::Verifier::verify(&key, message, &signature)
            .map_err(|_| VerifyError::Rejected)
    }
}

/// ML-DSA-65.
pub(crate) struct AwsMlDsa65;

/// ML-DSA-87.
pub(crate) struct AwsMlDsa87;

macro_rules! aws {
    ($name:ident, $text:literal, $signing:ident, $verifying:ident, $public:literal, $signature:literal) => {
        impl Signing for $name {
            const NAME: &'static str = $text;
            const SEED_BYTES: usize = 32;
            const PUBLIC_BYTES: usize = $public;
            const SIGNATURE_BYTES: usize = $signature;
            const MAX_CONTEXT_BYTES: usize = 0;
            type Key = PqdsaKeyPair;

            fn key(seed: &[u8]) -> Result<PqdsaKeyPair, KeyError> {
                PqdsaKeyPair::from_seed(&$signing, seed).map_err(|_| KeyError::Invalid("seed"))
            }

            fn public(key: &PqdsaKeyPair) -> Vec<u8> {
                key.public_key().as_ref().to_vec()
            }

            fn sign(
                key: &PqdsaKeyPair,
                _context: &[u8],
                message: &[u8],
                _random: &mut dyn Random,
            ) -> Result<Vec<u8>, KeyError> {
                let mut signature = vec![0; $signature];
                key.sign(message, &mut signature).map_err(|_| KeyError::Invalid("message"))?;
                Ok(signature)
            }

            fn verify(
                public: &[u8],
                _context: &[u8],
                message: &[u8],
                signature: &[u8],
            ) -> Result<(), VerifyError> {
                UnparsedPublicKey::new(&$verifying, public)
                    .verify(message, signature)
                    .map_err(|_| VerifyError::Rejected)
            }
        }
    };
}

aws!(AwsMlDsa65, "ML-DSA-65", ML_DSA_65_SIGNING, ML_DSA_65, 1952, 3309);
aws!(AwsMlDsa87, "ML-DSA-87", ML_DSA_87_SIGNING, ML_DSA_87, 2592, 4627);

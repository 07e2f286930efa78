//! ML-DSA (FIPS 204), the pure variant with a context, signing with randomness (hedged).

use ml_dsa::{EncodedVerifyingKey, ExpandedSigningKey, Signature, VerifyingKey};
use zeroize::Zeroize;

use crate::error::{KeyError, VerifyError};
use crate::primitive::Signing;
use crate::random::{Random, Source};

/// ML-DSA-65, category 3.
pub struct MlDsa65;

/// ML-DSA-87, category 5.
pub struct MlDsa87;

macro_rules! ml_dsa {
    ($name:ident, $text:literal, $public:literal, $signature:literal) => {
        impl Signing for $name {
            const NAME: &'static str = $text;
            const SEED_BYTES: usize = 32;
            const PUBLIC_BYTES: usize = $public;
            const SIGNATURE_BYTES: usize = $signature;
            const MAX_CONTEXT_BYTES: usize = 255;
            type Key = Box<ExpandedSigningKey<ml_dsa::$name>>;

            fn key(seed: &[u8]) -> Result<Self::Key, KeyError> {
                let mut seed = ml_dsa::Seed::from(KeyError::sized::<32>("seed of ML-DSA", seed)?);
                let key = Box::new(ExpandedSigningKey::from_seed(&seed));
                seed.zeroize();
                Ok(key)
            }

            fn public(key: &Self::Key) -> Vec<u8> {
                key.verifying_key().encode().to_vec()
            }

            fn sign(
                key: &Self::Key,
                context: &[u8],
                message: &[u8],
                random: &mut dyn Random,
            ) -> Result<Vec<u8>, KeyError> {
                let signature = key.sign_randomized(message, context, &mut Source(random));
                let signature = signature.map_err(|_| KeyError::Length {
                    what: "context of ML-DSA",
                    given: context.len(),
                    expected: Self::MAX_CONTEXT_BYTES,
                })?;
                Ok(signature.encode().to_vec())
            }

            fn verify(
                public: &[u8],
                context: &[u8],
                message: &[u8],
                signature: &[u8],
            ) -> Result<(), VerifyError> {
                Self::verify_with(&Self::prepare(public)?, context, message, signature)
            }
        }

        impl $name {
            /// Makes a public key ready for many signatures: its matrix is expanded once, which is
            /// most of the work of verifying.
            pub(crate) fn prepare(
                public: &[u8],
            ) -> Result<VerifyingKey<ml_dsa::$name>, VerifyError> {
                let public: &EncodedVerifyingKey<ml_dsa::$name> =
                    public.try_into().map_err(|_| VerifyError::Rejected)?;
                Ok(VerifyingKey::decode(public))
            }

            /// Verifies a signature under a public key that was made ready.
            pub(crate) fn verify_with(
                key: &VerifyingKey<ml_dsa::$name>,
                context: &[u8],
                message: &[u8],
                signature: &[u8],
            ) -> Result<(), VerifyError> {
                let signature = Signature::<ml_dsa::$name>::try_from(signature)
                    .map_err(|_| VerifyError::Rejected)?;
                let verified = context.len() <= Self::MAX_CONTEXT_BYTES
                    && key.verify_with_context(message, context, &signature);
                if verified { Ok(()) } else { Err(VerifyError::Rejected) }
            }
        }
    };
}

ml_dsa!(MlDsa65, "ML-DSA-65", 1952, 3309);
ml_dsa!(MlDsa87, "ML-DSA-87", 2592, 4627);

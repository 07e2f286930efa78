//! The composite signature `id-MLDSA65-Ed25519-SHA512` (draft-ietf-lamps-pq-composite-sigs): one
//! key and one signature made of ML-DSA-65 and Ed25519, valid only if both halves are.
//!
//! It cannot be forged without breaking both, but a valid signature can be turned into another
//! valid one over the same message: never use signature bytes as an identity.

use ml_dsa::VerifyingKey;
use zeroize::Zeroizing;

use crate::digest::sha512;
use crate::ed25519::Ed25519;
use crate::error::{KeyError, VerifyError};
use crate::ml_dsa::MlDsa65;
use crate::primitive::Signing;
use crate::random::Random;

/// The algorithm.
pub struct MlDsa65Ed25519;

/// The expanded halves of a secret key.
pub struct Key {
    lattice: <MlDsa65 as Signing>::Key,
    curve: <Ed25519 as Signing>::Key,
}

/// Of section 3.2: separates composite signatures from every other use of the halves.
const PREFIX: &[u8] = b"CompositeAlgorithmSignatures2025";
/// Of section 6: names the pair; also the ML-DSA context, which keeps the lattice half from being
/// valid alone.
const LABEL: &[u8] = b"COMPSIG-MLDSA65-Ed25519-SHA512";

impl Signing for MlDsa65Ed25519 {
    const NAME: &'static str = "id-MLDSA65-Ed25519-SHA512";
    const SEED_BYTES: usize = MlDsa65::SEED_BYTES + Ed25519::SEED_BYTES;
    const PUBLIC_BYTES: usize = MlDsa65::PUBLIC_BYTES + Ed25519::PUBLIC_BYTES;
    const SIGNATURE_BYTES: usize = MlDsa65::SIGNATURE_BYTES + Ed25519::SIGNATURE_BYTES;
    const MAX_CONTEXT_BYTES: usize = 255;
    type Key = Key;

    fn key(seed: &[u8]) -> Result<Key, KeyError> {
        let seed = Zeroizing::new(KeyError::sized::<{ Self::SEED_BYTES }>(
            "seed of a composite signing key",
            seed,
        )?);
        let (lattice, curve) = seed.split_at(MlDsa65::SEED_BYTES);
        Ok(Key { lattice: MlDsa65::key(lattice)?, curve: Ed25519::key(curve)? })
    }

    fn public(key: &Key) -> Vec<u8> {
        [MlDsa65::public(&key.lattice), Ed25519::public(&key.curve)].concat()
    }

    fn sign(
        key: &Key,
        context: &[u8],
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, KeyError> {
        let representative = representative(context, message).ok_or(KeyError::Length {
            what: "context of a composite signature",
            given: context.len(),
            expected: Self::MAX_CONTEXT_BYTES,
        })?;
        let lattice = MlDsa65::sign(&key.lattice, LABEL, &representative, random)?;
        let curve = Ed25519::sign(&key.curve, &[], &representative, random)?;
        Ok([lattice, curve].concat())
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

/// A public key that is made ready for many signatures.
pub(crate) struct Prepared {
    lattice: VerifyingKey<ml_dsa::MlDsa65>,
    curve: Box<[u8]>,
}

impl MlDsa65Ed25519 {
    /// Makes a public key ready for many signatures.
    pub(crate) fn prepare(public: &[u8]) -> Result<Prepared, VerifyError> {
        let halves = public.split_at_checked(MlDsa65::PUBLIC_BYTES);
        let (lattice, curve) = halves.ok_or(VerifyError::Rejected)?;
        Ok(Prepared { lattice: MlDsa65::prepare(lattice)?, curve: curve.into() })
    }

    /// Verifies a signature under a public key that was made ready.
    pub(crate) fn verify_with(
        key: &Prepared,
        context: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        let signature = signature.split_at_checked(MlDsa65::SIGNATURE_BYTES);
        let representative = representative(context, message);
        let (Some(signature), Some(representative)) = (signature, representative) else {
            return Err(VerifyError::Rejected);
        };
        // The cheaper half is not checked first to save time: both are always checked, so the time
        // does not tell which one failed.
        let lattice = MlDsa65::verify_with(&key.lattice, LABEL, &representative, signature.0);
        let curve = Ed25519::verify(&key.curve, &[], &representative, signature.1);
        lattice.and(curve)
    }
}

/// `M' = Prefix || Label || len(ctx) || ctx || SHA-512(M)`, which both halves sign (section 3.2).
fn representative(context: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(context.len()).ok()?;
    Some([PREFIX, LABEL, &[length], context, &sha512(message)].concat())
}

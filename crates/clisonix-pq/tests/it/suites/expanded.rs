//! What only vectors do with `RustCrypto`: expanded keys and prepared messages. The crate itself
//! keeps seeds alone.

#![allow(deprecated, reason = "expanded keys are to be tested, not to be used")]

use clisonix_fhir::json::Value;
use ml_dsa::{ExpandedSigningKey, MlDsa65, MlDsa87};
use ml_kem::kem::Decapsulate;
use ml_kem::{DecapsulationKey, ExpandedKeyEncoding, MlKem768, MlKem1024};

use super::Outcome;
use crate::vectors::Case;

/// The expanded key of a seed.
pub(super) fn key(set: &str, seed: &[u8]) -> Option<Vec<u8>> {
    let seed = seed.try_into().ok()?;
    match set {
        "ML-KEM-768" => {
            Some(DecapsulationKey::<MlKem768>::from_seed(seed).to_expanded_bytes().to_vec())
        }
        "ML-KEM-1024" => {
            Some(DecapsulationKey::<MlKem1024>::from_seed(seed).to_expanded_bytes().to_vec())
        }
        _ => None,
    }
}

/// The shared secret under an expanded key.
pub(super) fn decapsulate(set: &str, expanded: &[u8], encapsulated: &[u8]) -> Option<Vec<u8>> {
    macro_rules! with {
        ($set:ident) => {{
            let key = DecapsulationKey::<$set>::from_expanded_bytes(expanded.try_into().ok()?);
            Some(key.ok()?.decapsulate_slice(encapsulated).ok()?.to_vec())
        }};
    }
    match set {
        "ML-KEM-768" => with!(MlKem768),
        "ML-KEM-1024" => with!(MlKem1024),
        _ => None,
    }
}

/// Whether an expanded key gives the shared secret of a vector, or is refused.
pub(super) fn decapsulates(set: &str, expanded: &[u8], test: &Value, valid: bool) -> Outcome {
    let shared = decapsulate(set, expanded, &test.bytes("c"));
    Outcome::when(shared == valid.then(|| test.bytes("K")), "another shared secret")
}

macro_rules! with_signing {
    ($set:expr, $key:ident, $made:expr, $do:expr) => {
        match $set {
            "ML-DSA-65" => {
                type Set = MlDsa65;
                let $key: ExpandedSigningKey<Set> = $made?;
                Some($do)
            }
            "ML-DSA-87" => {
                type Set = MlDsa87;
                let $key: ExpandedSigningKey<Set> = $made?;
                Some($do)
            }
            _ => None,
        }
    };
}

/// Signs a message representative of 64 bytes, deterministically.
pub(super) fn sign_mu(set: &str, seed: &[u8], mu: &[u8]) -> Option<Vec<u8>> {
    let seed = seed.try_into().ok()?;
    let mu = mu.try_into().ok()?;
    with_signing!(set, key, Some(ExpandedSigningKey::from_seed(&seed)), {
        key.sign_mu_deterministic(&mu).encode().to_vec()
    })
}

/// The expanded key of a seed.
pub(super) fn signing_key(set: &str, seed: &[u8]) -> Option<Vec<u8>> {
    let seed = seed.try_into().ok()?;
    with_signing!(set, key, Some(ExpandedSigningKey::from_seed(&seed)), key.to_expanded().to_vec())
}

/// Signs the message as it is, without the context's bytes before it (`ML-DSA.Sign_internal`).
pub(super) fn sign_internal(
    set: &str,
    expanded: &[u8],
    message: &[u8],
    random: &[u8; 32],
) -> Option<Vec<u8>> {
    with_signing!(
        set,
        key,
        expanded.try_into().ok().map(ExpandedSigningKey::from_expanded),
        key.sign_internal(&[message], &(*random).into()).encode().to_vec()
    )
}

/// Verifies a signature made like that.
pub(super) fn verify_internal(
    set: &str,
    public: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    macro_rules! with {
        ($set:ident) => {{
            let key = ml_dsa::VerifyingKey::<$set>::decode(public.try_into().ok()?);
            let signature = ml_dsa::Signature::<$set>::try_from(signature);
            Some(signature.is_ok_and(|signature| key.verify_internal(message, &signature)))
        }};
    }
    match set {
        "ML-DSA-65" => with!(MlDsa65),
        "ML-DSA-87" => with!(MlDsa87),
        _ => None,
    }
}

//! ML-KEM of aws-lc, which takes expanded keys and draws its own randomness, and X-Wing put
//! together from aws-lc's parts.

#![allow(deprecated, reason = "aws-lc takes no seeds, so keys are handed to it expanded")]

use aws_lc_rs::digest::{SHA3_256, digest};
use aws_lc_rs::kem::{Algorithm, Ciphertext, DecapsulationKey, EncapsulationKey};
use aws_lc_rs::kem::{AlgorithmId, ML_KEM_768, ML_KEM_1024};
use clisonix_pq::{KeyError, Random, Secret, x25519};
use ml_kem::{ExpandedKeyEncoding, FromSeed};
use shake::{ExtendableOutput, Shake256, Update, XofReader};

/// ML-KEM of one size.
#[derive(Clone, Copy)]
pub(crate) struct Lattice(&'static Algorithm<AlgorithmId>);

impl Lattice {
    /// By the name that the vectors give.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "ML-KEM-768" => Some(Self(&ML_KEM_768)),
            "ML-KEM-1024" => Some(Self(&ML_KEM_1024)),
            _ => None,
        }
    }

    /// A new shared secret and what it is encapsulated in.
    pub(crate) fn encapsulate(self, public: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let key = EncapsulationKey::new(self.0, public).ok()?;
        let (encapsulated, shared) = key.encapsulate().ok()?;
        Some((encapsulated.as_ref().to_vec(), shared.as_ref().to_vec()))
    }

    /// The shared secret under an expanded key.
    pub(crate) fn decapsulate(self, expanded: &[u8], encapsulated: &[u8]) -> Option<Vec<u8>> {
        let key = DecapsulationKey::new(self.0, expanded).ok()?;
        Some(key.decapsulate(Ciphertext::from(encapsulated)).ok()?.as_ref().to_vec())
    }
}

/// X-Wing by the draft's text: section 5.2 expands the seed, section 5.3 joins the secrets.
pub(crate) struct XWing {
    lattice: Vec<u8>,
    curve: Secret<32>,
    pub(crate) public: Vec<u8>,
}

impl XWing {
    pub(crate) fn new(seed: &[u8]) -> Self {
        let mut shake = Shake256::default();
        shake.update(seed);
        let mut expanded = [0; 96];
        shake.finalize_xof().read(&mut expanded);
        let (lattice, curve) = expanded.split_at(64);
        let (key, public) =
            ml_kem::MlKem768::from_seed(&lattice.try_into().expect("a seed of 64 bytes"));
        let curve = Secret::from_slice(curve).expect("32 bytes");
        let own = x25519::public(&curve).expect("a public value");
        let public = [&ml_kem::kem::KeyExport::to_bytes(&public)[..], &own].concat();
        let lattice = key.to_expanded_bytes().to_vec();
        Self { lattice, curve, public }
    }

    pub(crate) fn decapsulate(&self, encapsulated: &[u8]) -> Option<Vec<u8>> {
        let (lattice, curve) = encapsulated.split_at_checked(1088)?;
        let shared = Lattice(&ML_KEM_768).decapsulate(&self.lattice, lattice)?;
        let agreed = x25519::agree(&self.curve, curve.try_into().ok()?).ok()?;
        Some(combine(&shared, agreed.expose(), curve, &self.public[1184..]))
    }

    /// For any recipient; the lattice half draws its own randomness.
    pub(crate) fn encapsulate(
        public: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        let (lattice, curve) = public.split_at(1184);
        let refused = KeyError::Invalid("public key");
        let (mut encapsulated, shared) =
            Lattice(&ML_KEM_768).encapsulate(lattice).ok_or(refused)?;
        let own = Secret::generate(random);
        let agreed = x25519::agree(&own, curve.try_into().map_err(|_| refused)?);
        let agreed = agreed.map_err(|_| refused)?;
        let share = x25519::public(&own)?;
        encapsulated.extend(share);
        Ok((encapsulated, combine(&shared, agreed.expose(), &share, curve)))
    }
}

fn combine(lattice: &[u8], agreed: &[u8], share: &[u8], public: &[u8]) -> Vec<u8> {
    let label = br"\.//^\";
    digest(&SHA3_256, &[lattice, agreed, share, public, label].concat()).as_ref().to_vec()
}

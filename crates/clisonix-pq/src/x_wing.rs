//! X-Wing, the KEM that joins ML-KEM-768 and X25519 (draft-connolly-cfrg-xwing-kem): an attacker
//! has to break both.

use x_wing::kem::{Decapsulator, Encapsulate, KeyExport, TryDecapsulate};
use x_wing::{DecapsulationKeyRejectNonContrib, EncapsulationKey};
use zeroize::Zeroize;

use crate::error::{DecryptError, KeyError};
use crate::primitive::Kem;
use crate::random::{Random, Source};
use crate::secret::Secret;

/// The algorithm. A share of X25519 that takes no part (a result of all zeros) is refused, as age
/// demands and the coming standard will.
pub struct XWing;

impl Kem for XWing {
    const NAME: &'static str = "X-Wing";
    const SEED_BYTES: usize = x_wing::DECAPSULATION_KEY_SIZE;
    const PUBLIC_BYTES: usize = x_wing::ENCAPSULATION_KEY_SIZE;
    const ENCAPSULATED_BYTES: usize = x_wing::CIPHERTEXT_SIZE;
    type Key = Box<DecapsulationKeyRejectNonContrib>;

    fn key(seed: &[u8]) -> Result<Self::Key, KeyError> {
        let mut seed = KeyError::sized::<32>("seed of X-Wing", seed)?;
        let key = Box::new(DecapsulationKeyRejectNonContrib::from(seed));
        seed.zeroize();
        Ok(key)
    }

    fn public(key: &Self::Key) -> Vec<u8> {
        key.encapsulation_key().to_bytes().to_vec()
    }

    fn check(public: &[u8]) -> Result<(), KeyError> {
        parse(public).map(|_| ())
    }

    fn encapsulate(
        public: &[u8],
        random: &mut dyn Random,
    ) -> Result<(Vec<u8>, Secret<32>), KeyError> {
        let key = parse(public)?;
        let (encapsulated, mut shared) = key.encapsulate_with_rng(&mut Source(random));
        Ok((encapsulated.to_vec(), Secret::take(shared.as_mut())))
    }

    fn decapsulate(key: &Self::Key, encapsulated: &[u8]) -> Result<Secret<32>, DecryptError> {
        let encapsulated = encapsulated.try_into().map_err(|_| DecryptError::Rejected)?;
        let mut shared = key.try_decapsulate(encapsulated).map_err(|_| DecryptError::Rejected)?;
        Ok(Secret::take(shared.as_mut()))
    }
}

fn parse(public: &[u8]) -> Result<EncapsulationKey, KeyError> {
    KeyError::sized::<{ XWing::PUBLIC_BYTES }>("public key of X-Wing", public)?;
    EncapsulationKey::try_from(public).map_err(|_| KeyError::Invalid("public key of X-Wing"))
}

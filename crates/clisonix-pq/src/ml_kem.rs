//! ML-KEM (FIPS 203).

use ml_kem::kem::{Decapsulate, Encapsulate, KeyExport};
use ml_kem::{DecapsulationKey, EncapsulationKey, Seed};
use zeroize::Zeroize;

use crate::error::{DecryptError, KeyError};
use crate::primitive::Kem;
use crate::random::{Random, Source};
use crate::secret::Secret;

/// ML-KEM-768, category 3.
pub struct MlKem768;

/// ML-KEM-1024, category 5.
pub struct MlKem1024;

macro_rules! ml_kem {
    ($name:ident, $text:literal, $public:literal, $encapsulated:literal) => {
        impl $name {
            fn parse(public: &[u8]) -> Result<EncapsulationKey<ml_kem::$name>, KeyError> {
                let public = KeyError::sized::<$public>("public key of ML-KEM", public)?;
                EncapsulationKey::new(&public.into())
                    .map_err(|_| KeyError::Invalid("public key of ML-KEM"))
            }
        }

        impl Kem for $name {
            const NAME: &'static str = $text;
            /// `d` and `z` of FIPS 203 algorithm 16.
            const SEED_BYTES: usize = 64;
            const PUBLIC_BYTES: usize = $public;
            const ENCAPSULATED_BYTES: usize = $encapsulated;
            type Key = Box<DecapsulationKey<ml_kem::$name>>;

            fn key(seed: &[u8]) -> Result<Self::Key, KeyError> {
                let mut seed = Seed::from(KeyError::sized::<64>("seed of ML-KEM", seed)?);
                let key = Box::new(DecapsulationKey::from_seed(seed));
                seed.zeroize();
                Ok(key)
            }

            fn public(key: &Self::Key) -> Vec<u8> {
                key.encapsulation_key().to_bytes().to_vec()
            }

            fn check(public: &[u8]) -> Result<(), KeyError> {
                Self::parse(public).map(|_| ())
            }

            fn encapsulate(
                public: &[u8],
                random: &mut dyn Random,
            ) -> Result<(Vec<u8>, Secret<32>), KeyError> {
                let key = Self::parse(public)?;
                let (encapsulated, mut shared) = key.encapsulate_with_rng(&mut Source(random));
                Ok((encapsulated.to_vec(), Secret::take(shared.as_mut())))
            }

            fn decapsulate(
                key: &Self::Key,
                encapsulated: &[u8],
            ) -> Result<Secret<32>, DecryptError> {
                let mut shared =
                    key.decapsulate_slice(encapsulated).map_err(|_| DecryptError::Rejected)?;
                Ok(Secret::take(shared.as_mut()))
            }
        }
    };
}

ml_kem!(MlKem768, "ML-KEM-768", 1184, 1088);
ml_kem!(MlKem1024, "ML-KEM-1024", 1568, 1568);

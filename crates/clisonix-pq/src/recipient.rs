//! Who opens: a recipient's secret key and its public half.

use zeroize::Zeroizing;

use crate::error::{DecryptError, KeyError};
use crate::fingerprint::Fingerprint;
use crate::ml_kem::MlKem1024;
use crate::primitive::Kem;
use crate::profile::Profile;
use crate::random::Random;
use crate::secret::Secret;
use crate::x_wing::XWing;

/// A secret key that opens: in [`Profile::Hybrid`] X-Wing, in [`Profile::Cnsa2`] ML-KEM-1024.
pub struct RecipientKey {
    seed: Zeroizing<Vec<u8>>,
    key: Key,
    public: PublicRecipient,
}

enum Key {
    Hybrid(<XWing as Kem>::Key),
    Cnsa2(<MlKem1024 as Kem>::Key),
}

impl RecipientKey {
    /// A new key.
    pub fn generate(profile: Profile, random: &mut dyn Random) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new(vec![0; Self::seed_bytes(profile)]);
        random.fill(&mut seed);
        Self::from_seed(profile, &seed)
    }

    /// The key of a seed.
    pub fn from_seed(profile: Profile, seed: &[u8]) -> Result<Self, KeyError> {
        let (key, public) = match profile {
            Profile::Hybrid => {
                let key = XWing::key(seed)?;
                let public = XWing::public(&key);
                (Key::Hybrid(key), public)
            }
            Profile::Cnsa2 => {
                let key = MlKem1024::key(seed)?;
                let public = MlKem1024::public(&key);
                (Key::Cnsa2(key), public)
            }
        };
        let public = PublicRecipient { profile, key: public.into() };
        Ok(Self { seed: seed.to_vec().into(), key, public })
    }

    /// Bytes of a seed.
    pub const fn seed_bytes(profile: Profile) -> usize {
        match profile {
            Profile::Hybrid => XWing::SEED_BYTES,
            Profile::Cnsa2 => MlKem1024::SEED_BYTES,
        }
    }

    /// The seed, to be wrapped and stored; of the hybrid profile it is what an age identity
    /// `AGE-SECRET-KEY-PQ-1…` holds.
    pub fn seed(&self) -> &[u8] {
        &self.seed
    }

    /// The public half.
    pub fn public(&self) -> &PublicRecipient {
        &self.public
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.public.profile
    }

    /// The shared secret of what somebody encapsulated for this key.
    pub fn decapsulate(&self, encapsulated: &[u8]) -> Result<Secret<32>, DecryptError> {
        match &self.key {
            Key::Hybrid(key) => XWing::decapsulate(key, encapsulated),
            Key::Cnsa2(key) => MlKem1024::decapsulate(key, encapsulated),
        }
    }
}

/// The public half of a [`RecipientKey`]. To trust it, compare its fingerprint over another way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicRecipient {
    profile: Profile,
    key: Box<[u8]>,
}

impl PublicRecipient {
    /// Takes a public key as its algorithm encodes it, and checks it.
    pub fn from_key(profile: Profile, key: &[u8]) -> Result<Self, KeyError> {
        match profile {
            Profile::Hybrid => XWing::check(key)?,
            Profile::Cnsa2 => MlKem1024::check(key)?,
        }
        Ok(Self { profile, key: key.into() })
    }

    /// Reads what [`Self::to_bytes`] wrote, and checks it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (profile, key) = Profile::split("public recipient key", bytes)?;
        Self::from_key(profile, key)
    }

    /// The suite number in two bytes, big-endian, then the public key as its algorithm encodes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.profile.suite().to_be_bytes(), &*self.key].concat()
    }

    /// The public key as its algorithm encodes it; of the hybrid profile what an age recipient
    /// `age1pq1…` holds.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// What people compare, and what stands for the key in formats.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of("open", &self.to_bytes())
    }

    /// Bytes of what [`Self::encapsulate`] makes for the other side.
    pub const fn encapsulated_bytes(profile: Profile) -> usize {
        match profile {
            Profile::Hybrid => XWing::ENCAPSULATED_BYTES,
            Profile::Cnsa2 => MlKem1024::ENCAPSULATED_BYTES,
        }
    }

    /// A shared secret that only the holder of the secret key can compute, and what to send them.
    pub fn encapsulate(&self, random: &mut dyn Random) -> Result<(Vec<u8>, Secret<32>), KeyError> {
        match self.profile {
            Profile::Hybrid => XWing::encapsulate(&self.key, random),
            Profile::Cnsa2 => MlKem1024::encapsulate(&self.key, random),
        }
    }
}

//! Who signs: a signing identity, its public half, and signatures.

use zeroize::Zeroizing;

use crate::composite::MlDsa65Ed25519;
use crate::error::{KeyError, VerifyError};
use crate::fingerprint::Fingerprint;
use crate::ml_dsa::MlDsa87;
use crate::primitive::Signing;
use crate::profile::Profile;
use crate::random::Random;

/// What a signature is for. A signature made for one purpose never verifies for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context(&'static str);

impl Context {
    /// Names a purpose, such as `clisonix share 1`; a `const` that is too long does not compile.
    ///
    /// # Panics
    /// Outside a `const`, if `name` has more than 255 bytes.
    pub const fn new(name: &'static str) -> Self {
        assert!(name.len() <= 255, "a context has at most 255 bytes");
        Self(name)
    }

    fn bytes(self) -> &'static [u8] {
        self.0.as_bytes()
    }
}

/// A secret signing key: in [`Profile::Hybrid`] the composite of ML-DSA-65 and Ed25519, in
/// [`Profile::Cnsa2`] ML-DSA-87.
pub struct Identity {
    seed: Zeroizing<Vec<u8>>,
    key: Key,
    public: PublicIdentity,
}

enum Key {
    Hybrid(<MlDsa65Ed25519 as Signing>::Key),
    Cnsa2(<MlDsa87 as Signing>::Key),
}

impl Identity {
    /// A new key.
    pub fn generate(profile: Profile, random: &mut dyn Random) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new(vec![0; Self::seed_bytes(profile)]);
        random.fill(&mut seed);
        Self::from_seed(profile, &seed)
    }

    /// The key of a seed. The seed of the hybrid profile is that of ML-DSA-65, then that of
    /// Ed25519; each must be random.
    pub fn from_seed(profile: Profile, seed: &[u8]) -> Result<Self, KeyError> {
        let (key, public) = match profile {
            Profile::Hybrid => {
                let key = MlDsa65Ed25519::key(seed)?;
                let public = MlDsa65Ed25519::public(&key);
                (Key::Hybrid(key), public)
            }
            Profile::Cnsa2 => {
                let key = MlDsa87::key(seed)?;
                let public = MlDsa87::public(&key);
                (Key::Cnsa2(key), public)
            }
        };
        let public = PublicIdentity { profile, key: public.into() };
        Ok(Self { seed: seed.to_vec().into(), key, public })
    }

    /// Bytes of a seed.
    pub const fn seed_bytes(profile: Profile) -> usize {
        match profile {
            Profile::Hybrid => MlDsa65Ed25519::SEED_BYTES,
            Profile::Cnsa2 => MlDsa87::SEED_BYTES,
        }
    }

    /// The seed, to be wrapped and stored.
    pub fn seed(&self) -> &[u8] {
        &self.seed
    }

    /// The public half.
    pub fn public(&self) -> &PublicIdentity {
        &self.public
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.public.profile
    }

    /// Signs `message` for a purpose. Sign statements and digests of a few kilobytes, not bulk:
    /// composite signatures hash with SHA-512.
    pub fn sign(&self, context: Context, message: &[u8], random: &mut dyn Random) -> Signature {
        let context = context.bytes();
        let signature = match &self.key {
            Key::Hybrid(key) => MlDsa65Ed25519::sign(key, context, message, random),
            Key::Cnsa2(key) => MlDsa87::sign(key, context, message, random),
        };
        match signature {
            Ok(signature) => Signature(signature.into()),
            Err(_) => unreachable!("a context is short, and each try of ML-DSA ends"),
        }
    }
}

/// Bytes that somebody's [`Identity`] made over a message for a purpose. Not an identity of the
/// message: two valid signatures over one message may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(Box<[u8]>);

impl Signature {
    /// Bytes of a signature.
    pub const fn size_bytes(profile: Profile) -> usize {
        match profile {
            Profile::Hybrid => MlDsa65Ed25519::SIGNATURE_BYTES,
            Profile::Cnsa2 => MlDsa87::SIGNATURE_BYTES,
        }
    }

    /// Takes what a format holds. Whether it is a signature shows when it is verified.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for formats.
    pub fn to_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The public half of an [`Identity`]. To trust it, compare its fingerprint over another way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicIdentity {
    profile: Profile,
    key: Box<[u8]>,
}

impl PublicIdentity {
    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (profile, key) = Profile::split("public signing key", bytes)?;
        let expected = Self::size_bytes(profile) - 2;
        if key.len() != expected {
            let given = key.len();
            return Err(KeyError::Length { what: "public signing key", given, expected });
        }
        Ok(Self { profile, key: key.into() })
    }

    /// The suite number in two bytes, big-endian, then the public key as its algorithm encodes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.profile.suite().to_be_bytes(), &*self.key].concat()
    }

    /// Bytes of an encoded key.
    pub const fn size_bytes(profile: Profile) -> usize {
        2 + match profile {
            Profile::Hybrid => MlDsa65Ed25519::PUBLIC_BYTES,
            Profile::Cnsa2 => MlDsa87::PUBLIC_BYTES,
        }
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// What people compare, and what stands for the key in formats.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of("sign", &self.to_bytes())
    }

    /// Verifies a signature over `message` for a purpose; both halves of a composite.
    pub fn verify(
        &self,
        context: Context,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        let verify = match self.profile {
            Profile::Hybrid => MlDsa65Ed25519::verify,
            Profile::Cnsa2 => MlDsa87::verify,
        };
        verify(&self.key, context.bytes(), message, signature.to_bytes())
    }

    /// The key made ready for many signatures; it takes some 30 KB.
    pub fn verifier(&self) -> Result<Verifier, VerifyError> {
        Ok(Verifier(match self.profile {
            Profile::Hybrid => Prepared::Hybrid(MlDsa65Ed25519::prepare(&self.key)?.into()),
            Profile::Cnsa2 => Prepared::Cnsa2(MlDsa87::prepare(&self.key)?.into()),
        }))
    }
}

/// A public identity that verifies many signatures: what depends on the key alone is computed once.
pub struct Verifier(Prepared);

enum Prepared {
    Hybrid(Box<crate::composite::Prepared>),
    Cnsa2(Box<ml_dsa::VerifyingKey<ml_dsa::MlDsa87>>),
}

impl Verifier {
    /// As [`PublicIdentity::verify`].
    pub fn verify(
        &self,
        context: Context,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        let (context, signature) = (context.bytes(), signature.to_bytes());
        match &self.0 {
            Prepared::Hybrid(key) => MlDsa65Ed25519::verify_with(key, context, message, signature),
            Prepared::Cnsa2(key) => MlDsa87::verify_with(key, context, message, signature),
        }
    }
}

//! The two profiles, which never mix.

use std::fmt;
use std::str::FromStr;

use crate::error::KeyError;

/// A named, closed set of algorithms. There is no free combination: one number per profile version
/// stands in everything that is signed or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// Ed25519 with ML-DSA-65, X25519 with ML-KEM-768, ChaCha20-Poly1305, SHA-256 (BSI TR-02102-1:
    /// lattice schemes only together with a classical one).
    Hybrid,
    /// ML-DSA-87, ML-KEM-1024, AES-256-GCM, SHA-384 (CNSA 2.0).
    Cnsa2,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Hybrid, Self::Cnsa2];

    /// The number that stands for it in formats.
    pub const fn suite(self) -> u16 {
        match self {
            Self::Hybrid => 1,
            Self::Cnsa2 => 2,
        }
    }

    /// The profile with this number.
    pub fn of_suite(suite: u16) -> Result<Self, KeyError> {
        let known = Self::ALL.into_iter().find(|profile| profile.suite() == suite);
        known.ok_or(KeyError::UnknownSuite(suite))
    }

    /// Its name on the command line and in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Cnsa2 => "cnsa2",
        }
    }

    /// Takes the suite number off the front of an encoded key.
    pub(crate) fn split<'a>(
        what: &'static str,
        bytes: &'a [u8],
    ) -> Result<(Self, &'a [u8]), KeyError> {
        let (suite, key) = bytes.split_first_chunk().ok_or(KeyError::Length {
            what,
            given: bytes.len(),
            expected: 2,
        })?;
        Ok((Self::of_suite(u16::from_be_bytes(*suite))?, key))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No profile has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a profile is `hybrid` or `cnsa2`")]
pub struct UnknownProfile;

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or(UnknownProfile)
    }
}

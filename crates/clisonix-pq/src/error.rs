//! What can go wrong. No error tells anything about a secret or about what was sealed.

/// Key material, public or secret, that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Cut off, or not this kind of key.
    #[error("a {what} has {given} bytes instead of {expected}")]
    Length {
        /// Which kind of material.
        what: &'static str,
        /// How many bytes it has.
        given: usize,
        /// How many it must have.
        expected: usize,
    },
    /// The bytes are no key of this algorithm, for example a number beyond the modulus (FIPS 203
    /// section 7.2).
    #[error("the bytes are no {0}")]
    Invalid(&'static str),
    /// Written by a newer program, or no key at all.
    #[error("the suite number {0} is not known")]
    UnknownSuite(u16),
    /// A key of one profile where one of another is needed.
    #[error("a key of profile {given} where {expected} is needed")]
    Profile {
        /// The profile of the key.
        given: crate::Profile,
        /// The profile that is needed.
        expected: crate::Profile,
    },
}

impl KeyError {
    /// The bytes as an array, or the error that tells both lengths.
    pub(crate) fn sized<const N: usize>(
        what: &'static str,
        bytes: &[u8],
    ) -> Result<[u8; N], KeyError> {
        bytes.try_into().map_err(|_| KeyError::Length { what, given: bytes.len(), expected: N })
    }
}

/// A signature that must not be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Signed by another key, over other bytes or another context, or damaged; of a composite
    /// signature at least one half.
    #[error("the signature does not verify")]
    Rejected,
}

/// Something sealed that does not open. One error for a wrong key and for damaged bytes: telling
/// them apart would help only who tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// Wrong key, or not as it was sealed.
    #[error("wrong key, or not as it was sealed")]
    Rejected,
}

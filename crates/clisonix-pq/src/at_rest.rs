//! Data at rest: the key of a store and what is kept under it (`docs/formats/vault.md`).
//!
//! A [`StoreKey`] wraps the page key of a store's file, the anchor of its vault, and the keys of its
//! backups. [`Pager`] seals the file page by page. The [`Vault`] gives each owner of content a
//! [`DataKey`] of its own, and destroys it for good. [`sealing`] seals a backup front to back.

pub mod key_file;
mod pager;
pub mod sealing;
mod tree;
mod vault;

pub use pager::{PAGE_OVERHEAD_BYTES, Pager};
pub use vault::{DataKey, MAX_VAULT_BYTES, ROW_OVERHEAD_BYTES, Sealed, Vault, VaultError};

use crate::aead::{Aes256Gcm, NONCE_BYTES, TAG_BYTES};
use crate::digest::{self, Hash, equal_in_constant_time, hmac_sha256};
use crate::error::DecryptError;
use crate::random::Random;
use crate::secret::Secret;

/// Names a store: random bytes that stay the same while its keys change.
pub type StoreId = [u8; 16];

/// Random bytes that make a key of their own for one thing that is sealed.
pub type Salt = [u8; 16];

/// What tells a store key from others and nothing about it.
pub type Commitment = [u8; 16];

/// The key that everything of a store hangs on.
pub struct StoreKey(Secret<32>);

impl StoreKey {
    /// A new random key.
    pub fn generate(random: &mut dyn Random) -> Self {
        Self(Secret::generate(random))
    }

    /// The key with these bytes.
    pub fn from_secret(secret: Secret<32>) -> Self {
        Self(secret)
    }

    /// The bytes, to be wrapped and stored.
    pub fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// Which key this is. The AEADs do not commit to their key, so this is compared first.
    pub fn commitment(&self) -> Commitment {
        let tag = hmac_sha256(self.0.expose(), COMMITMENT);
        let mut commitment = [0; 16];
        commitment.iter_mut().zip(tag).for_each(|(own, byte)| *own = byte);
        commitment
    }

    /// Whether a commitment is to this key.
    pub fn made(&self, commitment: &Commitment) -> bool {
        equal_in_constant_time(&self.commitment(), commitment)
    }

    /// Wraps a key that `salt` belongs to alone; `about` is bound to it.
    pub fn wrap(&self, purpose: Purpose, salt: &Salt, about: &[u8], key: &Secret<32>) -> [u8; 48] {
        let mut wrapped = [0; 48];
        let (text, tag) = wrapped.split_at_mut(32);
        text.copy_from_slice(key.expose());
        tag.copy_from_slice(&self.cipher(purpose, salt).seal_in_place(&ZERO, about, text));
        wrapped
    }

    /// Unwraps what [`Self::wrap`] wrapped.
    pub fn unwrap(
        &self,
        purpose: Purpose,
        salt: &Salt,
        about: &[u8],
        wrapped: &[u8; 48],
    ) -> Result<Secret<32>, DecryptError> {
        let (text, tag) = wrapped.split_last_chunk::<TAG_BYTES>().ok_or(DecryptError::Rejected)?;
        let mut opened = Err(DecryptError::Rejected);
        let secret = Secret::filled(|own| {
            let cipher = self.cipher(purpose, salt);
            opened = cipher.open_into(&ZERO, about, text, tag, own);
        });
        opened.map(|()| secret)
    }

    /// The cipher for one thing. Each key it makes seals one text, so the nonce may be zeros.
    fn cipher(&self, purpose: Purpose, salt: &Salt) -> Aes256Gcm {
        cipher(self.0.expose(), salt, &[purpose.label()])
    }
}

/// What a key under the store key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The page key of a file.
    Pages,
    /// The anchor of a generation of the vault.
    Anchor,
    /// The key of a backup.
    Backup,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Pages => b"clisonix page key 1",
            Self::Anchor => b"clisonix vault anchor 1",
            Self::Backup => b"clisonix backup 1",
        }
    }
}

/// The AES-256-GCM key that HKDF-SHA-256 makes of a secret, a salt and labels.
fn cipher(secret: &[u8; 32], salt: &[u8; 16], info: &[&[u8]]) -> Aes256Gcm {
    let pseudorandom = digest::extract(Hash::Sha256, salt, &[secret]);
    let key = Secret::<32>::filled(|own| {
        let expanded = digest::expand(Hash::Sha256, &pseudorandom, info, own);
        debug_assert!(expanded.is_ok(), "32 bytes are one block of HKDF");
    });
    Aes256Gcm::with_key(key.expose())
}

const COMMITMENT: &[u8] = b"clisonix store key 1";
const ZERO: [u8; NONCE_BYTES] = [0; NONCE_BYTES];

#[cfg(test)]
mod tests;

//! X25519 (RFC 7748), which is never used alone for what must stay secret.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};

use crate::error::{DecryptError, KeyError};
use crate::secret::Secret;

/// Bytes of a secret, of a public and of a shared value.
pub const BYTES: usize = 32;

/// The public value of a secret one.
pub fn public(secret: &Secret<BYTES>) -> Result<[u8; BYTES], KeyError> {
    let public = key(secret)?.compute_public_key();
    let bytes = public.ok().and_then(|public| public.as_ref().try_into().ok());
    bytes.ok_or(KeyError::Invalid("secret of X25519"))
}

/// The shared value of a secret and another's public value. A result of all zeros is refused: the
/// other side took no part (RFC 7748 section 6.1).
pub fn agree(secret: &Secret<BYTES>, public: &[u8; BYTES]) -> Result<Secret<BYTES>, DecryptError> {
    let key = key(secret).map_err(|_| DecryptError::Rejected)?;
    let public = UnparsedPublicKey::new(&X25519, public);
    agreement::agree(&key, public, DecryptError::Rejected, |shared| {
        Secret::from_slice(shared).map_err(|_| DecryptError::Rejected)
    })
}

fn key(secret: &Secret<BYTES>) -> Result<PrivateKey, KeyError> {
    let key = PrivateKey::from_private_key(&X25519, secret.expose());
    key.map_err(|_| KeyError::Invalid("secret of X25519"))
}

//! Post-quantum encryption: hybrid keys, signatures, and what is sealed with them.
//!
//! The one crate that names an encryption or signature algorithm. It computes none of them itself:
//! primitives come from aws-lc and from the `RustCrypto` crates behind the traits of [`primitive`],
//! and the tests hold each against a second implementation and against the public vectors.
//!
//! - [`Identity`] signs and [`PublicIdentity`] verifies. In the profile [`Profile::Hybrid`] that is
//!   Ed25519 and ML-DSA-65 together, and both must verify.
//! - [`RecipientKey`] opens what was sealed for its [`PublicRecipient`]: X-Wing, which is ML-KEM-768
//!   and X25519 together.
//! - [`link`] connects two nodes: TLS 1.3 with a post-quantum key exchange, both ends proved by
//!   their identities. With the feature `link` only, which is there by default.
//! - [`checkpoint`] signs chains of changes: provisionally at once, finally a little later.
//! - [`share`] seals data for named recipients and a purpose, signed; its payload is an [`age`] file.
//! - [`Keys`] are an identity and a recipient key under one name; [`key_file`] wraps them under a
//!   pass-phrase, [`PublicKeys`] is what others get, [`Succession`] and [`Revocation`] say what
//!   became of them, a [`Withdrawal`] takes a share back.
//! - [`ProjectKey`] makes the pseudonyms of a research project.
//! - [`at_rest`] has what a store on disk is sealed with: pages, data keys that can be destroyed,
//!   backups.
//! - [`erasure`] orders that content be erased, and confirms that it was.
//! - [`hpke`] seals small secrets to a recipient, [`aead`] seals data under a key.
//!
//! Secret types have no `Debug` and no `Clone`, and wipe their memory when dropped. Randomness is
//! handed in as [`Random`]; this crate knows no random source, no clock and no file. (TLS, inside of
//! links, takes its randomness from aws-lc.)

pub mod aead;
pub mod age;
pub mod at_rest;
pub mod checkpoint;
pub mod composite;
pub mod digest;
pub mod ed25519;
pub mod erasure;
mod error;
mod fingerprint;
mod form;
pub mod hpke;
mod identity;
pub mod key_file;
mod keys;
#[cfg(feature = "link")]
pub mod link;
pub mod ml_dsa;
pub mod ml_kem;
pub mod primitive;
mod profile;
mod project_key;
mod random;
mod recipient;
mod secret;
pub mod share;
mod statement;
pub mod x25519;
pub mod x_wing;

pub use crate::digest::{hkdf_sha256, hmac_sha256};
pub use crate::error::{DecryptError, KeyError, VerifyError};
pub use crate::fingerprint::Fingerprint;
pub use crate::form::{FormError, MAX_FORM_BYTES, MAX_NAME_BYTES};
pub use crate::identity::{Context, Identity, PublicIdentity, Signature, Verifier};
pub use crate::keys::{Keys, PublicKeys};
pub use crate::profile::Profile;
pub use crate::project_key::ProjectKey;
pub use crate::random::Random;
pub use crate::recipient::{PublicRecipient, RecipientKey};
pub use crate::secret::Secret;
pub use crate::statement::{Reason, Revocation, Succession, Withdrawal};

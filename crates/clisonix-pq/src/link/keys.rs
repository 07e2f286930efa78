//! What one end of a link holds: its identity, and the TLS key that the identity vouches for.

use std::sync::Arc;

use rustls::sign::CertifiedKey;

use crate::digest::hkdf_sha256;
use crate::error::KeyError;
use crate::fingerprint::Fingerprint;
use crate::form::{self, FormError};
use crate::identity::{Context, Identity, PublicIdentity};
use crate::profile::Profile;
use crate::random::Random;
use crate::secret::Secret;
use crate::statement::{signed, verify};

use super::tls::Suite;

/// The keys of one end.
///
/// TLS authenticates with one algorithm, and the halves of a composite key must not sign anything
/// alone; so the TLS key is one of its own, derived from the identity's seed. It lives as long as
/// the identity does.
pub struct LinkKeys {
    identity: Identity,
    public: LinkKey,
    tls: Arc<CertifiedKey>,
}

impl LinkKeys {
    /// Derives the TLS key and signs the statement about it. `made_ms` is in milliseconds since
    /// 1970-01-01T00:00:00Z.
    pub fn new(
        identity: Identity,
        made_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Self, KeyError> {
        let suite = Suite::of(identity.profile());
        let mut derived = Ok(());
        let seed = Secret::<32>::filled(|bytes| {
            derived = hkdf_sha256(SALT, identity.seed(), &[], bytes);
        });
        derived?;
        let (tls, key) = suite.certified(seed.expose())?;
        let public = LinkKey::sign(&identity, &key, made_ms, random);
        Ok(Self { identity, public, tls })
    }

    /// The statement that peers get, once, over any way.
    pub fn public(&self) -> &LinkKey {
        &self.public
    }

    /// Whose keys these are.
    pub fn identity(&self) -> &PublicIdentity {
        self.identity.public()
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.identity.profile()
    }

    pub(super) fn signer(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn tls(&self) -> &Arc<CertifiedKey> {
        &self.tls
    }

    /// The public TLS key as the handshake shows it.
    pub(super) fn shown(&self) -> &[u8] {
        self.tls.cert.first().map(|key| &**key).unwrap_or_default()
    }
}

/// A statement of an identity about the TLS key of its links, as a file that anybody may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkKey {
    made_ms: u64,
    identity: Fingerprint,
    profile: Profile,
    key: Box<[u8]>,
    text: String,
}

impl LinkKey {
    fn sign(identity: &Identity, key: &[u8], made_ms: u64, random: &mut dyn Random) -> Self {
        let (by, profile) = (identity.public().fingerprint(), identity.profile());
        let text = statement(identity, key, made_ms, random);
        Self { made_ms, identity: by, profile, key: key.into(), text }
    }

    /// Reads a statement and verifies that `identity` signed it.
    pub fn from_text(bytes: &[u8], identity: &PublicIdentity) -> Result<Self, FormError> {
        let names = ["made", "profile", "key", "tls", "signature"];
        let [made, profile, by, key, signature] = form::read(bytes, KIND, names)?;
        let by = form::fingerprint("key", by)?;
        verify(bytes, by, signature, identity, VOUCH)?;
        let profile = form::profile(profile)?;
        let key = form::base64("tls", key)?;
        let (given, expected) = (key.len(), Suite::of(profile).public_bytes());
        crate::keys::same_profile(identity.profile(), profile)?;
        if given != expected {
            return Err(KeyError::Length { what: "public TLS key", given, expected }.into());
        }
        Ok(Self {
            made_ms: form::number("made", made)?,
            identity: by,
            profile,
            key: key.into(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// When it was signed, in milliseconds since 1970-01-01T00:00:00Z, by the signer's clock.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// Whose key it is.
    pub fn identity(&self) -> Fingerprint {
        self.identity
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The public key as ML-DSA encodes it.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The statement as a file.
    pub fn to_text(&self) -> &str {
        &self.text
    }
}

/// The text of a statement.
pub(super) fn statement(
    identity: &Identity,
    key: &[u8],
    made_ms: u64,
    random: &mut dyn Random,
) -> String {
    let lines = [
        ("made", &*made_ms.to_string()),
        ("profile", identity.profile().name()),
        ("key", &*identity.public().fingerprint().hexadecimal()),
        ("tls", &*form::to_base64(key)),
    ];
    signed(KIND, &lines, identity, VOUCH, random)
}

const KIND: &str = "clisonix link key";
const VOUCH: Context = Context::new("clisonix link key 1");
const SALT: &[u8] = b"clisonix link tls key 1";

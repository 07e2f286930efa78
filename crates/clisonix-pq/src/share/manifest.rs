//! The manifest: what the issuer of a share states and signs.

use super::ShareError;
use super::lines::{self, LineFault, Lines};
use super::moment::Moment;
use super::tree::Hash;
use crate::digest::{Sha256, sha256};
use crate::{
    Context, Fingerprint, Identity, Profile, PublicIdentity, PublicRecipient, Random, Signature,
};

/// A manifest has fewer bytes than this.
pub const MAX_MANIFEST_BYTES: usize = 4096;
/// Most recipients of a share, those that only fill up counted in.
pub const MAX_RECIPIENTS: usize = 64;
/// Most bytes of purpose, basis and content description, each.
pub const MAX_WORDS_BYTES: usize = 256;

/// What a signature over a manifest is for.
const CONTEXT: Context = Context::new("clisonix share 1");
const VERSION: &str = "1";

/// What stands for a share: 16 random bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareId(pub [u8; 16]);

impl std::fmt::Display for ShareId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&lines::digits(&self.0))
    }
}

/// Not the text of a [`ShareId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a share is named by 32 small hexadecimal digits")]
pub struct NotAShareId;

impl std::str::FromStr for ShareId {
    type Err = NotAShareId;

    fn from_str(text: &str) -> Result<Self, NotAShareId> {
        lines::bytes(text).map(Self).ok_or(NotAShareId)
    }
}

/// A recipient as a manifest names it: 16 bytes of a salted hash. Who has the public key can tell
/// whether it is meant; nobody can list the recipients.
pub type SaltedRecipient = [u8; 16];

/// What the issuer states about a share. Everyone who has the file can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// When the issuer made it, by the issuer's clock.
    pub created: Moment,
    /// Until when it may be opened, last second included.
    pub until: Option<Moment>,
    /// What the recipients may use it for.
    pub purpose: String,
    /// The consent or the legal basis.
    pub basis: String,
    /// What it holds.
    pub content: String,
    /// The digest of the issuer's manifest before this one, so that a missing one is noticed.
    pub previous: Option<[u8; 32]>,
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The share.
    pub share: ShareId,
    /// The fingerprint of the key that signs.
    pub issuer: Fingerprint,
    /// What the issuer states.
    pub terms: Terms,
    /// Goes into the hash of every recipient.
    pub salt: [u8; 16],
    /// In ascending order.
    pub recipients: Vec<SaltedRecipient>,
    /// Bytes of the payload, which is an age file.
    pub payload_bytes: u64,
    /// The BLAKE3 hash of the payload.
    pub root: Hash,
}

impl Manifest {
    /// Reads the text of a manifest.
    pub fn from_bytes(text: &[u8]) -> Result<Self, ShareError> {
        if text.len() >= MAX_MANIFEST_BYTES {
            return Err(ShareError::TooLarge { part: "manifest" });
        }
        parse(text).map_err(ShareError::Manifest)
    }

    /// The text, in which people can read it and which is signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.stated();
        lines::put(&mut out, "payload", self.payload_bytes);
        lines::put(&mut out, "root", lines::digits(&self.root));
        out.into_bytes()
    }

    /// What the payload must repeat inside: the digest of all that is stated before the payload.
    pub fn terms_digest(&self) -> [u8; 32] {
        sha256(self.stated().as_bytes())
    }

    /// What the next manifest of the same issuer names as `previous`.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.to_bytes())
    }

    /// How this manifest names a recipient.
    pub fn salted(&self, recipient: &PublicRecipient) -> SaltedRecipient {
        salted(&self.salt, recipient)
    }

    /// Signs it.
    pub(super) fn sign(&self, issuer: &Identity, random: &mut dyn Random) -> Signature {
        issuer.sign(CONTEXT, &self.to_bytes(), random)
    }

    /// Makes sure that `issuer` signed this text.
    pub(super) fn verify(
        text: &[u8],
        issuer: &PublicIdentity,
        signature: &[u8],
    ) -> Result<(), ShareError> {
        let signature = Signature::from_bytes(signature);
        issuer.verify(CONTEXT, text, &signature).map_err(|_| ShareError::Signature)
    }

    /// All lines before the payload's.
    fn stated(&self) -> String {
        let mut out = String::with_capacity(MAX_MANIFEST_BYTES);
        let none = || lines::NONE.to_owned();
        lines::put(&mut out, "clisonix-share", VERSION);
        lines::put(&mut out, "profile", Profile::Hybrid);
        lines::put(&mut out, "share", self.share);
        lines::put(&mut out, "issuer", lines::digits(&self.issuer.to_bytes()));
        lines::put(&mut out, "created", self.terms.created);
        let until = self.terms.until.map_or_else(none, |until| until.to_string());
        lines::put(&mut out, "until", until);
        lines::put(&mut out, "purpose", &self.terms.purpose);
        lines::put(&mut out, "basis", &self.terms.basis);
        lines::put(&mut out, "content", &self.terms.content);
        let previous =
            self.terms.previous.map_or(lines::NONE.to_owned(), |hash| lines::digits(&hash));
        lines::put(&mut out, "previous", previous);
        lines::put(&mut out, "salt", lines::digits(&self.salt));
        for recipient in &self.recipients {
            lines::put(&mut out, "to", lines::digits(recipient));
        }
        out
    }
}

/// The hash of a recipient under a manifest's salt.
pub(super) fn salted(salt: &[u8; 16], recipient: &PublicRecipient) -> SaltedRecipient {
    let hash = Sha256::new()
        .with(b"clisonix share recipient 1\0")
        .with(salt)
        .with(&recipient.fingerprint().to_bytes())
        .finish();
    let mut first = [0; 16];
    first.iter_mut().zip(hash).for_each(|(own, byte)| *own = byte);
    first
}

fn parse(text: &[u8]) -> Result<Manifest, LineFault> {
    let exactly = |word: &'static str| move |value: &str| (value == word).then_some(());
    let words = |value: &str| lines::words(value, MAX_WORDS_BYTES);
    let moment = |value: &str| value.parse::<Moment>().ok();
    let mut from = Lines::new(text)?;
    from.value("clisonix-share", exactly(VERSION))?;
    from.value("profile", exactly(Profile::Hybrid.name()))?;
    let share = from.value("share", lines::bytes).map(ShareId)?;
    let issuer = from.value("issuer", lines::bytes).map(Fingerprint::from_bytes)?;
    let terms = Terms {
        created: from.value("created", moment)?,
        until: from.optional("until", moment)?,
        purpose: from.value("purpose", words)?,
        basis: from.value("basis", words)?,
        content: from.value("content", words)?,
        previous: from.optional("previous", lines::bytes)?,
    };
    let salt = from.value("salt", lines::bytes)?;
    let recipients: Vec<SaltedRecipient> = from.values("to", MAX_RECIPIENTS, lines::bytes)?;
    if !recipients.is_sorted_by(|one, next| one < next) {
        return Err(LineFault::Order { name: "to" });
    }
    let payload_bytes = from.value("payload", lines::number)?;
    let root = from.value("root", lines::bytes)?;
    from.end()?;
    Ok(Manifest { share, issuer, terms, salt, recipients, payload_bytes, root })
}

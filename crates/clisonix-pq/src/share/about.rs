//! What stands first inside of a payload: who seals for whom, once more and under encryption.
//!
//! A signature around an encrypted file can be torn off and replaced by another one; an encrypted
//! text can be passed on as if it had been meant for somebody else. Both parties' names inside make
//! either visible.

use super::ShareError;
use super::lines::{self, LineFault, Lines};
use super::manifest::{MAX_RECIPIENTS, Manifest, ShareId};
use crate::{Fingerprint, PublicRecipient};

/// Most bytes of this text.
pub(super) const MAX_BYTES: u64 = 16 * 1024;
/// Most bytes of the name of what is shared.
pub const MAX_NAME_BYTES: usize = 255;

const VERSION: &str = "1";

/// What stands inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The share.
    pub share: ShareId,
    /// [`Manifest::terms_digest`].
    pub terms: [u8; 32],
    /// The key that signs.
    pub issuer: Fingerprint,
    /// The keys that open; not those that only fill up.
    pub recipients: Vec<Fingerprint>,
    /// How the sender calls the content, without a path.
    pub name: String,
    /// Bytes of the content.
    pub content_bytes: u64,
}

impl About {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        lines::put(&mut out, "clisonix-share-about", VERSION);
        lines::put(&mut out, "share", self.share);
        lines::put(&mut out, "terms", lines::digits(&self.terms));
        lines::put(&mut out, "issuer", lines::digits(&self.issuer.to_bytes()));
        for recipient in &self.recipients {
            lines::put(&mut out, "to", lines::digits(&recipient.to_bytes()));
        }
        lines::put(&mut out, "name", &self.name);
        lines::put(&mut out, "bytes", self.content_bytes);
        out.into_bytes()
    }

    pub(super) fn from_bytes(text: &[u8]) -> Result<Self, ShareError> {
        parse(text).map_err(ShareError::About)
    }

    /// Makes sure that this and the manifest speak of one share from one issuer, and that `reader`
    /// is one of those it was sealed for.
    pub(super) fn agrees(
        &self,
        manifest: &Manifest,
        reader: &PublicRecipient,
    ) -> Result<(), ShareError> {
        let stated = self.share == manifest.share
            && self.issuer == manifest.issuer
            && self.terms == manifest.terms_digest();
        if !stated {
            return Err(ShareError::Resigned);
        }
        if !self.recipients.contains(&reader.fingerprint()) {
            return Err(ShareError::Readdressed);
        }
        Ok(())
    }
}

/// A name of one path component that means nothing to a file system.
pub(super) fn name(text: &str) -> Option<String> {
    let plain = !text.contains(['/', '\\']) && text != "." && text != "..";
    lines::words(text, MAX_NAME_BYTES).filter(|_| plain)
}

fn parse(text: &[u8]) -> Result<About, LineFault> {
    let fingerprint = |value: &str| lines::bytes(value).map(Fingerprint::from_bytes);
    let mut from = Lines::new(text)?;
    from.value("clisonix-share-about", |value| (value == VERSION).then_some(()))?;
    let about = About {
        share: from.value("share", lines::bytes).map(ShareId)?,
        terms: from.value("terms", lines::bytes)?,
        issuer: from.value("issuer", fingerprint)?,
        recipients: from.values("to", MAX_RECIPIENTS, fingerprint)?,
        name: from.value("name", name)?,
        content_bytes: from.value("bytes", lines::number)?,
    };
    from.end()?;
    Ok(about)
}

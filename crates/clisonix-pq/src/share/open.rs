//! Verifying and opening a share, each in one pass.

use std::io::{BufRead, Read, Write};

use super::about::{self, About};
use super::manifest::{MAX_MANIFEST_BYTES, Manifest};
use super::tree::{self, Checking, HASH_BYTES};
use super::{MAX_PAYLOAD_BYTES, Moment, ShareError, Trust, archive};
use crate::age::{self, read_fully};
use crate::{Profile, PublicRecipient, RecipientKey, Signature};

/// The first bytes of an age file, bare or armoured.
const BARE: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCR"];

/// Verifies a whole share without opening it: the signature, that it is trusted, neither revoked nor
/// expired at `now`, and every byte. Needs no secret key.
pub fn verify(input: impl Read, trust: &Trust, now: Moment) -> Result<Manifest, ShareError> {
    let Arrived { manifest, payload } = Arrived::start(input, trust, now)?;
    let mut input = payload.finish()?;
    end(&mut input, &manifest)?;
    Ok(manifest)
}

/// A share of which everything is checked that needs no secret key and stands before the payload:
/// the issuer's signature, trust, time, and the root of the leaves. So who opens it can look for the
/// key that it is sealed for.
pub struct Arrived<R: Read> {
    manifest: Manifest,
    payload: Checking<R>,
}

impl<R: Read> Arrived<R> {
    /// Reads up to the payload.
    pub fn start(input: R, trust: &Trust, now: Moment) -> Result<Self, ShareError> {
        let (manifest, payload) = start(input, trust, now)?;
        Ok(Self { manifest, payload })
    }

    /// What the issuer stated.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether it is sealed for this recipient.
    pub fn is_for(&self, recipient: &PublicRecipient) -> bool {
        self.manifest.recipients.contains(&self.manifest.salted(recipient))
    }

    /// Reads up to the content, and checks that inside and outside name the same parties.
    pub fn open(self, key: &RecipientKey) -> Result<Opening<R>, ShareError> {
        if key.profile() != Profile::Hybrid {
            return Err(ShareError::Profile(key.profile()));
        }
        if !self.is_for(key.public()) {
            return Err(ShareError::WrongRecipient);
        }
        let Self { manifest, payload } = self;
        let mut payload = age::Reader::new(payload, key)?;
        let size = archive::next(&mut payload, "about", PAYLOAD)?;
        let about = archive::small(&mut payload, size, about::MAX_BYTES, PAYLOAD)?;
        let about = About::from_bytes(&about)?;
        about.agrees(&manifest, key.public())?;
        if archive::next(&mut payload, "content", PAYLOAD)? != about.content_bytes {
            return Err(ShareError::Container { part: PAYLOAD });
        }
        Ok(Opening { manifest, about, payload })
    }
}

/// A share that is being opened.
///
/// Everything that can be known before the content is checked by then: the issuer's signature, trust,
/// time, recipient, and that inside and outside name the same parties.
pub struct Opening<R: Read> {
    manifest: Manifest,
    about: About,
    payload: age::Reader<Checking<R>>,
}

impl<R: Read> Opening<R> {
    /// [`Arrived::start`] and [`Arrived::open`] in one, for who has one key.
    pub fn start(
        input: R,
        trust: &Trust,
        key: &RecipientKey,
        now: Moment,
    ) -> Result<Self, ShareError> {
        Arrived::start(input, trust, now)?.open(key)
    }

    /// What the issuer stated.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What stands inside: the name and the size of the content.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Writes the content to `out`. What arrives there is verified, each piece before it is
    /// written; whether the content is whole shows only at the end. So `out` should be a place that
    /// is kept only if this returns `Ok`.
    pub fn copy_to(mut self, out: &mut impl Write) -> Result<Manifest, ShareError> {
        let size = self.about.content_bytes;
        let mut left = size;
        while left > 0 {
            let text = self.payload.fill_buf()?;
            let text = text.get(..left.min(text.len() as u64) as usize).unwrap_or_default();
            if text.is_empty() {
                return Err(ShareError::Container { part: PAYLOAD });
            }
            out.write_all(text).map_err(ShareError::Io)?;
            let count = text.len();
            left -= count as u64;
            self.payload.consume(count);
        }
        archive::skip_filling(&mut self.payload, size, PAYLOAD)?;
        self.finish()
    }

    /// Reads what follows behind the content, to the end of the file.
    fn finish(mut self) -> Result<Manifest, ShareError> {
        // Either the padding follows or the end of the archive; a header is not empty.
        let mut block = [0; archive::BLOCK_BYTES as usize];
        if read_fully(&mut self.payload, &mut block)? < block.len() {
            return Err(ShareError::Container { part: PAYLOAD });
        }
        if block.iter().all(|byte| *byte == 0) {
            archive::finish_with(
                &mut self.payload,
                archive::END_BYTES - archive::BLOCK_BYTES,
                PAYLOAD,
            )?;
        } else {
            let padding = archive::next(&mut &block[..], "padding", PAYLOAD)?;
            let zeros = padding.checked_add(archive::END_BYTES);
            let zeros = zeros.ok_or(ShareError::Container { part: PAYLOAD })?;
            archive::finish_with(&mut self.payload, zeros, PAYLOAD)?;
        }
        let mut input = self.payload.into_inner().finish()?;
        end(&mut input, &self.manifest)?;
        Ok(self.manifest)
    }
}

const PAYLOAD: &str = "payload";

/// Reads up to the payload and checks everything that needs no secret key.
fn start<R: Read>(
    mut input: R,
    trust: &Trust,
    now: Moment,
) -> Result<(Manifest, Checking<R>), ShareError> {
    let text = first_member(&mut input)?;
    let manifest = Manifest::from_bytes(&text)?;
    let signature_bytes = Signature::size_bytes(Profile::Hybrid) as u64;
    let size = archive::next(&mut input, "signature", "signature")?;
    if size == 0 {
        return Err(ShareError::NotSigned);
    }
    let signature = archive::small(&mut input, size, signature_bytes, "signature")?;
    let issuer = trust.issuer(manifest.issuer)?;
    Manifest::verify(&text, issuer, &signature)?;
    if trust.is_revoked(issuer) {
        return Err(ShareError::RevokedIssuer);
    }
    if trust.withdrawn.contains(&(manifest.issuer, manifest.share)) {
        return Err(ShareError::Withdrawn { share: manifest.share });
    }
    if let Some(until) = manifest.terms.until.filter(|until| *until < now) {
        return Err(ShareError::Expired { until });
    }
    if manifest.payload_bytes > MAX_PAYLOAD_BYTES {
        return Err(ShareError::TooLarge { part: PAYLOAD });
    }
    let leaves = leaves(&mut input, &manifest)?;
    if archive::next(&mut input, "payload.age", PAYLOAD)? != manifest.payload_bytes {
        return Err(ShareError::Container { part: PAYLOAD });
    }
    let payload_bytes = manifest.payload_bytes;
    Ok((manifest, Checking::new(input, leaves, payload_bytes)))
}

/// The manifest's text, or what the file is instead of a share.
fn first_member(input: &mut impl Read) -> Result<Vec<u8>, ShareError> {
    let mut block = [0; archive::BLOCK_BYTES as usize];
    let filled = read_fully(input, &mut block)?;
    let begun = block.get(..filled).unwrap_or_default();
    if BARE.iter().any(|start| begun.starts_with(start)) {
        return Err(ShareError::NotSigned);
    }
    if filled < block.len() {
        let like = filled == 0 || b"manifest\0".iter().zip(begun).all(|(own, byte)| own == byte);
        return Err(if like {
            ShareError::Truncated { part: MANIFEST }
        } else {
            ShareError::NotAShare
        });
    }
    let size = match archive::next(&mut &block[..], "manifest", MANIFEST) {
        Err(_) if !block.starts_with(b"manifest\0") => return Err(ShareError::NotAShare),
        size => size?,
    };
    archive::small(input, size, MAX_MANIFEST_BYTES as u64 - 1, MANIFEST)
}

const MANIFEST: &str = "manifest";

fn leaves(input: &mut impl Read, manifest: &Manifest) -> Result<Vec<tree::Hash>, ShareError> {
    let expected = tree::leaf_count(manifest.payload_bytes) * HASH_BYTES as u64;
    let size = archive::next(input, "leaves", "leaves")?;
    if size != expected {
        return Err(ShareError::Container { part: "leaves" });
    }
    let leaves = archive::small(input, size, expected, "leaves")?;
    let (leaves, _) = leaves.as_chunks::<HASH_BYTES>();
    if tree::root(leaves, manifest.payload_bytes) != Some(manifest.root) {
        return Err(ShareError::Leaves);
    }
    Ok(leaves.to_vec())
}

fn end(input: &mut impl Read, manifest: &Manifest) -> Result<(), ShareError> {
    archive::skip_filling(input, manifest.payload_bytes, PAYLOAD)?;
    archive::finish_with(input, archive::END_BYTES, "end")
}

//! Making a share.

use std::io::{Read, Seek, SeekFrom, Write};

use super::about::{self, About};
use super::archive;
use super::lines;
use super::manifest::{
    self, MAX_MANIFEST_BYTES, MAX_RECIPIENTS, MAX_WORDS_BYTES, Manifest, ShareId, Terms,
};
use super::tree::{HASH_BYTES, Hashing, leaf_count};
use super::{MAX_PAYLOAD_BYTES, ShareError, padding};
use crate::age::{self, CHUNK_BYTES};
use crate::{Fingerprint, Identity, Profile, PublicRecipient, Random, RecipientKey, Signature};

/// What is to be sealed, by whom and for whom.
pub struct Sealing<'a> {
    /// Who signs.
    pub issuer: &'a Identity,
    /// Who can open it.
    pub recipients: &'a [PublicRecipient],
    /// What the manifest states.
    pub terms: Terms,
    /// How the content is called, without a path. Only recipients see it.
    pub name: &'a str,
    /// Fills the recipients up to 4, 8, 16, 32 or 64 with keys that nobody holds.
    pub hide_recipients: bool,
    /// Fills the content up, by at most 12 percent, to a size that many other shares have.
    pub hide_size: bool,
}

/// Seals `content`, which has exactly `content_bytes`, into `out` and returns the manifest.
///
/// Writes from the current place of `out` on, once from front to back; then goes back and fills in
/// what could not be known before. What stands in `out` after an error is no share.
pub fn seal(
    sealing: &Sealing<'_>,
    content: impl Read,
    content_bytes: u64,
    out: impl Write + Seek,
    random: &mut dyn Random,
) -> Result<Manifest, ShareError> {
    let named: Vec<_> = sealing.recipients.iter().map(PublicRecipient::fingerprint).collect();
    seal_for(sealing, &named, content, content_bytes, out, random)
}

/// Seals with these recipients named inside.
pub(super) fn seal_for(
    sealing: &Sealing<'_>,
    named: &[Fingerprint],
    content: impl Read,
    content_bytes: u64,
    mut out: impl Write + Seek,
    random: &mut dyn Random,
) -> Result<Manifest, ShareError> {
    let (mut manifest, recipients) = manifest(sealing, random)?;
    let about = About {
        share: manifest.share,
        terms: manifest.terms_digest(),
        issuer: manifest.issuer,
        recipients: named.to_vec(),
        name: about::name(sealing.name)
            .ok_or(ShareError::Words { what: "name", limit: about::MAX_NAME_BYTES })?,
        content_bytes,
    };
    let inside = Inside::new(&about, sealing.hide_size);
    let payload_bytes = inside.bytes().and_then(|bytes| age::file_bytes(recipients.len(), bytes));
    manifest.payload_bytes = payload_bytes
        .filter(|bytes| *bytes <= MAX_PAYLOAD_BYTES)
        .ok_or(ShareError::TooLarge { part: "payload" })?;
    let text_bytes = manifest.to_bytes().len();
    if text_bytes >= MAX_MANIFEST_BYTES {
        return Err(ShareError::TooLarge { part: "manifest" });
    }
    let start = out.stream_position()?;
    let leaves_bytes = leaf_count(manifest.payload_bytes) * HASH_BYTES as u64;
    let signature_bytes = Signature::size_bytes(Profile::Hybrid) as u64;
    for (name, size) in
        [("manifest", text_bytes as u64), ("signature", signature_bytes), ("leaves", leaves_bytes)]
    {
        archive::begin(&mut out, name, size)?;
        archive::zeros(&mut out, archive::member_bytes(size) - archive::BLOCK_BYTES)?;
    }
    archive::begin(&mut out, "payload.age", manifest.payload_bytes)?;
    let recipients: Vec<_> = recipients.iter().collect();
    let hashing = Hashing::new(out);
    let mut payload = age::Writer::new(hashing, &recipients, random).map_err(failed)?;
    inside.write(content, &mut payload)?;
    let (mut out, leaves) = payload.finish().map_err(failed)?.finish()?;
    archive::fill(&mut out, manifest.payload_bytes)?;
    archive::end(&mut out)?;
    let end = out.stream_position()?;
    let root = super::tree::root(&leaves, manifest.payload_bytes);
    manifest.root = root.ok_or(ShareError::ContentLength)?;
    let signature = manifest.sign(sealing.issuer, random);
    let members: [&[u8]; 3] = [&manifest.to_bytes(), signature.to_bytes(), leaves.as_flattened()];
    let mut place = start;
    for member in members {
        out.seek(SeekFrom::Start(place + archive::BLOCK_BYTES))?;
        out.write_all(member)?;
        place += archive::member_bytes(member.len() as u64);
    }
    out.seek(SeekFrom::Start(end))?;
    out.flush()?;
    Ok(manifest)
}

/// The manifest without what depends on the payload, and the recipients in its order.
fn manifest(
    sealing: &Sealing<'_>,
    random: &mut dyn Random,
) -> Result<(Manifest, Vec<PublicRecipient>), ShareError> {
    check_profiles(sealing)?;
    let terms = sealing.terms.clone();
    for (what, words) in
        [("purpose", &terms.purpose), ("basis", &terms.basis), ("content", &terms.content)]
    {
        lines::words(words, MAX_WORDS_BYTES)
            .ok_or(ShareError::Words { what, limit: MAX_WORDS_BYTES })?;
    }
    let (mut share, mut salt) = (ShareId([0; 16]), [0; 16]);
    random.fill(&mut share.0);
    random.fill(&mut salt);
    let mut recipients = sealing.recipients.to_vec();
    if sealing.hide_recipients {
        while recipients.len() < padding::recipients(sealing.recipients.len()) {
            let nobody = RecipientKey::generate(Profile::Hybrid, random);
            recipients.push(nobody.map_err(|error| failed(error.into()))?.public().clone());
        }
    }
    // In the order of their hashes, so that the place tells nothing.
    let mut salted: Vec<_> =
        recipients.into_iter().map(|key| (manifest::salted(&salt, &key), key)).collect();
    salted.sort_by_key(|(hash, _)| *hash);
    let (hashes, recipients): (Vec<_>, Vec<_>) = salted.into_iter().unzip();
    let twice = hashes.array_windows().any(|[one, next]| one == next);
    if sealing.recipients.is_empty() || twice || recipients.len() > MAX_RECIPIENTS {
        return Err(ShareError::Recipients);
    }
    let manifest = Manifest {
        share,
        issuer: sealing.issuer.public().fingerprint(),
        terms,
        salt,
        recipients: hashes,
        payload_bytes: 0,
        root: [0; HASH_BYTES],
    };
    Ok((manifest, recipients))
}

fn check_profiles(sealing: &Sealing<'_>) -> Result<(), ShareError> {
    let keys = sealing.recipients.iter().map(PublicRecipient::profile);
    let mut profiles = keys.chain([sealing.issuer.public().profile()]);
    match profiles.find(|profile| *profile != Profile::Hybrid) {
        Some(profile) => Err(ShareError::Profile(profile)),
        None => Ok(()),
    }
}

/// The archive inside of a payload.
struct Inside {
    about: Vec<u8>,
    content_bytes: u64,
    /// Bytes of zeros behind the content; `None` for no such member.
    padding: Option<u64>,
}

impl Inside {
    fn new(about: &About, hide_size: bool) -> Self {
        let mut inside = Self {
            about: about.to_bytes(),
            content_bytes: about.content_bytes,
            padding: hide_size.then_some(0),
        };
        if let Some(bytes) = inside.bytes().filter(|_| hide_size) {
            let padded = padding::size(bytes).next_multiple_of(archive::BLOCK_BYTES);
            inside.padding = Some(padded - bytes);
        }
        inside
    }

    /// Bytes of the archive; `None` beyond what a payload may have.
    fn bytes(&self) -> Option<u64> {
        if self.content_bytes > MAX_PAYLOAD_BYTES {
            return None;
        }
        let about = archive::member_bytes(self.about.len() as u64);
        let padding = self.padding.map_or(0, archive::member_bytes);
        Some(about + archive::member_bytes(self.content_bytes) + padding + archive::END_BYTES)
    }

    fn write(&self, content: impl Read, out: &mut impl Write) -> Result<(), ShareError> {
        let about_bytes = self.about.len() as u64;
        archive::begin(out, "about", about_bytes)?;
        out.write_all(&self.about)?;
        archive::fill(out, about_bytes)?;
        archive::begin(out, "content", self.content_bytes)?;
        copy(content, self.content_bytes, out)?;
        archive::fill(out, self.content_bytes)?;
        if let Some(padding) = self.padding {
            archive::begin(out, "padding", padding)?;
            archive::zeros(out, padding)?;
        }
        archive::end(out)
    }
}

/// Copies exactly `bytes` bytes, and makes sure that no more follow.
fn copy(mut content: impl Read, bytes: u64, out: &mut impl Write) -> Result<(), ShareError> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut left = bytes;
    loop {
        let count = age::read_fully(&mut content, &mut buffer)?;
        let text = buffer.get(..count).unwrap_or_default();
        left = left.checked_sub(count as u64).ok_or(ShareError::ContentLength)?;
        out.write_all(text)?;
        if count < buffer.len() {
            break;
        }
    }
    if left == 0 { Ok(()) } else { Err(ShareError::ContentLength) }
}

fn failed(error: age::AgeError) -> ShareError {
    match error {
        age::AgeError::Io(error) => error.into(),
        error => ShareError::Seal(error),
    }
}

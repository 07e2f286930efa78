//! The stanza `mlkem768x25519`: the file key under HPKE with X-Wing (C2SP age.md, "mlkem768x25519
//! recipient stanza").

use super::header::{Header, HeaderFault, Stanza};
use super::{AgeError, FILE_KEY_BYTES, FileKey, base64};
use crate::hpke::{self, Session};
use crate::{Profile, PublicRecipient, Random, RecipientKey, Secret};

/// The first argument.
pub(super) const KIND: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// Bytes of a wrapped file key.
pub(super) const WRAPPED_BYTES: usize = FILE_KEY_BYTES + 16;
/// Bytes of an encapsulated secret: a ciphertext of ML-KEM-768 and a share of X25519.
const ENCAPSULATED_BYTES: usize = PublicRecipient::encapsulated_bytes(Profile::Hybrid);
/// Bytes of both lines of a stanza.
pub(super) const TEXT_BYTES: u64 = "-> mlkem768x25519 \n".len() as u64
    + (ENCAPSULATED_BYTES * 4).div_ceil(3) as u64
    + (WRAPPED_BYTES * 4).div_ceil(3) as u64
    + 1;

/// The other native kind that is post-quantum; its keys live in hardware.
const TAGGED: &str = "mlkem768p256tag";
/// Some programs add a stanza of such a kind for nobody, so that nobody relies on there being none.
const GREASE: &str = "grease";

/// Wraps the file key for one recipient.
pub(super) fn wrap(
    file_key: &FileKey,
    recipient: &PublicRecipient,
    random: &mut dyn Random,
) -> Result<Stanza, AgeError> {
    if recipient.profile() != Profile::Hybrid {
        return Err(AgeError::Profile(recipient.profile()));
    }
    let sealed = hpke::seal(recipient, INFO, b"", file_key.expose(), random)?;
    let mut encapsulated = Vec::new();
    base64::encode(&sealed.encapsulated, &mut encapsulated);
    let arguments = vec![String::from_utf8_lossy(&encapsulated).into_owned()];
    Ok(Stanza { kind: KIND.to_owned(), arguments, body: sealed.ciphertext })
}

/// The file key from the first stanza that `key` opens; `None` where there is no such stanza, an
/// error where a stanza of the kind has not its form.
pub(super) fn find(header: &Header, key: &RecipientKey) -> Result<Option<FileKey>, AgeError> {
    if key.profile() != Profile::Hybrid {
        return Err(AgeError::Profile(key.profile()));
    }
    let mut found = None;
    for stanza in &header.stanzas {
        let opened = stanza.unwrap(key).map_err(|fault| header.fault(fault))?;
        found = found.or(opened);
    }
    Ok(found)
}

impl Stanza {
    /// The file key, if this stanza is one that `key` opens; a stanza of the kind without the kind's
    /// form is an error.
    pub fn unwrap(&self, key: &RecipientKey) -> Result<Option<FileKey>, HeaderFault> {
        if self.kind != KIND {
            return Ok(None);
        }
        let [encapsulated] = self.arguments.as_slice() else { return Err(HeaderFault::Stanza) };
        let encapsulated = base64::decode(encapsulated.as_bytes()).ok_or(HeaderFault::Stanza)?;
        // The length is checked before anything is opened: a longer body could be made to open under
        // two keys (a partitioning oracle).
        if encapsulated.len() != ENCAPSULATED_BYTES || self.body.len() != WRAPPED_BYTES {
            return Err(HeaderFault::Stanza);
        }
        // With the length right, only a share that takes no part is refused here.
        let shared = key.decapsulate(&encapsulated).map_err(|_| HeaderFault::LowOrder)?;
        let session = Session::new(key.profile(), &shared, INFO);
        let opened = session.ok().and_then(|mut session| session.open(b"", &self.body).ok());
        Ok(opened.and_then(|file_key| Secret::from_slice(&file_key).ok()))
    }
}

/// Refuses a file that somebody without a post-quantum key could open.
pub(super) fn refuse_classical(header: &Header) -> Result<(), AgeError> {
    let is_post_quantum = |stanza: &&Stanza| stanza.kind == KIND || stanza.kind == TAGGED;
    if !header.stanzas.iter().any(|stanza| is_post_quantum(&stanza)) {
        return Err(AgeError::NotPostQuantum);
    }
    let mut others = header.stanzas.iter().filter(|stanza| !is_post_quantum(stanza));
    if others.any(|stanza| !stanza.kind.ends_with(GREASE)) {
        return Err(AgeError::Mixed);
    }
    Ok(())
}

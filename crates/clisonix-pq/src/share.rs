//! Sealed shares: data for named recipients, for a purpose, until a day, signed by who gives it.
//!
//! A share is one file, a tar archive of four members:
//!
//! | member | what |
//! |---|---|
//! | `manifest` | what the issuer states, in lines that people can read; below 4 KB |
//! | `signature` | the issuer's composite signature over the manifest |
//! | `leaves` | BLAKE3 chaining values, one for each MiB of the payload |
//! | `payload.age` | an age file for the recipients; inside of it a tar archive once more: `about`, `content` and, if the size is hidden, `padding` |
//!
//! [`seal`] writes the data once from front to back and then fills the three small members in;
//! [`Opening`] and [`verify`] read once from front to back. A reader knows from the first few KB who
//! signed, for whom and until when, and compares each MiB with what was signed before it decrypts
//! it. All of it runs in constant memory but for the leaves, 32 bytes for each MiB. A payload of more
//! than a MiB is hashed by a second thread.

mod about;
mod archive;
mod lane;
pub mod ledger;
mod lines;
mod manifest;
mod moment;
mod open;
mod padding;
mod seal;
mod tree;

use std::io;

pub use self::about::{About, MAX_NAME_BYTES};
pub use self::lines::LineFault;
#[cfg(feature = "link")]
pub(crate) use self::lines::words;
pub use self::manifest::{
    MAX_MANIFEST_BYTES, MAX_RECIPIENTS, MAX_WORDS_BYTES, Manifest, NotAShareId, SaltedRecipient,
    ShareId, Terms,
};
pub use self::moment::{Moment, NotAMoment};
pub use self::open::{Arrived, Opening, verify};
pub use self::seal::{Sealing, seal};
pub use self::tree::{HASH_BYTES, LEAF_BYTES};
use crate::age::AgeError;
use crate::{Fingerprint, FormError, Profile, PublicIdentity, Revocation, Withdrawal};

/// Most bytes of a payload: 256 GiB, whose leaves are 8 MiB.
pub const MAX_PAYLOAD_BYTES: u64 = 256 << 30;

/// Whose shares are taken.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    issuers: Vec<(PublicIdentity, bool)>,
    withdrawn: Vec<(Fingerprint, ShareId)>,
}

impl Trust {
    /// Nobody's.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Takes shares that this key signs.
    pub fn accept(&mut self, issuer: PublicIdentity) {
        self.issuers.push((issuer, false));
    }

    /// Knows this key and refuses what it signs, whatever its date: who holds a stolen key can
    /// write any date.
    pub fn revoke(&mut self, issuer: PublicIdentity) {
        self.issuers.push((issuer, true));
    }

    /// Refuses one share, which its issuer took back; nobody can take back another's.
    pub fn withdraw(&mut self, withdrawal: &Withdrawal) {
        self.withdrawn.push((withdrawal.issuer(), withdrawal.share()));
    }

    /// Takes in a statement of an accepted issuer, which revokes its key or takes a share back.
    ///
    /// # Errors
    /// [`FormError::OtherKey`] if it is no such statement, or of nobody who is accepted.
    pub fn take(&mut self, statement: &[u8]) -> Result<(), FormError> {
        for at in 0..self.issuers.len() {
            let Some((issuer, _)) = self.issuers.get(at) else { break };
            if Revocation::from_text(statement, issuer).is_ok() {
                self.revoke(issuer.clone());
                return Ok(());
            }
            if let Ok(withdrawal) = Withdrawal::from_text(statement, issuer) {
                self.withdraw(&withdrawal);
                return Ok(());
            }
        }
        Err(FormError::OtherKey)
    }

    /// The key of a fingerprint.
    fn issuer(&self, fingerprint: Fingerprint) -> Result<&PublicIdentity, ShareError> {
        let of_this = |(issuer, _): &&(PublicIdentity, bool)| issuer.fingerprint() == fingerprint;
        let mut known = self.issuers.iter().filter(of_this);
        let (issuer, _) =
            known.next().ok_or(ShareError::UntrustedIssuer { issuer: fingerprint })?;
        Ok(issuer)
    }

    fn is_revoked(&self, issuer: &PublicIdentity) -> bool {
        self.issuers.iter().any(|(known, revoked)| *revoked && known == issuer)
    }
}

/// Why a share cannot be made, verified or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// No share at all.
    #[error("this is no sealed share")]
    NotAShare,
    /// A bare age file, or a share without its signature: nobody says who sealed it.
    #[error("not signed: nobody says who sealed it")]
    NotSigned,
    /// The manifest has not its form.
    #[error("the manifest has not its form: {0}")]
    Manifest(LineFault),
    /// The issuer did not sign this manifest.
    #[error("the manifest was altered, or its signature is not the issuer's")]
    Signature,
    /// Signed by a key that is not trusted.
    #[error("signed by a key that is not trusted: {issuer}")]
    UntrustedIssuer {
        /// The fingerprint to compare with the issuer over another way.
        issuer: Fingerprint,
    },
    /// Signed by a key that was revoked.
    #[error("the issuer's key was revoked")]
    RevokedIssuer,
    /// Taken back by its issuer.
    #[error("the share {share} was withdrawn")]
    Withdrawn {
        /// The share.
        share: ShareId,
    },
    /// Its time is over.
    #[error("expired on {until}")]
    Expired {
        /// The last second in which it could be opened.
        until: Moment,
    },
    /// Sealed for others.
    #[error("not sealed for this key")]
    WrongRecipient,
    /// The key is named by the manifest, but opens nothing.
    #[error("wrong key, or the issuer damaged the payload before signing")]
    Payload(#[source] AgeError),
    /// The file ends too early.
    #[error("cut off within its {part}")]
    Truncated {
        /// The member in which it ends.
        part: &'static str,
    },
    /// What was received is not what was signed.
    #[error("the payload was altered within its MiB {leaf}")]
    Altered {
        /// Counted from 0.
        leaf: u64,
    },
    /// The leaves are not those of the root that was signed.
    #[error("the leaves were altered")]
    Leaves,
    /// The container has not its form at this member.
    #[error("the container was altered at its {part}")]
    Container {
        /// The member.
        part: &'static str,
    },
    /// Something follows behind the share.
    #[error("something follows behind the share")]
    Trailing,
    /// What stands inside has not its form.
    #[error("what stands inside of the payload has not its form: {0}")]
    About(LineFault),
    /// Inside stands another issuer or another manifest: the signature was replaced.
    #[error("the signature is not that of who sealed the content, or of another manifest")]
    Resigned,
    /// Inside stand other recipients: the content was sealed for somebody else.
    #[error("the content was sealed for somebody else and passed on")]
    Readdressed,
    /// Beyond a limit.
    #[error("the {part} is larger than it may be")]
    TooLarge {
        /// What is too large.
        part: &'static str,
    },
    /// Words that are empty, too long, or not plain text on one line.
    #[error("the {what} must be one line of plain text, not empty, of at most {limit} bytes")]
    Words {
        /// Which words.
        what: &'static str,
        /// How many bytes they may have.
        limit: usize,
    },
    /// No recipient, too many, or one twice.
    #[error("a share has between 1 and {MAX_RECIPIENTS} different recipients")]
    Recipients,
    /// A profile whose shares do not exist. An age file knows only `ChaCha20` under a key of 128
    /// bits and cannot be `cnsa2`.
    #[error("shares of profile {0} are not made: the age format has no such algorithms")]
    Profile(Profile),
    /// The content was not as long as was said.
    #[error("the content has not the length that was announced")]
    ContentLength,
    /// The ledger of shares is damaged.
    #[error(transparent)]
    Ledger(ledger::LedgerError),
    /// Sealing failed.
    #[error("sealing failed")]
    Seal(#[source] AgeError),
    /// The thread that hashes ended early.
    #[error("the hashing of the payload ended early")]
    Interrupted,
    /// Reading or writing failed.
    #[error("reading or writing failed")]
    Io(#[source] io::Error),
}

impl From<io::Error> for ShareError {
    /// Errors of this crate that went through [`io`] come out as what they were.
    fn from(error: io::Error) -> Self {
        let inner = match error.downcast::<ShareError>() {
            Ok(inner) => return inner,
            Err(error) => error.downcast::<AgeError>(),
        };
        inner.map_or_else(Self::Io, Self::Payload)
    }
}

impl From<ShareError> for io::Error {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl From<AgeError> for ShareError {
    fn from(error: AgeError) -> Self {
        match error {
            AgeError::Io(error) => error.into(),
            error => Self::Payload(error),
        }
    }
}

#[cfg(test)]
mod tests;

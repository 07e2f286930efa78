//! What is signed and authenticated in an exchange: both identities, what is given, and the session.

use crate::digest::sha384;
use crate::fingerprint::Fingerprint;
use crate::identity::Context;
use crate::profile::Profile;

/// Bytes of a proof that the secret is known: HMAC with SHA-384.
pub(super) const MAC_BYTES: usize = 48;

/// Of the inviter's signature, which goes first.
pub(super) const INVITER: Context = Context::new("clisonix pairing inviter 1");
/// Of the joiner's signature.
pub(super) const JOINER: Context = Context::new("clisonix pairing joiner 1");

/// Which of the two speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Joiner,
    Inviter,
}

/// What both ends of one exchange know of it.
pub(super) struct Exchange {
    pub(super) profile: Profile,
    pub(super) inviter: Fingerprint,
    /// The value of the TLS exporter (RFC 8446 section 7.5). Only the inviter shows a key to TLS,
    /// and the exporter commits to that one.
    pub(super) exported: [u8; 32],
}

impl Exchange {
    /// What the inviter signs before it knows who is there.
    pub(super) fn inviters_text(&self) -> Vec<u8> {
        let suite = self.profile.suite().to_be_bytes();
        [FIRST, &suite, &self.inviter.to_bytes(), &self.exported].concat()
    }

    /// What is authenticated with an invitation, and signed by the joiner.
    pub(super) fn text(&self, by: Part, joiner: Fingerprint, invitation: &[u8]) -> Vec<u8> {
        let part = match by {
            Part::Joiner => 1,
            Part::Inviter => 2,
        };
        [
            TEXT,
            &[part],
            &self.profile.suite().to_be_bytes(),
            &joiner.to_bytes(),
            &self.inviter.to_bytes(),
            &sha384(invitation),
            &self.exported,
        ]
        .concat()
    }
}

const FIRST: &[u8] = b"clisonix pairing inviter 1\0";
const TEXT: &[u8] = b"clisonix pairing 1\0";

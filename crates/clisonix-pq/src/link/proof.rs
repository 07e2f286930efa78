//! The proof of identity that goes first through an encrypted link, in each direction.

use crate::digest::{equal_in_constant_time, sha256};
use crate::fingerprint::Fingerprint;
use crate::identity::{Context, Identity, PublicIdentity, Signature};
use crate::profile::Profile;
use crate::random::Random;

use super::error::LinkError;

/// Most bytes of a proof, its length not counted.
pub const MAX_PROOF_BYTES: usize = bytes(Profile::Cnsa2);

/// Bytes of a proof of a profile: version, suite, role, identity, session, signature.
pub(super) const fn bytes(profile: Profile) -> usize {
    1 + 2 + 1 + 32 + 32 + Signature::size_bytes(profile)
}

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that asked for the link: the client of TLS.
    Connecting,
    /// The end that was asked: the server of TLS.
    Accepting,
}

impl Role {
    const fn number(self) -> u8 {
        match self {
            Self::Connecting => 1,
            Self::Accepting => 2,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Connecting => Self::Accepting,
            Self::Accepting => Self::Connecting,
        }
    }
}

/// What both proofs of one link are about.
pub(super) struct Session {
    pub(super) profile: Profile,
    /// Our end.
    pub(super) role: Role,
    pub(super) own: Fingerprint,
    /// The identity that is pinned to the TLS key that the peer has shown and proved.
    pub(super) peer: PublicIdentity,
    /// The TLS keys of both ends, as shown. The exporter commits to the accepting end's alone
    /// (RFC 8446 section 7.1).
    pub(super) own_key: Box<[u8]>,
    pub(super) peer_key: Box<[u8]>,
    /// The value of the TLS exporter (RFC 8446 section 7.5).
    pub(super) exported: [u8; 32],
}

impl Session {
    /// What stands for the session where the exported value must not.
    pub(super) fn name(&self) -> [u8; 32] {
        sha256(&[NAME, &self.exported].concat())
    }

    /// Our proof, with its length before it.
    pub(super) fn prove(&self, identity: &Identity, random: &mut dyn Random) -> Vec<u8> {
        let signature = identity.sign(PROVE, &self.text(self.role), random);
        let length = bytes(self.profile) as u16;
        [
            &length.to_be_bytes()[..],
            &[VERSION],
            &self.profile.suite().to_be_bytes(),
            &[self.role.number()],
            &self.own.to_bytes(),
            &self.name(),
            signature.to_bytes(),
        ]
        .concat()
    }

    /// Takes apart and verifies the peer's proof, without its length.
    pub(super) fn verify(&self, proof: &[u8]) -> Result<(), LinkError> {
        let cut = LinkError::ProofTruncated;
        let (&[version], rest) = proof.split_first_chunk().ok_or(cut)?;
        if version != VERSION {
            return Err(LinkError::ProofVersion(version));
        }
        let (suite, rest) = rest.split_first_chunk().ok_or(cut)?;
        if u16::from_be_bytes(*suite) != self.profile.suite() {
            return Err(LinkError::ProofProfile);
        }
        let (&[role], rest) = rest.split_first_chunk().ok_or(cut)?;
        if role == self.role.number() {
            return Err(LinkError::Reflected);
        }
        if role != self.role.other().number() {
            return Err(LinkError::Protocol);
        }
        let (signer, rest) = rest.split_first_chunk().ok_or(cut)?;
        if Fingerprint::from_bytes(*signer) != self.peer.fingerprint() {
            return Err(LinkError::OtherIdentity);
        }
        let (name, signature) = rest.split_first_chunk::<32>().ok_or(cut)?;
        if !equal_in_constant_time(name, &self.name()) {
            return Err(LinkError::OtherSession);
        }
        let text = self.text(self.role.other());
        let verified = self.peer.verify(PROVE, &text, &Signature::from_bytes(signature));
        verified.map_err(|_| LinkError::ProofSignature)
    }

    /// What the end of `role` signs.
    fn text(&self, role: Role) -> Vec<u8> {
        let own = (self.own.to_bytes(), sha256(&self.own_key));
        let peer = (self.peer.fingerprint().to_bytes(), sha256(&self.peer_key));
        let (connecting, accepting) = match self.role {
            Role::Connecting => (own, peer),
            Role::Accepting => (peer, own),
        };
        [
            TEXT,
            &self.profile.suite().to_be_bytes(),
            &[role.number()],
            &connecting.0,
            &accepting.0,
            &connecting.1,
            &accepting.1,
            &self.exported,
        ]
        .concat()
    }
}

const VERSION: u8 = 1;
const PROVE: Context = Context::new("clisonix link proof 1");
const TEXT: &[u8] = b"clisonix link proof 1\0";
const NAME: &[u8] = b"clisonix link session 1\0";

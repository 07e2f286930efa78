//! Who may open a link with us: pinned identities, each with its TLS key.

use std::collections::{BTreeMap, BTreeSet};

use crate::fingerprint::Fingerprint;
use crate::form::FormError;
use crate::identity::PublicIdentity;
use crate::profile::Profile;
use crate::statement::Revocation;

use super::error::LinkError;
use super::keys::LinkKey;
use super::tls::Suite;

/// Most peers that one node lists.
pub const MAX_PEERS: usize = 100_000;

/// A node that is known here: the identity that was compared, and the TLS key that it vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    identity: PublicIdentity,
    spki: Box<[u8]>,
}

impl Peer {
    /// Pins an identity. `link_key` is its [`LinkKey`] statement, which may come over any way.
    pub fn new(identity: PublicIdentity, link_key: &[u8]) -> Result<Self, FormError> {
        let key = LinkKey::from_text(link_key, &identity)?;
        let spki = Suite::of(key.profile()).spki(key.key());
        Ok(Self { identity, spki })
    }

    /// The pinned identity.
    pub fn identity(&self) -> &PublicIdentity {
        &self.identity
    }

    /// What stands for the peer.
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.identity.profile()
    }

    /// The TLS key as it is shown in the handshake, a `SubjectPublicKeyInfo` (RFC 9881).
    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Whether another one names the same TLS key.
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.spki == other.spki
    }

    #[cfg(test)]
    pub(super) fn mixed(identity: &Self, key: &Self) -> Self {
        Self { identity: identity.identity.clone(), spki: key.spki.clone() }
    }
}

/// The list of peers.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    listed: BTreeMap<Fingerprint, Peer>,
    by_key: BTreeMap<Box<[u8]>, Fingerprint>,
    revoked: BTreeSet<Fingerprint>,
}

impl Peers {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a peer, or takes a newer TLS key of one. Nobody proves to hold the TLS key that it names
    /// before there is a link, so a key that is another peer's stays with that one.
    ///
    /// # Errors
    /// [`LinkError::TakenKey`]; [`LinkError::TooManyPeers`].
    pub fn add(&mut self, peer: Peer) -> Result<(), LinkError> {
        let name = peer.fingerprint();
        if self.by_key.get(peer.spki()).is_some_and(|other| *other != name) {
            return Err(LinkError::TakenKey);
        }
        self.remove(name);
        if self.listed.len() >= MAX_PEERS {
            return Err(LinkError::TooManyPeers);
        }
        self.by_key.insert(peer.spki().into(), name);
        self.listed.insert(name, peer);
        Ok(())
    }

    /// Forgets a peer. A revocation stays.
    pub fn remove(&mut self, name: Fingerprint) {
        if let Some(peer) = self.listed.remove(&name) {
            self.by_key.remove(peer.spki());
        }
    }

    /// Refuses an identity from now on, whatever else is said of it. Links that are open are for
    /// their holder to close.
    pub fn revoke(&mut self, revocation: &Revocation) {
        self.revoked.insert(revocation.key());
    }

    /// Whether an identity is revoked.
    pub fn is_revoked(&self, name: Fingerprint) -> bool {
        self.revoked.contains(&name)
    }

    /// The peer of this fingerprint.
    pub fn peer(&self, name: Fingerprint) -> Option<&Peer> {
        self.listed.get(&name)
    }

    /// The peer that shows this TLS key.
    pub(super) fn of_key(&self, spki: &[u8]) -> Result<&Peer, LinkError> {
        let name = self.by_key.get(spki).ok_or(LinkError::UnknownKey)?;
        let peer = self.listed.get(name).ok_or(LinkError::UnknownKey)?;
        if self.is_revoked(*name) { Err(LinkError::Revoked) } else { Ok(peer) }
    }
}

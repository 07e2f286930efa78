//! The node's signature under receipts, and those of its peers; the secret that it shares with each.

use std::collections::BTreeMap;

use clisonix_pq::{Context, Fingerprint, Identity, KeyError, PublicIdentity, Signature};
use clisonix_tide::{NodeId, Signer};

/// Signs for this node and knows its peers.
pub(crate) struct Signatures {
    own: Identity,
    random: fn(&mut [u8]),
    peers: BTreeMap<NodeId, PublicIdentity>,
}

impl Signatures {
    pub(crate) fn new(own: Identity, random: fn(&mut [u8])) -> Self {
        Self { own, random, peers: BTreeMap::new() }
    }

    pub(crate) fn own(&self) -> Fingerprint {
        self.own.public().fingerprint()
    }

    /// Knows these peers, and no other.
    pub(crate) fn know<'a>(&mut self, peers: impl Iterator<Item = &'a PublicIdentity>) {
        let named = |peer: &PublicIdentity| (node_id(peer.fingerprint()), peer.clone());
        self.peers = peers.map(named).collect();
    }

    /// The secret of this node and a peer, as this node makes it: always the same one, and known to
    /// nobody whom it is not sent to.
    pub(crate) fn secret(&self, peer: Fingerprint) -> Result<[u8; 16], KeyError> {
        let mut secret = [0; 16];
        clisonix_pq::hkdf_sha256(SALT, self.own.seed(), &[&peer.to_bytes()], &mut secret)?;
        Ok(secret)
    }
}

impl Signer for Signatures {
    fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.own.sign(RECEIPT, text, &mut { self.random }).to_bytes().to_vec()
    }

    fn verify(&self, node: &NodeId, text: &[u8], signature: &[u8]) -> bool {
        let own = self.own.public();
        let known = if *node == node_id(self.own()) { Some(own) } else { self.peers.get(node) };
        known.is_some_and(|by| verify_receipt(by, text, signature))
    }
}

/// Whether an identity signed this text as a receipt.
pub fn verify_receipt(by: &PublicIdentity, text: &[u8], signature: &[u8]) -> bool {
    by.verify(RECEIPT, text, &Signature::from_bytes(signature)).is_ok()
}

/// A node as Tide names it.
pub fn node_id(name: Fingerprint) -> NodeId {
    NodeId(name.to_bytes())
}

const RECEIPT: Context = Context::new("clisonix tide receipt 1");
const SALT: &[u8] = b"clisonix tide pair 1";

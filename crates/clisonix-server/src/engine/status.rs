//! How the exchange stands, for people and their instruments.

use clisonix_pq::Fingerprint;
use clisonix_tide::Status;

use crate::traffic::{Fault, Traffic};

/// How it stands with one peer.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// The peer.
    pub peer: Fingerprint,
    /// The organization's name.
    pub name: String,
    /// Its session; `None` before the first link.
    pub session: Option<Status>,
    /// Its links.
    pub traffic: Traffic,
}

/// How it stands with all peers.
#[derive(Clone, Debug)]
pub struct ServerStatus {
    /// Each peer.
    pub peers: Vec<PeerStatus>,
    /// How many were refused before it was known who they are.
    pub refused: u64,
    /// Why the last one was.
    pub refusal: Option<Fault>,
}

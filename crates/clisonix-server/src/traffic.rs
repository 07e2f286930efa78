//! What happened with a peer, in numbers: for people who look after the node.

use std::net::SocketAddr;

/// The last thing that went wrong with a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// What, without any content.
    pub what: String,
}

/// The traffic with one peer since the server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Since when there is a link, in milliseconds since 1970-01-01T00:00:00Z; `None` without one.
    pub linked_since_ms: Option<u64>,
    /// Where the other end of the link is.
    pub address: Option<SocketAddr>,
    /// Links opened.
    pub links: u64,
    /// Bytes on the wire that came, openings apart.
    pub bytes_in: u64,
    /// Bytes on the wire that went out, openings apart.
    pub bytes_out: u64,
    /// Messages that came.
    pub messages_in: u64,
    /// Messages that went out.
    pub messages_out: u64,
    /// What went wrong last.
    pub fault: Option<Fault>,
}

//! Why a server does not start, and why a link ends.

use std::io;
use std::net::SocketAddr;

use clisonix_pq::link::LinkError;
use clisonix_pq::link::pairing::PairingError;
use clisonix_tide::CloseReason;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The engine does not answer for a long time.
    #[error("the engine is busy")]
    Busy,
    /// Nobody could come with a code.
    #[error("the node does not listen, so nobody can come with a code")]
    NotListening,
    /// One code at a time.
    #[error("another code is open")]
    CodeOpen,
    /// No thread could be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// Why a link was not opened, or ended. Nothing in it is of a message's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ending {
    /// This end was told to stop.
    #[error("this node stopped")]
    Stopped,
    /// The peer said its closing word.
    #[error("the peer ended the link")]
    ByPeer,
    /// It is time for another one.
    #[error("the link is renewed")]
    Worn,
    /// Another link to the same peer took its place.
    #[error("another link took its place")]
    Superseded,
    /// The peer is not one any more.
    #[error("the peer is not admitted any more")]
    Revoked,
    /// Nothing came, not even a sign of life, for longer than [`SILENCE_MS`](crate::SILENCE_MS).
    #[error("nothing came for too long")]
    Silent,
    /// Nothing could be written for [`WRITE_MS`](crate::WRITE_MS), or more than
    /// [`MAX_QUEUED_BYTES`](crate::MAX_QUEUED_BYTES) would wait.
    #[error("the peer does not read")]
    NotReading,
    /// One message took longer than [`MAX_MESSAGE_MS`](crate::MAX_MESSAGE_MS).
    #[error("a message took too long")]
    SlowMessage,
    /// A message beyond [`MAX_MESSAGE_BYTES`](crate::MAX_MESSAGE_BYTES).
    #[error("a message is too long")]
    LongMessage,
    /// The session over the link ended it.
    #[error(transparent)]
    Session(CloseReason),
    /// What runs over the link ended it; why is in its own words.
    #[error("{0}")]
    Refused(&'static str),
    /// The link was refused or broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Invitations were not exchanged.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// The peer's name leads nowhere, or nobody answers there.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// The proxy does not connect.
    #[error("the proxy refused with status {0}")]
    Proxy(u16),
    /// What the proxy says is no answer to CONNECT.
    #[error("the proxy's answer cannot be read")]
    ProxyAnswer,
    /// The transport failed.
    #[error("the connection failed: {0}")]
    Io(io::ErrorKind),
}

impl Ending {
    /// Whether something went wrong, here, there or on the way.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Stopped | Self::ByPeer | Self::Worn | Self::Superseded)
    }

    pub(crate) fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::NotReading,
            kind => Self::Io(kind),
        }
    }
}

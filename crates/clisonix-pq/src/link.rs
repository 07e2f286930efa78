//! Links between nodes: TLS 1.3 with a post-quantum key exchange, and both ends proved by their
//! pinned identities, with no way to anything less.
//!
//! A link is opened in two steps. TLS runs with one key exchange and one cipher suite (in
//! [`Profile::Hybrid`](crate::Profile::Hybrid) `X25519MLKEM768` and AES-256-GCM with SHA-384) and
//! authenticates both ends by raw public keys of ML-DSA that are pinned. Then each end proves its
//! identity: the composite signature over the TLS exporter, both identities, both TLS keys and the
//! signer's role. An [`Opening`] does that; only what it ends in, a [`Link`], carries data.
//!
//! Nothing here touches a socket or a clock: the holder hands in bytes through [`std::io::Read`]
//! and [`std::io::Write`], and times. Randomness for the proofs is handed in; TLS takes its own
//! from aws-lc. Normative: `docs/formats/link.md`.

mod error;
mod invitation;
mod keys;
mod opening;
pub mod pairing;
mod peers;
mod proof;
mod stream;
mod tls;

use std::io::{self, Read, Write};

use rustls::Connection;

use crate::identity::PublicIdentity;

use self::proof::Session;

pub use self::error::LinkError;
pub use self::invitation::{
    About, Admission, Invitation, MAX_INVITATION_BYTES, MAX_ORGANIZATION_BYTES, MAX_PLACE_BYTES,
    MAX_PLACES, MAX_TERMS, Membership,
};
pub use self::keys::{LinkKey, LinkKeys};
pub use self::opening::{MAX_OPENING_BYTES, MAX_OPENING_MS, Opening};
pub use self::peers::{MAX_PEERS, Peer, Peers};
pub use self::proof::{MAX_PROOF_BYTES, Role};
pub use self::stream::LinkStream;

/// After this much time a link is to be made anew, in milliseconds: new keys of TLS 1.3 within a
/// connection (RFC 8446 section 4.6.3) come from the old ones, a new link makes a new exchange.
pub const MAX_LINK_MS: u64 = 6 * 60 * 60 * 1000;

/// After this many bytes in both directions a link is to be made anew.
pub const MAX_LINK_BYTES: u64 = 64 << 30;

/// An open link: both ends are proved.
pub struct Link {
    tls: Connection,
    peer: PublicIdentity,
    session: [u8; 32],
    role: Role,
    opened_ms: u64,
    moved: u64,
    /// Whether the transport has ended.
    ended: bool,
}

impl Link {
    fn new(tls: Connection, session: &Session, role: Role, opened_ms: u64) -> Self {
        let (peer, name) = (session.peer.clone(), session.name());
        Self { tls, peer, session: name, role, opened_ms, moved: 0, ended: false }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &PublicIdentity {
        &self.peer
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What stands for this session, the same at both ends and not secret.
    pub fn session(&self) -> [u8; 32] {
        self.session
    }

    /// Whether it is time to make a new link, see [`MAX_LINK_MS`] and [`MAX_LINK_BYTES`].
    pub fn is_worn(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.opened_ms) > MAX_LINK_MS || self.moved > MAX_LINK_BYTES
    }

    /// Whether there are bytes for the transport.
    pub fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Whether more can be read from the transport: not while data waits to be received.
    pub fn wants_read(&self) -> bool {
        self.tls.wants_read() && !self.ended
    }

    /// Writes bytes to the transport, and tells how many.
    pub fn write_to(&mut self, sink: &mut dyn Write) -> io::Result<usize> {
        let count = self.tls.write_tls(sink)?;
        self.moved = self.moved.saturating_add(count as u64);
        Ok(count)
    }

    /// Reads once from the transport and decrypts what came. Does nothing unless
    /// [`Self::wants_read`].
    ///
    /// # Errors
    /// [`LinkError::Protocol`] for what was changed on the way, [`LinkError::Io`]. The link cannot
    /// be used any more, but for an `Io` of kind [`io::ErrorKind::WouldBlock`],
    /// [`io::ErrorKind::TimedOut`] or [`io::ErrorKind::Interrupted`].
    pub fn read_from(&mut self, source: &mut dyn Read) -> Result<(), LinkError> {
        if !self.wants_read() {
            return Ok(());
        }
        let count = self.tls.read_tls(source).map_err(|error| LinkError::of_io(&error))?;
        self.ended = count == 0;
        self.moved = self.moved.saturating_add(count as u64);
        self.tls.process_new_packets().map_err(|error| LinkError::of_tls(&error))?;
        Ok(())
    }

    /// Takes data for the peer, as much as there is room for, and tells how much. More fits after
    /// [`Self::write_to`].
    ///
    /// # Errors
    /// [`LinkError::Protocol`] if the link has failed.
    pub fn send(&mut self, data: &[u8]) -> Result<usize, LinkError> {
        self.tls.writer().write(data).map_err(|_| LinkError::Protocol)
    }

    /// Gives data of the peer: `None` while there is none, 0 bytes after the peer's closing word.
    ///
    /// # Errors
    /// [`LinkError::Cut`] if the transport ended without it.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, LinkError> {
        match self.tls.reader().read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(None),
                io::ErrorKind::UnexpectedEof => Err(LinkError::Cut),
                _ => Err(LinkError::of_io(&error)),
            },
        }
    }

    /// Says the closing word: nothing more will be sent. It still has to be written.
    pub fn close(&mut self) {
        self.tls.send_close_notify();
    }

    /// The link as a blocking stream over its transport.
    pub fn stream<'a, S: Read + Write>(&'a mut self, transport: &'a mut S) -> LinkStream<'a, S> {
        LinkStream::new(self, transport)
    }
}

#[cfg(test)]
mod tests;

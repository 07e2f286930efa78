//! A link that is being opened: TLS, then a proof of identity in each direction.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::Connection;

use crate::fingerprint::Fingerprint;
use crate::random::Random;

use super::Link;
use super::error::LinkError;
use super::keys::LinkKeys;
use super::peers::Peers;
use super::proof::{self, Role, Session};
use super::tls;

/// Most bytes that a peer may send until the link is open. An honest opening has less than 20 KB.
pub const MAX_OPENING_BYTES: usize = 32 << 10;

/// Most time from the first step of an opening to its last, in milliseconds.
pub const MAX_OPENING_MS: u64 = 15_000;

/// One end of a link that is being opened.
///
/// The holder moves bytes: [`Self::write_to`] while [`Self::wants_write`], else [`Self::read_from`],
/// until [`Self::is_open`]; then [`Self::finish`] gives the link. [`Self::complete`] does all that
/// on a stream. There is no way to data before both ends are proved: this type has none.
///
/// The connecting end proves itself first. So the accepting end neither signs for strangers nor
/// tells them who it is beyond its TLS key.
pub struct Opening {
    tls: Connection,
    own: Arc<LinkKeys>,
    peers: Arc<Peers>,
    role: Role,
    begun_ms: u64,
    /// Bytes that came so far.
    taken: usize,
    /// Known once TLS is set up.
    session: Option<Session>,
    /// The peer's proof as far as it came, its length included.
    proof: Vec<u8>,
    is_open: bool,
    refusal: Option<LinkError>,
}

impl Opening {
    /// Begins to connect to a peer. `now_ms` is any clock that does not go back.
    ///
    /// # Errors
    /// [`LinkError::UnknownPeer`], [`LinkError::Revoked`], [`LinkError::OwnIdentity`],
    /// [`LinkError::Profile`].
    pub fn connect(
        own: Arc<LinkKeys>,
        peers: Arc<Peers>,
        peer: Fingerprint,
        now_ms: u64,
    ) -> Result<Self, LinkError> {
        let pinned = peers.peer(peer).ok_or(LinkError::UnknownPeer)?;
        if peers.is_revoked(peer) {
            return Err(LinkError::Revoked);
        }
        if pinned.profile() != own.profile() {
            return Err(LinkError::Profile);
        }
        if peer == own.identity().fingerprint() {
            return Err(LinkError::OwnIdentity);
        }
        let tls = tls::client(&own, Arc::clone(&peers), peer)?;
        Ok(Self::new(tls, own, peers, Role::Connecting, now_ms))
    }

    /// Begins to accept a link from any peer of the list. `now_ms` as for [`Self::connect`].
    ///
    /// # Errors
    /// [`LinkError::Protocol`] if TLS cannot be set up.
    pub fn accept(own: Arc<LinkKeys>, peers: Arc<Peers>, now_ms: u64) -> Result<Self, LinkError> {
        let tls = tls::server(&own, Arc::clone(&peers))?;
        Ok(Self::new(tls, own, peers, Role::Accepting, now_ms))
    }

    fn new(
        tls: Connection,
        own: Arc<LinkKeys>,
        peers: Arc<Peers>,
        role: Role,
        begun_ms: u64,
    ) -> Self {
        Self {
            tls,
            own,
            peers,
            role,
            begun_ms,
            taken: 0,
            session: None,
            proof: Vec::new(),
            is_open: false,
            refusal: None,
        }
    }

    /// Whether there are bytes for the peer, after a refusal too: then they tell the peer.
    pub fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Writes bytes for the peer, and tells how many.
    pub fn write_to(&mut self, sink: &mut dyn Write) -> io::Result<usize> {
        self.tls.write_tls(sink)
    }

    /// Reads once from the peer and goes on with what came. A source that has nothing at the
    /// moment says so with [`io::ErrorKind::WouldBlock`] and changes nothing.
    ///
    /// # Errors
    /// Any refusal of [`LinkError`]. It is final: each further call gives the same.
    pub fn read_from(
        &mut self,
        source: &mut dyn Read,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Result<(), LinkError> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let taken = self.take(source, now_ms).and_then(|ended| self.advance(ended, random));
        taken.inspect_err(|&refusal| {
            self.refusal = Some(refusal);
            self.tls.send_close_notify();
        })
    }

    /// Whether both ends are proved.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The open link. Bytes for the peer that are not written yet go over to it.
    ///
    /// # Errors
    /// [`LinkError::NotOpen`].
    pub fn finish(self, now_ms: u64) -> Result<Link, LinkError> {
        match self.session {
            Some(session) if self.is_open => Ok(Link::new(self.tls, &session, self.role, now_ms)),
            _ => Err(self.refusal.unwrap_or(LinkError::NotOpen)),
        }
    }

    /// Opens the link on a blocking stream. A read of the stream should end after a while with
    /// [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`], so that the limit of time is
    /// noticed.
    ///
    /// # Errors
    /// Any refusal; the peer was told of it as far as TLS has a word for it.
    pub fn complete<S: Read + Write>(
        mut self,
        stream: &mut S,
        now_ms: &mut dyn FnMut() -> u64,
        random: &mut dyn Random,
    ) -> Result<Link, LinkError> {
        loop {
            self.flush(stream)?;
            if self.is_open {
                return self.finish(now_ms());
            }
            if let Err(refusal) = self.read_from(stream, now_ms(), random) {
                // The refusal is what matters, not whether the peer could be told.
                let _ = self.flush(stream);
                return Err(refusal);
            }
        }
    }

    fn flush<S: Write>(&mut self, stream: &mut S) -> Result<(), LinkError> {
        while self.tls.wants_write() {
            self.tls.write_tls(stream).map_err(|error| LinkError::of_io(&error))?;
        }
        stream.flush().map_err(|error| LinkError::of_io(&error))
    }

    /// Takes bytes, within the limits; tells whether the source has ended.
    fn take(&mut self, source: &mut dyn Read, now_ms: u64) -> Result<bool, LinkError> {
        if now_ms.saturating_sub(self.begun_ms) > MAX_OPENING_MS {
            return Err(LinkError::TooSlow);
        }
        // One more than allowed, so that the limit is told from the end.
        let left = (MAX_OPENING_BYTES + 1).saturating_sub(self.taken) as u64;
        match self.tls.read_tls(&mut source.take(left)) {
            Ok(0) => Ok(true),
            Ok(count) => {
                self.taken += count;
                if self.taken > MAX_OPENING_BYTES {
                    Err(LinkError::TooManyBytes)
                } else {
                    Ok(false)
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(false),
                _ => Err(LinkError::of_io(&error)),
            },
        }
    }

    fn advance(&mut self, ended: bool, random: &mut dyn Random) -> Result<(), LinkError> {
        let state = self.tls.process_new_packets();
        let state = state.map_err(|error| LinkError::of_tls(&error))?;
        let ended = ended || state.peer_has_closed();
        if self.tls.is_handshaking() {
            return if ended { Err(LinkError::Closed) } else { Ok(()) };
        }
        if self.session.is_none() {
            self.session = Some(self.establish()?);
            if self.role == Role::Connecting {
                self.prove(random)?;
            }
        }
        if self.is_open || !self.collect()? {
            return match self.proof.len() {
                _ if self.is_open || !ended => Ok(()),
                0 => Err(LinkError::ProofMissing),
                _ => Err(LinkError::ProofTruncated),
            };
        }
        let session = self.session.as_ref().ok_or(LinkError::NotOpen)?;
        session.verify(self.proof.get(2..).unwrap_or_default())?;
        if self.role == Role::Accepting {
            self.prove(random)?;
        }
        self.is_open = true;
        Ok(())
    }

    /// What TLS has settled, once it is set up.
    fn establish(&self) -> Result<Session, LinkError> {
        tls::check(&self.tls, self.own.profile(), tls::PROTOCOL)?;
        let shown = tls::shown(&self.tls)?;
        let peer = self.peers.of_key(shown)?;
        let own = self.own.identity().fingerprint();
        if peer.fingerprint() == own {
            return Err(LinkError::OwnIdentity);
        }
        Ok(Session {
            profile: self.own.profile(),
            role: self.role,
            own,
            peer: peer.identity().clone(),
            own_key: self.own.shown().into(),
            peer_key: shown.into(),
            exported: tls::exported(&self.tls, tls::LABEL)?,
        })
    }

    /// Sends our proof.
    fn prove(&mut self, random: &mut dyn Random) -> Result<(), LinkError> {
        let session = self.session.as_ref().ok_or(LinkError::NotOpen)?;
        let proof = session.prove(self.own.signer(), random);
        self.tls.writer().write_all(&proof).map_err(|error| LinkError::of_io(&error))
    }

    /// Collects the peer's proof, byte by byte no more than it has; tells whether it is whole.
    fn collect(&mut self) -> Result<bool, LinkError> {
        loop {
            let wanted = match self.proof.first_chunk::<2>() {
                None => 2,
                Some(length) => {
                    let length = usize::from(u16::from_be_bytes(*length));
                    let due = proof::bytes(self.own.profile());
                    match length.cmp(&due) {
                        std::cmp::Ordering::Greater => return Err(LinkError::ProofTooLong),
                        std::cmp::Ordering::Less => return Err(LinkError::ProofTruncated),
                        std::cmp::Ordering::Equal => 2 + due,
                    }
                }
            };
            let missing = wanted.saturating_sub(self.proof.len());
            if missing == 0 {
                return Ok(true);
            }
            let mut piece = Read::take(self.tls.reader(), missing as u64);
            match piece.read_to_end(&mut self.proof) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    // Nothing there yet, or never: the caller knows which.
                    io::ErrorKind::WouldBlock | io::ErrorKind::UnexpectedEof => {
                        if self.proof.len() < wanted {
                            return Ok(false);
                        }
                    }
                    _ => return Err(LinkError::of_io(&error)),
                },
            }
        }
    }
}

//! Pairing by a code over the port of links: the code that is open here and those who come to use
//! it, and the way to a code that is open elsewhere.
//!
//! While no code is open the port knows nothing of this. While one is, the first message of each
//! connection is looked at, and who asks for an exchange of invitations gets one; all others go the
//! way to a link that they always go.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clisonix_pq::link::pairing::{
    Answering, Code, Offer, PairingError, Standing, join as exchange,
};
use clisonix_pq::link::{Invitation, LinkKeys};

use crate::address::connect;
use crate::error::{Ending, ServerError};
use crate::opening::prepare;
use crate::places::{Limit, Places};
use crate::transport::Shared;

/// Most exchanges of invitations at once; who comes beyond is let go.
pub const MAX_PAIRINGS: usize = 8;
/// Most of them from one address.
pub const MAX_PAIRINGS_OF_ONE: usize = 2;

const LIMIT: Limit = Limit { all: MAX_PAIRINGS, of_one: MAX_PAIRINGS_OF_ONE };

/// The code of a port, if one is open. It is in memory only: a process that ends takes it along.
#[derive(Default)]
pub(crate) struct Pairing {
    inside: Mutex<Inside>,
    news: Condvar,
    places: Places,
}

#[derive(Default)]
struct Inside {
    /// Tells a code from the one before.
    number: u64,
    offer: Option<Offer>,
    /// Set after the offer is used.
    joined: Option<Joined>,
}

/// Who came with the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// What it gave: signed by its identity, which it proved to hold.
    pub invitation: Invitation,
    /// From where it came.
    pub from: SocketAddr,
    /// Whether it said that it has this node's invitation.
    pub has_answer: bool,
}

/// What became of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeEnd {
    /// Somebody came with it.
    Joined(Box<Joined>),
    /// Nobody came in time.
    Over,
    /// It was closed because somebody guessed.
    Guessed,
    /// The server is stopping.
    Stopped,
}

/// A code that is open until this is dropped, or used, or its time is over.
pub struct OpenCode {
    shared: Arc<Shared>,
    text: String,
}

impl OpenCode {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        invitation: Invitation,
        valid_ms: u64,
    ) -> Result<Self, ServerError> {
        let now_ms = shared.elapsed_ms();
        let offer = Offer::new(invitation, valid_ms, now_ms, &mut shared.random());
        let text = offer.code().to_text();
        let mut inside = shared.pairing().inside();
        if inside.offer.is_some() {
            return Err(ServerError::CodeOpen);
        }
        *inside = Inside { number: inside.number + 1, offer: Some(offer), joined: None };
        drop(inside);
        Ok(Self { shared: Arc::clone(shared), text })
    }

    /// The code as people read it out.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Waits until something became of the code, at most so long.
    pub fn wait(&self, most: Duration) -> Option<CodeEnd> {
        let pairing = self.shared.pairing();
        let is_waiting = |inside: &mut Inside| self.end(inside).is_none();
        let waited = pairing.news.wait_timeout_while(pairing.inside(), most, is_waiting);
        let (mut inside, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.end(&mut inside)
    }

    fn end(&self, inside: &mut Inside) -> Option<CodeEnd> {
        if let Some(joined) = &inside.joined {
            return Some(CodeEnd::Joined(Box::new(joined.clone())));
        }
        if self.shared.is_stopping() {
            return Some(CodeEnd::Stopped);
        }
        match inside.offer.as_ref()?.standing(self.shared.elapsed_ms()) {
            // Used: its answer is on the way.
            Standing::Open | Standing::Used => None,
            Standing::Over => Some(CodeEnd::Over),
            Standing::Guessed => Some(CodeEnd::Guessed),
        }
    }
}

impl Drop for OpenCode {
    fn drop(&mut self) {
        let mut inside = self.shared.pairing().inside();
        (inside.offer, inside.joined) = (None, None);
    }
}

impl Pairing {
    /// Whether a code is waited for.
    pub(crate) fn is_open(&self, now_ms: u64) -> bool {
        let inside = self.inside();
        inside.offer.as_ref().is_some_and(|offer| offer.standing(now_ms) == Standing::Open)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exchanges invitations with who connected and asks for it.
pub(crate) fn answer<S: Read + Write>(
    shared: &Shared,
    stream: &mut S,
    from: SocketAddr,
) -> Result<(), Ending> {
    let pairing = shared.pairing();
    let busy = Ending::Refused("too many exchange invitations at once");
    let _place = pairing.places.take(from.ip(), LIMIT).ok_or(busy)?;
    let mut clock = || shared.elapsed_ms();
    let begun = Answering::begin(&shared.keys(), stream, &mut clock, &mut shared.random());
    let answering = begun?;
    let mut inside = pairing.inside();
    let offer = inside.offer.as_mut().ok_or(PairingError::NoCode)?;
    let taken = offer.take(&answering, shared.elapsed_ms());
    let number = inside.number;
    drop(inside);
    // One that waits learns of a code that is closed.
    pairing.news.notify_all();
    let taken = taken?;
    let end = answering.finish(&taken);
    let invitation = taken.joiner().clone();
    let mut inside = pairing.inside();
    if inside.number == number && inside.offer.is_some() {
        inside.joined = Some(Joined { invitation, from, has_answer: end.is_ok() });
    }
    drop(inside);
    pairing.news.notify_all();
    Ok(end?)
}

/// Brings a code to the node that gave it: gives it the own invitation and gets that one's. Nobody
/// is admitted by that.
///
/// # Errors
/// [`Ending::Pairing`], or why there is no connection.
pub fn join(
    address: &str,
    proxy: Option<&str>,
    code: &Code,
    keys: &LinkKeys,
    invitation: &Invitation,
    random: fn(&mut [u8]),
) -> Result<Invitation, Ending> {
    let mut socket = connect(address, proxy)?;
    prepare(&socket)?;
    let begun = Instant::now();
    let mut clock = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let got = exchange(code, keys, invitation, &mut socket, &mut clock, &mut { random });
    Ok(got?)
}

/// A connection whose first bytes were heard already.
pub(crate) struct Heard<'a> {
    first: io::Cursor<Vec<u8>>,
    socket: &'a mut TcpStream,
}

impl<'a> Heard<'a> {
    pub(crate) fn new(first: Vec<u8>, socket: &'a mut TcpStream) -> Self {
        Self { first: io::Cursor::new(first), socket }
    }
}

impl Read for Heard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.first.read(buffer)? {
            0 => self.socket.read(buffer),
            count => Ok(count),
        }
    }
}

impl Write for Heard<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

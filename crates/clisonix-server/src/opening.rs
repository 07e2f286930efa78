//! From a connected socket to an open link, within the limits of an opening.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use clisonix_pq::Fingerprint;
use clisonix_pq::link::pairing::{Asked, Knock};
use clisonix_pq::link::{Link, LinkError, MAX_OPENING_MS, Opening};

use crate::error::Ending;
use crate::transport::Shared;

/// How often an opening looks whether time is up.
const LOOK: Duration = Duration::from_millis(500);

/// Sets the limits of a socket on which something is being opened.
pub(crate) fn prepare(socket: &TcpStream) -> Result<(), Ending> {
    let write = Duration::from_millis(MAX_OPENING_MS);
    let set = socket
        .set_read_timeout(Some(LOOK))
        .and_then(|()| socket.set_write_timeout(Some(write)))
        .and_then(|()| socket.set_nodelay(true));
    set.map_err(|error| Ending::Io(error.kind()))
}

/// Opens a link to `peer`, or from whoever connected, on a prepared socket. `begun_ms` is when that
/// began.
pub(crate) fn open<S: Read + Write>(
    shared: &Shared,
    stream: &mut S,
    peer: Option<Fingerprint>,
    begun_ms: u64,
) -> Result<Link, Ending> {
    let (keys, peers) = (shared.keys(), shared.peers());
    let opening = match peer {
        Some(peer) => Opening::connect(keys, peers, peer, begun_ms)?,
        None => Opening::accept(keys, peers, begun_ms)?,
    };
    let mut clock = || shared.elapsed_ms();
    Ok(opening.complete(stream, &mut clock, &mut shared.random()).map_err(refined)?)
}

/// Listens to what somebody who connected asks for; gives what was heard for that.
pub(crate) fn knock(
    shared: &Shared,
    socket: &mut TcpStream,
    begun_ms: u64,
) -> Result<(Asked, Vec<u8>), Ending> {
    let mut knock = Knock::default();
    loop {
        if shared.elapsed_ms().saturating_sub(begun_ms) > MAX_OPENING_MS {
            return Err(LinkError::TooSlow.into());
        }
        let asked = knock.read_from(socket).map_err(|error| Ending::Io(error.kind()))?;
        if let Some(asked) = asked {
            return Ok((asked, knock.heard()));
        }
    }
}

/// A socket whose time is up says so as an error of its own.
fn refined(error: LinkError) -> LinkError {
    match error {
        LinkError::Io(std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
            LinkError::TooSlow
        }
        other => other,
    }
}

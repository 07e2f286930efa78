//! From a connected socket to an open link, within the limits of an opening.

use std::net::TcpStream;
use std::time::Duration;

use clisonix_pq::Fingerprint;
use clisonix_pq::link::{Link, LinkError, MAX_OPENING_MS, Opening};

use crate::error::Ending;
use crate::transport::Shared;

/// How often an opening looks whether time is up.
const LOOK: Duration = Duration::from_millis(500);

/// Opens a link to `peer`, or from whoever connected.
pub(crate) fn open(
    shared: &Shared,
    socket: &mut TcpStream,
    peer: Option<Fingerprint>,
) -> Result<Link, Ending> {
    let failed = |error: std::io::Error| Ending::Io(error.kind());
    socket.set_read_timeout(Some(LOOK)).map_err(failed)?;
    socket.set_write_timeout(Some(Duration::from_millis(MAX_OPENING_MS))).map_err(failed)?;
    socket.set_nodelay(true).map_err(failed)?;
    let (keys, peers) = (shared.keys(), shared.peers());
    let now = shared.elapsed_ms();
    let opening = match peer {
        Some(peer) => Opening::connect(keys, peers, peer, now)?,
        None => Opening::accept(keys, peers, now)?,
    };
    let mut clock = || shared.elapsed_ms();
    Ok(opening.complete(socket, &mut clock, &mut shared.random()).map_err(refined)?)
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

//! The port: who knocks gets an opening, as long as there are not too many.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clisonix_pq::link::pairing::Asked;

use crate::error::{Ending, ServerError};
use crate::opening::{knock, open, prepare};
use crate::pairing::{self, Heard};
use crate::places::{Limit, Place, Places};
use crate::transport::Shared;

/// Most links that are being opened by others at once; who knocks beyond is let go.
pub const MAX_OPENINGS: usize = 128;
/// Most of them from one address.
pub const MAX_OPENINGS_OF_ONE: usize = 32;

const LIMIT: Limit = Limit { all: MAX_OPENINGS, of_one: MAX_OPENINGS_OF_ONE };

/// The thread that accepts.
pub(crate) struct Listener {
    address: SocketAddr,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Listener {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the end; the transport is stopping already.
    pub(crate) fn stop(&self) {
        // A connection wakes it.
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let is_awake = TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|_| is_awake) {
            let _ = thread.join();
        }
    }
}

/// Listens at an address.
pub(crate) fn start(shared: &Arc<Shared>, address: SocketAddr) -> Result<Listener, ServerError> {
    let failed = |source| ServerError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let shared = Arc::clone(shared);
    let run = move || {
        let places = Places::default();
        while !shared.is_stopping() {
            match listener.accept() {
                Ok(_) if shared.is_stopping() => return,
                Ok((socket, from)) => answer(&shared, &places, socket, from),
                // Out of file descriptors, or who knocked is gone: others may be luckier.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    };
    let thread = thread::Builder::new().name("listen".to_owned()).spawn(run);
    let thread = Mutex::new(Some(thread.map_err(ServerError::Thread)?));
    Ok(Listener { address, thread })
}

fn answer(shared: &Arc<Shared>, places: &Places, socket: TcpStream, from: SocketAddr) {
    let Some(place) = places.take(from.ip(), LIMIT) else { return };
    let inside = Arc::clone(shared);
    let run = move || {
        if let Err(why) = deal(&inside, socket, from, place) {
            inside.note_refusal(from, &why);
        }
    };
    if let Err(error) = thread::Builder::new().name("accept".to_owned()).spawn(run) {
        shared.note_refusal(from, &Ending::Io(error.kind()));
    }
}

/// Deals with one who connected until that is over.
fn deal(
    shared: &Arc<Shared>,
    mut socket: TcpStream,
    from: SocketAddr,
    place: Place,
) -> Result<(), Ending> {
    prepare(&socket)?;
    let begun_ms = shared.elapsed_ms();
    let mut first = Vec::new();
    if shared.pairing().is_open(begun_ms) {
        let (asked, heard) = knock(shared, &mut socket, begun_ms)?;
        // A code that was closed meanwhile is refused as if there had been none.
        if asked == Asked::Pairing && shared.pairing().is_open(shared.elapsed_ms()) {
            return pairing::answer(shared, &mut Heard::new(heard, &mut socket), from);
        }
        first = heard;
    }
    let link = open(shared, &mut Heard::new(first, &mut socket), None, begun_ms)?;
    drop(place);
    shared.run(link, socket).map(drop)
}

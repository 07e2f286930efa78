//! The port: who knocks gets an opening, as long as there are not too many.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Ending, ServerError};
use crate::opening::open;
use crate::transport::Shared;

/// Most links that are being opened by others at once; who knocks beyond is let go.
pub const MAX_OPENINGS: usize = 128;
/// Most of them from one address.
pub const MAX_OPENINGS_OF_ONE: usize = 32;

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

/// How many links are being opened.
#[derive(Default)]
struct Knocking {
    all: usize,
    by_place: BTreeMap<IpAddr, usize>,
}

/// One place among those that knock.
struct Place {
    knocking: Arc<Mutex<Knocking>>,
    from: IpAddr,
}

impl Place {
    fn take(knocking: &Arc<Mutex<Knocking>>, from: IpAddr) -> Option<Self> {
        let mut inside = locked(knocking);
        let own = inside.by_place.get(&from).copied().unwrap_or_default();
        if inside.all >= MAX_OPENINGS || own >= MAX_OPENINGS_OF_ONE {
            return None;
        }
        inside.all += 1;
        inside.by_place.insert(from, own + 1);
        Some(Self { knocking: Arc::clone(knocking), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = locked(&self.knocking);
        inside.all = inside.all.saturating_sub(1);
        let own = inside.by_place.get(&self.from).copied().unwrap_or_default();
        if own > 1 {
            inside.by_place.insert(self.from, own - 1);
        } else {
            inside.by_place.remove(&self.from);
        }
    }
}

fn locked(knocking: &Mutex<Knocking>) -> MutexGuard<'_, Knocking> {
    knocking.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens at an address.
pub(crate) fn start(shared: &Arc<Shared>, address: SocketAddr) -> Result<Listener, ServerError> {
    let failed = |source| ServerError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let shared = Arc::clone(shared);
    let run = move || {
        let knocking = Arc::default();
        while !shared.is_stopping() {
            match listener.accept() {
                Ok(_) if shared.is_stopping() => return,
                Ok((socket, from)) => answer(&shared, &knocking, socket, from),
                // Out of file descriptors, or who knocked is gone: others may be luckier.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    };
    let thread = thread::Builder::new().name("listen".to_owned()).spawn(run);
    let thread = Mutex::new(Some(thread.map_err(ServerError::Thread)?));
    Ok(Listener { address, thread })
}

fn answer(
    shared: &Arc<Shared>,
    knocking: &Arc<Mutex<Knocking>>,
    mut socket: TcpStream,
    from: SocketAddr,
) {
    let Some(place) = Place::take(knocking, from.ip()) else { return };
    let inside = Arc::clone(shared);
    let run = move || {
        let opened = open(&inside, &mut socket, None);
        drop(place);
        let end = opened.and_then(|link| inside.run(link, socket));
        if let Err(why) = end {
            inside.note_refusal(from, &why);
        }
    };
    if let Err(error) = thread::Builder::new().name("accept".to_owned()).spawn(run) {
        shared.note_refusal(from, &Ending::Io(error.kind()));
    }
}

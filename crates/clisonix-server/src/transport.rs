//! All links of a node: who may have one, which are open, and what happens on them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clisonix_pq::Fingerprint;
use clisonix_pq::link::{Invitation, Link, LinkKeys, Peer, Peers, Role};

use crate::credit::Credit;
use crate::dialing;
use crate::error::{Ending, ServerError};
use crate::line::Line;
use crate::listening::{self, Listener};
use crate::pairing::{OpenCode, Pairing};
use crate::traffic::{Fault, Traffic};

/// What a transport is made with.
pub struct Settings {
    /// Where to listen; `None` only connects to others.
    pub listen: Option<SocketAddr>,
    /// An HTTP proxy, `host:port`, through which all peers are dialed.
    pub proxy: Option<String>,
    /// The wall clock, in milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: fn() -> u64,
    /// Fills bytes from a cryptographically secure source.
    pub random: fn(&mut [u8]),
}

/// A peer that may have a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its pinned keys.
    pub peer: Peer,
    /// Where it is dialed, each `host:port`; none if it is waited for.
    pub addresses: Vec<String>,
}

/// What happens on links.
pub enum Event {
    /// A link is open. It takes the place of an earlier one to the same peer.
    Opened(Arc<Line>),
    /// A message came; it counts as one that waits until the credit is dropped.
    Message(Arc<Line>, Vec<u8>, Credit),
    /// A link is not there any more.
    Closed(Arc<Line>, Ending),
}

/// Takes the events, of each link in order. It must not wait for the transport, nor ask it.
pub(crate) type Sink = Arc<dyn Fn(Event) + Send + Sync>;

/// The links of a node.
pub struct Transport {
    shared: Arc<Shared>,
    listener: Option<Listener>,
    dialers: Mutex<BTreeMap<Fingerprint, Dialer>>,
}

struct Dialer {
    addresses: Vec<String>,
    order: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What all threads of a transport know.
pub(crate) struct Shared {
    settings: Settings,
    keys: Arc<LinkKeys>,
    sink: Sink,
    begun: Instant,
    inside: Mutex<Inside>,
    pairing: Pairing,
    news: Condvar,
    stopping: AtomicBool,
    numbers: AtomicU64,
}

#[derive(Default)]
struct Inside {
    peers: Arc<Peers>,
    lines: BTreeMap<Fingerprint, Arc<Line>>,
    traffic: BTreeMap<Fingerprint, Traffic>,
    /// Strangers and others who were refused before anybody knew who they are.
    refused: u64,
    refusal: Option<Fault>,
}

impl Transport {
    /// Listens, and dials nobody yet, see [`Self::admit`].
    ///
    /// # Errors
    /// [`ServerError::Listen`], [`ServerError::Thread`].
    pub fn start(
        settings: Settings,
        keys: Arc<LinkKeys>,
        sink: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, ServerError> {
        let listen = settings.listen;
        let shared = Arc::new(Shared {
            settings,
            keys,
            sink: Arc::new(sink),
            begun: Instant::now(),
            inside: Mutex::default(),
            pairing: Pairing::default(),
            news: Condvar::new(),
            stopping: AtomicBool::new(false),
            numbers: AtomicU64::new(1),
        });
        let listener = listen.map(|address| listening::start(&shared, address)).transpose()?;
        Ok(Self { shared, listener, dialers: Mutex::default() })
    }

    /// Where the transport listens; with port 0 asked for, the port that was given.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(Listener::address)
    }

    /// Takes these as the peers, in place of all earlier ones: links to others end, and those with
    /// addresses are dialed.
    ///
    /// # Errors
    /// [`ServerError::Thread`]; the list counts all the same.
    pub fn admit(&self, known: &[Known]) -> Result<(), ServerError> {
        let mut peers = Peers::new();
        for each in known {
            // More than a node may list are not admitted.
            let _ = peers.add(each.peer.clone());
        }
        let gone = {
            let mut inside = self.shared.inside();
            inside.peers = Arc::new(peers);
            let listed = Arc::clone(&inside.peers);
            let is_gone = |line: &&Arc<Line>| listed.peer(line.peer()).is_none();
            inside.lines.values().filter(is_gone).cloned().collect::<Vec<_>>()
        };
        for line in gone {
            line.end(Ending::Revoked);
        }
        self.dial(known)
    }

    fn dial(&self, known: &[Known]) -> Result<(), ServerError> {
        let mut dialers = self.dialers.lock().unwrap_or_else(PoisonError::into_inner);
        dialers.retain(|name, dialer| {
            let stays = known
                .iter()
                .any(|each| each.peer.fingerprint() == *name && each.addresses == dialer.addresses);
            dialer.order.fetch_and(stays, Ordering::Relaxed);
            stays
        });
        self.shared.news.notify_all();
        for each in known.iter().filter(|each| !each.addresses.is_empty()) {
            let name = each.peer.fingerprint();
            if dialers.contains_key(&name) {
                continue;
            }
            let order = Arc::new(AtomicBool::new(true));
            let addresses = each.addresses.clone();
            let thread = dialing::start(&self.shared, name, addresses.clone(), Arc::clone(&order))?;
            dialers.insert(name, Dialer { addresses, order, thread });
        }
        Ok(())
    }

    /// Opens a code for who gets this node's invitation, good for `valid_ms` milliseconds.
    ///
    /// # Errors
    /// [`ServerError::NotListening`], [`ServerError::CodeOpen`].
    pub fn open_code(
        &self,
        invitation: Invitation,
        valid_ms: u64,
    ) -> Result<OpenCode, ServerError> {
        self.address().ok_or(ServerError::NotListening)?;
        OpenCode::new(&self.shared, invitation, valid_ms)
    }

    /// The traffic with each peer so far.
    pub fn traffic(&self) -> BTreeMap<Fingerprint, Traffic> {
        self.shared.inside().traffic.clone()
    }

    /// How many were refused before it was known who they are, and why the last one was.
    pub fn refusals(&self) -> (u64, Option<Fault>) {
        let inside = self.shared.inside();
        (inside.refused, inside.refusal.clone())
    }

    /// Notes that something went wrong with a peer beside its links.
    pub fn note_fault(&self, peer: Fingerprint, what: &str) {
        self.shared.note_fault(peer, what.to_owned());
    }

    /// Ends all links with the closing word, and waits for it.
    pub fn stop(self) {
        self.end();
    }

    /// As [`Self::stop`], for who shares it; nothing is started again afterwards.
    pub(crate) fn end(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.news.notify_all();
        if let Some(listener) = &self.listener {
            listener.stop();
        }
        let mut dialers = self.dialers.lock().unwrap_or_else(PoisonError::into_inner);
        for dialer in std::mem::take(&mut *dialers).into_values() {
            // A dialer that panicked is gone already.
            let _ = dialer.thread.join();
        }
        self.shared.wait_for_lines();
    }
}

impl Shared {
    pub(crate) fn keys(&self) -> Arc<LinkKeys> {
        Arc::clone(&self.keys)
    }

    pub(crate) fn peers(&self) -> Arc<Peers> {
        Arc::clone(&self.inside().peers)
    }

    pub(crate) fn pairing(&self) -> &Pairing {
        &self.pairing
    }

    pub(crate) fn proxy(&self) -> Option<&str> {
        self.settings.proxy.as_deref()
    }

    pub(crate) fn random(&self) -> fn(&mut [u8]) {
        self.settings.random
    }

    /// Milliseconds since the transport began: a clock that does not go back.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn is_linked(&self, peer: Fingerprint) -> bool {
        self.inside().lines.contains_key(&peer)
    }

    /// Waits so long, or until something changes that a dialer wants to know.
    pub(crate) fn pause(&self, most: Duration, is_wanted: &dyn Fn() -> bool) {
        let until = Instant::now() + most;
        let mut inside = self.inside();
        while is_wanted() && !self.is_stopping() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.news.wait_timeout(inside, left);
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn with_traffic(&self, peer: Fingerprint, note: impl FnOnce(&mut Traffic)) {
        note(self.inside().traffic.entry(peer).or_default());
    }

    pub(crate) fn note_fault(&self, peer: Fingerprint, what: String) {
        let fault = Fault { at_ms: (self.settings.now_ms)(), what };
        self.with_traffic(peer, |traffic| traffic.fault = Some(fault));
    }

    /// Notes that somebody unknown was refused.
    pub(crate) fn note_refusal(&self, from: SocketAddr, why: &Ending) {
        let fault = Fault { at_ms: (self.settings.now_ms)(), what: format!("{from}: {why}") };
        let mut inside = self.inside();
        inside.refused += 1;
        inside.refusal = Some(fault);
    }

    /// Runs an open link until it ends; tells why it did. A link that is not needed, because there
    /// is another one to the same peer, ends at once.
    pub(crate) fn run(
        self: &Arc<Self>,
        open: Link,
        socket: std::net::TcpStream,
    ) -> Result<Ending, Ending> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let line = Line::new(number, open, socket).map_err(|error| Ending::Io(error.kind()))?;
        let line = Arc::new(line);
        let is_kept = self.enter(&line);
        let (writer, shared) = (Arc::clone(&line), Arc::clone(self));
        let name = format!("write-{number}");
        let write = thread::Builder::new().name(name).spawn(move || writer.write(&shared));
        let write = write.map_err(|error| Ending::Io(error.kind()))?;
        let why = line.read(self, &mut |message, credit| {
            if is_kept {
                (self.sink)(Event::Message(Arc::clone(&line), message, credit));
            }
        });
        // A writer that panicked is gone already.
        let _ = write.join();
        self.leave(&line, &why);
        if is_kept {
            (self.sink)(Event::Closed(line, why.clone()));
        }
        Ok(why)
    }

    /// Takes a link in place of an earlier one; of two that both ends dialed at once, the one of
    /// the end with the smaller fingerprint stays.
    fn enter(&self, line: &Arc<Line>) -> bool {
        let own = self.keys.identity().fingerprint();
        let dialed_by = |line: &Line| match line.role() {
            Role::Connecting => own,
            Role::Accepting => line.peer(),
        };
        let mut inside = self.inside();
        if inside.peers.peer(line.peer()).is_none() {
            // Revoked while the link was opened.
            line.end(Ending::Revoked);
            return false;
        }
        if let Some(other) = inside.lines.get(&line.peer()) {
            if dialed_by(other) < dialed_by(line) {
                line.end(Ending::Superseded);
                return false;
            }
            other.end(Ending::Superseded);
        }
        inside.lines.insert(line.peer(), Arc::clone(line));
        let traffic = inside.traffic.entry(line.peer()).or_default();
        traffic.linked_since_ms = Some((self.settings.now_ms)());
        traffic.address = line.address();
        traffic.links += 1;
        // Under the lock: of two links to a peer the one that stays is told last.
        (self.sink)(Event::Opened(Arc::clone(line)));
        true
    }

    fn leave(&self, line: &Arc<Line>, why: &Ending) {
        if why.is_fault() {
            self.note_fault(line.peer(), why.to_string());
        }
        let mut inside = self.inside();
        if inside.lines.get(&line.peer()).is_some_and(|other| other.number() == line.number()) {
            inside.lines.remove(&line.peer());
            let traffic = inside.traffic.entry(line.peer()).or_default();
            (traffic.linked_since_ms, traffic.address) = (None, None);
        }
        drop(inside);
        self.news.notify_all();
    }

    fn wait_for_lines(&self) {
        let mut inside = self.inside();
        while !inside.lines.is_empty() {
            inside = self.news.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

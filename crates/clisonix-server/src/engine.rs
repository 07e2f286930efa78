//! The engine: one thread that owns all sessions of a node and moves their messages.
//!
//! Links bring messages and take them away; the engine hands each to the session of its peer, keeps
//! what the session wants kept, and only then sends what it wants sent. So no two sessions touch
//! the node at once, and a peer that does not answer holds up nobody.

mod mail;
mod peer;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clisonix_node::ScopeChange;
use clisonix_pq::link::{Invitation, LinkKeys};
use clisonix_pq::{Fingerprint, Identity};
use clisonix_tide::{Catalogue, Clock, Input, Output, Session, Site};

use crate::error::{Ending, ServerError};
use crate::home::{Home, HomeError, Member};
use crate::line::Line;
use crate::pairing::OpenCode;
use crate::signer::Signatures;
use crate::transport::{Event, Known, Settings, Transport};

use self::mail::Mail;
use self::peer::{PAIR, SESSION, Tended};

pub use self::status::{PeerStatus, ServerStatus};

/// How often sessions are told that time went by, in milliseconds.
pub const TICK_MS: u64 = 250;
/// How often it is looked whether a consent's time came or is over.
const SCOPES_EVERY: Duration = Duration::from_secs(10);
/// How long a session looks at records before other things are dealt with.
const LOOK_FOR: Duration = Duration::from_millis(5);
/// Records between two looks at the clock.
const LOOKED_AT: usize = 16;
/// Most events that are dealt with before other things are looked at.
const MAX_TURN: usize = 64;
/// Longest wait for an answer of the engine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the peer.
    In,
    /// To the peer.
    Out,
}

/// Is told every message as it is before it is encrypted, for tests: it holds clinical values.
pub type Recorder = Box<dyn FnMut(Fingerprint, Way, &[u8]) + Send>;

/// A node with its links and sessions.
pub struct Server {
    orders: Sender<Order>,
    transport: Arc<Transport>,
    engine: Option<JoinHandle<()>>,
    /// Whether the engine was told of writes that it has not looked at.
    is_told: Arc<AtomicBool>,
}

enum Order {
    Link(Event),
    Mail(Mail),
    Arrived,
    Admit(Vec<Member>),
    Look(Sender<Vec<PeerStatus>>),
    Stop,
}

struct Engine<H> {
    home: H,
    catalogue: Catalogue,
    clock: Clock,
    signatures: Signatures,
    now_ms: fn() -> u64,
    random: fn(&mut [u8]),
    transport: Arc<Transport>,
    peers: BTreeMap<Fingerprint, Tended>,
    /// The latest arrival that the sessions know of.
    arrival: u64,
    recorder: Option<Recorder>,
    is_told: Arc<AtomicBool>,
    /// When it was looked whether peers may hold other records.
    looked: Instant,
    /// Whose session looked at records last.
    looked_on: Fingerprint,
    /// When the last fault of each peer was that is remembered.
    faults: BTreeMap<Fingerprint, u64>,
}

impl Server {
    /// Starts the links and the engine over a node. `identity` is the one that `keys` vouch for.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start<H: Home + 'static>(
        settings: Settings,
        keys: Arc<LinkKeys>,
        identity: Identity,
        home: H,
        recorder: Option<Recorder>,
    ) -> Result<Self, ServerError> {
        let (orders, inbox) = channel();
        let (now_ms, random) = (settings.now_ms, settings.random);
        let is_told = Arc::new(AtomicBool::new(false));
        let links = orders.clone();
        let sink = move |event| {
            let order = match event {
                Event::Message(line, message, credit) => {
                    Order::Mail(Mail::new(line, message, credit))
                }
                event => Order::Link(event),
            };
            // After the engine's end there is nobody to tell.
            let _ = links.send(order);
        };
        let transport = Arc::new(Transport::start(settings, keys, sink)?);
        let signatures = Signatures::new(identity, random);
        let replica = home.replica(signatures.own());
        let engine = Engine {
            // Before the records are read: what comes meanwhile is told of twice.
            arrival: replica.arrival(),
            catalogue: Catalogue::of(&*replica),
            clock: Clock::default(),
            signatures,
            now_ms,
            random,
            transport: Arc::clone(&transport),
            peers: BTreeMap::new(),
            home,
            recorder,
            is_told: Arc::clone(&is_told),
            looked: Instant::now(),
            looked_on: Fingerprint::from_bytes([0; 32]),
            faults: BTreeMap::new(),
        };
        let thread = thread::Builder::new().name("engine".to_owned());
        let engine = thread.spawn(move || engine.run(&inbox)).map_err(ServerError::Thread)?;
        Ok(Self { orders, transport, engine: Some(engine), is_told })
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.transport.address()
    }

    /// To be called after each durable write to the node: wakes the engine.
    pub fn waker(&self) -> impl Fn() + Send + Sync + use<> {
        let orders = Mutex::new(self.orders.clone());
        let is_told = Arc::clone(&self.is_told);
        move || {
            // Many writes at once are one order.
            if !is_told.swap(true, Ordering::AcqRel) {
                let orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = orders.send(Order::Arrived);
            }
        }
    }

    /// Takes these as the peers, in place of all earlier ones.
    ///
    /// # Errors
    /// [`ServerError::Thread`].
    pub fn admit(&self, members: Vec<Member>) -> Result<(), ServerError> {
        let admitted = members.iter().filter(|member| member.is_admitted());
        let known: Vec<Known> = admitted.map(Member::known).collect();
        // The engine knows them before their links open, and forgets them after they are cut.
        let _ = self.orders.send(Order::Admit(members));
        self.transport.admit(&known)
    }

    /// As [`Transport::open_code`].
    ///
    /// # Errors
    /// [`ServerError::NotListening`], [`ServerError::CodeOpen`].
    pub fn open_code(
        &self,
        invitation: Invitation,
        valid_ms: u64,
    ) -> Result<OpenCode, ServerError> {
        self.transport.open_code(invitation, valid_ms)
    }

    /// How it stands with all peers.
    ///
    /// # Errors
    /// [`ServerError::Busy`] if the engine does not answer for a long time.
    pub fn status(&self) -> Result<ServerStatus, ServerError> {
        let (answer, status) = channel();
        let _ = self.orders.send(Order::Look(answer));
        let peers = status.recv_timeout(PATIENCE).map_err(|_| ServerError::Busy)?;
        let (refused, refusal) = self.transport.refusals();
        Ok(ServerStatus { peers, refused, refusal })
    }

    /// Ends the links, then the engine.
    pub fn stop(mut self) {
        self.transport.end();
        let _ = self.orders.send(Order::Stop);
        if let Some(engine) = self.engine.take() {
            // An engine that panicked is gone already.
            let _ = engine.join();
        }
    }
}

/// Orders in their sequence, messages of one session that follow each other as one.
fn joined(all: impl Iterator<Item = Order>) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    for order in all {
        match (orders.last_mut(), order) {
            (Some(Order::Mail(before)), Order::Mail(next)) if before.goes_on_with(&next) => {
                before.add(next);
            }
            (_, order) => orders.push(order),
        }
    }
    orders
}

impl<H: Home> Engine<H> {
    fn run(mut self, inbox: &Receiver<Order>) {
        let tick = Duration::from_millis(TICK_MS);
        let mut ticked = Instant::now();
        loop {
            let is_looking = self.peers.values().any(Tended::is_looking);
            let left =
                if is_looking { Duration::ZERO } else { tick.saturating_sub(ticked.elapsed()) };
            let mut arrived = false;
            match inbox.recv_timeout(left) {
                Ok(order) => {
                    let more = std::iter::from_fn(|| inbox.try_recv().ok()).take(MAX_TURN);
                    for order in joined(std::iter::once(order).chain(more)) {
                        match order {
                            Order::Stop => {
                                let _ = self.keep_faults();
                                return;
                            }
                            Order::Arrived => arrived = true,
                            Order::Mail(mail) => self.take(mail),
                            Order::Link(event) => self.link(event),
                            Order::Admit(members) => self.admit(&members),
                            Order::Look(answer) => drop(answer.send(self.look())),
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if arrived {
                // Before looking: what is written from now on is told anew.
                self.is_told.store(false, Ordering::Release);
                let noted = self.note_arrivals();
                self.note_own_fault(noted);
            }
            if ticked.elapsed() >= tick {
                ticked = Instant::now();
                self.tick();
            }
            self.look_on();
        }
    }

    fn admit(&mut self, members: &[Member]) {
        self.signatures.know(members.iter().map(|member| member.peer.identity()));
        let admitted = || members.iter().filter(|member| member.is_admitted());
        let names: BTreeSet<Fingerprint> = admitted().map(Member::fingerprint).collect();
        self.peers.retain(|name, _| names.contains(name));
        for member in admitted() {
            let tended = self.peers.entry(member.fingerprint()).or_default();
            tended.about = member.about.clone();
        }
        let done = self.home.admit(members);
        self.note_own_fault(done);
        self.note_scopes();
    }

    fn link(&mut self, event: Event) {
        match event {
            Event::Opened(line) => self.opened(&line),
            Event::Message(line, message, credit) => self.take(Mail::new(line, message, credit)),
            Event::Closed(line, _) => {
                let peer = line.peer();
                if self.peers.get(&peer).is_some_and(|tended| tended.is_of(&line)) {
                    self.with_session(peer, Input::Shut);
                    self.peers.entry(peer).and_modify(|tended| tended.link(None));
                }
            }
        }
    }

    /// Of two nodes the one with the smaller fingerprint says the pair's secret, first of all.
    fn opened(&mut self, line: &Arc<Line>) {
        let peer = line.peer();
        let Some(tended) = self.peers.get_mut(&peer) else {
            line.end(Ending::Revoked);
            return;
        };
        let was_open = tended.line.is_some();
        tended.link(Some(Arc::clone(line)));
        if was_open {
            self.with_session(peer, Input::Shut);
        }
        if self.signatures.own() > peer {
            return;
        }
        match self.signatures.secret(peer) {
            Ok(secret) => {
                let _ = line.send([&[PAIR], &secret[..]].concat());
                self.begin(peer, secret);
            }
            Err(_) => line.end(Ending::Refused("no secret can be made")),
        }
    }

    /// Deals with messages of one link; those of its session together, so that what they bring
    /// becomes durable at once.
    fn take(&mut self, mail: Mail) {
        let (line, peer) = (Arc::clone(mail.line()), mail.line().peer());
        // Who was cut off meanwhile is not listened to.
        let Some(tended) = self.peers.get_mut(&peer).filter(|tended| tended.is_of(&line)) else {
            return;
        };
        match (mail.kind(), &mut tended.waiting) {
            (Some(SESSION), Some(waiting)) => waiting.push(mail),
            (Some(SESSION), None) => {
                let messages = mail.messages();
                if let Some(recorder) = &mut self.recorder {
                    for message in &messages {
                        recorder(peer, Way::In, message);
                    }
                }
                self.with_session(peer, Input::Messages(&messages));
            }
            (Some(PAIR), _) if self.signatures.own() > peer && !tended.is_begun => {
                match mail.messages().first().and_then(|secret| <[u8; 16]>::try_from(*secret).ok())
                {
                    Some(secret) => self.begin(peer, secret),
                    None => line.end(Ending::Refused("a secret of another length")),
                }
            }
            _ => line.end(Ending::Refused("a message of no known kind")),
        }
    }

    /// Opens the session over the link of a peer; it goes on where it stood, unless the secret is
    /// another one.
    fn begin(&mut self, peer: Fingerprint, secret: [u8; 16]) {
        let Some(tended) = self.peers.get_mut(&peer) else { return };
        if tended.session.is_none() || tended.secret != secret {
            let kept = match self.home.kept(peer) {
                Ok(kept) => kept,
                Err(error) => return self.give_up(peer, &error.to_string()),
            };
            // Whatever the wall clock says: the next receipt has a later time than the last one.
            self.clock.see(kept.stamp, u64::MAX);
            let mut first = [0; 8];
            (self.random)(&mut first);
            let settings = clisonix_tide::Settings {
                node: crate::signer::node_id(self.signatures.own()),
                peer: crate::signer::node_id(peer),
                secret,
                epoch: kept.epoch,
                incarnation: self.home.incarnation(),
                seen: kept.seen,
                first_question: u64::from_be_bytes(first),
            };
            tended.session = Some(Session::new(settings, &self.catalogue));
            tended.secret = secret;
        }
        tended.replica = Some(self.home.replica(peer));
        tended.is_begun = true;
        tended.waiting = Some(Vec::new());
        self.open_if_ready(peer);
    }

    /// Opens a session that waits for it, if it has looked at all records.
    fn open_if_ready(&mut self, peer: Fingerprint) {
        let tended = self.peers.get_mut(&peer);
        let is_ready = |session: &Session| session.is_ready();
        let ready = tended.filter(|tended| tended.session.as_ref().is_some_and(is_ready));
        let Some(waiting) = ready.and_then(|tended| tended.waiting.take()) else { return };
        // The link is open first at the node that says the secret: its first words travel with it.
        let is_first = self.signatures.own() < peer;
        self.with_session(peer, Input::Open { is_first });
        for mail in waiting {
            self.take(mail);
        }
    }

    /// A peer with a link whose session has records to look at: the one after `last`, so that all
    /// have their turn; of those that wait to be opened, if there are such.
    fn looking(&self, last: Fingerprint) -> Option<Fingerprint> {
        let looking = self.peers.iter().filter(|(_, tended)| tended.is_looking());
        let turn = |(peer, tended): &(&Fingerprint, &Tended)| {
            (tended.waiting.is_none(), **peer <= last, **peer)
        };
        looking.min_by_key(turn).map(|(peer, _)| *peer)
    }

    /// Goes on with one session that has records to look at, for a short time: with a million of
    /// them it takes long, and others are served meanwhile.
    fn look_on(&mut self) {
        let Some(peer) = self.looking(self.looked_on) else { return };
        self.looked_on = peer;
        let scope = self.home.scope(peer);
        let begun = Instant::now();
        if let Some(session) = self.peers.get_mut(&peer).and_then(|tended| tended.session.as_mut())
        {
            while session.look(LOOKED_AT, &self.catalogue, &*scope) && begun.elapsed() < LOOK_FOR {}
        }
        self.open_if_ready(peer);
    }

    /// Hands an input to a session and does what it wants done.
    fn with_session(&mut self, peer: Fingerprint, input: Input<'_>) {
        let mut changed = BTreeSet::new();
        self.step(peer, input, &mut changed);
        self.spread(peer, &changed);
    }

    /// Tells all other sessions of a peer's records; what they push may not change records.
    fn spread(&mut self, from: Fingerprint, changed: &BTreeSet<Box<str>>) {
        if changed.is_empty() {
            return;
        }
        let others: Vec<Fingerprint> =
            self.peers.keys().copied().filter(|name| *name != from).collect();
        let names: Vec<&str> = changed.iter().map(AsRef::as_ref).collect();
        self.tell(&others, &names);
    }

    fn tell(&mut self, peers: &[Fingerprint], names: &[&str]) {
        for peer in peers {
            let scope = self.home.scope(*peer);
            let session = self.peers.get_mut(peer).and_then(|tended| tended.session.as_mut());
            let Some(session) = session else { continue };
            for name in names {
                session.record_changed(name, &self.catalogue, &*scope);
            }
            self.step(*peer, Input::Arrived, &mut BTreeSet::new());
        }
    }

    fn step(&mut self, peer: Fingerprint, input: Input<'_>, changed: &mut BTreeSet<Box<str>>) {
        let scope = self.home.scope(peer);
        let Some(tended) = self.peers.get_mut(&peer) else { return };
        let Some(session) = &mut tended.session else { return };
        let Some(replica) = &mut tended.replica else { return };
        let mut site = Site {
            replica: &mut **replica,
            catalogue: &mut self.catalogue,
            scope: &*scope,
            signer: &self.signatures,
            clock: &mut self.clock,
        };
        let outputs = session.handle(input, (self.now_ms)(), &mut site);
        for output in outputs {
            if !self.carry_out(peer, output, changed) {
                break;
            }
        }
    }

    /// Does one thing; `false` if what comes after it must not be done.
    fn carry_out(
        &mut self,
        peer: Fingerprint,
        output: Output,
        changed: &mut BTreeSet<Box<str>>,
    ) -> bool {
        match output {
            Output::Send(bytes) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder(peer, Way::Out, &bytes);
                }
                let line = self.peers.get(&peer).and_then(|tended| tended.line.clone());
                line.is_some_and(|line| line.send([&[SESSION], &*bytes].concat()).is_ok())
            }
            Output::Changed { record } => {
                changed.insert(record);
                true
            }
            Output::Closed(reason) => {
                let line = self.peers.get(&peer).and_then(|tended| tended.line.clone());
                if let Some(line) = line {
                    line.end(Ending::Session(reason));
                }
                true
            }
            other => match self.home.keep(peer, &other) {
                Ok(()) => true,
                Err(error) => {
                    self.give_up(peer, &error.to_string());
                    false
                }
            },
        }
    }

    /// Ends a link because of what happened here; it is opened again later.
    fn give_up(&mut self, peer: Fingerprint, why: &str) {
        self.transport.note_fault(peer, why);
        if let Some(line) = self.peers.get(&peer).and_then(|tended| tended.line.clone()) {
            line.end(Ending::Refused("this node cannot go on now"));
        }
    }

    /// Tells the sessions what was written here.
    fn note_arrivals(&mut self) -> Result<(), HomeError> {
        let mut changed = BTreeSet::new();
        loop {
            let news = self.home.arrived_since(self.arrival)?;
            if news.upto <= self.arrival {
                break;
            }
            self.arrival = news.upto;
            let Self { catalogue, .. } = self;
            let is_new = |(name, version): &(String, _)| catalogue.set(name, *version);
            changed.extend(news.records.into_iter().filter(is_new).map(|(name, _)| name));
        }
        let peers: Vec<Fingerprint> = self.peers.keys().copied().collect();
        if !changed.is_empty() {
            let names: Vec<&str> = changed.iter().map(String::as_str).collect();
            self.tell(&peers, &names);
        }
        Ok(())
    }

    /// Notes that the node itself has a fault, which every peer will notice.
    fn note_own_fault(&self, done: Result<(), HomeError>) {
        if let Err(error) = done {
            for peer in self.peers.keys() {
                self.transport.note_fault(*peer, &error.to_string());
            }
        }
    }

    fn tick(&mut self) {
        let tended = self.home.tend();
        self.note_own_fault(tended);
        // What was written since, also by the node itself.
        let noted = self.note_arrivals();
        self.note_own_fault(noted);
        if self.looked.elapsed() >= SCOPES_EVERY {
            self.looked = Instant::now();
            self.note_scopes();
            let kept = self.keep_faults();
            self.note_own_fault(kept);
        }
        let peers: Vec<Fingerprint> = self.peers.keys().copied().collect();
        for peer in peers {
            if self.peers.get(&peer).is_some_and(|tended| tended.line.is_some()) {
                self.with_session(peer, Input::Tick);
            }
        }
    }

    /// Has remembered what went wrong last with each peer.
    fn keep_faults(&mut self) -> Result<(), HomeError> {
        for (peer, traffic) in self.transport.traffic() {
            let Some(fault) = traffic.fault.filter(|_| self.peers.contains_key(&peer)) else {
                continue;
            };
            if self.faults.insert(peer, fault.at_ms) != Some(fault.at_ms) {
                self.home.keep_fault(peer, &fault)?;
            }
        }
        Ok(())
    }

    /// Tells the sessions that peers may hold other records now.
    fn note_scopes(&mut self) {
        let change = match self.home.scope_change() {
            Ok(None) => return,
            Ok(Some(change)) => change,
            Err(error) => return self.note_own_fault(Err(error)),
        };
        let names: Option<Vec<&str>> = match &change {
            ScopeChange::Records(names) => Some(names.iter().map(String::as_str).collect()),
            ScopeChange::Any => None,
        };
        for (peer, tended) in &mut self.peers {
            let scope = self.home.scope(*peer);
            if let Some(session) = &mut tended.session {
                session.scope_changed(names.as_deref(), &self.catalogue, &*scope);
            }
        }
    }

    fn look(&self) -> Vec<PeerStatus> {
        let mut traffic = self.transport.traffic();
        let peers = self.peers.iter();
        let status = |(name, tended): (&Fingerprint, &Tended)| PeerStatus {
            peer: *name,
            name: tended.about.name.clone(),
            session: tended
                .session
                .as_ref()
                .zip(tended.replica.as_ref())
                .map(|(session, replica)| session.status(&**replica)),
            traffic: traffic.remove(name).unwrap_or_default(),
        };
        peers.map(status).collect()
    }
}

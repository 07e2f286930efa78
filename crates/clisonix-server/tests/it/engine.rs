//! The engine over whole nodes: what one session does holds up no other one.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use clisonix_node::consent::{Basis, PeerRule};
use clisonix_node::{By, Input, Node, NodeError, Outside, Read, ScopeChange};
use clisonix_pq::checkpoint::{Author, KnownAuthor};
use clisonix_pq::link::{About, LinkKeys, Peer};
use clisonix_pq::{Fingerprint, Identity, Profile};
use clisonix_server::{Fault, Home, HomeError, Kept, Member, News, NodeHome, Server, Settings};
use clisonix_tide::{Output, Replica, Scope};

use crate::node::{random, wait_for};

const BY: By<'static> = By { author: "tester", purpose: "test" };
/// Records of the first site.
const RECORDS: usize = 1_000;
/// How long each decision takes about the peer that holds others up.
const SLOW: Duration = Duration::from_millis(10);

struct System;

impl Outside for System {
    fn now_ms(&mut self) -> u64 {
        now_ms()
    }

    fn random(&mut self, bytes: &mut [u8]) {
        random(bytes);
    }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_millis() as u64
}

/// A node and its keys.
struct Site {
    node: Arc<Node>,
    seed: Vec<u8>,
    keys: Arc<LinkKeys>,
    peer: Peer,
    author: KnownAuthor,
}

impl Site {
    fn new(directory: &Path) -> Self {
        let node = Node::open(directory, Box::new(System)).unwrap();
        let identity = Identity::generate(Profile::Hybrid, &mut random).unwrap();
        let seed = identity.seed().to_vec();
        let public = identity.public().clone();
        let keys = LinkKeys::new(identity, now_ms(), &mut random).unwrap();
        let peer = Peer::new(public, keys.public().to_text().as_bytes()).unwrap();
        let own = Identity::from_seed(Profile::Hybrid, &seed).unwrap();
        let author = Author::new(own, now_ms(), &mut random).unwrap();
        let known = author.known().clone();
        node.sign_as(author).unwrap();
        Self { node: Arc::new(node), seed, keys: Arc::new(keys), peer, author: known }
    }

    fn name(&self) -> Fingerprint {
        self.peer.fingerprint()
    }

    fn home(&self) -> NodeHome {
        NodeHome::new(Arc::clone(&self.node), self.author.clone())
    }

    fn serve(&self, home: impl Home + 'static) -> Server {
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let settings = Settings { listen, proxy: None, now_ms, random: |bytes| random(bytes) };
        let identity = Identity::from_seed(Profile::Hybrid, &self.seed).unwrap();
        let server = Server::start(settings, Arc::clone(&self.keys), identity, home, None).unwrap();
        self.node.on_arrival(Box::new(server.waker()));
        server
    }

    /// This site, for the list of another one.
    fn at(&self, address: Option<SocketAddr>) -> Member {
        Member {
            peer: self.peer.clone(),
            author: self.author.clone(),
            about: About {
                name: "a site".to_owned(),
                identifiers: Vec::new(),
                addresses: address.iter().map(ToString::to_string).collect(),
            },
            rule: PeerRule { basis: Basis::All, shared: true, ..PeerRule::default() },
            revoked_ms: None,
        }
    }

    /// Whether it holds as many records as the first one.
    fn is_full(&self) -> bool {
        self.node.record_ids().unwrap().len() == RECORDS
    }

    /// What it shows of a record, if that is here.
    fn shows(&self, record: &str, text: &str) -> bool {
        match self.node.record_text(record, BY) {
            Ok(shown) => shown.bundle.contains(text),
            Err(NodeError::NotFound(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// An entry of a message.
fn patient(number: usize, more: &str) -> String {
    format!(
        r#"{{"resource":{{"resourceType":"Patient",{more}"identifier":[{{"system":"urn:test:mrn","value":"N-{number}"}}]}}}}"#
    )
}

/// Takes in a message with these entries.
fn take(node: &Node, entries: &str) {
    let text = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#);
    let mut load = node.load(BY);
    let input = Input { name: "one.json".to_owned(), feed: None, bytes: text.into_bytes() };
    load.take(&Read::new(input)).unwrap();
    load.finish().unwrap();
}

/// Takes in all records.
fn fill(node: &Node) {
    let entries: Vec<String> = (0..RECORDS).map(|number| patient(number, "")).collect();
    take(node, &entries.join(","));
    while node.checkpoint().unwrap().is_some() {}
}

/// A home that takes long to decide what one of its peers may hold, until it is let go.
struct Slow {
    home: NodeHome,
    peer: Fingerprint,
    brake: Arc<Brake>,
}

#[derive(Default)]
struct Brake {
    is_off: AtomicBool,
    asked: AtomicUsize,
}

struct SlowScope {
    scope: Box<dyn Scope>,
    brake: Arc<Brake>,
}

impl Scope for SlowScope {
    fn may_hold(&self, record: &str) -> bool {
        self.brake.asked.fetch_add(1, Ordering::Relaxed);
        if !self.brake.is_off.load(Ordering::Relaxed) {
            sleep(SLOW);
        }
        self.scope.may_hold(record)
    }
}

impl Home for Slow {
    fn replica(&self, peer: Fingerprint) -> Box<dyn Replica + Send> {
        self.home.replica(peer)
    }

    fn incarnation(&self) -> u64 {
        self.home.incarnation()
    }

    fn arrived_since(&self, after: u64) -> Result<News, HomeError> {
        self.home.arrived_since(after)
    }

    fn admit(&mut self, members: &[Member]) -> Result<(), HomeError> {
        self.home.admit(members)
    }

    fn scope(&self, peer: Fingerprint) -> Box<dyn Scope> {
        let scope = self.home.scope(peer);
        if peer == self.peer {
            Box::new(SlowScope { scope, brake: Arc::clone(&self.brake) })
        } else {
            scope
        }
    }

    fn scope_change(&mut self) -> Result<Option<ScopeChange>, HomeError> {
        self.home.scope_change()
    }

    fn kept(&self, peer: Fingerprint) -> Result<Kept, HomeError> {
        self.home.kept(peer)
    }

    fn keep(&mut self, peer: Fingerprint, what: &Output) -> Result<(), HomeError> {
        self.home.keep(peer, what)
    }

    fn keep_fault(&mut self, peer: Fingerprint, fault: &Fault) -> Result<(), HomeError> {
        self.home.keep_fault(peer, fault)
    }

    fn tend(&mut self) -> Result<(), HomeError> {
        self.home.tend()
    }
}

#[test]
fn a_session_that_begins_holds_up_no_other_one() {
    let home = tempfile::tempdir().unwrap();
    let [one, two, three] = ["one", "two", "three"].map(|name| Site::new(&home.path().join(name)));
    fill(&one.node);
    let brake = Arc::new(Brake::default());
    let slow = Slow { home: one.home(), peer: two.name(), brake: Arc::clone(&brake) };
    let (first, second, third) =
        (one.serve(slow), two.serve(two.home()), three.serve(three.home()));
    let (second_at, third_at) = (second.address(), third.address());
    second.admit(vec![one.at(None)]).unwrap();
    third.admit(vec![one.at(None)]).unwrap();
    first.admit(vec![three.at(third_at)]).unwrap();
    wait_for(|| three.is_full().then_some(()));

    first.admit(vec![three.at(third_at), two.at(second_at)]).unwrap();
    wait_for(|| (brake.asked.load(Ordering::Relaxed) > 0).then_some(()));
    let record = one.node.find_record("N-7").unwrap();
    take(&one.node, &patient(7, r#""gender":"female","#));
    wait_for(|| three.shows(&record, "female").then_some(()));
    let status = first.status().unwrap().peers;
    let of = |site: &Site| status.iter().find(|status| status.peer == site.name()).unwrap();
    assert!(of(&three).session.as_ref().unwrap().is_open);
    let begun = of(&two).session.as_ref().unwrap();
    assert!(!begun.is_open && !begun.is_in_sync && begun.count < RECORDS as u64, "{begun:?}");
    assert!(brake.asked.load(Ordering::Relaxed) < RECORDS);

    // Let go, it comes to the same, with what was written meanwhile.
    brake.is_off.store(true, Ordering::Relaxed);
    wait_for(|| (two.is_full() && two.shows(&record, "female")).then_some(()));
    for server in [first, second, third] {
        server.stop();
    }
}

//! Whole nodes under faults: real sessions, real records and real stores on a medium that loses power,
//! fills up and fails, in a network that loses, repeats and reorders. A failure prints its seed;
//! `CLISONIX_SEEDS=from..to` runs others.

use std::collections::BTreeMap;
use std::sync::Arc;

use clisonix_fhir::json;
use clisonix_node::{ActorId, Node, NodeReplica, ReadVersion};
use clisonix_pq::Fingerprint;
use clisonix_store::{Store, StoreOptions};
use clisonix_tide::{
    Catalogue, Clock, Input, NodeId, Output, Replica, Session, Settings, Signer, Site, Version,
};

use crate::disk::{Dice, Disk, Plan};
use crate::tide::{author, authors};
use crate::{BUNDLE, BY, Counting, entry, take};

/// How many seeds run where none are named.
const SEEDS: std::ops::Range<u64> = 0..8;
const NODES: usize = 3;
const TICKS: usize = 60;
const TICK_MS: u64 = 500;
/// In how many ticks after healing all must be equal.
const HEALING_TICKS: usize = 400;
/// In how many more ticks all receipts must be kept.
const RECEIPT_TICKS: usize = 10;
/// What stands in the record that only the first two may hold, and nowhere else.
const MARK: &str = "Unverwechselbar";

/// Signatures that tell nodes apart; the real ones are tested elsewhere.
struct Seal(NodeId);

impl Signer for Seal {
    fn sign(&self, text: &[u8]) -> Vec<u8> {
        let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        self.0.0.iter().chain(text).fold(0xcbf2_9ce4_8422_2325, mix).to_be_bytes().to_vec()
    }

    fn verify(&self, node: &NodeId, text: &[u8], signature: &[u8]) -> bool {
        Self(*node).sign(text) == signature
    }
}

/// A node, its sessions, and its disk.
struct Place {
    number: usize,
    disk: Disk,
    node: Arc<Node>,
    replicas: BTreeMap<usize, NodeReplica>,
    catalogue: Catalogue,
    clock: Clock,
    sessions: BTreeMap<usize, Session>,
    /// How many arrivals were acknowledged.
    acknowledged: u64,
}

struct World {
    seed: u64,
    dice: Dice,
    now_ms: u64,
    names: Vec<Fingerprint>,
    places: Vec<Place>,
    network: BTreeMap<(u64, u64), (usize, usize, Vec<u8>)>,
    sent: u64,
    loss: u64,
    /// The record that only the first two may hold.
    hidden: String,
    /// How many changes of whom were acknowledged, by record.
    made: BTreeMap<(String, ActorId), u64>,
    cuts: usize,
}

fn open(disk: &Disk, number: usize, seed: u64) -> Arc<Node> {
    let options = StoreOptions { cache_bytes: 4 << 20, ..StoreOptions::default() };
    let incarnation = [number as u8 + 1; 16];
    let store = Store::on_medium(Box::new(disk.clone()), incarnation, &options).expect("opens");
    let outside = Counting { now: 1_700_000_000_000, seed };
    let node = Node::over(store, Box::new(outside)).expect("opens");
    node.sign_as(author(number as u64 + 1)).expect("signs");
    node.set_authors(authors(&[1, 2, 3]));
    Arc::new(node)
}

fn node_id(name: Fingerprint) -> NodeId {
    NodeId(name.to_bytes())
}

impl Place {
    fn start(&mut self, names: &[Fingerprint], hidden: &str, dice: &mut Dice) {
        self.catalogue = Catalogue::default();
        self.sessions.clear();
        self.replicas.clear();
        for (peer, name) in names.iter().enumerate().filter(|(peer, _)| *peer != self.number) {
            let replica = NodeReplica::new(Arc::clone(&self.node), *name);
            if self.catalogue.is_empty() {
                self.catalogue = Catalogue::of(&replica);
            }
            let kept = self.node.peer_state(*name).expect("reads");
            let settings = Settings {
                node: node_id(names[self.number]),
                peer: node_id(*name),
                secret: [(self.number + peer) as u8; 16],
                epoch: kept.epoch,
                incarnation: self.node.incarnation(),
                seen: kept.seen,
                first_question: dice.roll(1 << 40),
            };
            let scope = scope(self.number, peer, hidden);
            self.sessions.insert(peer, Session::new(settings, &self.catalogue, &scope));
            self.replicas.insert(peer, replica);
        }
        self.acknowledged = self.node.arrival().expect("reads");
    }
}

fn scope(own: usize, peer: usize, hidden: &str) -> impl Fn(&str) -> bool {
    let is_open = own < 2 && peer < 2;
    move |record: &str| is_open || record != hidden
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let names: Vec<Fingerprint> =
            (1..=NODES as u64).map(|number| author(number).fingerprint()).collect();
        let mut places: Vec<Place> = (0..NODES)
            .map(|number| {
                let disk = Disk::default();
                Place {
                    node: open(&disk, number, dice.roll(u64::MAX)),
                    number,
                    disk,
                    replicas: BTreeMap::new(),
                    catalogue: Catalogue::default(),
                    clock: Clock::default(),
                    sessions: BTreeMap::new(),
                    acknowledged: 0,
                }
            })
            .collect();
        take(&places[0].node, "a.json", BUNDLE);
        let other = BUNDLE.replace("\"77\"", "\"78\"").replace("\"Ray\"", &format!("\"{MARK}\""));
        take(&places[1].node, "b.json", &other);
        let hidden = places[1].node.record_ids().expect("reads").pop().expect("a record");
        for place in &mut places {
            place.start(&names, &hidden, &mut dice);
        }
        Self {
            seed,
            now_ms: 1_700_000_000_000,
            names,
            places,
            network: BTreeMap::new(),
            sent: 0,
            loss: dice.roll(41),
            hidden,
            made: BTreeMap::new(),
            cuts: 0,
            dice,
        }
    }

    /// Gives a session an input, and the others what follows from it.
    fn give(&mut self, at: usize, peer: usize, input: Input<'_>) {
        if !self.run(at, peer, input).is_empty() {
            self.arrived(at);
        }
    }

    /// A node takes notice of what arrived there, as its engine does.
    fn arrived(&mut self, at: usize) {
        let place = &mut self.places[at];
        let Ok(arrived) = place.node.arrived_since(0) else { return };
        let (number, hidden) = (place.number, &self.hidden);
        for (record, version) in arrived.records {
            place.catalogue.set(&record, version.map(Version));
            for (peer, session) in &mut place.sessions {
                session.record_changed(&record, &place.catalogue, &scope(number, *peer, hidden));
            }
        }
        for peer in (0..NODES).filter(|peer| *peer != at) {
            self.run(at, peer, Input::Arrived);
        }
    }

    fn run(&mut self, at: usize, peer: usize, input: Input<'_>) -> Vec<Box<str>> {
        let place = &mut self.places[at];
        let (Some(session), Some(replica)) =
            (place.sessions.get_mut(&peer), place.replicas.get_mut(&peer))
        else {
            return Vec::new();
        };
        let hidden = self.hidden.clone();
        let mut site = Site {
            replica,
            catalogue: &mut place.catalogue,
            scope: &scope(at, peer, &hidden),
            signer: &Seal(node_id(self.names[at])),
            clock: &mut place.clock,
        };
        let outputs = session.handle(input, self.now_ms, &mut site);
        let mut changed = Vec::new();
        for output in outputs {
            let name = self.names[peer];
            let node = &self.places[at].node;
            match output {
                Output::Send(bytes) => self.send(at, peer, &bytes),
                Output::Changed { record } => changed.push(record),
                Output::Seen(cursor) => drop(node.keep_seen(name, cursor)),
                Output::Epoch(epoch) => drop(node.keep_epoch(name, epoch)),
                Output::Agreed(receipt, signature) | Output::Receipt(receipt, signature, _) => {
                    drop(node.keep_receipt(&receipt, &signature));
                }
                Output::Closed(reason) => panic!("seed {}: {at} closed: {reason}", self.seed),
                Output::Refused { record, reason, .. } => {
                    panic!("seed {}: {at} or {peer} refuses {record}: {reason}", self.seed);
                }
                _ => {}
            }
        }
        let place = &mut self.places[at];
        if !place.disk.is_dead() {
            place.acknowledged = place.acknowledged.max(place.node.arrival().unwrap_or_default());
        }
        changed
    }

    fn send(&mut self, from: usize, to: usize, bytes: &[u8]) {
        if to == 2 {
            for part in [self.hidden.as_bytes(), MARK.as_bytes()] {
                let is_told = bytes.windows(part.len()).any(|bytes| bytes == part);
                assert!(!is_told, "seed {}: {from} tells what {to} may not hold", self.seed);
            }
        }
        for _ in 0..=u64::from(self.dice.roll(10) == 0 && self.loss > 0) {
            self.sent += 1;
            if self.dice.roll(100) >= self.loss {
                let at = self.now_ms + 1 + self.dice.roll(300);
                self.network.insert((at, self.sent), (from, to, bytes.to_vec()));
            }
        }
    }

    fn tick(&mut self) {
        let end = self.now_ms + TICK_MS;
        while let Some(next) = self.network.first_entry() {
            if next.key().0 > end {
                break;
            }
            let ((at, _), (from, to, bytes)) = next.remove_entry();
            self.now_ms = self.now_ms.max(at);
            self.give(to, from, Input::Message(&bytes));
            self.restart_if_dead(to);
        }
        self.now_ms = end;
        for at in 0..NODES {
            for peer in (0..NODES).filter(|peer| *peer != at) {
                self.give(at, peer, Input::Tick);
            }
            self.restart_if_dead(at);
        }
    }

    fn restart_if_dead(&mut self, at: usize) {
        if self.places[at].disk.is_dead() {
            self.cuts += 1;
            self.restart(at);
        }
    }

    /// A node's power goes and comes back: what was acknowledged is there.
    fn restart(&mut self, at: usize) {
        let seed = self.dice.roll(u64::MAX);
        let place = &mut self.places[at];
        place.sessions.clear();
        place.replicas.clear();
        // The old node lets go of the disk first.
        let nothing = Disk::default();
        place.node = open(&nothing, at, seed);
        place.disk.power_on(&mut self.dice);
        place.node = open(&place.disk, at, seed.wrapping_add(1));
        let arrival = place.node.arrival().expect("reads");
        let acknowledged = place.acknowledged;
        assert!(
            arrival >= acknowledged,
            "seed {}: {at} acknowledged {acknowledged} arrivals and has {arrival}",
            self.seed
        );
        place.start(&self.names, &self.hidden, &mut self.dice);
        for peer in (0..NODES).filter(|peer| *peer != at) {
            self.open(at, peer);
        }
    }

    fn open(&mut self, a: usize, b: usize) {
        self.network.retain(|_, (from, to, _)| [*from, *to] != [a, b] && [*from, *to] != [b, a]);
        self.give(b, a, Input::Open { is_caller: false });
        self.give(a, b, Input::Open { is_caller: true });
    }

    fn happen(&mut self) {
        let at = self.dice.roll(NODES as u64) as usize;
        match self.dice.roll(12) {
            0..6 => self.edit(at),
            6 | 7 => {
                let crash_at = Some(1 + self.dice.roll(40));
                self.places[at].disk.plan(Plan { crash_at, ..Plan::default() });
            }
            8 => self.places[at].disk.plan(Plan { room: Some(1), ..Plan::default() }),
            9 => drop(self.places[at].node.checkpoint()),
            10 => self.places[at].disk.plan(Plan::default()),
            _ => self.open(at, (at + 1) % NODES),
        }
        self.restart_if_dead(at);
    }

    fn edit(&mut self, at: usize) {
        let node = Arc::clone(&self.places[at].node);
        let records = node.record_ids().unwrap_or_default();
        if records.is_empty() {
            return;
        }
        let record = &records[self.dice.roll(records.len() as u64) as usize];
        if self.places[at].disk.is_dead() {
            return;
        }
        // A reading is in the access log, or nothing is read.
        let Ok(text) = node.record_text(record, BY) else { return };
        let shown = json::parse(text.bundle.as_bytes()).expect("JSON");
        let mut patient = entry(&shown, "Patient").clone();
        let date = format!("19{:02}-0{}-01", self.dice.roll(100), 1 + self.dice.roll(9));
        patient.as_object_mut().expect("an object").insert("birthDate", date.as_str());
        if node.edit(record, &patient, ReadVersion::Current, BY).is_ok() {
            // Acknowledged: the site and what its authors made must be everywhere in the end.
            self.places[at].acknowledged = node.arrival().expect("reads");
            for actor in node.standings(record).expect("reads") {
                let made = self.made.entry((record.clone(), actor.actor)).or_default();
                *made = (*made).max(actor.changes);
            }
        }
        self.arrived(at);
    }

    fn is_settled(&self) -> bool {
        let versions = |at: usize| {
            let mut versions = BTreeMap::new();
            self.places[at].replicas.values().next().expect("a peer").versions(
                &mut |record, version| {
                    if record != self.hidden {
                        versions.insert(record.to_owned(), version);
                    }
                },
            );
            versions
        };
        let is_same = versions(0) == versions(1) && versions(1) == versions(2);
        let hidden = |at: usize| self.places[at].catalogue.version(&self.hidden);
        is_same
            && hidden(0) == hidden(1)
            && hidden(2).is_none()
            && self.places.iter().all(|place| {
                let replica = place.replicas.values().next().expect("a peer");
                place.sessions.values().all(|session| session.status(replica).is_in_sync)
            })
    }

    fn run_all(&mut self) {
        for at in 0..NODES {
            self.open(at, (at + 1) % NODES);
        }
        for _ in 0..TICKS {
            self.happen();
            self.tick();
        }
        self.loss = 0;
        for at in 0..NODES {
            self.places[at].disk.plan(Plan::default());
            // A store that failed in between is opened again.
            self.restart(at);
        }
        let settled = (0..HEALING_TICKS).any(|_| {
            self.tick();
            self.is_settled()
        });
        let states: Vec<_> = self
            .places
            .iter()
            .flat_map(|place| {
                let replica = place.replicas.values().next().expect("a peer");
                place.sessions.values().map(|session| session.status(replica))
            })
            .collect();
        assert!(settled, "seed {}: {states:#?}", self.seed);
        // The last receipts are on their way.
        for _ in 0..RECEIPT_TICKS {
            self.tick();
        }
        self.check();
    }

    fn check(&self) {
        for place in &self.places {
            assert!(place.node.verify().is_ok(), "seed {}: the access log", self.seed);
            for ((record, actor), made) in &self.made {
                if *record == self.hidden && place.number == 2 {
                    continue;
                }
                let standings = place.node.standings(record).expect("reads");
                let held = standings.iter().find(|held| held.actor == *actor);
                let held = held.map_or(0, |held| held.changes);
                let number = place.number;
                assert!(held >= *made, "seed {}: {number} lacks of {record}", self.seed);
            }
            for (peer, name) in self.names.iter().enumerate().filter(|(n, _)| *n != place.number) {
                let (own, theirs) = (self.names[place.number], *name);
                let own_last = place.node.last_receipt(own, theirs).expect("reads").expect("kept");
                let their_last = place.node.last_receipt(theirs, own).expect("reads");
                let agrees = their_last.is_some_and(|last| own_last.receipt.agrees(&last.receipt));
                assert!(agrees, "seed {}: {} and {peer} signed", self.seed, place.number);
            }
        }
    }
}

#[test]
fn whole_nodes_come_to_hold_the_same_and_lose_nothing_that_was_acknowledged() {
    let seeds = std::env::var("CLISONIX_SEEDS").ok().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    let mut cuts = 0;
    for seed in seeds.unwrap_or(SEEDS) {
        let mut world = World::new(seed);
        world.run_all();
        cuts += world.cuts;
    }
    assert!(cuts > 0, "no power cut fell into the work");
}

//! A node in memory: a model replica, real sessions, and what of them survives a crash.

use std::collections::BTreeMap;

use clisonix_crdt::HybridTime;

use super::chance::Chance;
use super::model::{Model, Seal, notice_id};
use crate::fault::fault;
use crate::{
    Catalogue, Clock, CloseReason, Cursor, Input, NodeId, Output, Receipt, Replica, Scope, Session,
    Settings, Signer, Site,
};

/// Which nodes may hold which records: bit `n` of a record's number is node `n`.
#[derive(Clone, Debug, Default)]
pub(super) struct Consent(pub(super) BTreeMap<Box<str>, u8>);

impl Consent {
    pub(super) fn allows(&self, record: &str, node: usize) -> bool {
        self.0.get(record).is_some_and(|nodes| nodes >> node & 1 == 1)
    }
}

/// What a node lets a peer hold.
struct View<'a> {
    consent: &'a Consent,
    own: usize,
    peer: usize,
    is_revoked: bool,
}

impl<'a> View<'a> {
    /// `revoked` are the nodes that were revoked, as bits.
    fn new(consent: &'a Consent, own: usize, peer: usize, revoked: u8) -> Self {
        Self { consent, own, peer, is_revoked: revoked >> peer & 1 == 1 }
    }
}

impl Scope for View<'_> {
    fn may_hold(&self, record: &str) -> bool {
        self.consent.allows(record, self.own) && self.consent.allows(record, self.peer)
    }

    fn is_revoked(&self) -> bool {
        self.is_revoked && !fault!(RevokedServed)
    }
}

/// The epoch of the time at which the simulation begins.
const EPOCH: u64 = 655 << 16;

/// What is on a node's disk beside its records.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    seen: BTreeMap<usize, Cursor>,
    epochs: BTreeMap<usize, u64>,
    pub(super) receipts: BTreeMap<usize, Receipt>,
    pub(super) peers_receipts: BTreeMap<usize, (Receipt, Vec<u8>)>,
}

/// Records that a session looks at at once, after the rules changed.
const LOOKED_AT: usize = 2;

/// A node's disk, now or once.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) model: Model,
    kept: Kept,
    pub(super) incarnation: u64,
    author: u64,
}

pub(super) struct Node {
    pub(super) number: usize,
    pub(super) disk: Disk,
    /// What of the records would survive a crash, if that is not all.
    synced: Option<Model>,
    catalogue: Catalogue,
    pub(super) clock: Clock,
    pub(super) sessions: BTreeMap<usize, Session>,
    /// How wrong its wall clock is.
    pub(super) skew_ms: i64,
    /// The latest that its wall clock showed.
    pub(super) latest_ms: u64,
    /// What it lets others hold.
    pub(super) consent: Consent,
    pub(super) revoked: u8,
    pub(super) closed: Vec<(usize, CloseReason)>,
}

/// What a node wants sent, and the peers whose sessions it closed.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) messages: Vec<(usize, Vec<u8>)>,
    pub(super) closed: Vec<usize>,
    /// Where it says that it stands in whose arrivals.
    pub(super) seen: Vec<(usize, Cursor)>,
    /// Whose runs it refused, of which record, and how long that rests.
    pub(super) refused: Vec<(usize, Box<str>, u64)>,
}

pub(super) fn node_id(number: usize) -> NodeId {
    NodeId([number as u8 + 1; 32])
}

impl Node {
    pub(super) fn new(number: usize, consent: &Consent, chance: &mut Chance) -> Self {
        let disk = Disk {
            model: Model::new(60 + chance.below(2000)),
            kept: Kept::default(),
            incarnation: chance.next() | 1,
            author: chance.next(),
        };
        Self {
            number,
            disk,
            synced: None,
            catalogue: Catalogue::default(),
            clock: Clock::default(),
            sessions: BTreeMap::new(),
            skew_ms: chance.skew_ms(),
            latest_ms: 0,
            consent: consent.clone(),
            revoked: 0,
            closed: Vec::new(),
        }
    }

    /// The node starts: sessions are made from what survived.
    pub(super) fn start(&mut self, nodes: usize, chance: &mut Chance) {
        if let Some(synced) = self.synced.take() {
            self.disk.model = synced;
        }
        self.catalogue = Catalogue::of(&self.disk.model);
        let latest = self.disk.kept.receipts.values().map(|receipt| receipt.time).max();
        let latest = latest.filter(|_| !fault!(ClockForgotten)).unwrap_or_default();
        self.clock = Clock::new(latest);
        self.sessions.clear();
        for peer in (0..nodes).filter(|peer| *peer != self.number) {
            let settings = Settings {
                node: node_id(self.number),
                peer: node_id(peer),
                secret: [(self.number.min(peer) * 16 + self.number.max(peer)) as u8; 16],
                epoch: self
                    .disk
                    .kept
                    .epochs
                    .get(&peer)
                    .copied()
                    .unwrap_or(EPOCH + self.number as u64 % 3),
                incarnation: self.disk.incarnation,
                seen: self.disk.kept.seen.get(&peer).copied().unwrap_or_default(),
                first_question: chance.next() >> 8,
            };
            let view = View::new(&self.consent, self.number, peer, self.revoked);
            let mut session = Session::new(settings, &self.catalogue);
            session.look(usize::MAX, &self.catalogue, &view);
            self.sessions.insert(peer, session);
        }
    }

    /// An older disk, or another node's copy of it, goes on.
    pub(super) fn restore(&mut self, disk: &Disk, chance: &mut Chance) {
        let incarnation = self.disk.incarnation;
        self.disk = disk.clone();
        self.synced = None;
        if fault!(IncarnationReused) {
            self.disk.incarnation = incarnation;
        } else {
            self.disk.incarnation = chance.next() | 1;
            self.disk.author = chance.next();
        }
    }

    pub(super) fn edit(&mut self, record: &str) -> (u64, u32) {
        let change = self.disk.model.edit(record, self.disk.author);
        let version = self.disk.model.version(record);
        self.catalogue.set(record, version);
        self.tell(record, None);
        if self.synced.is_some() {
            self.synced = Some(self.disk.model.clone());
        }
        change
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        let id = notice_id(bytes);
        self.disk.model.notices.insert(id, bytes.to_vec());
        self.catalogue.set_notice(&id);
        self.tell(&id.name(), None);
    }

    /// The sessions are told of a change, but not the one that it came from.
    fn tell(&mut self, record: &str, from: Option<usize>) {
        if fault!(SketchNotUpdated) || (fault!(OthersNotTold) && from.is_some()) {
            return;
        }
        let (consent, own, revoked) = (&self.consent, self.number, self.revoked);
        for (&peer, session) in self.sessions.iter_mut().filter(|(peer, _)| Some(**peer) != from) {
            let view = View::new(consent, own, peer, revoked);
            session.record_changed(record, &self.catalogue, &view);
        }
    }

    /// Sessions are told that a record's consent is another one.
    pub(super) fn tell_scope(&mut self, record: Option<&str>) {
        let (consent, own, revoked) = (&self.consent, self.number, self.revoked);
        for (&peer, session) in &mut self.sessions {
            let records = record.as_ref().map(std::slice::from_ref);
            let view = View::new(consent, own, peer, revoked);
            session.scope_changed(records, &self.catalogue, &view);
        }
    }

    fn now_ms(&mut self, now_ms: u64) -> u64 {
        let now_ms = now_ms.saturating_add_signed(self.skew_ms);
        self.latest_ms = self.latest_ms.max(now_ms);
        now_ms
    }

    /// Gives a session an input.
    pub(super) fn run(&mut self, peer: usize, input: Input<'_>, now_ms: u64) -> Sent {
        let mut sent = Sent::default();
        let changed = self.run_one(peer, input, now_ms, &mut sent);
        if !changed.is_empty() {
            for record in &changed {
                self.tell(record, Some(peer));
            }
            self.push(now_ms, Some(peer), &mut sent);
        }
        sent
    }

    /// Changes arrived: they are offered to the peers.
    pub(super) fn push(&mut self, now_ms: u64, from: Option<usize>, sent: &mut Sent) {
        let peers: Vec<usize> = self.sessions.keys().copied().collect();
        for peer in peers.into_iter().filter(|peer| Some(*peer) != from) {
            self.run_one(peer, Input::Arrived, now_ms, sent);
        }
    }

    fn run_one(
        &mut self,
        peer: usize,
        input: Input<'_>,
        now_ms: u64,
        sent: &mut Sent,
    ) -> Vec<Box<str>> {
        let now_ms = self.now_ms(now_ms);
        let Some(session) = self.sessions.get_mut(&peer) else { return Vec::new() };
        if fault!(AckBeforeSync) && self.synced.is_none() {
            self.synced = Some(self.disk.model.clone());
        }
        let scope = View::new(&self.consent, self.number, peer, self.revoked);
        if matches!(input, Input::Tick) {
            session.look(LOOKED_AT, &self.catalogue, &scope);
        }
        let mut site = Site {
            replica: &mut self.disk.model,
            catalogue: &mut self.catalogue,
            scope: &scope,
            signer: &Seal(node_id(self.number)),
            clock: &mut self.clock,
        };
        let outputs = session.handle(input, now_ms, &mut site);
        let mut changed = Vec::new();
        for output in outputs {
            match output {
                Output::Send(bytes) => sent.messages.push((peer, bytes)),
                Output::Changed { record } => changed.push(record),
                Output::Refused { record, by_peer: false, pause_ms, .. } => {
                    sent.refused.push((peer, record, pause_ms));
                }
                Output::Seen(cursor) => {
                    self.disk.kept.seen.insert(peer, cursor);
                    sent.seen.push((peer, cursor));
                }
                Output::Epoch(epoch) => drop(self.disk.kept.epochs.insert(peer, epoch)),
                Output::Agreed(receipt, _) => {
                    let last = self.disk.kept.receipts.insert(peer, receipt);
                    let is_later = last.is_none_or(|last| last.time < receipt.time);
                    assert!(is_later, "{} signs with an earlier time", self.number);
                }
                Output::Receipt(receipt, signature, _) => {
                    self.disk.kept.peers_receipts.insert(peer, (receipt, signature));
                }
                Output::Closed(reason) => {
                    self.closed.push((peer, reason));
                    sent.closed.push(peer);
                }
                Output::Refused { .. } | Output::Given { .. } | Output::Withheld { .. } => {}
            }
        }
        changed
    }

    pub(super) fn receipts(&self, peer: usize) -> (Option<Receipt>, Option<Receipt>) {
        let kept = &self.disk.kept;
        (kept.receipts.get(&peer).copied(), kept.peers_receipts.get(&peer).map(|kept| kept.0))
    }

    /// Whether every receipt that it keeps was signed by the peer.
    pub(super) fn has_true_receipts(&self) -> bool {
        self.disk.kept.peers_receipts.iter().all(|(peer, (receipt, signature))| {
            Seal(node_id(*peer)).sign(&receipt.signed_bytes()) == *signature
        })
    }

    /// The latest stamp of its clock.
    pub(super) fn latest_stamp(&self) -> HybridTime {
        let mut clock = self.clock;
        clock.stamp(0)
    }
}

//! What a session is handed: the product's replica, scope and signatures, or a bug in their place.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use clisonix_node::{Node, NodeReplica, NodeScope, Outside};
use clisonix_pq::checkpoint::Author;
use clisonix_pq::{Fingerprint, Identity, Profile};
use clisonix_tide::{
    NodeId, NoticeId, Outcome, Pushed, Reception, Replica, Run, Scope, Signer, Version,
};

use crate::bug::Bug;
use crate::chance::{Chance, digest, mix};

/// Most nodes of a world.
pub(crate) const MAX_NODES: usize = 7;

/// The nodes' identities, made once: making them costs more than a seed may.
pub(crate) fn author(number: usize) -> Arc<Author> {
    static AUTHORS: OnceLock<Vec<Arc<Author>>> = OnceLock::new();
    let make = |number| {
        let mut chance = Chance(number as u64 + 1);
        let mut random = |bytes: &mut [u8]| chance.fill(bytes);
        let identity = Identity::generate(Profile::Hybrid, &mut random).expect("an identity");
        Arc::new(Author::new(identity, 0, &mut random).expect("an author"))
    };
    Arc::clone(&AUTHORS.get_or_init(|| (0..MAX_NODES).map(make).collect())[number])
}

/// What stands for a node.
pub(crate) fn name(number: usize) -> Fingerprint {
    author(number).fingerprint()
}

/// As sessions call it.
pub(crate) fn node_id(number: usize) -> NodeId {
    NodeId(name(number).to_bytes())
}

/// Signatures under receipts that tell nodes apart and cost nothing.
pub(crate) struct Seal {
    own: NodeId,
    is_careless: bool,
}

impl Seal {
    /// Of a node.
    pub(crate) fn new(own: usize, bug: Option<Bug>) -> Self {
        Self { own: node_id(own), is_careless: bug == Some(Bug::ReceiptUnverified) }
    }

    /// Whether a signature is that of a node.
    pub(crate) fn is_signed(node: &NodeId, text: &[u8], signature: &[u8]) -> bool {
        mix(digest(&node.0) ^ digest(text)).to_be_bytes() == *signature
    }
}

impl Signer for Seal {
    fn sign(&self, text: &[u8]) -> Vec<u8> {
        mix(digest(&self.own.0) ^ digest(text)).to_be_bytes().to_vec()
    }

    fn verify(&self, node: &NodeId, text: &[u8], signature: &[u8]) -> bool {
        self.is_careless || Self::is_signed(node, text, signature)
    }
}

/// Clock and random source of a node.
pub(crate) struct Wall {
    now_ms: Arc<Mutex<u64>>,
    chance: Chance,
}

impl Wall {
    /// Over a clock that is set from outside.
    pub(crate) fn new(now_ms: Arc<Mutex<u64>>, chance: Chance) -> Self {
        Self { now_ms, chance }
    }
}

impl Outside for Wall {
    fn now_ms(&mut self) -> u64 {
        *self.now_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.chance.fill(bytes);
    }
}

/// What a malicious node's replica does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Its runs are changed on the way.
    Forged,
    /// It says that more is to come, and sends the same.
    Endless,
    /// It claims versions that it has not, others each time.
    Versions,
    /// It names changes and gives none.
    Nothing,
}

/// A replica of a node, or what is wrong with it.
pub(crate) struct Records {
    inner: NodeReplica,
    bug: Option<Bug>,
    lie: Option<Lie>,
    turn: Cell<u64>,
    begun: BTreeMap<Box<str>, u64>,
}

impl Records {
    /// A node's records for a peer.
    pub(crate) fn new(node: Arc<Node>, peer: usize, bug: Option<Bug>, lie: Option<Lie>) -> Self {
        let inner = NodeReplica::new(node, name(peer));
        Self { inner, bug, lie, turn: Cell::new(0), begun: BTreeMap::new() }
    }

    fn bent(&self, record: &str, mut version: Version) -> Version {
        if self.bug == Some(Bug::VersionTooShort) {
            version.0 = [0; 32];
        }
        if self.lie == Some(Lie::Versions) {
            self.turn.set(mix(self.turn.get() ^ digest(record.as_bytes())));
            version.0[..8].copy_from_slice(&self.turn.get().to_be_bytes());
        }
        version
    }

    /// A run as a liar sends it.
    fn spoiled(&self, mut run: Vec<u8>) -> Vec<u8> {
        match self.lie {
            Some(Lie::Forged) if !run.is_empty() => {
                let turn = mix(self.turn.get() ^ run.len() as u64);
                self.turn.set(turn);
                let at = turn as usize % run.len();
                run[at] ^= 1 << (turn >> 32 & 7);
            }
            Some(Lie::Nothing) => run.clear(),
            _ => {}
        }
        run
    }
}

impl Replica for Records {
    fn arrival(&self) -> u64 {
        self.inner.arrival()
    }

    fn versions(&self, each: &mut dyn FnMut(&str, Version)) {
        self.inner.versions(&mut |record, version| each(record, self.bent(record, version)));
    }

    fn version(&self, record: &str) -> Option<Version> {
        self.inner.version(record).map(|version| self.bent(record, version))
    }

    fn have(&self, record: &str) -> Vec<u8> {
        self.inner.have(record)
    }

    fn have_nothing(&self, record: &str) -> Vec<u8> {
        self.inner.have_nothing(record)
    }

    fn beyond(&self, record: &str, have: &[u8], most: usize) -> Option<Run> {
        let have = if self.lie == Some(Lie::Endless) { &[] } else { have };
        let run = self.inner.beyond(record, have, most)?;
        let is_all = run.is_all && self.lie != Some(Lie::Endless);
        Some(Run { bytes: self.spoiled(run.bytes), is_all, ..run })
    }

    fn arrived(
        &self,
        after: u64,
        most: usize,
        wanted: &mut dyn FnMut(&str) -> bool,
    ) -> Option<Pushed> {
        let Pushed { upto, runs } = self.inner.arrived(after, most, wanted)?;
        let runs = runs.into_iter().map(|(record, run)| (record, self.spoiled(run)));
        Some(Pushed { upto, runs: runs.filter(|(_, run)| !run.is_empty()).collect() })
    }

    fn receive(&mut self, runs: &[(&str, &[u8])], from: &NodeId) -> Vec<Reception> {
        if self.bug == Some(Bug::RunDropped) {
            let dropped = |(record, _): &(&str, &[u8])| {
                let turn = self.begun.entry((*record).into()).or_default();
                *turn += 1;
                turn.is_multiple_of(2)
            };
            if runs.iter().any(dropped) {
                let here = |(record, _): &(&str, &[u8])| Reception {
                    outcome: Outcome::Taken,
                    version: self.inner.version(record),
                    arrivals: (0, 0),
                };
                return runs.iter().map(here).collect();
            }
        }
        let mut receptions = self.inner.receive(runs, from);
        for (reception, (record, _)) in receptions.iter_mut().zip(runs) {
            reception.version = reception.version.map(|version| self.bent(record, version));
        }
        receptions
    }

    fn notices(&self, each: &mut dyn FnMut(NoticeId)) {
        self.inner.notices(each);
    }

    fn notice(&self, id: &NoticeId) -> Option<Vec<u8>> {
        self.inner.notice(id)
    }

    fn receive_notice(&mut self, id: &NoticeId, bytes: &[u8], from: &NodeId) -> Outcome {
        self.inner.receive_notice(id, bytes, from)
    }
}

/// What a peer may hold.
pub(crate) struct Rules {
    inner: NodeScope,
    bug: Option<Bug>,
    peer: Fingerprint,
    node: Arc<Node>,
}

impl Rules {
    /// A node's rules for a peer.
    pub(crate) fn new(node: &Arc<Node>, peer: usize, bug: Option<Bug>) -> Self {
        let inner = NodeScope::new(Arc::clone(node), name(peer));
        Self { inner, bug, peer: name(peer), node: Arc::clone(node) }
    }
}

impl Scope for Rules {
    fn may_hold(&self, record: &str) -> bool {
        let decided = || self.node.decision(self.peer, record);
        match self.bug {
            Some(Bug::ScopeNotAsked) => true,
            Some(Bug::WithdrawalIgnored) => decided().is_ok_and(|decided| {
                decided.is_given() || decided == clisonix_node::consent::Decision::Denied
            }),
            _ => self.inner.may_hold(record),
        }
    }

    fn digest(&self) -> [u8; 32] {
        self.inner.digest()
    }
}

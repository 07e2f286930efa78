//! The replica that one session with one peer works on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use clisonix_crdt::RefusalReason;
use clisonix_pq::Fingerprint;
use clisonix_pq::checkpoint::{Authors, ChainError, Statement, StatementError};
use clisonix_store::Placement;
use clisonix_tide::{NodeId, NoticeId, Outcome, Pushed, Reception, Refusal, Replica, Run, Version};

use sha2::{Digest, Sha256};

use super::outgoing::{Outgoing, Push, Sent};
use super::run::{Run as Incoming, Told};
use super::{Wants, lock};
use crate::error::NodeError;
use crate::flight::Flight;
use crate::node::{By, Node};
use crate::orders::OrderError;
use crate::signing::{SignedError, SignedRun};
use crate::stored;
use crate::version::{self, Have};

/// Most checkpoints that are remembered as sent to a peer.
const MAX_SENT: usize = 1 << 14;
/// Runs that are on their way to the store at most before they are waited for.
const MAX_IN_FLIGHT: usize = 256;
/// Bytes of runs that are on their way at most.
const MAX_IN_FLIGHT_BYTES: usize = 16 << 20;

/// A node as one peer's session sees it.
///
/// It remembers which checkpoints the peer was sent whole; later runs name them by their digest. A
/// peer that does not have one says so and gets it.
pub struct NodeReplica {
    node: Arc<Node>,
    /// How this peer's deeds are signed in the access log.
    author: String,
    sent: Mutex<SentBefore>,
}

/// What the peer was sent on this connection.
#[derive(Default)]
struct SentBefore {
    checkpoints: BTreeSet<[u8; 32]>,
    /// Up to where the last push reached.
    upto: u64,
    /// Up to where the changes of records were pushed, if that is further.
    ahead: BTreeMap<String, u64>,
}

impl Sent for SentBefore {
    fn note(&mut self, digest: &[u8; 32]) -> bool {
        if self.checkpoints.len() >= MAX_SENT {
            self.checkpoints.clear();
        }
        !self.checkpoints.insert(*digest)
    }

    fn begin(&mut self, after: u64) {
        // Not where the last one ended: it was lost, and so is what it took ahead.
        if after != self.upto || self.ahead.len() > MAX_SENT {
            self.ahead.clear();
        }
        self.upto = after;
    }

    fn end(&mut self, upto: u64) {
        self.ahead.retain(|_, last| *last > upto);
        self.upto = upto;
    }

    fn was_sent(&self, record: &str, arrival: u64) -> bool {
        self.ahead.get(record).is_some_and(|last| arrival <= *last)
    }

    fn note_arrivals(&mut self, record: &str, last: u64) {
        if last > self.upto {
            self.ahead.insert(record.to_owned(), last);
        }
    }
}

/// What the peer was sent, where nothing is noted.
struct Look<'a>(&'a BTreeSet<[u8; 32]>);

impl Sent for Look<'_> {
    fn note(&mut self, digest: &[u8; 32]) -> bool {
        self.0.contains(digest)
    }

    fn begin(&mut self, _: u64) {}

    fn end(&mut self, _: u64) {}

    fn was_sent(&self, _: &str, _: u64) -> bool {
        false
    }

    fn note_arrivals(&mut self, _: &str, _: u64) {}
}

impl NodeReplica {
    /// A node's replica for one peer; to be made anew with each connection.
    pub fn new(node: Arc<Node>, peer: Fingerprint) -> Self {
        let author = format!("node {}", peer.hexadecimal());
        Self { node, author, sent: Mutex::default() }
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }
}

impl Node {
    /// Everything of a record and what its authors signed about it, as a run; empty if it cannot be
    /// read now.
    pub(crate) fn whole_run(&self, record: &str) -> Result<Vec<u8>, NodeError> {
        let mut sent = SentBefore::default();
        let outgoing = self.outgoing(record, &Have::nothing(), usize::MAX, &mut sent)?;
        Ok(outgoing.map(|outgoing| outgoing.run.encode()).unwrap_or_default())
    }
}

impl Replica for NodeReplica {
    fn arrival(&self) -> u64 {
        self.node.arrival().unwrap_or_default()
    }

    fn versions(&self, each: &mut dyn FnMut(&str, Version)) {
        let snapshot = self.node.store.snapshot();
        // A store that cannot be read has nothing to tell; reading it again tells the same.
        let _ = snapshot.map(|snapshot| {
            version::versions(&snapshot, &mut |record, version| each(record, Version(version)))
        });
    }

    fn version(&self, record: &str) -> Option<Version> {
        let snapshot = self.node.store.snapshot().ok()?;
        version::version(&snapshot, record).ok()?.map(Version)
    }

    fn have(&self, record: &str) -> Vec<u8> {
        let snapshot = self.node.store.snapshot().map_err(NodeError::from);
        let have = snapshot.and_then(|snapshot| version::have(&snapshot, record));
        let mut have = have.unwrap_or_else(|_| Have::nothing());
        let wants = lock(&self.node.exchange.wants);
        have.whole_statements = wants.statements.contains(record);
        have.whole_changes = wants.changes.contains(record);
        have.encode()
    }

    fn have_nothing(&self, _record: &str) -> Vec<u8> {
        let (whole_statements, whole_changes) = (true, true);
        Have { whole_statements, whole_changes, ..Have::nothing() }.encode()
    }

    fn beyond(&self, record: &str, have: &[u8], most: usize) -> Option<Run> {
        let have = Have::decode(have).ok()?;
        let outgoing = self.node.outgoing(record, &have, most, &mut *lock(&self.sent)).ok()??;
        let Outgoing { run, is_all, knows_all } = outgoing;
        Some(Run { bytes: run.encode(), is_all, knows_all })
    }

    fn whole(&self, record: &str, most: usize) -> Option<Run> {
        // What is too long is not sent, so nothing counts as sent by it.
        let held = lock(&self.sent);
        let mut sent = Look(&held.checkpoints);
        let outgoing = self.node.outgoing(record, &Have::nothing(), most, &mut sent).ok()??;
        let Outgoing { run, is_all, knows_all } = outgoing;
        let bytes = run.encode();
        (is_all && bytes.len() <= most).then_some(Run { bytes, is_all, knows_all })
    }

    fn arrived(
        &self,
        after: u64,
        most: usize,
        wanted: &mut dyn FnMut(&str) -> bool,
    ) -> Option<Pushed> {
        let pushed = self.node.pushed(after, most, wanted, &mut *lock(&self.sent));
        let Push { upto, runs } = pushed.ok()??;
        let runs = runs.into_iter().map(|(record, run)| (record.into(), run.encode()));
        Some(Pushed { upto, runs: runs.collect() })
    }

    fn receive(&mut self, runs: &[(&str, &[u8])], from: &NodeId) -> Vec<Reception> {
        let by = By { author: &self.author, purpose: "replication" };
        let mut receptions = Receiving::new(&self.node, by).all(runs);
        for (reception, (record, run)) in receptions.iter_mut().zip(runs) {
            if reception.outcome == Outcome::Refused(Refusal::Author) {
                let from = Fingerprint::from_bytes(from.0);
                if self.node.put_aside(record, run, from).is_err() {
                    reception.outcome = Outcome::Later;
                }
            }
        }
        receptions
    }

    fn notices(&self, each: &mut dyn FnMut(NoticeId)) {
        // What cannot be read now is told the next time.
        for proof in self.node.equivocations().unwrap_or_default() {
            each(notice_id(&proof));
        }
        for id in self.node.notice_ids().unwrap_or_default() {
            each(NoticeId(id));
        }
    }

    fn notice(&self, id: &NoticeId) -> Option<Vec<u8>> {
        if let Some(notice) = self.node.notice(id.0).ok()? {
            return Some(notice);
        }
        self.node.equivocations().ok()?.into_iter().find(|proof| notice_id(proof) == *id)
    }

    fn receive_notice(&mut self, id: &NoticeId, bytes: &[u8], from: &NodeId) -> Outcome {
        if notice_id(bytes) != *id {
            return Outcome::Refused(Refusal::Unreadable);
        }
        let by = By { author: &self.author, purpose: "replication" };
        let taken = match self.node.take_notice(bytes, Fingerprint::from_bytes(from.0), by) {
            Ok(None) => self.node.note_equivocation(bytes, &self.node.authors()),
            Ok(Some(())) => Ok(()),
            Err(error) => Err(error),
        };
        match taken {
            Ok(()) => Outcome::Taken,
            Err(NodeError::Signed(_)) => Outcome::Refused(Refusal::Author),
            Err(NodeError::Equivocation(_) | NodeError::Order(OrderError::Form(_))) => {
                Outcome::Refused(Refusal::Signature)
            }
            Err(NodeError::Order(_)) => Outcome::Refused(Refusal::Unwanted),
            Err(_) => Outcome::Later,
        }
    }
}

/// The id of a notice: the SHA-256 of its bytes.
fn notice_id(bytes: &[u8]) -> NoticeId {
    NoticeId(Sha256::digest(bytes).into())
}

/// Tries a run again that was put aside.
pub(crate) fn take_again(node: &Node, record: &str, run: &[u8], by: By<'_>) -> Outcome {
    let tried = Receiving::new(node, by).all(&[(record, run)]).pop();
    tried.map_or(Outcome::Later, |tried| tried.outcome)
}

/// Runs on their way to the store.
struct Receiving<'a> {
    node: &'a Node,
    by: By<'a>,
    authors: Arc<Authors>,
    /// Each with the places of its runs.
    flights: Vec<(Vec<usize>, Flight)>,
    bytes: usize,
    receptions: Vec<Reception>,
}

/// A run that was read, with its statements verified.
struct Arriving {
    key: Vec<u8>,
    changes: Vec<Vec<u8>>,
    statements: Vec<Arc<Statement>>,
    size_bytes: usize,
}

impl<'a> Receiving<'a> {
    fn new(node: &'a Node, by: By<'a>) -> Self {
        let authors = node.authors();
        Self { node, by, authors, flights: Vec::new(), bytes: 0, receptions: Vec::new() }
    }

    /// Takes runs in; what was taken is durable when it returns.
    fn all(mut self, runs: &[(&str, &[u8])]) -> Vec<Reception> {
        let none = Reception { outcome: Outcome::Taken, version: None, arrivals: (0, 0) };
        self.receptions = vec![none; runs.len()];
        // All are read before any is taken: a later run may name a checkpoint of an earlier one.
        let mut read: Vec<Option<Arriving>> = Vec::with_capacity(runs.len());
        // The runs of each record, records in order of their first.
        let mut groups: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut of_record: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, (record, bytes)) in runs.iter().enumerate() {
            match self.read(record, bytes) {
                Ok(run) => {
                    let group = *of_record.entry(record).or_insert(groups.len());
                    if group == groups.len() {
                        groups.push((record, Vec::new()));
                    }
                    groups.get_mut(group).into_iter().for_each(|(_, places)| places.push(place));
                    read.push(Some(run));
                }
                Err(refused) => {
                    self.refuse(&[place], record, refused);
                    read.push(None);
                }
            }
        }
        for (record, places) in groups {
            self.take_group(record, &places, &read);
        }
        self.land();
        let snapshot = self.node.store.snapshot();
        for (reception, (record, _)) in self.receptions.iter_mut().zip(runs) {
            let version = snapshot.as_ref().ok().map(|view| version::version(view, record));
            reception.version = version.and_then(Result::ok).flatten().map(Version);
        }
        self.receptions
    }

    /// Takes the runs of one record as one, or one after the other if that is refused.
    fn take_group(&mut self, record: &str, places: &[usize], read: &[Option<Arriving>]) {
        let of = |places: &[usize]| -> Vec<&Arriving> {
            places.iter().filter_map(|place| read.get(*place)?.as_ref()).collect()
        };
        if self.flights.len() >= MAX_IN_FLIGHT || self.bytes >= MAX_IN_FLIGHT_BYTES {
            self.land();
        }
        match self.take(record, &of(places)) {
            Ok(flight) => self.launched(places, &of(places), flight),
            Err(_) if places.len() > 1 => {
                for place in places.chunks(1) {
                    match self.take(record, &of(place)) {
                        Ok(flight) => self.launched(place, &of(place), flight),
                        Err(refused) => self.refuse(place, record, refused),
                    }
                    // Of one record only one run is on its way.
                    self.land();
                }
            }
            Err(refused) => self.refuse(places, record, refused),
        }
    }

    fn launched(&mut self, places: &[usize], runs: &[&Arriving], flight: Option<Flight>) {
        if let Some(flight) = flight {
            self.bytes += runs.iter().map(|run| run.size_bytes).sum::<usize>();
            self.flights.push((places.to_vec(), flight));
        }
    }

    fn refuse(&mut self, places: &[usize], record: &str, refused: Refused) {
        let outcome = self.outcome(record, &refused);
        self.set(places, |reception| reception.outcome = outcome);
        match refused {
            Refused::Node(fault)
                if outcome == Outcome::Later && !matches!(fault, NodeError::Loading) =>
            {
                *lock(&self.node.exchange.trouble) = Some(fault);
            }
            _ => {}
        }
    }

    fn set(&mut self, places: &[usize], set: impl Fn(&mut Reception)) {
        for place in places {
            self.receptions.get_mut(*place).into_iter().for_each(&set);
        }
    }

    fn land(&mut self) {
        self.bytes = 0;
        let (places, flights): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.flights).into_iter().unzip();
        let records: Vec<String> =
            flights.iter().map(|flight: &Flight| flight.record.clone()).collect();
        let landed = self.node.land_all(flights);
        for ((places, record), landed) in places.iter().zip(&records).zip(landed) {
            match landed {
                Ok(Placement { arrivals, .. }) => {
                    let before = arrivals.start.saturating_sub(1);
                    let arrivals = (before, arrivals.end.saturating_sub(1).max(before));
                    // What came as one arrived as one.
                    self.set(places.get(..1).unwrap_or_default(), |first| {
                        first.arrivals = arrivals;
                    });
                    let mut wants = lock(&self.node.exchange.wants);
                    wants.statements.remove(record);
                    wants.changes.remove(record);
                }
                Err(fault) => {
                    *lock(&self.node.exchange.trouble) = Some(fault);
                    self.set(places, |reception| reception.outcome = Outcome::Later);
                }
            }
        }
    }

    fn read(&self, record: &str, bytes: &[u8]) -> Result<Arriving, Refused> {
        let run = Incoming::decode(bytes).map_err(|_| Refused::Outcome(Refusal::Unreadable))?;
        let name_bytes = 1..=clisonix_store::limit::MAX_RECORD_ID_BYTES;
        if run.is_empty() || !name_bytes.contains(&record.len()) {
            return Err(Refused::Outcome(Refusal::Unreadable));
        }
        let statements = run.statements.iter().map(|told| self.statement(told));
        let statements = statements.collect::<Result<Vec<_>, Refused>>()?;
        let Incoming { key, changes, .. } = run;
        Ok(Arriving { key, changes, statements, size_bytes: bytes.len() })
    }

    fn take(&self, record: &str, runs: &[&Arriving]) -> Result<Option<Flight>, Refused> {
        let mut keys = runs.iter().map(|run| run.key.as_slice());
        let key = keys.find(|key| !key.is_empty()).unwrap_or_default();
        self.check_key(record, key)?;
        let changes: Vec<&[u8]> =
            runs.iter().flat_map(|run| &run.changes).map(Vec::as_slice).collect();
        let statements = runs.iter().flat_map(|run| &run.statements).cloned().collect();
        let signed = SignedRun { key, changes: &changes, statements };
        let begun = self.node.begin_signed(record, &signed, &self.authors, self.by);
        Ok(begun.map_err(Refused::Node)?.1)
    }

    /// A record's name follows from its key, so nobody can give a record another one; a record that
    /// is new here needs it.
    fn check_key(&self, record: &str, key: &[u8]) -> Result<(), Refused> {
        if key.is_empty() {
            let snapshot = self.node.store.snapshot().map_err(|e| Refused::Node(e.into()))?;
            let known = snapshot.record(record).map_err(|e| Refused::Node(e.into()))?;
            return if known.is_some() { Ok(()) } else { Err(Refused::Lacks) };
        }
        if stored::read_key(key).is_some_and(|key| key.id() == record) {
            Ok(())
        } else {
            Err(Refused::Outcome(Refusal::Unreadable))
        }
    }

    fn statement(&self, told: &Told) -> Result<Arc<Statement>, Refused> {
        match told {
            Told::Whole(bytes) => {
                let read = self.node.verified(bytes, &self.authors);
                read.map_err(|error| Refused::Node(error.into()))
            }
            Told::Digest(digest) => {
                let known = self.node.known_statement(digest, &self.authors);
                known.map_err(Refused::Node)?.ok_or(Refused::Statement)
            }
        }
    }

    /// What the peer is told of a run that was not taken.
    fn outcome(&self, record: &str, refused: &Refused) -> Outcome {
        let wants = || lock(&self.node.exchange.wants);
        let error = match refused {
            Refused::Outcome(refusal) => return Outcome::Refused(*refusal),
            Refused::Lacks => return Outcome::Lacks,
            Refused::Statement => {
                Wants::note(&mut wants().statements, record);
                return Outcome::Lacks;
            }
            Refused::Node(error) => error,
        };
        match error {
            NodeError::Signed(SignedError::Refused { reason: RefusalReason::Base, .. }) => {
                let mut wants = wants();
                if wants.changes.contains(record) {
                    return Outcome::Refused(Refusal::Erased);
                }
                Wants::note(&mut wants.changes, record);
                Outcome::Lacks
            }
            // A change is here and nothing that its author signed about it: an image or a backup of
            // the own store was put back, or the statement was lost.
            NodeError::Signed(SignedError::Chain { error: ChainError::Gap(_), .. }) => {
                Wants::note(&mut wants().statements, record);
                Outcome::Lacks
            }
            NodeError::Signed(
                SignedError::Incomplete | SignedError::Chain { error: ChainError::Missing(_), .. },
            ) => Outcome::Lacks,
            NodeError::Signed(error) => Outcome::Refused(refusal(error)),
            NodeError::Receive(_) => Outcome::Refused(Refusal::Unreadable),
            // What this node cannot read or write now is no fault of the peer's.
            NodeError::Loading
            | NodeError::Write(_)
            | NodeError::Read(_)
            | NodeError::Engine(_)
            | NodeError::Damaged(_) => Outcome::Later,
            _ => Outcome::Refused(Refusal::Other),
        }
    }
}

/// Why a run was not taken.
enum Refused {
    Outcome(Refusal),
    /// It goes on from what is not here.
    Lacks,
    /// A checkpoint that it names is not here.
    Statement,
    Node(NodeError),
}

fn refusal(error: &SignedError) -> Refusal {
    match error {
        SignedError::Statement(StatementError::UnknownAuthor | StatementError::Revoked) => {
            Refusal::Author
        }
        SignedError::Equivocation { .. } | SignedError::Equivocator(_) => Refusal::Equivocation,
        SignedError::Refused { .. } | SignedError::TooManyStatements => Refusal::Unreadable,
        _ => Refusal::Signature,
    }
}

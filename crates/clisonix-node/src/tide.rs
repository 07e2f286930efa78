//! What a node tells other nodes and takes from them: its side of the Tide Engine.
//!
//! [`NodeReplica`] is the replica that one session works on. What goes out are *runs*: a record's
//! changes and what their authors have signed about them, never anything unsigned. What comes in is
//! verified whole, becomes durable in groups, or is refused whole.

mod aside;
mod audit;
mod holders;
mod outgoing;
mod peers;
mod receipts;
mod replica;
mod run;
mod scope;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clisonix_pq::checkpoint::{Authors, Statement};
use clisonix_store::Arrival;
use clisonix_tide::NoticeId;
use sha2::{Digest, Sha256};

use crate::error::NodeError;
use crate::node::Node;
use crate::signing::news::News;
use crate::signing::{SignedError, rows};

pub use self::aside::MAX_ASIDE_BYTES;
pub use self::peers::PeerState;
pub use self::receipts::{KeptReceipt, MAX_RECEIPT_SIGNATURE_BYTES, ReceiptFault};
pub use self::replica::NodeReplica;
pub(crate) use self::replica::take_again;
pub use self::run::{MAX_RUN_BATCHES, MAX_RUN_STATEMENTS};
pub use self::scope::{MAX_RULES, NodeScope, ScopeChange};

/// Bytes of checkpoints that are kept in memory, verified; they take about three times that. A
/// checkpoint is about up to 256 records, which come in any order.
const KEPT_STATEMENT_BYTES: usize = 8 << 20;
/// Records of which more than usual is asked for that are remembered.
const MAX_WANTS: usize = 1 << 16;
/// How long an order rests that could not be carried out, unless its record changes.
const ORDER_PAUSE_MS: u64 = 60_000;
/// Most arrivals that are looked through at once.
const MAX_ARRIVALS: usize = 1 << 16;

/// What replication keeps in memory at a node, whatever the peer.
#[derive(Default)]
pub(crate) struct Exchange {
    authors: Mutex<Arc<Authors>>,
    statements: Mutex<Verified>,
    wants: Mutex<Wants>,
    peers: Mutex<peers::Peers>,
    /// Whoever holds it may write the peers' states, and the lines of what they were given.
    keeping: Mutex<()>,
    decisions: Mutex<scope::Decisions>,
    audit: Mutex<audit::Audit>,
    recent: Mutex<outgoing::Recent>,
    /// Whoever holds it may add to the receipts.
    receipts: Mutex<()>,
    /// Why something that came from a peer could not be taken in, not told yet.
    trouble: Mutex<Option<NodeError>>,
    /// Damaged records as they were when it was tried last to put back what is aside of them.
    mended: Mutex<BTreeMap<String, Seen>>,
    /// Orders that wait for a change, with the record's version and the time when they were tried last.
    tried: Mutex<BTreeMap<[u8; 32], (Seen, u64)>>,
}

/// A record's version when it was looked at last; `None` of one that was not there.
type Seen = Option<[u8; 32]>;

/// Checkpoints that were verified.
#[derive(Default)]
struct Verified {
    held: BTreeMap<[u8; 32], Arc<Statement>>,
    /// The latest last.
    order: VecDeque<[u8; 32]>,
    bytes: usize,
}

/// Records that could not be taken in as they came.
#[derive(Default)]
struct Wants {
    /// Their statements are to come whole.
    statements: BTreeSet<String>,
    /// Their changes are to come whole.
    changes: BTreeSet<String>,
}

/// Records that something arrived of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// All arrivals up to this one were looked at.
    pub upto: u64,
    /// The records, each once, with their versions now, `None` of one that is gone; and the notices
    /// that were made here.
    pub records: BTreeMap<String, Option<[u8; 32]>>,
}

impl Node {
    /// Sets whose changes are taken in from other nodes, and whose are not any more.
    pub fn set_authors(&self, authors: Authors) {
        *lock(&self.exchange.authors) = Arc::new(authors);
    }

    /// Whose changes are taken in.
    pub fn authors(&self) -> Arc<Authors> {
        Arc::clone(&lock(&self.exchange.authors))
    }

    /// Why something that came from a peer could not be taken in since this was asked last, such as
    /// a full disk: the fault is this node's, and the peer tries again.
    pub fn take_trouble(&self) -> Option<NodeError> {
        lock(&self.exchange.trouble).take()
    }

    /// The number of the latest durable arrival, 0 before the first.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn arrival(&self) -> Result<u64, NodeError> {
        Ok(self.store.snapshot()?.next_arrival()?.saturating_sub(1))
    }

    /// Of which records something arrived after an arrival: how a catalogue of versions is kept
    /// current. At most some ten thousand arrivals at a time; `upto` says how far it came.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn arrived_since(&self, after: u64) -> Result<Arrived, NodeError> {
        let snapshot = self.store.snapshot()?;
        let mut arrived = Arrived { upto: after, records: BTreeMap::new() };
        for row in snapshot.arrivals(after + 1)?.take(MAX_ARRIVALS) {
            let (number, what) = row?;
            match what {
                Arrival::Change(record) => drop(arrived.records.insert(record, None)),
                Arrival::Note(bytes) => {
                    let records = News::decode(&bytes).map(|news| news.records).unwrap_or_default();
                    arrived.records.extend(records.into_iter().map(|record| (record, None)));
                }
                _ => {}
            }
            arrived.upto = number;
        }
        for (record, version) in &mut arrived.records {
            *version = match NoticeId::of_name(record) {
                Some(notice) => Some(notice.0),
                None => crate::version::version(&snapshot, record)?,
            };
        }
        Ok(arrived)
    }

    /// The store's incarnation as the number that cursors name: never 0, and another one after every
    /// restore.
    pub fn incarnation(&self) -> u64 {
        let bytes = self.store.incarnation();
        let number = bytes.first_chunk().map_or(1, |start| u64::from_be_bytes(*start));
        number.max(1)
    }

    /// The statement with a digest, if it was verified a short time ago.
    fn held_statement(
        &self,
        digest: &[u8; 32],
        authors: &Authors,
    ) -> Result<Option<Arc<Statement>>, SignedError> {
        let held = lock(&self.exchange.statements).find(digest);
        if let Some(held) = &held {
            // Its author may have been revoked meanwhile.
            authors.author_at(held.author(), held.time_ms())?;
        }
        Ok(held)
    }

    /// Reads a statement and verifies it, unless it was a short time ago.
    fn verified(&self, bytes: &[u8], authors: &Authors) -> Result<Arc<Statement>, SignedError> {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        if let Some(held) = self.held_statement(&digest, authors)? {
            return Ok(held);
        }
        let read = Arc::new(Statement::read(bytes, authors)?);
        if read.standing().is_final() {
            lock(&self.exchange.statements).keep(digest, &read);
        }
        Ok(read)
    }

    /// The checkpoint with a digest, if it is here.
    fn known_statement(
        &self,
        digest: &[u8; 32],
        authors: &Authors,
    ) -> Result<Option<Arc<Statement>>, NodeError> {
        if let Some(held) = self.held_statement(digest, authors)? {
            return Ok(Some(held));
        }
        let bytes = rows::checkpoint(&self.store.snapshot()?, digest)?;
        Ok(bytes.map(|bytes| self.verified(&bytes, authors)).transpose()?)
    }
}

impl Exchange {
    /// Notes changes that became durable under an arrival number.
    pub(crate) fn note_recent(&self, arrival: u64, changes: Vec<u8>) {
        lock(&self.recent).keep(arrival, changes);
    }

    /// Whether a damaged record is another one than when it was tried last to mend it.
    pub(crate) fn is_to_mend(&self, record: &str, version: Option<[u8; 32]>) -> bool {
        lock(&self.mended).get(record) != Some(&version)
    }

    /// Notes that it was tried to mend a record.
    pub(crate) fn note_mended(&self, record: &str, version: Option<[u8; 32]>) {
        lock(&self.mended).insert(record.to_owned(), version);
    }

    /// Whether an order that waits is to be tried: its record is another one than last time, or that
    /// was a while ago.
    pub(crate) fn is_to_try(
        &self,
        order: [u8; 32],
        version: Option<[u8; 32]>,
        now_ms: u64,
    ) -> bool {
        let mut tried = lock(&self.tried);
        let last = tried.get(&order);
        let is_new = last.is_none_or(|(seen, at_ms)| {
            *seen != version || now_ms.abs_diff(*at_ms) >= ORDER_PAUSE_MS
        });
        if is_new {
            tried.insert(order, (version, now_ms));
        }
        is_new
    }

    /// A record is to be mended again.
    pub(crate) fn forget_mended(&self, record: &str) {
        lock(&self.mended).remove(record);
    }
}

impl Verified {
    fn find(&self, digest: &[u8; 32]) -> Option<Arc<Statement>> {
        self.held.get(digest).map(Arc::clone)
    }

    fn keep(&mut self, digest: [u8; 32], statement: &Arc<Statement>) {
        if self.held.insert(digest, Arc::clone(statement)).is_some() {
            return;
        }
        self.bytes += statement.to_bytes().len();
        self.order.push_back(digest);
        while self.bytes > KEPT_STATEMENT_BYTES {
            let gone = self.order.pop_front().and_then(|digest| self.held.remove(&digest));
            let Some(gone) = gone else { break };
            self.bytes -= gone.to_bytes().len();
        }
    }
}

impl Wants {
    fn note(set: &mut BTreeSet<String>, record: &str) {
        if set.len() >= MAX_WANTS {
            set.pop_first();
        }
        set.insert(record.to_owned());
    }
}

// The guarded values are whole between any two statements, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The engine's home over a [`Node`].

use std::collections::BTreeMap;
use std::error::Error as _;
use std::iter::successors;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clisonix_node::{By, Node, NodeError, NodeReplica, NodeScope, ScopeChange};
use clisonix_pq::Fingerprint;
use clisonix_pq::checkpoint::{Authors, KnownAuthor};
use clisonix_tide::{Output, Replica, Scope, Version};

use crate::home::{Home, HomeError, Kept, Member, News};
use crate::traffic::Fault;

/// Who the node is in its own access log.
const OWN: By<'static> = By { author: "clisonix serve", purpose: "replication" };
/// How often it is written where peers stand, and about how often each record comes under a checkpoint
/// that is written to all the time.
const DUE_EVERY: Duration = Duration::from_secs(1);
/// Records of one checkpoint, where few wait. A checkpoint costs each record in it as much as an edit,
/// here and at each peer, and what is written meanwhile waits for it: small ones one after the other,
/// with time between them, hold up each edit a little and none for long.
const SMALL_CHECKPOINT: usize = 16;
/// More records than this come under checkpoints as large as can be, one behind the other.
const MANY_RECORDS: usize = 512;
/// Most checkpoints in a row.
const MAX_CHECKPOINTS: usize = 32;

/// As whom it puts back what was damaged.
const REPAIR: By<'static> = By { purpose: "repair", ..OWN };

/// A node, its author known to itself.
pub struct NodeHome {
    node: Arc<Node>,
    own: KnownAuthor,
    chores: Chores,
}

impl NodeHome {
    /// Over an open node, which signs as `own`.
    pub fn new(node: Arc<Node>, own: KnownAuthor) -> Self {
        let chores = Chores::new(Arc::clone(&node));
        Self { node, own, chores }
    }
}

impl Home for NodeHome {
    fn replica(&self, peer: Fingerprint) -> Box<dyn Replica + Send> {
        Box::new(NodeReplica::new(Arc::clone(&self.node), peer))
    }

    fn incarnation(&self) -> u64 {
        self.node.incarnation()
    }

    fn arrived_since(&self, after: u64) -> Result<News, HomeError> {
        let arrived = self.node.arrived_since(after)?;
        let records = arrived.records.into_iter();
        let records = records.map(|(name, version)| (name, version.map(Version))).collect();
        Ok(News { upto: arrived.upto, records })
    }

    fn admit(&mut self, members: &[Member]) -> Result<(), HomeError> {
        let mut authors = Authors::new();
        // What a peer signed before it was revoked still comes from others; the node's own
        // statements do too.
        for author in members.iter().map(|member| &member.author).chain([&self.own]) {
            // More than a node may know stay unknown to it.
            let _ = authors.add(author.clone());
        }
        for member in members {
            if let Some(revoked_ms) = member.revoked_ms {
                authors.revoke_after(member.author.fingerprint(), revoked_ms);
            }
        }
        self.node.set_authors(authors);
        let admitted = members.iter().filter(|member| member.is_admitted());
        // Who gets changes at once gets them signed: signing them later would be a write of its own.
        self.node.sign_at_once(admitted.clone().next().is_some());
        let rules: BTreeMap<_, _> =
            admitted.map(|member| (member.fingerprint(), member.rule.clone())).collect();
        if self.node.peer_rules()? != rules {
            self.node.set_peer_rules(&rules, OWN)?;
        }
        Ok(())
    }

    fn scope(&self, peer: Fingerprint) -> Box<dyn Scope> {
        Box::new(NodeScope::new(Arc::clone(&self.node), peer))
    }

    fn scope_change(&mut self) -> Result<Option<ScopeChange>, HomeError> {
        Ok(self.node.scope_change()?)
    }

    fn kept(&self, peer: Fingerprint) -> Result<Kept, HomeError> {
        let state = self.node.peer_state(peer)?;
        let last = self.node.last_receipt(self.own.fingerprint(), peer)?;
        let stamp = last.map(|kept| kept.receipt.time).unwrap_or_default();
        Ok(Kept { seen: state.seen, epoch: state.epoch, stamp })
    }

    fn keep(&mut self, peer: Fingerprint, what: &Output) -> Result<(), HomeError> {
        match what {
            Output::Seen(cursor) => self.node.keep_seen(peer, *cursor)?,
            Output::Epoch(epoch) => self.node.keep_epoch(peer, *epoch)?,
            Output::Agreed(receipt, signature) | Output::Receipt(receipt, signature, _) => {
                self.node.keep_receipt(receipt, signature)?;
            }
            Output::Given { record, .. } => self.node.note_given(peer, record)?,
            Output::Withheld { record } => self.node.note_withheld(peer, record)?,
            _ => {}
        }
        Ok(())
    }

    fn keep_fault(&mut self, peer: Fingerprint, fault: &Fault) -> Result<(), HomeError> {
        Ok(self.node.keep_fault(peer, fault.at_ms, &fault.what)?)
    }

    fn tend(&mut self) -> Result<(), HomeError> {
        let done = [
            self.chores.tend(),
            self.node.mend(REPAIR).map(drop).map_err(HomeError::from),
            self.node.carry_out_orders(OWN).map(drop).map_err(HomeError::from),
        ];
        done.into_iter().collect()
    }
}

/// Does what is due on a thread of its own: signing and the disk would hold up what is pushed.
struct Chores {
    node: Arc<Node>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    fault: Arc<Mutex<Option<HomeError>>>,
}

impl Chores {
    fn new(node: Arc<Node>) -> Self {
        let (wake, woken) = sync_channel(1);
        let fault = Arc::new(Mutex::new(None));
        let (inside, told) = (Arc::clone(&node), Arc::clone(&fault));
        let work = move || Self::work(&inside, &woken, &told);
        // Without a thread they are done where it is noticed that they are due.
        let thread = thread::Builder::new().name("chores".to_owned()).spawn(work).ok();
        Self { node, wake: thread.is_some().then_some(wake), thread, fault }
    }

    fn work(node: &Node, woken: &Receiver<()>, told: &Mutex<Option<HomeError>>) {
        let (mut last, mut pause) = (Instant::now(), DUE_EVERY);
        let mut signed = Instant::now();
        loop {
            let mut done = match woken.recv_timeout(pause.saturating_sub(signed.elapsed())) {
                Ok(()) => node.keep_audit(),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if last.elapsed() >= DUE_EVERY {
                last = Instant::now();
                done = done.and(node.keep_peers());
            }
            if signed.elapsed() >= pause {
                signed = Instant::now();
                pause = pause_of(node.unchecked_records());
                done = done.and(sign(node));
            }
            if let Err(error) = done {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.into());
            }
        }
        // What is not written now is told again, and pushed again.
        let _ = keep(node);
    }

    /// Has done what is due; tells what became of earlier things.
    fn tend(&self) -> Result<(), HomeError> {
        match &self.wake {
            // What is asked for already is enough.
            Some(wake) => drop(wake.try_send(())),
            None => keep(&self.node).and(sign(&self.node))?,
        }
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fault = fault.or_else(|| self.node.take_trouble().map(HomeError::from));
        fault.map_or(Ok(()), Err)
    }
}

impl Drop for Chores {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // What it was writing is durable before the node is let go.
            let _ = thread.join();
        }
    }
}

/// Writes what is remembered of the peers and of what they were given.
fn keep(node: &Node) -> Result<(), NodeError> {
    let kept = node.keep_peers();
    node.keep_audit().and(kept)
}

/// How long after one checkpoint the next one is, where so many records wait.
fn pause_of(records: usize) -> Duration {
    if records > MANY_RECORDS {
        return DUE_EVERY;
    }
    DUE_EVERY / (records.div_ceil(SMALL_CHECKPOINT).max(1) as u32)
}

/// Signs a small checkpoint if one is due, or many large ones, but lets other things have their turn.
fn sign(node: &Node) -> Result<(), NodeError> {
    if node.unchecked_records() <= MANY_RECORDS {
        if node.is_checkpoint_due() {
            node.checkpoint_of(SMALL_CHECKPOINT)?;
        }
        return Ok(());
    }
    for _ in 0..MAX_CHECKPOINTS {
        if !node.is_checkpoint_due() || node.checkpoint()?.is_none() {
            break;
        }
    }
    Ok(())
}

impl From<NodeError> for HomeError {
    /// With all its causes: what people can do something about stands in the last ones.
    fn from(error: NodeError) -> Self {
        let causes = successors(error.source(), |cause| (*cause).source());
        Self(causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}")))
    }
}

#[cfg(test)]
mod tests {
    use clisonix_node::{EngineFault, FaultKind, WriteError};

    use super::*;

    #[test]
    fn a_full_disk_is_named() {
        let fault = EngineFault::new(FaultKind::StorageFull, "as the system says it");
        let told = HomeError::from(NodeError::Write(WriteError::Failed(fault))).to_string();
        assert!(told.contains("no room left on the medium: as the system says it"), "{told}");
    }
}

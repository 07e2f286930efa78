//! What was given to peers and what was withheld, for the access log: which record, to whom, on what
//! ground. Never a clinical value, and of one record and peer at most one line an hour for each
//! ground.

use std::collections::BTreeMap;

use clisonix_pq::Fingerprint;
use clisonix_store::{Access, Action, Batch};

use super::lock;
use crate::consent::Decision;
use crate::error::NodeError;
use crate::node::Node;
use crate::version;

const HOUR_MS: u64 = 3_600_000;
/// Lines that are remembered, so that none is written twice in an hour.
const MAX_TOLD: usize = 1 << 16;
/// Lines that wait to be written together; who notes one more waits until they are.
const MAX_WAITING: usize = 4_096;

#[derive(Default)]
pub(super) struct Audit {
    /// In which hour which ground was told last.
    told: BTreeMap<(Fingerprint, Box<str>), (Decision, u64)>,
    waiting: Vec<Access>,
}

impl Node {
    /// Notes in the access log that something of a record went to a peer.
    ///
    /// # Errors
    /// [`NodeError::Read`], [`NodeError::Write`].
    pub fn note_given(&self, peer: Fingerprint, record: &str) -> Result<(), NodeError> {
        let ground = self.decision(peer, record)?;
        self.note_exchange(peer, record, ground, "given")
    }

    /// Notes in the access log that a record was withheld from a peer that asked for it.
    ///
    /// # Errors
    /// [`NodeError::Read`], [`NodeError::Write`].
    pub fn note_withheld(&self, peer: Fingerprint, record: &str) -> Result<(), NodeError> {
        let ground = self.decision(peer, record)?;
        self.note_exchange(peer, record, ground, "withheld")
    }

    /// Writes the lines that wait: they are written together, after at most this was called.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn keep_audit(&self) -> Result<(), NodeError> {
        let _alone = lock(&self.exchange.keeping);
        let lines = std::mem::take(&mut lock(&self.exchange.audit).waiting);
        let mut batch = Batch::new();
        for line in &lines {
            batch.access(line.clone())?;
        }
        if batch.is_empty() {
            return Ok(());
        }
        // Whoever notes a line meanwhile does not wait for the disk.
        let written = self.store.write(batch);
        if written.is_err() {
            lock(&self.exchange.audit).waiting.splice(0..0, lines);
        }
        written?;
        Ok(())
    }

    fn note_exchange(
        &self,
        peer: Fingerprint,
        record: &str,
        ground: Decision,
        deed: &str,
    ) -> Result<(), NodeError> {
        let now = self.inside().outside.now_ms();
        let (about, told) = ((peer, Box::from(record)), (ground, now / HOUR_MS));
        if lock(&self.exchange.audit).told.get(&about) == Some(&told) {
            return Ok(());
        }
        let line = Access {
            time_ms: now.cast_signed(),
            author: format!("node {}", peer.hexadecimal()),
            action: Action::Export,
            record: Some(record.to_owned()),
            version: version::version(&self.store.snapshot()?, record)?,
            purpose: format!("replication, {deed}: {ground}"),
        };
        let mut audit = lock(&self.exchange.audit);
        if audit.told.len() >= MAX_TOLD {
            audit.told.clear();
        }
        // Another thread may have told it meanwhile.
        if audit.told.insert(about, told) == Some(told) {
            return Ok(());
        }
        audit.waiting.push(line);
        let is_full = audit.waiting.len() >= MAX_WAITING;
        drop(audit);
        if is_full { self.keep_audit() } else { Ok(()) }
    }
}

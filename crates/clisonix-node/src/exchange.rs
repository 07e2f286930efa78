//! Exchange with another node: what it lacks goes out as bytes, what it sends comes in as bytes.

use std::fmt::Write as _;

use clisonix_crdt::{ChangeId, Received, Record};
use clisonix_store::{Access, Action, Batch};
use sha2::{Digest, Sha256};

use crate::editing::index_entries;
use crate::error::NodeError;
use crate::node::{By, Node, access};
use crate::stored;

impl Node {
    /// The heads of a record; empty if it is not here.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn heads(&self, record: &str) -> Result<Vec<ChangeId>, NodeError> {
        Ok(self.inside_for(record).records.record(&self.store, record)?.view().heads())
    }

    /// What a node with these heads of a record lacks, and the record's key, as bytes.
    ///
    /// # Errors
    /// [`NodeError::NotFound`].
    pub fn changes_since(
        &self,
        record: &str,
        heads: &[ChangeId],
        by: By<'_>,
    ) -> Result<(Vec<u8>, Vec<u8>), NodeError> {
        self.export(record, by, |record| record.changes_since(heads))
    }

    /// As [`Self::changes_since`], in the form that a node takes which has erased what the changes
    /// overwrite: it has refused them with
    /// [`RefusalReason::Base`](clisonix_crdt::RefusalReason::Base).
    ///
    /// # Errors
    /// [`NodeError::NotFound`].
    pub fn whole_changes_since(
        &self,
        record: &str,
        heads: &[ChangeId],
        by: By<'_>,
    ) -> Result<(Vec<u8>, Vec<u8>), NodeError> {
        self.export(record, by, |record| record.whole_changes_since(heads))
    }

    fn export(
        &self,
        record: &str,
        by: By<'_>,
        changes: impl FnOnce(&Record) -> Vec<u8>,
    ) -> Result<(Vec<u8>, Vec<u8>), NodeError> {
        let key = self.store.snapshot()?.record(record)?.ok_or(NodeError::NotFound("record"))?;
        let changes = self.with_record(record, |record| Ok(changes(record)))?;
        self.log_access(by, Action::Export, None)?;
        Ok((key, changes))
    }

    /// Takes in another node's changes to a record, durably, and tells what became of them: those
    /// that were refused are not here, and those that wait for others are lost with the process, so
    /// that they must be sent again. An erasure among them makes the record's rows anew, and destroys the
    /// key that the rows before were under.
    ///
    /// # Errors
    /// [`NodeError::Receive`]; nothing is applied then.
    pub fn receive(
        &self,
        record: &str,
        key: &[u8],
        changes: &[u8],
        by: By<'_>,
    ) -> Result<Received, NodeError> {
        let name = record;
        let mut inside = self.inside_for(name);
        let inside = &mut *inside;
        let now = inside.outside.now_ms();
        if inside.records.is_held(name) {
            return Err(NodeError::Loading);
        }
        let record = inside.records.record(&self.store, name)?;
        let before = record.change_count();
        let received = record.receive(changes);
        if record.has_lost_log() {
            inside.records.forget(name);
            return Err(NodeError::Damaged(name.to_owned()));
        }
        let received = received?;
        if received.applied == 0 {
            return Ok(received);
        }
        let batch = imported(record, before, key, access(by, Action::Import, now, Some(record)));
        self.make_received_durable(name, batch, &received.erased, &mut inside.records)?;
        Ok(received)
    }

    /// SHA-256 over the canonical state of every record: equal nodes have equal digests.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn digest(&self) -> Result<String, NodeError> {
        let mut hasher = Sha256::new();
        for id in self.record_ids()? {
            let mut inside = self.inside_for(&id);
            hasher.update(inside.records.record(&self.store, &id)?.state_bytes());
            inside.records.shrink();
        }
        Ok(hasher.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }
}

/// What a batch holds of received changes beside the record's own rows.
pub(crate) fn imported(
    record: &Record,
    before: usize,
    key: &[u8],
    access: Result<Access, NodeError>,
) -> Result<Batch, NodeError> {
    let mut batch = Batch::new();
    index_entries(&mut batch, record, before)?;
    if let Some(read) = stored::read_key(key).filter(|read| read.id() == record.id()) {
        stored::put_key_row(&mut batch, &read, key.to_vec())?;
    }
    batch.access(access?)?;
    Ok(batch)
}

//! The node: its store, its records in memory, and who asks.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clisonix_crdt::Record;
use clisonix_store::{Access, Action, BackupReport, Batch, Hash, Incarnation, Store, StoreOptions};
use sha2::{Digest, Sha256};

use crate::error::NodeError;
use crate::outside::Outside;
use crate::reading::text_of;
use crate::records::{Records, replay};
use crate::signing::Signing;
use crate::upgrade::upgrade;

/// What the store may hold of its file in memory, in bytes; records have their own limit.
const CACHE_BYTES: usize = 64 << 20;

/// Who asks for an operation, and what for; both go to the access log.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The author's identity; not empty.
    pub author: &'a str,
    /// The purpose, in a few words; may be empty. No clinical value.
    pub purpose: &'a str,
}

/// One site: a data directory and the records in it.
pub struct Node {
    // Dropped first: the records in it read from the store.
    pub(crate) inside: Mutex<Inside>,
    pub(crate) store: Store,
}

/// What is behind the node's lock.
pub(crate) struct Inside {
    pub(crate) outside: Box<dyn Outside>,
    pub(crate) records: Records,
    pub(crate) signing: Signing,
}

impl Node {
    /// Opens the data directory, and makes it if it is not there.
    ///
    /// # Errors
    /// [`NodeError::Open`]: held by another process, a newer format, damage.
    pub fn open(directory: &Path, mut outside: Box<dyn Outside>) -> Result<Self, NodeError> {
        let options = StoreOptions { cache_bytes: CACHE_BYTES, ..StoreOptions::default() };
        let store = match Store::open(directory, &options) {
            Err(clisonix_store::OpenError::Missing { .. }) => {
                let mut incarnation: Incarnation = [0; 16];
                outside.random(&mut incarnation);
                Store::create(directory, incarnation, &options)?
            }
            other => other?,
        };
        Self::over(store, outside)
    }

    /// A node over a store that is open already, on whatever medium.
    ///
    /// # Errors
    /// [`NodeError::Damaged`] if a record of an older program's store cannot be read.
    pub fn over(store: Store, outside: Box<dyn Outside>) -> Result<Self, NodeError> {
        upgrade(&store)?;
        let inside = Inside { outside, records: Records::default(), signing: Signing::default() };
        Ok(Self { store, inside: Mutex::new(inside) })
    }

    /// Writes a consistent copy of the store to one file, while running.
    ///
    /// # Errors
    /// [`NodeError::Backup`].
    pub fn backup(&self, to: &Path, by: By<'_>) -> Result<BackupReport, NodeError> {
        self.log_access(by, Action::Administer, None)?;
        Ok(self.store.backup(to)?)
    }

    /// Makes a new data directory from a backup.
    ///
    /// # Errors
    /// [`NodeError::Backup`]: the backup is damaged, or the directory is not empty.
    pub fn restore(
        from: &Path,
        directory: &Path,
        outside: &mut dyn Outside,
    ) -> Result<BackupReport, NodeError> {
        let mut incarnation: Incarnation = [0; 16];
        outside.random(&mut incarnation);
        Ok(Store::restore(from, directory, incarnation)?)
    }

    /// Checks the store's structure, the chain of the access log, and of every record that its log
    /// makes its state and what is shown of it; returns the access log's length.
    ///
    /// # Errors
    /// [`NodeError::AccessLog`] names the first broken link; [`NodeError::Unsound`];
    /// [`NodeError::Damaged`] names a record that cannot be read.
    pub fn verify(&self) -> Result<u64, NodeError> {
        let entries = self.store.snapshot()?.verify_access_log()?.entries;
        if !self.store.check()?.is_sound() {
            return Err(NodeError::Unsound);
        }
        for id in self.record_ids()? {
            self.verify_record(&id)?;
        }
        Ok(entries)
    }

    /// Makes a record again from its whole log, and compares its state and what is shown of it.
    fn verify_record(&self, id: &str) -> Result<(), NodeError> {
        let mut inside = self.inside();
        if inside.records.is_held(id) {
            return Err(NodeError::Loading);
        }
        let snapshot = self.store.snapshot()?;
        let whole = replay(&snapshot, id)?;
        let shown = text_of(&snapshot, id)?;
        let state = inside.records.record(&self.store, id)?.state_bytes();
        inside.records.forget(id);
        let is_sound = state == whole.state_bytes() && shown.bundle == whole.view().bundle_text();
        if is_sound { Ok(()) } else { Err(NodeError::Unsound) }
    }

    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        // A panic inside leaves records whose changes may not be stored: they are read anew.
        self.inside.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut guard = poisoned.into_inner();
            guard.records = Records::default();
            guard
        })
    }

    /// Logs a reading; what was read is given out only after this has returned.
    pub(crate) fn log_reading(&self, by: By<'_>, record: &str) -> Result<(), NodeError> {
        self.log_record(by, Action::Read, record)
    }

    /// Logs what is done with a record as it is stored.
    pub(crate) fn log_record(
        &self,
        by: By<'_>,
        action: Action,
        record: &str,
    ) -> Result<(), NodeError> {
        let now = self.inside().outside.now_ms();
        let mut entry = access(by, action, now, None)?;
        entry.record = Some(record.to_owned());
        let mut batch = Batch::new();
        batch.access(entry)?;
        self.store.write(batch)?;
        Ok(())
    }

    pub(crate) fn log_access(
        &self,
        by: By<'_>,
        action: Action,
        record: Option<&Record>,
    ) -> Result<(), NodeError> {
        let now = self.inside().outside.now_ms();
        let mut batch = Batch::new();
        batch.access(access(by, action, now, record)?)?;
        self.store.write(batch)?;
        Ok(())
    }
}

/// An entry for the access log.
pub(crate) fn access(
    by: By<'_>,
    action: Action,
    now_ms: u64,
    record: Option<&Record>,
) -> Result<Access, NodeError> {
    if by.author.trim().is_empty() {
        return Err(NodeError::Author);
    }
    Ok(Access {
        time_ms: now_ms.cast_signed(),
        author: by.author.to_owned(),
        action,
        record: record.map(|record| record.id().to_owned()),
        version: record.map(heads_digest),
        purpose: by.purpose.to_owned(),
    })
}

/// SHA-256 over a record's heads, in order.
pub(crate) fn heads_digest(record: &Record) -> Hash {
    let mut hasher = Sha256::new();
    for head in record.view().heads() {
        hasher.update(head.0);
    }
    hasher.finalize().into()
}

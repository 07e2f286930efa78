//! The store: a data directory opened by one process.

use std::path::Path;
use std::sync::Arc;

use crate::batch::Batch;
use crate::check::{CheckReport, inspect};
use crate::committer::{Committer, Ticket};
use crate::directory::Directory;
use crate::engine::Redb;
use crate::error::{OpenError, ReadError, WriteError};
use crate::group::{Group, Placement};
use crate::key_value::KeyValue;
use crate::ledger::{
    FORMAT_VERSION, Incarnation, Ledger, OLDEST_READABLE_FORMAT, format_row, founding_rows,
    load_format, load_incarnation, on_open,
};
use crate::limit::MAX_QUARANTINE_BYTES;
use crate::medium::{FileMedium, Medium};
use crate::snapshot::Snapshot;

/// Turns the rows of an older format into those of [`FORMAT_VERSION`]: from the found format and
/// a snapshot to the batch that is written, durably and at once, with the new format number.
pub type Migration = fn(found: u32, before: &Snapshot) -> Result<Batch, WriteError>;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Memory for cached pages, bytes.
    pub cache_bytes: usize,
    /// Bytes that all quarantined messages may hold together.
    pub quarantine_max_bytes: u64,
    /// What to do with a store of an older format; without it such a store is refused.
    pub migration: Option<Migration>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 256 << 20, quarantine_max_bytes: MAX_QUARANTINE_BYTES, migration: None }
    }
}

/// One site's store. Shared by reference between threads; dropping it writes what is queued.
pub struct Store {
    // Dropped first: the queue empties while the engine and the lock are still there.
    committer: Committer,
    engine: Arc<dyn KeyValue>,
    incarnation: Incarnation,
    _directory: Option<Directory>,
}

impl Store {
    /// Makes a new store; the directory may be there, a store in it may not.
    pub fn create(
        path: &Path,
        incarnation: Incarnation,
        options: &StoreOptions,
    ) -> Result<Self, OpenError> {
        let directory = Directory::make(path)?;
        let engine =
            Redb::open(Box::new(FileMedium::new(directory.data_file())), options.cache_bytes)?;
        if load_format(&*engine.view()?)?.is_some() {
            return Err(OpenError::Exists { path: path.to_owned() });
        }
        engine.commit(&founding_rows(incarnation))?;
        directory.sync()?;
        Self::start(Arc::new(engine), Some(directory), options)
    }

    /// Opens a store that is there.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, OpenError> {
        let directory = Directory::open(path)?;
        let engine =
            Redb::open(Box::new(FileMedium::new(directory.data_file())), options.cache_bytes)?;
        Self::start(Arc::new(engine), Some(directory), options)
    }

    /// Opens or makes a store on any medium of the embedded engine: an encrypting one, or one
    /// that fails on purpose. The caller sees to it that nobody else uses the medium.
    pub fn on_medium(
        medium: Box<dyn Medium>,
        incarnation: Incarnation,
        options: &StoreOptions,
    ) -> Result<Self, OpenError> {
        Self::on_engine(Arc::new(Redb::open(medium, options.cache_bytes)?), incarnation, options)
    }

    /// Opens or makes a store on another engine.
    pub fn on_engine(
        engine: Arc<dyn KeyValue>,
        incarnation: Incarnation,
        options: &StoreOptions,
    ) -> Result<Self, OpenError> {
        if load_format(&*engine.view()?)?.is_none() {
            engine.commit(&founding_rows(incarnation))?;
        }
        Self::start(engine, None, options)
    }

    pub(crate) fn start(
        engine: Arc<dyn KeyValue>,
        directory: Option<Directory>,
        options: &StoreOptions,
    ) -> Result<Self, OpenError> {
        agree_on_format(&engine, directory.as_ref(), options)?;
        let view = engine.view()?;
        let incarnation = load_incarnation(&*view)?;
        let ledger = Ledger::load(&*view).map_err(on_open)?;
        drop(view);
        let committer = Committer::start(Arc::clone(&engine), ledger, options.quarantine_max_bytes)
            .map_err(OpenError::Thread)?;
        Ok(Self { committer, engine, incarnation, _directory: directory })
    }

    /// Which life of the store this is.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Queues a batch. Batches are numbered in the order they were submitted.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, WriteError> {
        self.committer.submit(batch)
    }

    /// Queues a batch and waits until it is durable.
    pub fn write(&self, batch: Batch) -> Result<Placement, WriteError> {
        self.submit(batch)?.wait()
    }

    /// Queues many batches, then waits for all; each has its own outcome.
    pub fn write_many(
        &self,
        batches: impl IntoIterator<Item = Batch>,
    ) -> Vec<Result<Placement, WriteError>> {
        let tickets: Vec<_> = batches.into_iter().map(|batch| self.submit(batch)).collect();
        tickets.into_iter().map(|ticket| ticket.and_then(Ticket::wait)).collect()
    }

    /// Something that reads this store, for whoever outlives a borrow of it. The file stays in use
    /// until the last one is dropped.
    pub fn reader(&self) -> Reader {
        Reader { engine: Arc::clone(&self.engine) }
    }

    /// Everything committed up to now, as one consistent view.
    pub fn snapshot(&self) -> Result<Snapshot, ReadError> {
        Ok(Snapshot::new(self.engine.view()?))
    }

    /// Gives unused room back; true when something was moved. Writers wait meanwhile, and open
    /// snapshots make it fail with [`crate::FaultKind::Busy`].
    pub fn compact(&self) -> Result<bool, WriteError> {
        self.engine.compact().map_err(WriteError::Failed)
    }

    /// Reads every row and checks checksums, the store's own counts, and the access log. Writers
    /// wait during the first part, and open snapshots make it fail with [`crate::FaultKind::Busy`].
    pub fn check(&self) -> Result<CheckReport, ReadError> {
        let engine_sound = self.engine.check()?;
        inspect(&self.snapshot()?, engine_sound)
    }
}

/// Reads a store.
#[derive(Clone)]
pub struct Reader {
    engine: Arc<dyn KeyValue>,
}

impl Reader {
    /// As [`Store::snapshot`].
    pub fn snapshot(&self) -> Result<Snapshot, ReadError> {
        Ok(Snapshot::new(self.engine.view()?))
    }
}

fn agree_on_format(
    engine: &Arc<dyn KeyValue>,
    directory: Option<&Directory>,
    options: &StoreOptions,
) -> Result<(), OpenError> {
    let view = engine.view()?;
    let found = load_format(&*view)?.ok_or_else(|| OpenError::Missing {
        path: directory.map(|directory| directory.path().to_owned()).unwrap_or_default(),
    })?;
    let supported = FORMAT_VERSION;
    if found > supported {
        return Err(OpenError::NewerFormat { found, supported });
    }
    if found == supported {
        return Ok(());
    }
    if found >= OLDEST_READABLE_FORMAT {
        drop(view);
        return Ok(engine.commit(&[format_row()])?);
    }
    let migration = options.migration.ok_or(OpenError::OlderFormat { found, supported })?;
    migrate(engine, Snapshot::new(view), found, migration)
}

fn migrate(
    engine: &Arc<dyn KeyValue>,
    before: Snapshot,
    found: u32,
    migration: Migration,
) -> Result<(), OpenError> {
    let failed = |source| OpenError::Migration { found, source };
    let batch = migration(found, &before).map_err(failed)?;
    let ledger = Ledger::load(before.view()).map_err(on_open)?;
    drop(before);
    let mut group = Group::after(&ledger, u64::MAX);
    group.admit(batch, &**engine).map_err(failed)?;
    let mut rows = group.into_rows();
    rows.push(format_row());
    Ok(engine.commit(&rows)?)
}

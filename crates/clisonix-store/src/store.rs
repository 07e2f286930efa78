//! The store: a data directory opened by one process.

use std::path::Path;
use std::sync::Arc;

use clisonix_pq::at_rest::{Commitment, StoreId};

use crate::batch::Batch;
use crate::check::{CheckReport, inspect};
use crate::committer::{Commits, Committer, Ticket};
use crate::directory::Directory;
use crate::engine::Redb;
use crate::error::{OpenError, ReadError, WriteError};
use crate::group::{Group, Placement};
use crate::key_value::{KeyValue, Span, Table};
use crate::ledger::{
    FORMAT_VERSION, Incarnation, Ledger, OLDEST_READABLE_FORMAT, format_row, founding_rows,
    load_format, load_incarnation, on_open,
};
use crate::limit::MAX_QUARANTINE_BYTES;
use crate::medium::{FileMedium, Medium};
use crate::protection::Protection;
use crate::row_seal::RowSealed;
use crate::sealed::SealedMedium;
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
    /// Under what a new store is encrypted, and an encrypted one opened. A store that is not
    /// encrypted is opened as it is.
    pub protection: Option<Arc<Protection>>,
    /// On which thread batches become durable.
    pub commits: Commits,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 256 << 20,
            quarantine_max_bytes: MAX_QUARANTINE_BYTES,
            migration: None,
            protection: None,
            commits: Commits::default(),
        }
    }
}

/// One site's store. Shared by reference between threads; dropping it writes what is queued.
pub struct Store {
    // Dropped first: the queue empties while the engine and the lock are still there.
    committer: Committer,
    engine: Arc<dyn KeyValue>,
    incarnation: Incarnation,
    pub(crate) base: Base,
}

/// What is under the engine that a store speaks to.
pub(crate) struct Base {
    /// The engine with rows as they are stored.
    pub(crate) stored: Arc<dyn KeyValue>,
    /// The embedded engine, where it is that.
    pub(crate) redb: Option<Arc<Redb>>,
    pub(crate) protection: Option<Arc<Protection>>,
    pub(crate) directory: Option<Directory>,
}

impl Base {
    pub(crate) fn new(
        redb: Redb,
        directory: Option<Directory>,
        protection: Option<Arc<Protection>>,
    ) -> Self {
        let redb = Arc::new(redb);
        Self { stored: redb.clone(), redb: Some(redb), protection, directory }
    }

    /// The engine with rows as they were given.
    fn engine(&self) -> Arc<dyn KeyValue> {
        let rows = self.protection.as_ref().and_then(|protection| protection.rows.clone());
        match rows {
            Some(rows) => Arc::new(RowSealed::new(Arc::clone(&self.stored), rows)),
            None => Arc::clone(&self.stored),
        }
    }
}

impl Store {
    /// Makes a new store; the directory may be there, a store in it may not.
    pub fn create(
        path: &Path,
        incarnation: Incarnation,
        options: &StoreOptions,
    ) -> Result<Self, OpenError> {
        let directory = Directory::make(path)?;
        let protection = options.protection.clone();
        let engine = Redb::open(data_medium(&directory, protection.as_ref()), options.cache_bytes)?;
        if load_format(&*engine.view()?)?.is_some() {
            return Err(OpenError::Exists { path: path.to_owned() });
        }
        engine.commit(founding_rows(incarnation))?;
        directory.sync()?;
        Self::start(Base::new(engine, Some(directory), protection), options)
    }

    /// Opens a store that is there.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, OpenError> {
        let directory = Directory::open(path)?;
        let protection = match directory.form()? {
            StoreForm::Encrypted { .. } => {
                let missing = OpenError::KeyNeeded { path: path.to_owned() };
                Some(options.protection.clone().ok_or(missing)?)
            }
            _ => None,
        };
        let engine = Redb::open(data_medium(&directory, protection.as_ref()), options.cache_bytes)?;
        Self::start(Base::new(engine, Some(directory), protection), options)
    }

    /// What lies in a directory. Of an encrypted store nothing is verified.
    pub fn form(path: &Path) -> Result<StoreForm, OpenError> {
        Directory::form_in(path)
    }

    /// Under what the store is encrypted.
    pub fn protection(&self) -> Option<&Arc<Protection>> {
        self.base.protection.as_ref()
    }

    /// The keys of a table's rows whose own key was destroyed.
    pub fn lost(&self, table: Table) -> Result<Vec<Vec<u8>>, ReadError> {
        let rows = self.base.protection.as_ref().and_then(|protection| protection.rows.as_ref());
        let Some(rows) = rows else { return Ok(Vec::new()) };
        let mut lost = Vec::new();
        for row in self.base.stored.view()?.rows(table, &Span::all())? {
            let row = row?;
            if rows.is_lost(table, &row.key, &row.value) {
                lost.push(row.key);
            }
        }
        Ok(lost)
    }

    /// Whether the store is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.base.protection.is_some()
    }

    /// Opens or makes a store on any medium of the embedded engine: an encrypting one, or one
    /// that fails on purpose. The caller sees to it that nobody else uses the medium.
    pub fn on_medium(
        medium: Box<dyn Medium>,
        incarnation: Incarnation,
        options: &StoreOptions,
    ) -> Result<Self, OpenError> {
        let protection = options.protection.clone();
        let medium = sealed_medium(medium, protection.as_ref());
        let redb = Redb::open(medium, options.cache_bytes)?;
        Self::on_base(Base::new(redb, None, protection), incarnation, options)
    }

    /// Opens or makes a store on another engine.
    pub fn on_engine(
        engine: Arc<dyn KeyValue>,
        incarnation: Incarnation,
        options: &StoreOptions,
    ) -> Result<Self, OpenError> {
        let base = Base {
            stored: engine,
            redb: None,
            protection: options.protection.clone(),
            directory: None,
        };
        Self::on_base(base, incarnation, options)
    }

    fn on_base(
        base: Base,
        incarnation: Incarnation,
        options: &StoreOptions,
    ) -> Result<Self, OpenError> {
        if load_format(&*base.stored.view()?)?.is_none() {
            base.stored.commit(founding_rows(incarnation))?;
        }
        Self::start(base, options)
    }

    pub(crate) fn start(base: Base, options: &StoreOptions) -> Result<Self, OpenError> {
        let engine = base.engine();
        agree_on_format(&engine, base.directory.as_ref(), options)?;
        let view = engine.view()?;
        let incarnation = load_incarnation(&*view)?;
        let ledger = Ledger::load(&*view).map_err(on_open)?;
        drop(view);
        let committer = Committer::start(
            Arc::clone(&engine),
            ledger,
            options.quarantine_max_bytes,
            options.commits,
        )
        .map_err(OpenError::Thread)?;
        Ok(Self { committer, engine, incarnation, base })
    }

    /// Which life of the store this is.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Calls `told` each time that batches which are to be announced became durable. It is called on
    /// the committing thread, before those who wait for these batches go on, and has to return at
    /// once, without using the store; to wake another thread is what it is for.
    pub fn on_durable(&self, told: Box<dyn Fn() + Send + Sync>) {
        self.committer.watch(told);
    }

    /// Queues a batch. Batches are numbered in the order they were submitted.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, WriteError> {
        self.committer.submit(batch)
    }

    /// Queues a batch and waits until it is durable.
    pub fn write(&self, batch: Batch) -> Result<Placement, WriteError> {
        self.submit(batch)?.wait()
    }

    /// Queues many batches at once, then waits for all; each has its own outcome. They become durable
    /// with one sync, as far as the limits of a group allow.
    pub fn write_many(
        &self,
        batches: impl IntoIterator<Item = Batch>,
    ) -> Vec<Result<Placement, WriteError>> {
        let tickets = self.committer.submit_all(batches);
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

    /// As [`Self::snapshot`], with rows as they are stored: those that are sealed stay so.
    pub fn stored(&self) -> Result<Snapshot, ReadError> {
        Ok(Snapshot::new(self.base.stored.view()?))
    }

    /// Gives unused room back; true when something was moved. It waits until no snapshot is open,
    /// and fails with [`crate::FaultKind::Busy`] if in 5 seconds there is no such moment; writers
    /// and new snapshots wait meanwhile.
    pub fn compact(&self) -> Result<bool, WriteError> {
        self.engine.compact().map_err(WriteError::Failed)
    }

    /// Reads every row and checks checksums, the store's own counts, and the access log. The first
    /// part waits until no snapshot is open, and fails with [`crate::FaultKind::Busy`] if in 5
    /// seconds there is no such moment; writers and new snapshots wait during it.
    pub fn check(&self) -> Result<CheckReport, ReadError> {
        let engine_sound = self.engine.check()?;
        inspect(&self.snapshot()?, &self.stored()?, engine_sound)
    }
}

/// What lies in a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreForm {
    /// No store.
    Absent,
    /// A store that is not encrypted.
    Plain,
    /// An encrypted store.
    Encrypted {
        /// Which one.
        store: StoreId,
        /// The store key that it is under.
        key: Commitment,
    },
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

/// The medium of the file in a data directory.
pub(crate) fn data_medium(
    directory: &Directory,
    protection: Option<&Arc<Protection>>,
) -> Box<dyn Medium> {
    sealed_medium(Box::new(FileMedium::new(directory.data_file())), protection)
}

pub(crate) fn sealed_medium(
    medium: Box<dyn Medium>,
    protection: Option<&Arc<Protection>>,
) -> Box<dyn Medium> {
    match protection {
        Some(protection) => Box::new(SealedMedium::new(medium, Arc::clone(protection))),
        None => medium,
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
        return Ok(engine.commit(vec![format_row()])?);
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
    Ok(engine.commit(rows)?)
}

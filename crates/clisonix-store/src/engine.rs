//! The embedded engine: redb, always committed in two phases.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use redb::{
    CommitError, CompactionError, Database, DatabaseError, ReadOnlyTable, ReadTransaction,
    ReadableDatabase, ReadableTableMetadata, StorageError, TableDefinition, TableError,
    TransactionError,
};

use crate::error::{EngineFault, FaultKind};
use crate::key_value::{KeyValue, KeyValueView, Operation, Row, Rows, Span, Table};
use crate::medium::{Medium, Watched};

type Bytes = &'static [u8];

/// Bytes of rows that are copied to another medium at a time.
const COPY_STEP_BYTES: usize = 16 << 20;
/// Bytes of pages that are held while rows are copied to another medium.
const COPY_CACHE_BYTES: usize = 32 << 20;
/// Most bytes of rows that are written meanwhile; more, and the copying gives up.
const MAX_MEANWHILE_BYTES: usize = 256 << 20;
/// How long a check or a compaction waits for a moment in which no view is open.
const VIEWS_PATIENCE: Duration = Duration::from_secs(5);
/// How long new views wait, and are then let in again, meanwhile.
const VIEWS_TURN_LEAST: Duration = Duration::from_millis(5);
const VIEWS_TURN_MOST: Duration = Duration::from_millis(160);
const VIEWS_PAUSE: Duration = Duration::from_millis(1);

/// redb behind the seam.
pub(crate) struct Redb {
    cache_bytes: usize,
    sync_failed: Arc<AtomicBool>,
    open: RwLock<Open>,
    /// What is committed while the rows are copied elsewhere.
    meanwhile: Mutex<Option<Meanwhile>>,
    /// Engines on media that were left, for the views that still read from them.
    left: Mutex<Vec<(Database, Arc<()>)>>,
}

struct Open {
    medium: Box<dyn Medium>,
    /// Empty while a fault has closed it and reopening has not worked yet.
    database: Option<Database>,
    /// Held by each view of this medium.
    token: Arc<()>,
}

#[derive(Default)]
struct Meanwhile {
    operations: Vec<Operation>,
    bytes: usize,
}

impl Redb {
    /// Opens the medium, or starts an empty engine on an empty medium.
    pub(crate) fn open(medium: Box<dyn Medium>, cache_bytes: usize) -> Result<Self, EngineFault> {
        let engine = Self {
            cache_bytes,
            sync_failed: Arc::new(AtomicBool::new(false)),
            open: RwLock::new(Open { medium, database: None, token: Arc::new(()) }),
            meanwhile: Mutex::new(None),
            left: Mutex::new(Vec::new()),
        };
        engine.reopen(&mut engine.exclusive())?;
        Ok(engine)
    }

    /// Copies every row to an empty medium while this one is used, and then goes on there. `settle`
    /// is called once nothing of the old medium is needed any more and all is durable on the new
    /// one; it returns the medium to go on with.
    pub(crate) fn move_to(
        &self,
        medium: Box<dyn Medium>,
        settle: impl FnOnce() -> io::Result<Box<dyn Medium>>,
    ) -> Result<(), EngineFault> {
        let view = {
            let open = self.exclusive();
            *self.meanwhile() = Some(Meanwhile::default());
            let transaction = open.database.as_ref().ok_or_else(closed)?.begin_read();
            transaction.map(|transaction| RedbView { transaction, _token: Arc::clone(&open.token) })
        };
        let copied = view.map_err(EngineFault::from).and_then(|view| {
            let target = Self::open(medium, COPY_CACHE_BYTES)?;
            copy_rows(&view, &target, &mut |rows| Ok(rows))?;
            // Most of what was written meanwhile is caught up with before writers have to wait.
            self.catch_up(&target, Some(Meanwhile::default()))?;
            Ok(target)
        });
        let mut open = self.exclusive();
        let settled = copied.and_then(|target| {
            self.catch_up(&target, None)?;
            drop(target);
            Ok(settle()?)
        });
        *self.meanwhile() = None;
        open.medium = settled?;
        let token = std::mem::take(&mut open.token);
        if let Some(database) = open.database.take() {
            self.left().push((database, token));
        }
        self.close_left();
        self.reopen(&mut open)
    }

    fn left(&self) -> MutexGuard<'_, Vec<(Database, Arc<()>)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the engines on media that were left and that nobody reads from any more.
    fn close_left(&self) {
        self.left().retain(|(_, token)| Arc::strong_count(token) > 1);
    }

    /// Writes what was committed meanwhile to the copy.
    fn catch_up(&self, target: &Self, next: Option<Meanwhile>) -> Result<(), EngineFault> {
        let meanwhile = std::mem::replace(&mut *self.meanwhile(), next);
        let Meanwhile { operations, bytes } = meanwhile.unwrap_or_default();
        if bytes > MAX_MEANWHILE_BYTES {
            return Err(EngineFault::new(FaultKind::Busy, "too much was written meanwhile"));
        }
        if operations.is_empty() { Ok(()) } else { target.commit(last_of_each(operations)) }
    }

    fn note(&self, operations: Vec<Operation>) {
        if let Some(meanwhile) = &mut *self.meanwhile() {
            meanwhile.bytes += operations.iter().map(Operation::size_bytes).sum::<usize>();
            // Beyond the limit only the sum counts.
            if meanwhile.bytes <= MAX_MEANWHILE_BYTES {
                meanwhile.operations.extend(operations);
            }
        }
    }

    fn give_up_copying(&self) {
        if let Some(meanwhile) = &mut *self.meanwhile() {
            meanwhile.bytes = usize::MAX / 2;
        }
    }

    fn reopen(&self, open: &mut Open) -> Result<(), EngineFault> {
        open.database = None;
        open.database = Some(self.load(&*open.medium)?);
        Ok(())
    }

    fn load(&self, medium: &dyn Medium) -> Result<Database, EngineFault> {
        let backend = Watched::new(medium.open()?, Arc::clone(&self.sync_failed));
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes);
        Ok(builder.create_with_backend(backend)?)
    }

    // A poisoned lock only tells that a thread panicked while holding it; redb keeps its own state
    // consistent, so the guard is still good.
    fn shared(&self) -> RwLockReadGuard<'_, Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, Open> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what redb refuses while a view is open, in a moment in which none is. New views wait
    /// for such a moment in turns: long ones, for views that take long, and short ones, for who
    /// holds a view and asks for one more.
    fn without_views<T>(
        &self,
        mut act: impl FnMut(&mut Database) -> Result<T, EngineFault>,
    ) -> Result<T, EngineFault> {
        let end = Instant::now() + VIEWS_PATIENCE;
        let mut turn = VIEWS_TURN_LEAST;
        loop {
            let mut open = self.exclusive();
            let turn_end = Instant::now() + turn;
            let busy = loop {
                match act(open.database.as_mut().ok_or_else(closed)?) {
                    Err(fault) if fault.kind() != FaultKind::Busy => return Err(fault),
                    Err(busy) if Instant::now() >= turn_end => break busy,
                    Err(_) => thread::sleep(VIEWS_PAUSE),
                    done => return done,
                }
            };
            drop(open);
            if Instant::now() >= end {
                return Err(busy);
            }
            thread::sleep(turn);
            turn = if turn < VIEWS_TURN_MOST { turn * 2 } else { VIEWS_TURN_LEAST };
        }
    }

    fn meanwhile(&self) -> MutexGuard<'_, Option<Meanwhile>> {
        self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies every row of a view to an engine, in steps; `prepare` turns rows into what is stored.
pub(crate) fn copy_rows(
    from: &dyn KeyValueView,
    to: &dyn KeyValue,
    prepare: &mut dyn FnMut(Vec<Operation>) -> Result<Vec<Operation>, EngineFault>,
) -> Result<(), EngineFault> {
    let (mut step, mut bytes) = (Vec::new(), 0);
    for table in Table::ALL {
        for row in from.rows(table, &Span::all())? {
            let Row { key, value } = row?;
            let operation = Operation { table, key, value: Some(value) };
            bytes += operation.size_bytes();
            step.push(operation);
            if bytes >= COPY_STEP_BYTES {
                to.commit(prepare(std::mem::take(&mut step))?)?;
                bytes = 0;
            }
        }
    }
    to.commit(prepare(step)?)
}

/// Of several operations on one key the last.
fn last_of_each(mut operations: Vec<Operation>) -> Vec<Operation> {
    operations.reverse();
    operations.sort_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
    operations.dedup_by(|later, kept| later.table == kept.table && later.key == kept.key);
    operations
}

impl KeyValue for Redb {
    fn view(&self) -> Result<Box<dyn KeyValueView>, EngineFault> {
        let open = self.shared();
        let transaction = open.database.as_ref().ok_or_else(closed)?.begin_read()?;
        Ok(Box::new(RedbView { transaction, _token: Arc::clone(&open.token) }))
    }

    fn commit(&self, operations: Vec<Operation>) -> Result<(), EngineFault> {
        let open = self.shared();
        let mut transaction = open.database.as_ref().ok_or_else(closed)?.begin_write()?;
        // A one-phase commit can be undone by a torn commit slot (redb issue 1290, July 2026).
        transaction.set_two_phase_commit(true);
        // Key order keeps neighbouring inserts in neighbouring pages.
        let mut sorted: Vec<&Operation> = operations.iter().collect();
        sorted.sort_unstable_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
        for group in sorted.chunk_by(|a, b| a.table == b.table) {
            let Some(first) = group.first() else { continue };
            let mut table = transaction.open_table(definition(first.table))?;
            for operation in group {
                match &operation.value {
                    Some(value) => drop(table.insert(operation.key.as_slice(), value.as_slice())?),
                    None => drop(table.remove(operation.key.as_slice())?),
                }
            }
        }
        drop(sorted);
        // A commit that failed may be there after all; then the copy would lack it.
        transaction.commit().inspect_err(|_| self.give_up_copying())?;
        self.note(operations);
        self.close_left();
        Ok(())
    }

    fn recover(&self) -> Result<(), EngineFault> {
        let mut open = self.exclusive();
        if self.sync_failed.load(Ordering::SeqCst) {
            return Err(EngineFault::new(FaultKind::SyncLost, "a sync failed in this process"));
        }
        self.reopen(&mut open)
    }

    fn compact(&self) -> Result<bool, EngineFault> {
        self.without_views(|database| Ok(database.compact()?))
    }

    fn check(&self) -> Result<bool, EngineFault> {
        self.without_views(|database| Ok(database.check_integrity()?))
    }
}

struct RedbView {
    // Dropped first, so that no view is left once its token is.
    transaction: ReadTransaction,
    _token: Arc<()>,
}

impl RedbView {
    /// The table, or `None` while nothing was ever written to it.
    fn table(&self, table: Table) -> Result<Option<ReadOnlyTable<Bytes, Bytes>>, EngineFault> {
        match self.transaction.open_table(definition(table)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl KeyValueView for RedbView {
    fn value(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineFault> {
        let Some(table) = self.table(table)? else { return Ok(None) };
        Ok(table.get(key)?.map(|guard| guard.value().to_vec()))
    }

    fn contains(&self, table: Table, key: &[u8]) -> Result<bool, EngineFault> {
        let Some(table) = self.table(table)? else { return Ok(false) };
        Ok(table.get(key)?.is_some())
    }

    fn rows(&self, table: Table, span: &Span) -> Result<Rows<'_>, EngineFault> {
        // redb takes an inverted range for a programming error.
        if span.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let Some(table) = self.table(table)? else { return Ok(Box::new(std::iter::empty())) };
        let range = table.range::<&[u8]>((as_slice(&span.start), as_slice(&span.end)))?;
        let row =
            |item: Result<(redb::AccessGuard<'_, Bytes>, redb::AccessGuard<'_, Bytes>), _>| {
                let (key, value) = item?;
                Ok(Row { key: key.value().to_vec(), value: value.value().to_vec() })
            };
        if span.backwards {
            Ok(Box::new(range.rev().map(row)))
        } else {
            Ok(Box::new(range.map(row)))
        }
    }

    fn count(&self, table: Table) -> Result<u64, EngineFault> {
        Ok(self.table(table)?.map_or(Ok(0), |table| table.len())?)
    }
}

fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key.as_slice()),
        Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
        Bound::Unbounded => Bound::Unbounded,
    }
}

fn closed() -> EngineFault {
    EngineFault::new(FaultKind::Closed, "a fault closed the engine and it is not reopened yet")
}

impl From<StorageError> for EngineFault {
    fn from(error: StorageError) -> Self {
        let kind = match error {
            StorageError::Io(cause) => return cause.into(),
            StorageError::Corrupted(_) => FaultKind::Corrupt,
            StorageError::DatabaseClosed => FaultKind::Closed,
            StorageError::Unsupported | StorageError::ValueTooLarge(_) => FaultKind::Unsupported,
            _ => FaultKind::Io,
        };
        Self::new(kind, error)
    }
}

impl From<DatabaseError> for EngineFault {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(error) => error.into(),
            DatabaseError::TransactionInProgress => Self::new(FaultKind::Busy, error),
            error => Self::new(FaultKind::Unsupported, error),
        }
    }
}

impl From<TransactionError> for EngineFault {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            error => Self::new(FaultKind::Busy, error),
        }
    }
}

impl From<TableError> for EngineFault {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            error => Self::new(FaultKind::Corrupt, error),
        }
    }
}

impl From<CommitError> for EngineFault {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            error => Self::new(FaultKind::Io, error),
        }
    }
}

impl From<CompactionError> for EngineFault {
    fn from(error: CompactionError) -> Self {
        match error {
            CompactionError::Storage(error) => error.into(),
            error => Self::new(FaultKind::Busy, error),
        }
    }
}

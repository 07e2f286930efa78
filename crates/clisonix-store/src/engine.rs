//! The embedded engine: redb, always committed in two phases.

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::{
    CommitError, CompactionError, Database, DatabaseError, ReadOnlyTable, ReadTransaction,
    ReadableDatabase, ReadableTableMetadata, StorageError, TableDefinition, TableError,
    TransactionError,
};

use crate::error::{EngineFault, FaultKind};
use crate::key_value::{KeyValue, KeyValueView, Operation, Row, Rows, Span, Table};
use crate::medium::{Medium, Watched};

type Bytes = &'static [u8];

/// redb behind the seam.
pub(crate) struct Redb {
    medium: Box<dyn Medium>,
    cache_bytes: usize,
    sync_failed: Arc<AtomicBool>,
    /// Empty while a fault has closed it and reopening has not worked yet.
    database: RwLock<Option<Database>>,
}

impl Redb {
    /// Opens the medium, or starts an empty engine on an empty medium.
    pub(crate) fn open(medium: Box<dyn Medium>, cache_bytes: usize) -> Result<Self, EngineFault> {
        let engine = Self {
            medium,
            cache_bytes,
            sync_failed: Arc::new(AtomicBool::new(false)),
            database: RwLock::new(None),
        };
        let database = engine.load()?;
        *engine.exclusive() = Some(database);
        Ok(engine)
    }

    fn load(&self) -> Result<Database, EngineFault> {
        let backend = Watched::new(self.medium.open()?, Arc::clone(&self.sync_failed));
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes);
        Ok(builder.create_with_backend(backend)?)
    }

    // A poisoned lock only tells that a thread panicked while holding it; redb keeps its own state
    // consistent, so the guard is still good.
    fn shared(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        self.database.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyValue for Redb {
    fn view(&self) -> Result<Box<dyn KeyValueView>, EngineFault> {
        let guard = self.shared();
        let transaction = guard.as_ref().ok_or_else(closed)?.begin_read()?;
        Ok(Box::new(RedbView { transaction }))
    }

    fn commit(&self, operations: &[Operation]) -> Result<(), EngineFault> {
        let guard = self.shared();
        let mut transaction = guard.as_ref().ok_or_else(closed)?.begin_write()?;
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
        Ok(transaction.commit()?)
    }

    fn recover(&self) -> Result<(), EngineFault> {
        let mut guard = self.exclusive();
        if self.sync_failed.load(Ordering::SeqCst) {
            return Err(EngineFault::new(FaultKind::SyncLost, "a sync failed in this process"));
        }
        *guard = None;
        *guard = Some(self.load()?);
        Ok(())
    }

    fn compact(&self) -> Result<bool, EngineFault> {
        let mut guard = self.exclusive();
        Ok(guard.as_mut().ok_or_else(closed)?.compact()?)
    }

    fn check(&self) -> Result<bool, EngineFault> {
        let mut guard = self.exclusive();
        Ok(guard.as_mut().ok_or_else(closed)?.check_integrity()?)
    }
}

struct RedbView {
    transaction: ReadTransaction,
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

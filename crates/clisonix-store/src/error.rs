//! One error enum per family of operations, and the fault of an engine that all of them carry.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::key_value::Table;
use crate::sealed::SealedFault;

/// Why the engine under the store could not do what it was asked.
///
/// Cheap to clone, because one failed group is reported to every batch in it.
#[derive(Clone, Debug)]
pub struct EngineFault {
    kind: FaultKind,
    source: Arc<dyn Error + Send + Sync>,
}

/// What a caller can tell about an [`EngineFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// No room left on the medium; works again when room is made.
    StorageFull,
    /// The medium refused to read or write.
    Io,
    /// The medium could not promise that written bytes are durable. The operating system may have
    /// dropped them, so nothing more may be built on them in this process.
    SyncLost,
    /// The file is damaged.
    Corrupt,
    /// Snapshots are still open, and the operation needs the engine alone.
    Busy,
    /// The engine is closed, or being reopened after a fault.
    Closed,
    /// The engine does not support what was asked.
    Unsupported,
    /// The file is encrypted under another store key.
    Key,
}

impl EngineFault {
    /// A fault of this kind with its cause.
    pub fn new(kind: FaultKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Arc::from(source.into()) }
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for EngineFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FaultKind::StorageFull => "no room left on the medium",
            FaultKind::Io => "the medium refused to read or write",
            FaultKind::SyncLost => "the medium could not make written bytes durable",
            FaultKind::Corrupt => "the file is damaged",
            FaultKind::Busy => "snapshots are still open",
            FaultKind::Closed => "the engine is closed",
            FaultKind::Unsupported => "not supported by this engine",
            FaultKind::Key => "the file is encrypted under another store key",
        };
        formatter.write_str(what)
    }
}

impl Error for EngineFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl From<io::Error> for EngineFault {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FaultKind::StorageFull,
            _ => match error.get_ref().and_then(|cause| cause.downcast_ref::<SealedFault>()) {
                Some(SealedFault::Key) => FaultKind::Key,
                Some(SealedFault::Damaged) => FaultKind::Corrupt,
                Some(_) => FaultKind::Unsupported,
                None => FaultKind::Io,
            },
        };
        Self::new(kind, error)
    }
}

/// Why a store could not be created or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory or a file in it could not be made, read or locked.
    #[error("cannot use {path}")]
    Directory {
        /// What was touched.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Another process, or another `Store` in this one, has the directory open.
    #[error("{path} is in use by another process; one store directory serves one process")]
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// There is no store here.
    #[error("{path} holds no store; create one first")]
    Missing {
        /// The data directory.
        path: PathBuf,
    },
    /// A store is already here, and creating would overwrite it.
    #[error("{path} already holds a store")]
    Exists {
        /// The data directory.
        path: PathBuf,
    },
    /// The store is encrypted, and no key was given.
    #[error("the store in {path} is encrypted, and its key was not given")]
    KeyNeeded {
        /// The data directory.
        path: PathBuf,
    },
    /// A later program wrote this store.
    #[error(
        "the store has format {found}, this program knows up to format {supported}; use a newer program"
    )]
    NewerFormat {
        /// The format in the file.
        found: u32,
        /// The newest format known here.
        supported: u32,
    },
    /// An earlier program wrote this store, and no migration was handed in.
    #[error(
        "the store has format {found}, this program writes format {supported}; a migration is needed"
    )]
    OlderFormat {
        /// The format in the file.
        found: u32,
        /// The format written here.
        supported: u32,
    },
    /// The store's own rows do not read as the format says.
    #[error("the store's own row `{row}` is not readable")]
    Damaged {
        /// Which of the store's own rows.
        row: &'static str,
    },
    /// The committing thread could not be started.
    #[error("cannot start the committing thread")]
    Thread(#[source] io::Error),
    /// The migration failed; the file is as before.
    #[error("the migration from format {found} failed")]
    Migration {
        /// The format in the file.
        found: u32,
        /// What failed.
        #[source]
        source: WriteError,
    },
    /// The engine could not open the file.
    #[error("cannot open the store's file")]
    Engine(#[from] EngineFault),
}

/// Why a batch was not accepted. Nothing of a batch is visible unless its write succeeded, except
/// after [`WriteError::Unknown`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An empty key, or one longer than [`crate::limit::MAX_KEY_BYTES`].
    #[error("a key of {bytes} bytes in table {table:?}: 1 to {max} are allowed", max = crate::limit::MAX_KEY_BYTES)]
    KeyLength {
        /// Where it was to go.
        table: Table,
        /// Its length.
        bytes: usize,
    },
    /// A value longer than [`crate::limit::MAX_VALUE_BYTES`].
    #[error("a value of {bytes} bytes in table {table:?}: at most {max} are allowed", max = crate::limit::MAX_VALUE_BYTES)]
    ValueLength {
        /// Where it was to go.
        table: Table,
        /// Its length.
        bytes: usize,
    },
    /// A text field that is empty where it must not be, or longer than its limit.
    #[error("field `{field}` has {bytes} bytes: {min} to {max} are allowed")]
    FieldLength {
        /// Which field.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The shortest allowed.
        min: usize,
        /// The longest allowed.
        max: usize,
    },
    /// More rows, access entries or bytes than one batch may hold.
    #[error(
        "the batch holds {rows} rows, {accesses} access entries and {bytes} bytes, more than one batch may"
    )]
    BatchSize {
        /// Rows in the batch.
        rows: usize,
        /// Access entries in the batch.
        accesses: usize,
        /// Bytes in the batch.
        bytes: usize,
    },
    /// A row that only the store itself may write.
    #[error("table {table:?} has rows that only the store writes")]
    Reserved {
        /// Where it was to go.
        table: Table,
    },
    /// The quarantine is full; nothing was written.
    #[error("the quarantine holds {bytes} bytes, at most {max} are allowed")]
    QuarantineFull {
        /// What it would have held.
        bytes: u64,
        /// Its limit.
        max: u64,
    },
    /// The batch is surely not in the store. The store works on, or tries again at the next write.
    #[error("the batch was not written")]
    Failed(#[source] EngineFault),
    /// It cannot be told whether the batch is in the store: whole, or not at all.
    #[error("the batch was not acknowledged; it may be in the store, whole, or not at all")]
    Unknown(#[source] EngineFault),
    /// An earlier sync failed; this process may write no more. Restart after looking at the medium.
    #[error("the store takes no more writes since the medium failed to sync")]
    Poisoned(#[source] EngineFault),
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
}

/// Why something could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The engine could not read.
    #[error("cannot read the store")]
    Engine(#[from] EngineFault),
    /// A row does not read as the format says.
    #[error("a row of table {table:?} is not readable")]
    Damaged {
        /// Where it is.
        table: Table,
    },
}

/// Why the access log does not verify.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessLogError {
    /// The first entry whose hash does not follow from the entry before it.
    #[error("the access log is broken at entry {seq}: its hash does not follow")]
    BrokenLink {
        /// The entry's number.
        seq: u64,
    },
    /// An entry is not there.
    #[error("the access log is broken: entry {seq} is missing")]
    Missing {
        /// The missing entry's number.
        seq: u64,
    },
    /// An entry does not read as the format says.
    #[error("the access log is broken: entry {seq} is not readable")]
    Unreadable {
        /// The entry's number.
        seq: u64,
    },
    /// The chain ends with another hash than the store recorded.
    #[error("the access log is broken: it ends at entry {seq} with another hash than recorded")]
    HeadDiffers {
        /// Entries found.
        seq: u64,
    },
    /// The log could not be read.
    #[error("cannot read the access log")]
    Read(#[from] ReadError),
}

/// Why a backup could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file or directory could not be used.
    #[error("cannot use {path}")]
    File {
        /// What was touched.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The file is no backup of this program.
    #[error("{path} is no backup")]
    NotABackup {
        /// The file.
        path: PathBuf,
    },
    /// A later program wrote the backup.
    #[error("the backup has format {found}, this program knows up to format {supported}")]
    NewerFormat {
        /// The format in the file.
        found: u32,
        /// The newest format known here.
        supported: u32,
    },
    /// The file was cut short, or a row in it is out of place.
    #[error("the backup is damaged near byte {offset}")]
    Damaged {
        /// How far it could be read.
        offset: u64,
    },
    /// The bytes are not those that were written.
    #[error("the backup's SHA-256 does not match its content")]
    DigestDiffers,
    /// The counts in the manifest are not those of the rows.
    #[error("the backup's manifest does not match its rows")]
    ManifestDiffers,
    /// The backup is sealed, and not under the store key that was given.
    #[error("{path} is sealed under another store key, or none was given")]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The target of a restore is not an empty or absent directory, or the target of a backup is there.
    #[error("{path} is already there")]
    TargetExists {
        /// The target.
        path: PathBuf,
    },
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The new store could not be made.
    #[error("cannot make the restored store")]
    Open(#[from] OpenError),
    /// The new store could not be filled.
    #[error("cannot fill the restored store")]
    Engine(#[from] EngineFault),
    /// The restored access log does not verify.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
}

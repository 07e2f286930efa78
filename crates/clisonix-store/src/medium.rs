//! Where the engine's bytes lie: a file in production; in tests a medium that tears and fails.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::StorageBackend;
use redb::backends::FileBackend;

/// Longest file that can be an unfinished one; redb begins with less.
const MAX_UNFINISHED_BYTES: u64 = 1 << 20;

/// A place that holds the store's bytes and can be opened again after a fault.
///
/// The back end is where encryption at rest goes in, and where tests tear writes.
pub trait Medium: Send + Sync {
    /// Opens the bytes; an empty back end is a new store.
    fn open(&self) -> io::Result<Box<dyn StorageBackend>>;
}

/// A plain file, readable by its owner only.
#[derive(Debug)]
pub struct FileMedium {
    path: PathBuf,
}

impl FileMedium {
    /// The file at this path; made when first opened.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Medium for FileMedium {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        let mut file = open_private(&self.path)?;
        if is_unfinished(&mut file)? {
            // Moved, not removed: should it be a damaged store after all, nothing is lost.
            std::fs::rename(&self.path, self.path.with_extension("unfinished"))?;
            file = open_private(&self.path)?;
        }
        let backend = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Box::new(backend))
    }
}

/// Whether the making of the file was stopped before it held anything: redb writes the first bytes
/// of a new file last.
fn is_unfinished(file: &mut File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let mut head = [1; 9];
    if length < head.len() as u64 || length > MAX_UNFINISHED_BYTES {
        return Ok(false);
    }
    file.read_exact(&mut head)?;
    file.rewind()?;
    Ok(head == [0; 9])
}

/// Opens or makes a file for its owner only.
pub(crate) fn open_private(path: &std::path::Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private_mode(&mut options);
    options.open(path)
}

/// Files made with these options belong to their owner alone.
pub(crate) fn private_mode(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// A back end that remembers a failed sync.
///
/// After a failed sync the operating system may mark lost bytes as clean, so that reading them
/// back proves nothing (the `PostgreSQL` project's "fsync surprise", LWN 752063, 2018). The memory
/// outlives reopening.
pub(crate) struct Watched {
    inner: Box<dyn StorageBackend>,
    sync_failed: Arc<AtomicBool>,
}

impl Watched {
    pub(crate) fn new(inner: Box<dyn StorageBackend>, sync_failed: Arc<AtomicBool>) -> Self {
        Self { inner, sync_failed }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watched").finish_non_exhaustive()
    }
}

// The ranges' locks stay unsupported: the directory's lock file is the lock.
impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data().inspect_err(|_| self.sync_failed.store(true, Ordering::SeqCst))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
}

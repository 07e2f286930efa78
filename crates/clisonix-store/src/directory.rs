//! The data directory: its rights, its lock and the names in it.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::medium::open_private;

const LOCK_FILE: &str = "lock";
const DATA_FILE: &str = "store.redb";

/// A data directory held by this process until dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    // Holds the lock; the operating system frees it even after a kill.
    lock: File,
}

impl Directory {
    /// Makes the directory where it is missing, and locks it.
    pub(crate) fn make(path: &Path) -> Result<Self, OpenError> {
        make_private(path).map_err(|source| at(path, source))?;
        Self::lock(path)
    }

    /// Locks a directory that has to be there with a store in it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        match fs::metadata(path.join(DATA_FILE)) {
            Ok(_) => Self::lock(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(OpenError::Missing { path: path.to_owned() })
            }
            Err(source) => Err(at(path, source)),
        }
    }

    fn lock(path: &Path) -> Result<Self, OpenError> {
        let lock_path = path.join(LOCK_FILE);
        let lock = open_private(&lock_path).map_err(|source| at(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(at(&lock_path, source)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn data_file(&self) -> PathBuf {
        self.path.join(DATA_FILE)
    }

    /// Makes the names in the directory, and its own name, durable.
    pub(crate) fn sync(&self) -> Result<(), OpenError> {
        sync_directory(&self.path).map_err(|source| at(&self.path, source))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A child process between fork and exec shares the open file, so closing it here would not
        // free the lock at once; unlocking does. If it fails, the last close frees it.
        let _ = self.lock.unlock();
    }
}

/// Makes a directory for its owner only; one that is there keeps its rights.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Syncs a directory and the one above it, so that new names survive a power cut.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
        File::open(parent(path))?.sync_all()?;
    }
    Ok(())
}

/// The directory above; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

fn at(path: &Path, source: io::Error) -> OpenError {
    OpenError::Directory { path: path.to_owned(), source }
}

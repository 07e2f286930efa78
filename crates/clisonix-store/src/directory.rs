//! The data directory: its rights, its lock and the names in it.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::medium::open_private;
use crate::sealed::prefix;
use crate::store::StoreForm;

const LOCK_FILE: &str = "lock";
const DATA_FILE: &str = "store.redb";
/// The file that is to take the place of the data file.
const NEXT_FILE: &str = "store.next";

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
            Ok(()) => {
                let held = Self { path: path.to_owned(), lock };
                held.remove_next().map_err(|source| at(path, source))?;
                Ok(held)
            }
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

    /// Where the file that is to take the data file's place is made.
    pub(crate) fn next_file(&self) -> PathBuf {
        self.path.join(NEXT_FILE)
    }

    /// Removes what is left of a file that did not come to take the data file's place.
    pub(crate) fn remove_next(&self) -> io::Result<()> {
        match fs::remove_file(self.next_file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts the next file, which is whole and durable, in the data file's place.
    pub(crate) fn take_next(&self) -> io::Result<()> {
        fs::rename(self.next_file(), self.data_file())?;
        sync_directory(&self.path)
    }

    /// What the data file is.
    pub(crate) fn form(&self) -> Result<StoreForm, OpenError> {
        Self::form_in(&self.path)
    }

    /// As [`Self::form`], of a directory that is not held.
    pub(crate) fn form_in(path: &Path) -> Result<StoreForm, OpenError> {
        let file = path.join(DATA_FILE);
        match prefix::form(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(StoreForm::Absent),
            form => form.map_err(|source| at(&file, source)),
        }
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

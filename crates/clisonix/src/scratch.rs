//! Directories for the owner only, and one that goes away with its owner.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::exit::Fault;
use crate::outside::random;

/// A directory to work in: a temporary one is removed when dropped, a named one is kept.
pub(crate) struct Scratch {
    path: PathBuf,
    kept: bool,
}

impl Scratch {
    /// A temporary directory, or the named one, which must be empty or absent.
    pub(crate) fn new(keep: Option<&Path>) -> Result<Self> {
        let Some(path) = keep else { return Self::temporary() };
        let taken = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if taken {
            return Err(Fault::usage(format!("{} is not empty", path.display())).into());
        }
        make_private(path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path: path.to_owned(), kept: true })
    }

    fn temporary() -> Result<Self> {
        let mut name = [0; 8];
        random(&mut name);
        let name = format!("clisonix-{:016x}", u64::from_be_bytes(name));
        let path = std::env::temp_dir().join(name);
        make_private(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, kept: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            // Left behind, it lies where the system cleans up by itself.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Makes a directory that only its owner can read.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

//! Files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::exit::Fault;

/// A file that only its owner can read until it is whole; dropped without [`NewFile::keep`] it goes
/// away.
pub(crate) struct NewFile {
    path: PathBuf,
    beside: PathBuf,
    pub(crate) file: File,
    kept: bool,
}

impl NewFile {
    /// Refuses a file that is there.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        refuse_present(path)?;
        let name = path.file_name().ok_or_else(|| Fault::usage("a file name is needed"))?;
        let beside = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&beside).with_context(|| beside.display().to_string())?;
        let new = Self { path: path.to_owned(), beside, file, kept: false };
        // Who finished between the two looks had the name beside it until then.
        refuse_present(path)?;
        Ok(new)
    }

    /// Puts the file, whole and on disk, in its place.
    pub(crate) fn keep(mut self) -> Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.beside, &self.path)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.kept = true;
        Ok(File::open(folder_of(&self.path))?.sync_all()?)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // What is left is seen by its name.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Refuses a place where something is.
pub(crate) fn refuse_present(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(Fault::usage(format!("{} is there already", path.display())).into());
    }
    Ok(())
}

/// Writes a file that is not there yet, for its owner only.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<()> {
    let mut new = NewFile::create(path)?;
    let written = new.file.write_all(text.as_bytes());
    written.with_context(|| format!("cannot write {}", path.display()))?;
    new.keep()
}

/// Writes a file with these rights, in the place of one that may be there.
pub(crate) fn replace(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{ending}.new"));
    if beside.exists() {
        fs::remove_file(&beside)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

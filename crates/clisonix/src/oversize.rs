//! Files larger than the limit: too large for the store's quarantine, so kept whole beside it.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::files::{self, File};
use crate::scratch::make_private;

/// The directory `oversize` of a data directory.
pub(crate) struct Oversize {
    directory: PathBuf,
}

impl Oversize {
    pub(crate) fn of(data: &Path) -> Self {
        Self { directory: data.join("oversize") }
    }

    /// What is kept here.
    pub(crate) fn files(&self) -> Result<Vec<File>> {
        if !self.directory.is_dir() {
            return Ok(Vec::new());
        }
        files::find(std::slice::from_ref(&self.directory))
    }

    /// Copies a file, durably, unless it lies here with the same content.
    pub(crate) fn keep(&self, file: &File) -> Result<()> {
        if file.path.parent() == Some(&*self.directory) {
            return Ok(());
        }
        self.copy(&file.path).with_context(|| format!("cannot keep a copy of {}", file.name))
    }

    /// Lets go of a file that was taken in after all.
    pub(crate) fn release(file: &File) -> Result<()> {
        fs::remove_file(&file.path).with_context(|| format!("cannot remove {}", file.name))
    }

    fn copy(&self, path: &Path) -> io::Result<()> {
        make_private(&self.directory)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbered = (1_u32..).map(|number| format!("{number}-{name}"));
        for name in std::iter::once(name.clone()).chain(numbered) {
            let target = self.directory.join(&name);
            if !target.exists() {
                return self.write(path, &target, &name);
            }
            if same_content(path, &target)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes under a name that listings pass over, so that half a copy is never taken for a file.
    fn write(&self, from: &Path, to: &Path, name: &str) -> io::Result<()> {
        let part = self.directory.join(format!(".{name}.part"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut copy = options.open(&part)?;
        io::copy(&mut fs::File::open(from)?, &mut copy)?;
        copy.sync_all()?;
        fs::rename(&part, to)?;
        if cfg!(unix) {
            fs::File::open(&self.directory)?.sync_all()?;
        }
        Ok(())
    }
}

fn same_content(one: &Path, two: &Path) -> io::Result<bool> {
    let (one, two) = (fs::File::open(one)?, fs::File::open(two)?);
    if one.metadata()?.len() != two.metadata()?.len() {
        return Ok(false);
    }
    let mut pairs = BufReader::new(one).bytes().zip(BufReader::new(two).bytes());
    pairs.try_fold(true, |same, (one, two)| Ok(same && one? == two?))
}

//! Files of shares: read, written whole or not at all, and the ledger beside them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clisonix_pq::share::ledger::{Entry, Ledger, Way, previous};
use clisonix_pq::share::{Manifest, Moment};
use clisonix_pq::{Fingerprint, MAX_FORM_BYTES};

use crate::failure::Failure;

/// Opens a file to be read.
pub(super) fn load(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::io(path, error))
}

/// The text of a key file or a statement.
pub(super) fn form(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = load(path)?.take(MAX_FORM_BYTES as u64 + 1).read_to_end(&mut text);
    read.map_err(|error| Failure::io(path, error))?;
    Ok(text)
}

/// Refuses a file with a secret in it that anybody but its owner can read.
#[cfg(unix)]
pub(super) fn refuse_if_shared(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    let about = fs::metadata(path).map_err(|error| Failure::io(path, error))?;
    if about.is_file() && about.mode() & 0o077 != 0 {
        return Err(Failure::Key(format!("{} can be read by others", path.display())));
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn refuse_if_shared(_path: &Path) -> Result<(), Failure> {
    Ok(())
}

/// A file that only its owner can read, and that has its name only once it is whole.
pub(super) struct NewFile {
    path: PathBuf,
    beside: PathBuf,
    file: File,
    kept: bool,
}

impl NewFile {
    /// Refuses a file that is there.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let present = || {
            let there = path.symlink_metadata().is_ok();
            let error = || io::Error::from(io::ErrorKind::AlreadyExists);
            if there { Err(Failure::io(path, error())) } else { Ok(()) }
        };
        present()?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| Failure::io(path, io::ErrorKind::InvalidInput.into()))?;
        let beside = path.with_file_name(format!(".{name}.new"));
        let file = private().create_new(true).open(&beside);
        let file = file.map_err(|error| Failure::io(&beside, error))?;
        let new = Self { path: path.to_owned(), beside, file, kept: false };
        // Who finished between the two looks had the name beside it until then.
        present()?;
        Ok(new)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it its name; it is on disk when this returns.
    pub(super) fn keep(mut self) -> Result<(), Failure> {
        let kept = self.file.sync_all().and_then(|()| fs::rename(&self.beside, &self.path));
        kept.map_err(|error| Failure::io(&self.path, error))?;
        self.kept = true;
        Ok(())
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

/// A ledger of shares, held by this process.
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    ledger: Ledger,
    previous: Option<[u8; 32]>,
}

impl LedgerFile {
    /// Opens the ledger, or begins one, and finds the last manifest that `issuer` gave.
    pub(super) fn open(path: &Path, issuer: Fingerprint) -> Result<Self, Failure> {
        let file = private().create(true).truncate(false).open(path);
        let file = file.map_err(|error| Failure::io(path, error))?;
        file.lock().map_err(|error| Failure::io(path, error))?;
        let read = previous(BufReader::new(&file), issuer);
        let (ledger, previous) = read.map_err(clisonix_pq::share::ShareError::from)?;
        Ok(Self { path: path.to_owned(), file, ledger, previous })
    }

    pub(super) fn previous(&self) -> Option<[u8; 32]> {
        self.previous
    }

    /// Appends a share; it is on disk when this returns.
    pub(super) fn append(self, way: Way, at: Moment, manifest: &Manifest) -> Result<(), Failure> {
        let line = self.ledger.line(&Entry { way, at, manifest: manifest.clone() });
        let mut file = &self.file;
        let mut write = || {
            // What follows the last whole line was never finished.
            file.set_len(self.ledger.bytes)?;
            file.seek(SeekFrom::Start(self.ledger.bytes))?;
            file.write_all(line.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| Failure::io(&self.path, error))
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

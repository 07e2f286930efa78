//! The vault of data keys on disk: a folder of its own with two files a generation, of which only
//! the newest generation is kept (`docs/formats/vault.md`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clisonix_pq::Random;
use clisonix_pq::at_rest::{MAX_VAULT_BYTES, StoreId, StoreKey, Vault, VaultError};

/// Why the vault cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultFault {
    /// A file of it cannot be read or written.
    #[error("cannot use the vault of keys in {path}")]
    File {
        /// What was touched.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// There is a store and no vault: what the store holds of records cannot be read.
    #[error("the vault of keys is not in {path}")]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// It is of an earlier generation than the store has seen: an old copy, which may hold keys that
    /// were destroyed.
    #[error(
        "the vault of keys is of generation {found}, and the store has seen {seen}: an old copy"
    )]
    Old {
        /// Its generation.
        found: u64,
        /// The newest one that the store has seen.
        seen: u64,
    },
    /// It cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The folder of one store's vault.
#[derive(Clone, Debug)]
pub(crate) struct VaultFolder {
    path: PathBuf,
}

impl VaultFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The newest generation; `None` where there is none.
    pub(crate) fn load(&self, store: StoreId, key: &StoreKey) -> Result<Option<Vault>, VaultFault> {
        let mut fault = None;
        for generation in self.generations()?.into_iter().rev() {
            let (Some(vault), Some(anchor)) =
                (self.read(VAULT, generation)?, self.read(ANCHOR, generation)?)
            else {
                continue;
            };
            match Vault::open(&vault, &anchor, key) {
                Ok(vault) if (vault.store(), vault.generation()) == (store, generation) => {
                    return Ok(Some(vault));
                }
                Ok(_) => fault = fault.or(Some(VaultError::Other)),
                // A generation whose writing was cut short does not count.
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        fault.map_or(Ok(None), |error| Err(error.into()))
    }

    /// Writes a generation, durably: first the vault, then the anchor that makes it count; then
    /// every other generation is destroyed.
    pub(crate) fn keep(
        &self,
        vault: &Vault,
        key: &StoreKey,
        random: &mut dyn Random,
    ) -> Result<(), VaultFault> {
        make_private(&self.path).map_err(|source| self.at(source))?;
        let sealed = vault.seal(key, random);
        self.write(vault.generation(), [(VAULT, &sealed.vault), (ANCHOR, &sealed.anchor)])
    }

    /// Writes a generation's files durably and destroys those of others.
    fn write(&self, generation: u64, files: [(&str, &[u8]); 2]) -> Result<(), VaultFault> {
        for (kind, bytes) in files {
            let path = self.file(kind, generation);
            let next = self.path.join(format!("{kind}.next"));
            write_durably(&next, &path, bytes)
                .map_err(|source| VaultFault::File { path, source })?;
        }
        self.destroy_others(generation)
    }

    /// Copies a generation's files into another folder, durably; what is there of other generations
    /// is destroyed. A folder that cannot be told from this one is refused.
    pub(crate) fn copy_to(&self, other: &Self, generation: u64) -> Result<(), VaultFault> {
        make_private(&other.path).map_err(|source| other.at(source))?;
        let same = |one: &Path, two: &Path| Ok(fs::canonicalize(one)? == fs::canonicalize(two)?);
        if same(&self.path, &other.path).map_err(|source| other.at(source))? {
            let source = io::Error::new(io::ErrorKind::AlreadyExists, "the vault itself is there");
            return Err(other.at(source));
        }
        let read = |kind| {
            let missing = || VaultFault::Missing { path: self.file(kind, generation) };
            self.read(kind, generation)?.ok_or_else(missing)
        };
        let (vault, anchor) = (read(VAULT)?, read(ANCHOR)?);
        other.write(generation, [(VAULT, &vault), (ANCHOR, &anchor)])
    }

    /// Overwrites and removes every file that is not of this generation.
    pub(crate) fn destroy_others(&self, kept: u64) -> Result<(), VaultFault> {
        for generation in self.generations()?.into_iter().filter(|found| *found != kept) {
            // Without its anchor a generation is lost, so that goes first.
            for kind in [ANCHOR, VAULT] {
                let path = self.file(kind, generation);
                destroy(&path).map_err(|source| VaultFault::File { path, source })?;
            }
        }
        sync_folder(&self.path).map_err(|source| self.at(source))
    }

    /// The newest generation of which both files are there.
    pub(crate) fn newest(&self) -> Result<Option<u64>, VaultFault> {
        let mut found = self.generations()?.into_iter().rev();
        let is_whole = |generation: &u64| {
            [VAULT, ANCHOR].iter().all(|kind| self.file(kind, *generation).exists())
        };
        Ok(found.find(is_whole))
    }

    /// The generations of which there is any file, ascending.
    fn generations(&self) -> Result<Vec<u64>, VaultFault> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| self.at(source))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| self.at(source))?.file_name();
            let number = name.to_str().and_then(|name| {
                let (kind, number) = name.split_once('.')?;
                number.parse::<u64>().ok().filter(|_| kind == VAULT || kind == ANCHOR)
            });
            found.extend(number);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn read(&self, kind: &str, generation: u64) -> Result<Option<Vec<u8>>, VaultFault> {
        let path = self.file(kind, generation);
        let read = || {
            let mut bytes = Vec::new();
            let limit = MAX_VAULT_BYTES as u64 + 1;
            File::open(&path)?.take(limit).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(|source| VaultFault::File { path, source }),
        }
    }

    fn file(&self, kind: &str, generation: u64) -> PathBuf {
        self.path.join(format!("{kind}.{generation}"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn at(&self, source: io::Error) -> VaultFault {
        VaultFault::File { path: self.path.clone(), source }
    }
}

const VAULT: &str = "vault";
const ANCHOR: &str = "anchor";

fn write_durably(next: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(next, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Overwrites a file's bytes before it goes: a promise where the disk writes in place, and no more
/// than a wish on flash memory.
fn destroy(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let length = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(length), &mut file)?;
    file.sync_all()?;
    fs::remove_file(path)
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) && path.exists() { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests;

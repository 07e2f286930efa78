//! Backups: one file with every row of a snapshot, checked before it replaces anything.
//!
//! The file does not depend on the engine: it can be restored into another one.
//! Layout: `docs/formats/store.md`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clisonix_pq::at_rest::StoreKey;
use clisonix_pq::at_rest::sealing::Label;

use crate::access::AccessHead;
use crate::backup::archive::{ArchiveReader, ArchiveWriter, Manifest};
use crate::directory::{Directory, parent, sync_directory};
use crate::engine::Redb;
use crate::error::BackupError;
use crate::key_value::{KeyValue, Operation, Span, Table};
use crate::ledger::{
    FORMAT_KEY, FORMAT_VERSION, INCARNATION_KEY, Incarnation, RESTORED_FROM_KEY, format_row,
    own_row,
};
use crate::medium::private_mode;
use crate::protection::Protection;
use crate::row_seal::seal_all;
use crate::store::{Base, Store, StoreOptions, data_medium};

pub(crate) mod archive;

/// Bytes of rows that a restore makes durable at a time.
const RESTORE_STEP_BYTES: usize = 32 << 20;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Format of the rows.
    pub format: u32,
    /// The store it was taken from.
    pub incarnation: Incarnation,
    /// Rows of each table.
    pub rows: Vec<(Table, u64)>,
    /// End of the access log.
    pub access: AccessHead,
    /// SHA-256 of the file up to the digest itself.
    pub digest: [u8; 32],
    /// Length of the file.
    pub size_bytes: u64,
}

impl Store {
    /// Writes a snapshot to a new file while the store runs. The file appears under its name only
    /// when it is complete and durable.
    pub fn backup(&self, path: &Path) -> Result<BackupReport, BackupError> {
        if path.exists() {
            return Err(BackupError::TargetExists { path: path.to_owned() });
        }
        let partial = beside(path, "partial");
        let outcome = self.write_archive(&partial);
        let (report, file) = remove_on_failure(outcome, || fs::remove_file(&partial))?;
        file.sync_all().map_err(at(&partial))?;
        // A link, unlike a rename, never replaces a file that appeared meanwhile.
        let linked = fs::hard_link(&partial, path).map_err(at(path));
        fs::remove_file(&partial).map_err(at(&partial))?;
        linked?;
        sync_directory(parent(path)).map_err(at(parent(path)))?;
        Ok(report)
    }

    fn write_archive(&self, path: &Path) -> Result<(BackupReport, File), BackupError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        private_mode(&mut options);
        let file = options.open(path).map_err(at(path))?;
        // Rows that are sealed by themselves stay so in the backup.
        let snapshot = self.stored()?;
        let access = snapshot.access_head()?;
        let protection = self.base.protection.as_deref();
        let started = ArchiveWriter::start(file, self.incarnation(), protection);
        let mut writer = started.map_err(at(path))?;
        for table in Table::ALL {
            for row in snapshot.rows(table, &Span::all())? {
                writer.row(table, &row?).map_err(at(path))?;
            }
        }
        let (manifest, digest, size_bytes, file) = writer.finish(access).map_err(at(path))?;
        Ok((report(FORMAT_VERSION, self.incarnation(), &manifest, digest, size_bytes), file))
    }

    /// Reads a whole backup and checks its digest and counts, without restoring it.
    /// A sealed one needs the store key that it was made under.
    pub fn verify_backup(path: &Path, key: Option<&StoreKey>) -> Result<BackupReport, BackupError> {
        let mut reader = ArchiveReader::open(path, key)?;
        while reader.row()?.is_some() {}
        let (format, incarnation) = (reader.format(), reader.incarnation());
        let (manifest, digest, size_bytes) = reader.finish()?;
        Ok(report(format, incarnation, &manifest, digest, size_bytes))
    }

    /// Of which store a sealed backup says it is, and under which key; `None` of a backup that is
    /// not sealed.
    pub fn backup_of(path: &Path) -> Result<Option<Label>, BackupError> {
        archive::label(path)
    }

    /// Makes a new store from a backup, with a new incarnation, encrypted where there is a
    /// protection; a sealed backup needs that of its store. `directory` has to be absent or empty,
    /// and stays so unless the backup's digest, its counts and its access log are right. What a
    /// destroyed key was over is not there after it.
    pub fn restore(
        path: &Path,
        directory: &Path,
        incarnation: Incarnation,
        protection: Option<&Arc<Protection>>,
    ) -> Result<BackupReport, BackupError> {
        refuse_occupied(directory)?;
        let key = protection.map(|protection| protection.key());
        let reader = ArchiveReader::open(path, key.as_deref())?;
        let is_ours = |store| protection.is_some_and(|protection| protection.store == store);
        if reader.sealed_of().is_some_and(|store| !is_ours(store)) {
            return Err(BackupError::Key { path: path.to_owned() });
        }
        let partial = beside(directory, "partial");
        refuse_occupied(&partial)?;
        let outcome = fill(reader, &partial, incarnation, protection);
        let report = remove_on_failure(outcome, || fs::remove_dir_all(&partial))?;
        // Renaming a directory replaces an empty one and fails on any other (POSIX rename).
        let renamed = fs::rename(&partial, directory).map_err(at(directory));
        remove_on_failure(renamed, || fs::remove_dir_all(&partial))?;
        sync_directory(directory).map_err(at(directory))?;
        Ok(report)
    }
}

fn fill(
    mut reader: ArchiveReader,
    directory: &Path,
    incarnation: Incarnation,
    protection: Option<&Arc<Protection>>,
) -> Result<BackupReport, BackupError> {
    let (format, previous) = (reader.format(), reader.incarnation());
    let options = StoreOptions { protection: protection.cloned(), ..StoreOptions::default() };
    let held = Directory::make(directory)?;
    let engine = Redb::open(data_medium(&held, protection), options.cache_bytes)?;
    // A backup that is not sealed holds its rows as they were given.
    let seal = protection.and_then(|protection| protection.rows.as_deref());
    let seal = seal.filter(|_| reader.sealed_of().is_none());
    let stored = |rows| match seal {
        Some(seal) => seal_all(seal, rows),
        None => Ok(rows),
    };
    let mut step = Vec::new();
    let mut step_bytes = 0;
    while let Some(operation) = reader.row()? {
        // Without its format row the half-filled directory is no store to anybody.
        if operation.table == Table::Meta && operation.key == FORMAT_KEY {
            continue;
        }
        step_bytes += operation.size_bytes();
        step.push(operation);
        if step_bytes >= RESTORE_STEP_BYTES {
            engine.commit(stored(std::mem::take(&mut step))?)?;
            step_bytes = 0;
        }
    }
    engine.commit(stored(step)?)?;
    let (manifest, digest, size_bytes) = reader.finish()?;
    engine.commit(rebirth(incarnation, previous))?;
    held.sync()?;
    let store = Store::start(Base::new(engine, Some(held), protection.cloned()), &options)?;
    let access = store.snapshot()?.verify_access_log()?;
    if access != manifest.access {
        return Err(BackupError::ManifestDiffers);
    }
    Ok(report(format, previous, &manifest, digest, size_bytes))
}

/// What makes the restored rows a store of its own.
fn rebirth(incarnation: Incarnation, previous: Incarnation) -> Vec<Operation> {
    vec![
        format_row(),
        own_row(INCARNATION_KEY, incarnation.to_vec()),
        own_row(RESTORED_FROM_KEY, previous.to_vec()),
    ]
}

fn report(
    format: u32,
    incarnation: Incarnation,
    manifest: &Manifest,
    digest: [u8; 32],
    size_bytes: u64,
) -> BackupReport {
    let Manifest { rows, access } = *manifest;
    let rows = Table::ALL.into_iter().zip(rows).collect();
    BackupReport { format, incarnation, rows, access, digest, size_bytes }
}

fn refuse_occupied(directory: &Path) -> Result<(), BackupError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::TargetExists { path: directory.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(at(directory)(source)),
    }
}

/// The failure is what counts; a leftover partial file is only untidy.
fn remove_on_failure<T>(
    outcome: Result<T, BackupError>,
    remove: impl FnOnce() -> io::Result<()>,
) -> Result<T, BackupError> {
    outcome.inspect_err(|_| {
        let _ = remove();
    })
}

/// The same name with an ending more, in the same directory.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

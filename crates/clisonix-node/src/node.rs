//! The node: its store, its records in memory, and who asks.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use clisonix_crdt::Record;
use clisonix_pq::at_rest::sealing::Label;
use clisonix_pq::at_rest::{StoreId, StoreKey, Vault, VaultError};
use clisonix_store::{
    Access, Action, BackupReport, Batch, Hash, Incarnation, Protection, Store, StoreForm,
    StoreOptions,
};
use sha2::{Digest, Sha256};

use crate::damage::is_noted;
use crate::erasing::{finish_pending, seen_generation};
use crate::error::NodeError;
use crate::flight::Watchers;
use crate::outside::Outside;
use crate::reading::text_of;
use crate::records::{Records, replay};
use crate::row_keys::RowKeys;
use crate::scrub::has_its_terms;
use crate::signing::{Signing, stored_version};
use crate::stored;
use crate::tide::Exchange;
use crate::upgrade::upgrade;
use crate::vault::{VaultFault, VaultFolder};
use crate::version;

/// What the store may hold of its file in memory, in bytes; records have their own limit.
const CACHE_BYTES: usize = 64 << 20;

/// Who asks for an operation, and what for; both go to the access log.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The author's identity; not empty.
    pub author: &'a str,
    /// The purpose, in a few words; may be empty. No clinical value.
    pub purpose: &'a str,
}

/// One site: a data directory and the records in it.
pub struct Node {
    // Dropped first: the records in it read from the store.
    pub(crate) inside: Mutex<Inside>,
    pub(crate) store: Store,
    /// The keys of the records' rows, where the store is encrypted.
    pub(crate) rows: Option<Arc<RowKeys>>,
    /// Told whenever a batch of one record has come to its end.
    pub(crate) landed: Condvar,
    /// Who wants to be told of what became durable.
    pub(crate) watchers: Watchers,
    /// What replication keeps in memory.
    pub(crate) exchange: Exchange,
}

/// What an encrypted store is opened with.
pub struct Keys {
    /// Which store it is; of a new one 16 random bytes.
    pub store: StoreId,
    /// The key that the store is under, or the backup.
    pub key: StoreKey,
    /// Other keys that the vault may be under: the store key was changed after the backup was made,
    /// or a crash came while it was. The vault is put under `key` then.
    pub others: Vec<StoreKey>,
    /// The folder of the vault, made where it is missing. It must not lie in the data directory, nor
    /// be part of its backups: whoever has an old copy of it has keys that were destroyed.
    pub vault: PathBuf,
    /// Fills bytes from a cryptographically secure source.
    pub random: fn(&mut [u8]),
}

/// What is behind the node's lock.
pub(crate) struct Inside {
    pub(crate) outside: Box<dyn Outside>,
    pub(crate) records: Records,
    pub(crate) signing: Signing,
    /// Loads so far.
    pub(crate) loads: u64,
}

impl Inside {
    /// The number of a new load.
    pub(crate) fn begin_load(&mut self) -> u64 {
        self.loads += 1;
        self.loads
    }
}

impl Node {
    /// Opens the data directory, and makes it if it is not there.
    ///
    /// # Errors
    /// [`NodeError::Open`]: held by another process, a newer format, damage.
    pub fn open(directory: &Path, mut outside: Box<dyn Outside>) -> Result<Self, NodeError> {
        let options = StoreOptions { cache_bytes: CACHE_BYTES, ..StoreOptions::default() };
        let store = open_or_make(directory, &options, &mut *outside)?;
        Self::over(store, outside)
    }

    /// Opens the data directory of an encrypted store, and makes it if it is not there. A store that
    /// is there and not encrypted is opened as it is.
    ///
    /// # Errors
    /// [`NodeError::Open`] as [`Self::open`], and for a key that the store is not under;
    /// [`NodeError::Vault`] if the vault is not there, under another key, damaged or an old copy.
    pub fn open_encrypted(
        directory: &Path,
        keys: Keys,
        mut outside: Box<dyn Outside>,
    ) -> Result<Self, NodeError> {
        let form = Store::form(directory)?;
        if form == StoreForm::Plain {
            return Self::open(directory, outside);
        }
        let (protection, rows) = keys.unlock(form == StoreForm::Absent)?;
        let options = StoreOptions {
            cache_bytes: CACHE_BYTES,
            protection: Some(protection),
            ..StoreOptions::default()
        };
        let store = open_or_make(directory, &options, &mut *outside)?;
        let (found, seen) = (rows.generation(), seen_generation(&store.snapshot()?)?);
        if found < seen {
            return Err(VaultFault::Old { found, seen }.into());
        }
        finish_pending(&store, &rows)?;
        let mut node = Self::over(store, outside)?;
        node.rows = Some(rows);
        Ok(node)
    }

    /// A node over a store that is open already, on whatever medium.
    ///
    /// # Errors
    /// [`NodeError::Damaged`] if a record of an older program's store cannot be read.
    pub fn over(store: Store, outside: Box<dyn Outside>) -> Result<Self, NodeError> {
        upgrade(&store)?;
        let (records, signing) = (Records::default(), Signing::default());
        let inside = Inside { outside, records, signing, loads: 0 };
        Ok(Self {
            store,
            inside: Mutex::new(inside),
            rows: None,
            landed: Condvar::new(),
            watchers: Watchers::default(),
            exchange: Exchange::default(),
        })
    }

    /// Writes a consistent copy of the store to one file, while running.
    ///
    /// # Errors
    /// [`NodeError::Backup`].
    pub fn backup(&self, to: &Path, by: By<'_>) -> Result<BackupReport, NodeError> {
        self.log_access(by, Action::Administer, None)?;
        Ok(self.store.backup(to)?)
    }

    /// Makes a new data directory from a backup, encrypted where there are keys; a sealed backup
    /// needs those of its store. What a key that was destroyed meanwhile was over is not in it.
    ///
    /// # Errors
    /// [`NodeError::Backup`]: the backup is damaged or of another store, or the directory is not
    /// empty. [`NodeError::Vault`] as [`Self::open_encrypted`].
    pub fn restore(
        from: &Path,
        directory: &Path,
        keys: Option<Keys>,
        outside: &mut dyn Outside,
    ) -> Result<BackupReport, NodeError> {
        let mut incarnation: Incarnation = [0; 16];
        outside.random(&mut incarnation);
        let Some(keys) = keys else {
            return Ok(Store::restore(from, directory, incarnation, None)?);
        };
        let is_new = Store::backup_of(from)?.is_none();
        let (protection, _) = keys.unlock(is_new)?;
        let report = Store::restore(from, directory, incarnation, Some(&protection))?;
        let options = StoreOptions { protection: Some(protection), ..StoreOptions::default() };
        forget_lost(&Store::open(directory, &options)?)?;
        Ok(report)
    }

    /// What lies in a data directory; of an encrypted store, which one and under which key.
    ///
    /// # Errors
    /// [`NodeError::Open`] if the directory cannot be read.
    pub fn form(directory: &Path) -> Result<StoreForm, NodeError> {
        Ok(Store::form(directory)?)
    }

    /// Of which store a backup is, and under which key; `None` of one that is not sealed.
    ///
    /// # Errors
    /// [`NodeError::Backup`] if the file cannot be read.
    pub fn backup_of(file: &Path) -> Result<Option<Label>, NodeError> {
        Ok(Store::backup_of(file)?)
    }

    /// Checks the store's structure, the chain of the access log, and of every record that its log
    /// makes its state and what is shown of it; returns the access log's length.
    ///
    /// # Errors
    /// [`NodeError::AccessLog`] names the first broken link; [`NodeError::Unsound`];
    /// [`NodeError::Damaged`] names a record that cannot be read.
    pub fn verify(&self) -> Result<u64, NodeError> {
        let entries = self.store.snapshot()?.verify_access_log()?.entries;
        if !self.store.check()?.is_sound() {
            return Err(NodeError::Unsound);
        }
        for id in self.record_ids()? {
            self.verify_record(&id)?;
        }
        Ok(entries)
    }

    /// Makes a record again from its whole log, and compares its state and what is shown of it.
    fn verify_record(&self, id: &str) -> Result<(), NodeError> {
        let mut inside = self.inside_for(id);
        if inside.records.is_held(id) {
            return Err(NodeError::Loading);
        }
        let snapshot = self.store.snapshot()?;
        if is_noted(&snapshot, id)? {
            return Err(NodeError::Damaged(id.to_owned()));
        }
        let whole = replay(&snapshot, id)?;
        let shown = text_of(&snapshot, id)?;
        let state = inside.records.record(&self.store, id)?.state_bytes();
        inside.records.forget(id);
        let is_sound = state == whole.state_bytes()
            && shown.bundle == whole.view().bundle_text()
            && has_its_terms(&snapshot, id)?
            && stored_version(&snapshot, &whole)? == version::version(&snapshot, id)?;
        if is_sound { Ok(()) } else { Err(NodeError::Unsound) }
    }

    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(after_panic)
    }

    /// As [`Self::inside`], when no batch of this record is on its way.
    pub(crate) fn inside_for(&self, record: &str) -> MutexGuard<'_, Inside> {
        let mut inside = self.inside();
        while inside.records.is_in_flight(record) {
            inside = self.landed.wait(inside).unwrap_or_else(after_panic);
        }
        inside
    }

    /// Logs a reading; what was read is given out only after this has returned.
    pub(crate) fn log_reading(&self, by: By<'_>, record: &str) -> Result<(), NodeError> {
        self.log_record(by, Action::Read, record)
    }

    /// Logs what is done with a record as it is stored.
    pub(crate) fn log_record(
        &self,
        by: By<'_>,
        action: Action,
        record: &str,
    ) -> Result<(), NodeError> {
        self.log_records(by, action, &[record.to_owned()])
    }

    /// As [`Self::log_record`], of several that are read as one.
    pub(crate) fn log_records(
        &self,
        by: By<'_>,
        action: Action,
        records: &[String],
    ) -> Result<(), NodeError> {
        let now = self.inside().outside.now_ms();
        let mut batch = Batch::new();
        for record in records {
            batch.access(access_about(by, action, now, record)?)?;
        }
        self.store.write(batch)?;
        Ok(())
    }

    pub(crate) fn log_access(
        &self,
        by: By<'_>,
        action: Action,
        record: Option<&Record>,
    ) -> Result<(), NodeError> {
        let now = self.inside().outside.now_ms();
        let mut batch = Batch::new();
        batch.access(access(by, action, now, record)?)?;
        self.store.write(batch)?;
        Ok(())
    }
}

/// A panic inside leaves records whose changes may not be stored: they are read anew.
fn after_panic(poisoned: PoisonError<MutexGuard<'_, Inside>>) -> MutexGuard<'_, Inside> {
    let mut guard = poisoned.into_inner();
    guard.records = Records::default();
    guard
}

impl Keys {
    fn load(&self, folder: &VaultFolder) -> Result<Option<Vault>, VaultFault> {
        let fault = match folder.load(self.store, &self.key) {
            Err(VaultFault::Vault(VaultError::Key)) => VaultError::Key,
            end => return end,
        };
        let found = self.others.iter().find_map(|other| folder.load(self.store, other).ok()?);
        let mut vault = found.ok_or(fault)?;
        vault.advance();
        folder.keep(&vault, &self.key, &mut { self.random })?;
        Ok(Some(vault))
    }

    /// Opens the vault; makes one for a new store.
    pub(crate) fn unlock(
        self,
        is_new: bool,
    ) -> Result<(Arc<Protection>, Arc<RowKeys>), VaultFault> {
        let random = self.random;
        let folder = VaultFolder::new(self.vault.clone());
        let vault = match self.load(&folder)? {
            Some(vault) => vault,
            None if is_new => {
                let vault = Vault::new(self.store, &mut { random });
                folder.keep(&vault, &self.key, &mut { random })?;
                vault
            }
            None => return Err(VaultFault::Missing { path: folder.path().to_owned() }),
        };
        if vault.store() != self.store {
            return Err(VaultError::Other.into());
        }
        folder.destroy_others(vault.generation())?;
        let rows = Arc::new(RowKeys::new(vault, folder, Box::new(random)));
        let seal: Arc<dyn clisonix_store::RowSeal> = rows.clone();
        let protection = Protection::new(self.store, self.key, Box::new(random), Some(seal));
        Ok((Arc::new(protection), rows))
    }
}

/// A file whose making was cut off is there, and holds no store yet.
fn open_or_make(
    directory: &Path,
    options: &StoreOptions,
    outside: &mut dyn Outside,
) -> Result<Store, NodeError> {
    match Store::open(directory, options) {
        Err(clisonix_store::OpenError::Missing { .. }) => {
            let mut incarnation: Incarnation = [0; 16];
            outside.random(&mut incarnation);
            Ok(Store::create(directory, incarnation, options)?)
        }
        store => Ok(store?),
    }
}

/// Removes what finds records whose key was destroyed after a backup was made.
fn forget_lost(store: &Store) -> Result<(), NodeError> {
    let lost = store.lost(clisonix_store::Table::Records)?;
    let records = lost.into_iter().filter_map(|key| String::from_utf8(key).ok()).collect();
    let mut batch = Batch::new();
    stored::remove_records(&mut batch, &store.snapshot()?, &records)?;
    store.write(batch)?;
    Ok(())
}

/// An entry for the access log.
pub(crate) fn access(
    by: By<'_>,
    action: Action,
    now_ms: u64,
    record: Option<&Record>,
) -> Result<Access, NodeError> {
    if by.author.trim().is_empty() {
        return Err(NodeError::Author);
    }
    Ok(Access {
        time_ms: now_ms.cast_signed(),
        author: by.author.to_owned(),
        action,
        record: record.map(|record| record.id().to_owned()),
        version: record.map(heads_digest),
        purpose: by.purpose.to_owned(),
    })
}

/// As [`access`], of a record that is not read for it.
pub(crate) fn access_about(
    by: By<'_>,
    action: Action,
    now_ms: u64,
    record: &str,
) -> Result<Access, NodeError> {
    Ok(Access { record: Some(record.to_owned()), ..access(by, action, now_ms, None)? })
}

/// SHA-256 over a record's heads, in order.
pub(crate) fn heads_digest(record: &Record) -> Hash {
    let mut hasher = Sha256::new();
    for head in record.view().heads() {
        hasher.update(head.0);
    }
    hasher.finalize().into()
}

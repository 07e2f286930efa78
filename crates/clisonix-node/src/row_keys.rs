//! Which rows are sealed under which key of the vault: what holds content of a record under the
//! record's, an input as received under its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clisonix_pq::Random;
use clisonix_pq::at_rest::{DataKey, StoreKey, Vault, VaultError};
use clisonix_store::{EngineFault, FaultKind, MessageId, RowSeal, RowValue, Table};

use crate::stored;
use crate::vault::{VaultFault, VaultFolder};

/// Keys that are remembered.
const MAX_KEYS: usize = 4096;
/// Random bytes that are drawn at a time, for nonces.
const DRAWN_BYTES: usize = 12 * 128;

/// Whose content a row holds: the name of its key in the vault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner(Box<[u8]>);

impl Owner {
    pub(crate) fn record(record: &str) -> Self {
        Self([b"r", record.as_bytes()].concat().into())
    }

    pub(crate) fn input(message: &[u8]) -> Self {
        Self([b"i", message].concat().into())
    }

    fn quarantined(message: &[u8]) -> Self {
        Self([b"q", message].concat().into())
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn named(name: &[u8]) -> Self {
        Self(name.into())
    }

    /// The owner of a row; `None` where no content is in its value.
    fn of(table: Table, key: &[u8]) -> Option<Self> {
        match table {
            Table::Changes => {
                let (length, rest) = key.split_first()?;
                let record = rest.get(..usize::from(*length))?;
                Some(Self([b"r", record].concat().into()))
            }
            Table::States | Table::Records => Some(Self([b"r", key].concat().into())),
            Table::Index => {
                let record = stored::record_of_content(key)?;
                Some(Self([b"r", record].concat().into()))
            }
            // The parts of a large input stand under its id and a number.
            Table::Raw => key.get(..size_of::<MessageId>()).map(Self::input),
            Table::Quarantine => Some(Self::quarantined(key)),
            _ => None,
        }
    }
}

/// The keys of a node's rows.
pub(crate) struct RowKeys {
    inner: Mutex<Inner>,
    folder: VaultFolder,
}

struct Inner {
    vault: Vault,
    /// The keys in use.
    known: BTreeMap<Owner, Arc<DataKey>>,
    /// Owners whose rows are sealed under the next key already, because theirs is to be destroyed.
    ahead: BTreeMap<Owner, u32>,
    random: Box<dyn Random + Send>,
    drawn: Vec<u8>,
    /// Keys are destroyed here that the files still hold, because writing them failed.
    is_unsaved: bool,
}

impl RowKeys {
    pub(crate) fn new(vault: Vault, folder: VaultFolder, random: Box<dyn Random + Send>) -> Self {
        let known = BTreeMap::new();
        let (ahead, drawn) = (BTreeMap::new(), Vec::new());
        let inner = Inner { vault, known, ahead, random, drawn, is_unsaved: false };
        Self { inner: Mutex::new(inner), folder }
    }

    // Whatever panicked, what is remembered can be derived again.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vault's generation.
    pub(crate) fn generation(&self) -> u64 {
        self.inner().vault.generation()
    }

    /// From now on an owner's rows are sealed under its next key. Returns the epoch that is to be
    /// destroyed once no row is under it.
    pub(crate) fn step_ahead(&self, owner: &Owner) -> Result<u32, VaultFault> {
        let mut inner = self.inner();
        let epoch = inner.vault.epoch(owner.name())?;
        inner.ahead.insert(owner.clone(), epoch + 1);
        inner.known.remove(owner);
        Ok(epoch)
    }

    /// The key that an owner's rows are sealed under.
    pub(crate) fn epoch(&self, owner: &Owner) -> Result<u32, VaultFault> {
        Ok(self.inner().vault.epoch(owner.name())?)
    }

    /// Undoes [`Self::step_ahead`]: nothing was written.
    pub(crate) fn step_back(&self, owner: &Owner) {
        let mut inner = self.inner();
        inner.ahead.remove(owner);
        inner.known.remove(owner);
    }

    /// Destroys keys: writes the vault's next generation without them and destroys the one before.
    /// Returns the generation.
    pub(crate) fn destroy(
        &self,
        owners: &[(Owner, u32)],
        key: &StoreKey,
    ) -> Result<u64, VaultFault> {
        let mut inner = self.inner();
        let inner = &mut *inner;
        for (owner, through) in owners {
            inner.is_unsaved |= inner.vault.destroy(owner.name(), *through)?;
        }
        if inner.is_unsaved {
            inner.vault.advance();
            self.folder.keep(&inner.vault, key, &mut *inner.random)?;
            inner.is_unsaved = false;
        }
        for (owner, _) in owners {
            inner.ahead.remove(owner);
            inner.known.remove(owner);
        }
        Ok(inner.vault.generation())
    }

    /// Copies the vault, and tells the copy's generation.
    pub(crate) fn copy_to(&self, other: &VaultFolder) -> Result<u64, VaultFault> {
        // Held, so that no other generation takes its place meanwhile.
        let inner = self.inner();
        let generation = inner.vault.generation();
        self.folder.copy_to(other, generation)?;
        Ok(generation)
    }

    /// Writes the vault's next generation under another store key.
    pub(crate) fn rewrap(&self, key: &StoreKey) -> Result<(), VaultFault> {
        let mut inner = self.inner();
        let inner = &mut *inner;
        inner.vault.advance();
        self.folder.keep(&inner.vault, key, &mut *inner.random)
    }
}

impl Inner {
    /// The key to seal with.
    fn own(&mut self, owner: &Owner) -> Result<Arc<DataKey>, EngineFault> {
        if let Some(known) = self.known.get(owner) {
            return Ok(Arc::clone(known));
        }
        let epoch = match self.ahead.get(owner) {
            Some(epoch) => *epoch,
            None => self.vault.epoch(owner.name()).map_err(corrupt)?,
        };
        let key = self.vault.data_key(owner.name(), epoch);
        let key = Arc::new(key.ok_or_else(|| corrupt(VaultError::Full))?);
        if self.known.len() >= MAX_KEYS {
            self.known.clear();
        }
        self.known.insert(owner.clone(), Arc::clone(&key));
        Ok(key)
    }

    /// The key that a row is under; `None` if it was destroyed.
    fn of_epoch(&mut self, owner: &Owner, epoch: u32) -> Result<Option<Arc<DataKey>>, EngineFault> {
        if let Some(known) = self.known.get(owner).filter(|known| known.epoch() == epoch) {
            return Ok(Some(Arc::clone(known)));
        }
        let own = self.own(owner)?;
        if own.epoch() == epoch {
            return Ok(Some(own));
        }
        Ok(self.vault.data_key(owner.name(), epoch).map(Arc::new))
    }

    fn nonce(&mut self) -> [u8; 12] {
        if self.drawn.len() < 12 {
            self.drawn.resize(DRAWN_BYTES, 0);
            self.random.fill(&mut self.drawn);
        }
        let mut nonce = [0; 12];
        let rest = self.drawn.len() - nonce.len();
        nonce.copy_from_slice(self.drawn.get(rest..).unwrap_or_default());
        self.drawn.truncate(rest);
        nonce
    }
}

impl RowSeal for RowKeys {
    fn seal(&self, table: Table, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, EngineFault> {
        let Some(owner) = Owner::of(table, key) else { return Ok(None) };
        let (data_key, nonce) = {
            let mut inner = self.inner();
            (inner.own(&owner)?, inner.nonce())
        };
        Ok(Some(data_key.seal(&nonce, &about(table, key), value)))
    }

    fn open(&self, table: Table, key: &[u8], value: Vec<u8>) -> Result<RowValue, EngineFault> {
        let Some(owner) = Owner::of(table, key) else { return Ok(RowValue::Whole(value)) };
        let epoch = DataKey::epoch_of(&value).ok_or_else(|| corrupt(VaultError::Damaged))?;
        let Some(data_key) = self.inner().of_epoch(&owner, epoch)? else {
            return Ok(RowValue::Lost);
        };
        let opened = data_key.open(&about(table, key), value);
        opened.map(RowValue::Whole).map_err(corrupt)
    }

    fn has_lost(&self) -> bool {
        self.generation() > 1
    }

    fn is_lost(&self, table: Table, key: &[u8], value: &[u8]) -> bool {
        let Some(owner) = Owner::of(table, key) else { return false };
        let Some(epoch) = DataKey::epoch_of(value) else { return false };
        matches!(self.inner().of_epoch(&owner, epoch), Ok(None))
    }
}

/// A value opens only in the row that it was sealed for.
fn about(table: Table, key: &[u8]) -> Vec<u8> {
    [&[table.number()], key].concat()
}

fn corrupt(error: impl std::error::Error + Send + Sync + 'static) -> EngineFault {
    EngineFault::new(FaultKind::Corrupt, error)
}

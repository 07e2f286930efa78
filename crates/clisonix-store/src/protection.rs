//! Under which key a store is encrypted, and how rows are sealed under keys of their own.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use clisonix_pq::at_rest::{Pager, Salt, StoreId, StoreKey};
use clisonix_pq::{Random, Secret};

use crate::error::EngineFault;
use crate::key_value::Table;

/// What an encrypted store needs from outside.
pub struct Protection {
    /// Which store it is.
    pub(crate) store: StoreId,
    key: Mutex<Arc<StoreKey>>,
    random: Mutex<Box<dyn Random + Send>>,
    pub(crate) rows: Option<Arc<dyn RowSeal>>,
}

impl Protection {
    /// A store under a key. `random` makes page keys, sessions and salts; `rows` seals values under
    /// keys that can be destroyed one by one.
    pub fn new(
        store: StoreId,
        key: StoreKey,
        random: Box<dyn Random + Send>,
        rows: Option<Arc<dyn RowSeal>>,
    ) -> Self {
        Self { store, key: Mutex::new(Arc::new(key)), random: Mutex::new(random), rows }
    }

    /// Which store it is.
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// The key that the store is under.
    pub fn key(&self) -> Arc<StoreKey> {
        Arc::clone(&self.key.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on the store is under another key.
    pub(crate) fn replace_key(&self, key: StoreKey) {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    /// Fills `bytes` from the random source.
    pub(crate) fn random(&self, bytes: &mut [u8]) {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }

    pub(crate) fn pager(&self, page_key: Secret<32>, file: Salt) -> Pager {
        Pager::new(page_key, file, &mut |bytes: &mut [u8]| self.random(bytes))
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Protection").finish_non_exhaustive()
    }
}

/// Seals the values of rows under keys that can be destroyed one by one. Keys of rows stay as they
/// are: they sort.
pub trait RowSeal: Send + Sync {
    /// The value as it is to be stored; `None` of a row that has no key of its own.
    fn seal(&self, table: Table, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, EngineFault>;

    /// The value of a row as it was given.
    ///
    /// # Errors
    /// [`crate::FaultKind::Corrupt`] for a value that is not as it was sealed.
    fn open(&self, table: Table, key: &[u8], value: Vec<u8>) -> Result<RowValue, EngineFault>;

    /// Whether any key was ever destroyed.
    fn has_lost(&self) -> bool;

    /// Whether the key of a row was destroyed, told from its value as stored.
    fn is_lost(&self, table: Table, key: &[u8], value: &[u8]) -> bool;
}

/// What became of a row's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowValue {
    /// As it was given.
    Whole(Vec<u8>),
    /// Its key was destroyed: the row counts as not there.
    Lost,
}

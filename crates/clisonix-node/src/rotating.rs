//! Other keys for an encrypted node, copies of its vault, and encryption for one that is not.

use std::path::Path;

use clisonix_pq::at_rest::StoreKey;
use clisonix_store::{Action, Batch, Store, StoreForm, StoreOptions};

use crate::erasing::put_generation;
use crate::error::NodeError;
use crate::node::{By, Keys, Node};
use crate::vault::VaultFolder;

impl Node {
    /// Whether the store is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.store.is_encrypted()
    }

    /// Writes the store's file anew under another page key while the node is used. What free pages
    /// of the old file held, keys of index rows among it, can be read by nobody after that.
    ///
    /// # Errors
    /// [`NodeError::Write`]; the store goes on with the old file.
    pub fn rotate_pages(&self, by: By<'_>) -> Result<(), NodeError> {
        self.log_access(by, Action::Administer, None)?;
        Ok(self.store.rotate_pages()?)
    }

    /// Puts store and vault under another store key while the node is used. Pages and rows stay as
    /// they are. After a crash in the middle the vault is under the one key and the store under the
    /// other: keep both until the node was opened, and call it again with the newer one.
    ///
    /// # Errors
    /// [`NodeError::Write`] where the store is not encrypted or its file cannot be written;
    /// [`NodeError::Vault`].
    pub fn change_key(&self, key: StoreKey, by: By<'_>) -> Result<(), NodeError> {
        self.log_access(by, Action::Administer, None)?;
        if let Some(rows) = &self.rows {
            rows.rewrap(&key)?;
            let mut batch = Batch::new();
            put_generation(&mut batch, rows.generation())?;
            self.store.write(batch)?;
        }
        Ok(self.store.change_key(key)?)
    }

    /// Copies the vault into a folder of its own, in the place of an older copy there, and tells the
    /// copy's generation; `None` where the store is not encrypted. With the store key the copy
    /// brings back the keys that are destroyed after it, so it is to be made anew after each erasure.
    ///
    /// # Errors
    /// [`NodeError::Vault`] if the folder cannot be written, or is the vault's own.
    pub fn copy_vault(&self, folder: &Path, by: By<'_>) -> Result<Option<u64>, NodeError> {
        self.log_access(by, Action::Administer, None)?;
        let copy = VaultFolder::new(folder.to_owned());
        Ok(self.rows.as_ref().map(|rows| rows.copy_to(&copy)).transpose()?)
    }

    /// Overwrites and removes the copy of a vault that lies in a folder. What a disk that does not
    /// write in place still holds of it, and copies of the copy, are beyond its reach.
    ///
    /// # Errors
    /// [`NodeError::Vault`].
    pub fn destroy_vault_copy(folder: &Path) -> Result<(), NodeError> {
        // No vault is of generation 0.
        Ok(VaultFolder::new(folder.to_owned()).destroy_others(0)?)
    }

    /// The generation of a store's vault, by the names of its files; `None` where there is none.
    ///
    /// # Errors
    /// [`NodeError::Vault`] if the folder cannot be read.
    pub fn vault_generation(folder: &Path) -> Result<Option<u64>, NodeError> {
        Ok(VaultFolder::new(folder.to_owned()).newest()?)
    }

    /// Encrypts the store in a data directory that nobody has open; a crash leaves it as it was or
    /// encrypted.
    ///
    /// # Errors
    /// [`NodeError::Open`] if there is no store, or it is encrypted already; [`NodeError::Vault`].
    pub fn encrypt(directory: &Path, keys: Keys) -> Result<(), NodeError> {
        let (protection, _) = keys.unlock(Store::form(directory)? == StoreForm::Plain)?;
        let options = StoreOptions { protection: Some(protection), ..StoreOptions::default() };
        Ok(Store::encrypt(directory, &options)?)
    }
}

//! Other keys for a store: its file written anew under another page key while it is used, its page
//! key wrapped under another store key, and a store that was not encrypted made one that is.

use std::path::Path;
use std::sync::Arc;

use clisonix_pq::at_rest::StoreKey;

use crate::directory::Directory;
use crate::engine::{Redb, copy_rows};
use crate::error::{EngineFault, FaultKind, OpenError, WriteError};
use crate::key_value::KeyValue;
use crate::ledger::load_format;
use crate::medium::{FileMedium, Medium};
use crate::protection::Protection;
use crate::row_seal::seal_all;
use crate::sealed::prefix;
use crate::store::{Store, StoreForm, StoreOptions, data_medium, sealed_medium};

impl Store {
    /// Writes the file anew under another page key while the store is used. The old file, and with
    /// it what its free pages held, can be read by nobody after that. Needs room for both files.
    ///
    /// # Errors
    /// [`WriteError::Failed`]; the store goes on with the old file. Kind
    /// [`FaultKind::Unsupported`] where the store is not an encrypted one in a directory,
    /// [`FaultKind::Busy`] where too much was written meanwhile.
    pub fn rotate_pages(&self) -> Result<(), WriteError> {
        let base = &self.base;
        let (Some(redb), Some(directory), Some(protection)) =
            (&base.redb, &base.directory, &base.protection)
        else {
            return Err(WriteError::Failed(not_encrypted()));
        };
        let next = sealed_medium(next_file(directory), Some(protection));
        let moved = redb.move_to(next, || {
            directory.take_next()?;
            Ok(data_medium(directory, Some(protection)))
        });
        if moved.is_err() {
            // What is left of it is removed when the store is opened, at the latest.
            let _ = directory.remove_next();
        }
        moved.map_err(WriteError::Failed)
    }

    /// Wraps the page key under another store key, which the store is opened with from now on. The
    /// pages stay as they are. After a crash the store opens with one of the two keys.
    ///
    /// # Errors
    /// As [`Self::rotate_pages`].
    pub fn change_key(&self, key: StoreKey) -> Result<(), WriteError> {
        let base = &self.base;
        let (Some(directory), Some(protection)) = (&base.directory, &base.protection) else {
            return Err(WriteError::Failed(not_encrypted()));
        };
        let rewrapped = prefix::rewrap(&directory.data_file(), &protection.key(), &key);
        rewrapped.map_err(|error| WriteError::Failed(error.into()))?;
        protection.replace_key(key);
        Ok(())
    }

    /// Encrypts a store that is not, by writing its file anew; nobody may have it open. A crash
    /// leaves the store as it was or encrypted.
    ///
    /// # Errors
    /// [`OpenError::Exists`] if it is encrypted already.
    pub fn encrypt(path: &Path, options: &StoreOptions) -> Result<(), OpenError> {
        let missing = OpenError::KeyNeeded { path: path.to_owned() };
        let protection = options.protection.clone().ok_or(missing)?;
        let directory = Directory::open(path)?;
        if directory.form()? != StoreForm::Plain {
            return Err(OpenError::Exists { path: path.to_owned() });
        }
        let plain = Redb::open(data_medium(&directory, None), options.cache_bytes)?;
        if load_format(&*plain.view()?)?.is_none() {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        let medium = sealed_medium(next_file(&directory), Some(&protection));
        let copied = copy_sealed(&plain, medium, &protection, options.cache_bytes);
        drop(plain);
        let settled = copied.and_then(|()| Ok(directory.take_next()?));
        if settled.is_err() {
            let _ = directory.remove_next();
        }
        Ok(settled?)
    }
}

fn copy_sealed(
    plain: &Redb,
    medium: Box<dyn Medium>,
    protection: &Arc<Protection>,
    cache_bytes: usize,
) -> Result<(), EngineFault> {
    let target = Redb::open(medium, cache_bytes)?;
    copy_rows(&*plain.view()?, &target, &mut |rows| match &protection.rows {
        Some(seal) => seal_all(&**seal, rows),
        None => Ok(rows),
    })
}

/// The file that is to take the data file's place.
fn next_file(directory: &Directory) -> Box<dyn Medium> {
    Box::new(FileMedium::new(directory.next_file()))
}

fn not_encrypted() -> EngineFault {
    EngineFault::new(FaultKind::Unsupported, "the store is not an encrypted one in a directory")
}

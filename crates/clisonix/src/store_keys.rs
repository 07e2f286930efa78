//! The keys of encrypted stores on disk: a folder a store, in it numbered key files, of which a store
//! is under one, and the folder of its vault.

use std::env;
use std::fs::{DirBuilder, File};
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clisonix_node::{Keys, Outside as _};
use clisonix_pq::MAX_FORM_BYTES;
use clisonix_pq::at_rest::key_file::{self, Guard};
use clisonix_pq::at_rest::{Commitment, StoreId, StoreKey};
use clisonix_pq::key_file::Cost;
use zeroize::Zeroizing;

use crate::exit::Fault;
use crate::keyring::refuse_if_shared;
use crate::new_file;
use crate::outside::{self, System};
use crate::pass_phrase;
use crate::plain::hexadecimal;
use crate::progress::tell;

/// Most keys that one store has had.
const MAX_KEYS: u32 = 10_000;

/// Where the keys of stores come from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct StoreKeys {
    /// The folder of store keys and vaults (else `clisonix/stores` in `$XDG_CONFIG_HOME` or
    /// `~/.config`); it should not lie on the disk that the data is on, nor in its backups
    #[arg(
        long = "store-keys",
        global = true,
        env = "CLISONIX_STORE_KEYS",
        value_name = "DIR",
        hide_env_values = true
    )]
    store_keys_folder: Option<PathBuf>,
    /// Read the store key from this file instead, such as `/dev/fd/3` or a service's credential
    #[arg(
        long = "store-key",
        global = true,
        env = "CLISONIX_STORE_KEY_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    store_key_file: Option<PathBuf>,
}

impl StoreKeys {
    /// Keys in a folder.
    pub(crate) fn within(folder: PathBuf) -> Self {
        Self { store_keys_folder: Some(folder), store_key_file: None }
    }

    /// A new store's: its key is made and kept, unless it is handed in.
    pub(crate) fn fresh(&self) -> Result<Keys> {
        let mut store: StoreId = [0; 16];
        outside::random(&mut store);
        let key = match &self.store_key_file {
            Some(path) => read(path)?,
            None => self.make(store)?,
        };
        self.keys(store, key)
    }

    /// As [`Self::fresh`], under no pass-phrase and without a word.
    pub(crate) fn quietly_fresh(&self) -> Result<Keys> {
        let mut store: StoreId = [0; 16];
        outside::random(&mut store);
        let key = StoreKey::generate(&mut outside::random);
        write(&self.folder_of(store)?.join("1.key"), &key, None)?;
        self.keys(store, key)
    }

    /// The keys of a store that is there.
    pub(crate) fn of(&self, store: StoreId, commitment: &Commitment) -> Result<Keys> {
        let key = match &self.store_key_file {
            Some(path) => read(path)?,
            None => self.find(store, commitment)?,
        };
        self.keys(store, key)
    }

    /// As [`Self::of`], with every other key that the store ever had.
    pub(crate) fn all_of(&self, store: StoreId, commitment: &Commitment) -> Result<Keys> {
        let mut keys = self.of(store, commitment)?;
        for path in self.files(store)? {
            let other = read(&path)?;
            if !other.made(commitment) {
                keys.others.push(other);
            }
        }
        Ok(keys)
    }

    /// Makes the next key of a store, and keeps it.
    pub(crate) fn make(&self, store: StoreId) -> Result<StoreKey> {
        let key = StoreKey::generate(&mut outside::random);
        let folder = self.folder_of(store)?;
        let number = self.files(store)?.len() + 1;
        let path = folder.join(format!("{number}.key"));
        let words = pass_phrase::of_stores(false, &path)?;
        write(&path, &key, words.as_ref().map(|words| words.as_slice()))?;
        tell(&format!(
            "made the store key {}: without it nothing of the store can be read; keep a copy apart",
            path.display()
        ));
        Ok(key)
    }

    /// Wraps every key of a store under a pass-phrase, or under none.
    pub(crate) fn rewrap(&self, store: StoreId, words: Option<&[u8]>) -> Result<Vec<PathBuf>> {
        let files = self.files(store)?;
        for path in &files {
            write(path, &read(path)?, words)?;
        }
        Ok(files)
    }

    /// The folder of a store's keys.
    pub(crate) fn folder_of(&self, store: StoreId) -> Result<PathBuf> {
        Ok(self.base()?.join(hexadecimal(&store)))
    }

    /// The key files of a store, the first one first.
    pub(crate) fn files(&self, store: StoreId) -> Result<Vec<PathBuf>> {
        let folder = self.folder_of(store)?;
        let files = (1..=MAX_KEYS).map(|number| folder.join(format!("{number}.key")));
        Ok(files.take_while(|path| path.exists()).collect())
    }

    fn base(&self) -> Result<PathBuf> {
        if let Some(folder) = &self.store_keys_folder {
            return Ok(folder.clone());
        }
        // XDG Base Directory 0.8: a path that is not absolute is to be ignored.
        let absolute =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config")));
        let base = base.ok_or_else(|| {
            Fault::usage("a folder of store keys is needed: set CLISONIX_STORE_KEYS")
        })?;
        Ok(base.join("clisonix").join("stores"))
    }

    fn keys(&self, store: StoreId, key: StoreKey) -> Result<Keys> {
        let vault = self.folder_of(store)?.join("vault");
        Ok(Keys { store, key, others: Vec::new(), vault, random: outside::random })
    }

    /// The key that a store or a backup is under, the newest tried first.
    fn find(&self, store: StoreId, commitment: &Commitment) -> Result<StoreKey> {
        for path in self.files(store)?.iter().rev() {
            let key = read(path)?;
            if key.made(commitment) {
                return Ok(key);
            }
        }
        let folder = self.folder_of(store)?;
        let message = format!("the key of this store is not in {}", folder.display());
        Err(Fault::unusable(message).into())
    }
}

/// Reads a key file, and asks for its pass-phrase where it has one.
fn read(path: &Path) -> Result<StoreKey> {
    let named = || format!("cannot read the store key {}", path.display());
    let file = File::open(path).with_context(named)?;
    refuse_if_shared(&file, path)?;
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FORM_BYTES + 1));
    file.take(MAX_FORM_BYTES as u64 + 1).read_to_end(&mut text).with_context(named)?;
    let words = if key_file::is_guarded(&text).with_context(named)? {
        pass_phrase::of_stores(true, path)?
    } else {
        None
    };
    let words = words.as_ref().map(|words| words.as_slice()).unwrap_or_default();
    key_file::unwrap(&text, words).with_context(named)
}

/// Writes a key file whole or not at all, for its owner only.
fn write(path: &Path, key: &StoreKey, words: Option<&[u8]>) -> Result<()> {
    let guard = words.map_or(Guard::Rights, |words| Guard::PassPhrase(words, Cost::STANDARD));
    let text = key_file::wrap(key, guard, System.now_ms(), &mut outside::random)?;
    let written = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        new_file::replace(path, text.as_bytes(), 0o600)
    };
    written().with_context(|| format!("cannot write the store key {}", path.display()))
}

//! What every command starts from: the data directory, who asks, and how results are printed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clisonix_node::{By, Node, NodeError, Outside, StoreForm, VaultFault};
use clisonix_pq::at_rest::VaultError;

use crate::arguments::Everywhere;
use crate::command::keys;
use crate::control::Request;
use crate::exit::Fault;
use crate::outside::System;
use crate::progress::tell;
use crate::results::Results;
use crate::service::Service;
use crate::store_keys::StoreKeys;

/// The options for every command, with their defaults filled in when asked for.
pub(crate) struct Context {
    everywhere: Everywhere,
    /// Set while the command runs in the process that serves the data directory.
    held: Option<Held>,
}

/// What a serving process has open, and where who asked stands.
pub(crate) struct Held {
    pub(crate) service: Arc<Service>,
    pub(crate) folder: PathBuf,
    /// The folder of the own keys of who asked.
    pub(crate) keys: Option<PathBuf>,
}

impl Context {
    pub(crate) fn new(everywhere: Everywhere) -> Self {
        Self { everywhere, held: None }
    }

    /// For a command that somebody else asked the serving process to run.
    pub(crate) fn of_service(everywhere: Everywhere, held: Held) -> Self {
        Self { everywhere, held: Some(held) }
    }

    /// The serving process's inside, if the command runs there.
    pub(crate) fn service(&self) -> Option<&Arc<Service>> {
        self.held.as_ref().map(|held| &held.service)
    }

    /// A path as who asked meant it.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        match &self.held {
            Some(held) => held.folder.join(path),
            None => path.to_owned(),
        }
    }

    /// The folder of own keys that `given` names, as who asked meant it.
    pub(crate) fn keys_folder(&self, given: Option<&Path>) -> Result<PathBuf> {
        match &self.held {
            Some(Held { keys: Some(keys), .. }) => Ok(keys.clone()),
            _ => keys::folder(given.map(Path::to_owned)),
        }
    }

    /// A request to a serving process, with these arguments and this folder of own keys.
    pub(crate) fn request(&self, arguments: Vec<String>, keys: Option<PathBuf>) -> Result<Request> {
        let folder = env::current_dir()?;
        Ok(Request {
            arguments,
            keys: keys.map(|keys| folder.join(keys)),
            folder,
            author: self.author().ok(),
            purpose: self.everywhere.purpose.clone(),
        })
    }

    /// Whether results are JSON.
    pub(crate) fn json(&self) -> bool {
        self.everywhere.json
    }

    /// Where results go.
    pub(crate) fn results(&self) -> Results {
        Results::new(self.everywhere.json)
    }

    /// Who asks: the option, the environment, else the user of the operating system.
    pub(crate) fn author(&self) -> Result<String> {
        let given = self.everywhere.author.clone();
        // Who asked a serving process is not who started it.
        let names = if self.held.is_some() { &[][..] } else { &["USER", "LOGNAME"] };
        let users = names.iter().filter_map(|name| env::var(name).ok());
        let mut names = given.into_iter().chain(users).map(|name| name.trim().to_owned());
        let author = names.find(|name| !name.is_empty());
        author.ok_or_else(|| {
            Fault::usage("an author is needed: give --author or set CLISONIX_AUTHOR").into()
        })
    }

    /// Who asks and what for.
    pub(crate) fn by<'a>(&'a self, author: &'a str) -> By<'a> {
        By { author, purpose: &self.everywhere.purpose }
    }

    /// What for, without spaces around it.
    pub(crate) fn purpose(&self) -> &str {
        self.everywhere.purpose.trim()
    }

    /// The data directory.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        if let Some(directory) = &self.everywhere.data {
            return Ok(directory.clone());
        }
        // XDG Base Directory 0.8: a path that is not absolute is to be ignored.
        let absolute =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local").join("share")));
        let base = base.ok_or_else(|| {
            Fault::usage("a data directory is needed: give --data or set CLISONIX_DATA")
        })?;
        Ok(base.join("clisonix"))
    }

    /// Where the keys of stores come from.
    pub(crate) fn store_keys(&self) -> &StoreKeys {
        &self.everywhere.store_keys
    }

    /// Opens the node for taking in; a new data directory is made, and encrypted.
    pub(crate) fn open(&self) -> Result<Arc<Node>> {
        self.open_in(&self.directory()?)
    }

    fn open_in(&self, directory: &Path) -> Result<Arc<Node>> {
        if let Some(held) = &self.held {
            return Ok(Arc::clone(held.service.node()));
        }
        Ok(Arc::new(open_node(directory, self.store_keys(), || Box::new(System))?))
    }

    /// Opens a node that is there: reading must not make a data directory.
    pub(crate) fn open_present(&self) -> Result<Arc<Node>> {
        let directory = self.directory()?;
        if is_empty(&directory) {
            let message = format!("there is no data in {}", directory.display());
            return Err(Fault::not_found(message).into());
        }
        self.open_in(&directory)
    }
}

/// Opens a node with the keys of its store; a new one is encrypted under a new key.
pub(crate) fn open_node(
    directory: &Path,
    store_keys: &StoreKeys,
    outside: impl Fn() -> Box<dyn Outside>,
) -> Result<Node> {
    let (store, commitment) = match Node::form(directory)? {
        StoreForm::Encrypted { store, key } => (store, key),
        StoreForm::Plain => {
            tell("the store is not encrypted; `clisonix store encrypt` encrypts it");
            return Ok(Node::open(directory, outside())?);
        }
        StoreForm::Absent => {
            let keys = store_keys.fresh()?;
            return Ok(Node::open_encrypted(directory, keys, outside())?);
        }
    };
    let keys = store_keys.of(store, &commitment)?;
    match Node::open_encrypted(directory, keys, outside()) {
        // The key was being changed: the vault is under another one than the store.
        Err(NodeError::Vault(VaultFault::Vault(VaultError::Key))) => {
            let keys = store_keys.all_of(store, &commitment)?;
            Ok(Node::open_encrypted(directory, keys, outside())?)
        }
        end => Ok(end?),
    }
}

/// Whether a directory is absent or holds nothing.
fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).map_or_else(
        |error| error.kind() == std::io::ErrorKind::NotFound,
        |mut entries| entries.next().is_none(),
    )
}

//! What every command starts from: the data directory, who asks, and how results are printed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clisonix_node::{By, Node};

use crate::arguments::Everywhere;
use crate::exit::Fault;
use crate::outside::System;
use crate::results::Results;

/// The options for every command, with their defaults filled in when asked for.
pub(crate) struct Context {
    everywhere: Everywhere,
}

impl Context {
    pub(crate) fn new(everywhere: Everywhere) -> Self {
        Self { everywhere }
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
        let users = ["USER", "LOGNAME"].into_iter().filter_map(|name| env::var(name).ok());
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

    /// Opens the node for taking in; a new data directory is made.
    pub(crate) fn open(&self) -> Result<Node> {
        Ok(Node::open(&self.directory()?, Box::new(System))?)
    }

    /// Opens a node that is there: reading must not make a data directory.
    pub(crate) fn open_present(&self) -> Result<Node> {
        let directory = self.directory()?;
        if is_empty(&directory) {
            let message = format!("there is no data in {}", directory.display());
            return Err(Fault::not_found(message).into());
        }
        Ok(Node::open(&directory, Box::new(System))?)
    }
}

/// Whether a directory is absent or holds nothing.
fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).map_or_else(
        |error| error.kind() == std::io::ErrorKind::NotFound,
        |mut entries| entries.next().is_none(),
    )
}

//! `store`: how the store is encrypted, other keys for it, and copies of its vault.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::{HybridTime, Node, Outside as _, StoreForm};
use clisonix_pq::at_rest::StoreId;

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::outside::System;
use crate::pass_phrase;
use crate::plain::hexadecimal;
use crate::results::Results;
use crate::vault_copies::{self, VaultCopies, VaultCopy};

/// Options of `store`.
#[derive(Debug, clap::Args)]
pub(crate) struct Store {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show whether the store is encrypted, and where its keys are
    Status,
    /// Encrypt a store that is not, by writing its file anew; needs room for both
    Encrypt,
    /// Write the file anew under another page key: what free pages held is lost, and unused room
    /// goes back; needs room for both
    Rotate {
        /// Put store and vault under another store key instead; the file stays as it is
        #[arg(long)]
        key: bool,
    },
    /// Put the store's key files under a pass-phrase: the file that
    /// `CLISONIX_STORE_PASSPHRASE_FILE_NEW` names, else the terminal
    Passphrase {
        /// Under none but the rights of the files
        #[arg(long)]
        none: bool,
    },
    /// Copy the vault into a folder of its own, in the place of the copy there; to be done again
    /// after each erasure, and kept for no more than 30 days
    CopyVault {
        /// The folder; it should not lie where the data or its backups are
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Overwrite and remove the copy that is there instead
        #[arg(long)]
        destroy: bool,
    },
}

impl Store {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let directory = context.directory()?;
        match self.action {
            Action::Status => {}
            Action::Encrypt => encrypt(&directory, context)?,
            Action::Rotate { key } => rotate(&directory, key, context)?,
            Action::Passphrase { none } => {
                let store = encrypted(&directory)?;
                let folder = context.store_keys().folder_of(store)?;
                let words = if none { None } else { Some(pass_phrase::new_of_stores(&folder)?) };
                let words = words.as_ref().map(|words| words.as_slice());
                context.store_keys().rewrap(store, words)?;
            }
            Action::CopyVault { folder, destroy } => {
                copy_vault(&directory, &vault_copies::named(&folder)?, destroy, context)?;
            }
        }
        let mut results = context.results();
        status(&directory, context, &mut results)?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

fn encrypt(directory: &Path, context: &Context) -> Result<()> {
    match Node::form(directory)? {
        StoreForm::Plain => Ok(Node::encrypt(directory, context.store_keys().fresh()?)?),
        StoreForm::Absent => Err(missing(directory).into()),
        StoreForm::Encrypted { .. } => Err(Fault::usage("the store is encrypted already").into()),
    }
}

fn rotate(directory: &Path, key: bool, context: &Context) -> Result<()> {
    let store = encrypted(directory)?;
    let author = context.author()?;
    let node = context.open_present()?;
    if key {
        node.change_key(context.store_keys().make(store)?, context.by(&author))?;
    } else {
        node.rotate_pages(context.by(&author))?;
    }
    Ok(())
}

fn copy_vault(directory: &Path, to: &Path, destroy: bool, context: &Context) -> Result<()> {
    let store = encrypted(directory)?;
    let mut copies = VaultCopies::load(&context.store_keys().folder_of(store)?)?;
    if destroy {
        Node::destroy_vault_copy(to)?;
        return copies.strike(to);
    }
    let author = context.author()?;
    let generation = context.open_present()?.copy_vault(to, context.by(&author))?;
    let generation = generation.unwrap_or_default();
    copies.note(VaultCopy { folder: to.to_owned(), generation, made_ms: System.now_ms() })
}

fn encrypted(directory: &Path) -> Result<StoreId> {
    match Node::form(directory)? {
        StoreForm::Encrypted { store, .. } => Ok(store),
        StoreForm::Plain => {
            let message = "the store is not encrypted; `clisonix store encrypt` encrypts it";
            Err(Fault::usage(message).into())
        }
        StoreForm::Absent => Err(missing(directory).into()),
    }
}

fn missing(directory: &Path) -> Fault {
    Fault::not_found(format!("there is no data in {}", directory.display()))
}

fn status(directory: &Path, context: &Context, results: &mut Results) -> Result<()> {
    let form = Node::form(directory)?;
    let mut object = Object::new();
    object.insert("encrypted", matches!(form, StoreForm::Encrypted { .. }));
    let mut lines = Vec::new();
    match form {
        StoreForm::Absent => return Err(missing(directory).into()),
        StoreForm::Plain => {
            lines.push("the store is not encrypted; `clisonix store encrypt` encrypts it".into());
        }
        StoreForm::Encrypted { store, .. } => {
            let folder = context.store_keys().folder_of(store)?;
            let keys = context.store_keys().files(store)?.len();
            object.insert("store", hexadecimal(&store));
            object.insert("keys", folder.display().to_string());
            object.insert("key_files", keys as u64);
            lines.push(format!("the store {} is encrypted", hexadecimal(&store)));
            lines.push(format!("  key files     {keys} in {}", folder.display()));
            let vault = folder.join("vault");
            lines.push(format!("  vault         {}", vault.display()));
            let copies = copies(&folder, &vault)?;
            lines.extend(copies.iter().map(CopyState::line));
            let copies: Vec<Value> = copies.iter().map(CopyState::value).collect();
            object.insert("vault_copies", copies);
        }
    }
    Ok(results.either(
        || Value::Object(object),
        |results| lines.iter().try_for_each(|line| results.line(line)),
    )?)
}

/// What is to be said of a copy of the vault.
struct CopyState {
    folder: String,
    made: String,
    fault: Option<&'static str>,
}

/// The copies of a vault, as they stand to it now.
fn copies(keys: &Path, vault: &Path) -> Result<Vec<CopyState>> {
    let generation = Node::vault_generation(vault)?.unwrap_or_default();
    let now = System.now_ms();
    let state = |copy: &VaultCopy| CopyState {
        folder: copy.folder.display().to_string(),
        made: HybridTime::from_millis(copy.made_ms).to_string(),
        fault: copy.fault(generation, now),
    };
    Ok(VaultCopies::load(keys)?.all().iter().map(state).collect())
}

impl CopyState {
    fn line(&self) -> String {
        let Self { folder, made, .. } = self;
        let end = self.fault.map(|fault| format!("{fault}: make it anew or destroy it"));
        format!("  vault copy    {folder}, {made}, {}", end.as_deref().unwrap_or("current"))
    }

    fn value(&self) -> Value {
        let mut object = Object::new();
        object.insert("folder", self.folder.as_str());
        object.insert("made", self.made.as_str());
        object.insert("state", self.fault.unwrap_or("current"));
        Value::Object(object)
    }
}

//! What can be typed: the options for every command, and the commands.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::command::{
    backup, completions, conflicts, demo, erase, erasure, history, import, keys, open, peers,
    quarantine, resolve, restore, seal, serve, share, shares, show, store, tide, verify,
};
use crate::exit::TABLE;
use crate::pass_phrase::Source;
use crate::store_keys::StoreKeys;

/// One record per patient from HL7 v2, C-CDA and FHIR, in which concurrent edits merge.
#[derive(Debug, Parser)]
#[command(name = "clisonix", version, after_help = TABLE, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Everywhere {
    /// The data directory (else `clisonix` in `$XDG_DATA_HOME` or `~/.local/share`)
    #[arg(long, global = true, env = "CLISONIX_DATA", value_name = "DIR", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,
    /// Who asks, for the access log and as the author of edits [default: $USER, else $LOGNAME]
    #[arg(
        long,
        global = true,
        env = "CLISONIX_AUTHOR",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) author: Option<String>,
    /// What for, in a few words, for the access log; no clinical value
    #[arg(
        long,
        global = true,
        env = "CLISONIX_PURPOSE",
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub(crate) purpose: String,
    #[command(flatten)]
    pub(crate) store_keys: StoreKeys,
    /// Print JSON: one object, or one object a line for lists
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a population with known truth, take it in from three systems, edit it at two sites
    /// that cannot see each other, merge, and grade the result
    Demo(demo::Demo),
    /// Take in HL7 v2, C-CDA and FHIR files and directories of them, recognised by their content
    Import(import::Import),
    /// Show a patient's record, now or as it was
    Show(show::Show),
    /// List what cannot both be true, of all records or of one
    Conflicts(conflicts::Conflicts),
    /// List who changed a record, and when
    History(history::History),
    /// Settle a conflict by writing the value that holds
    Resolve(resolve::Resolve),
    /// List what could not be read and is kept as received
    Quarantine(quarantine::Quarantine),
    /// Write a consistent copy of everything to one file
    Backup(backup::Backup),
    /// Fill an empty data directory from a backup
    Restore(restore::Restore),
    /// Check the store and the chain of the access log, or a share without opening it
    Verify(verify::Verify),
    /// How the store is encrypted, and other keys for it
    Store(store::Store),
    /// Erase a record, an entry or a value, and destroy the keys that old copies of it are under
    Erase(erase::Erase),
    /// Carry out another site's order to erase, or check a receipt
    Erasure(erasure::Erasure),
    /// Exchange records with the peers, and run other commands on this data directory, until stopped
    Serve(serve::Serve),
    /// Invite, admit, list and cut off the nodes that records are exchanged with
    Peers(peers::Peers),
    /// How the exchange with the peers stands
    Tide(tide::Tide),
    /// Make, show, follow up and revoke the keys that sign and open
    Keys(keys::Keys),
    /// Seal a file or records for named recipients and a purpose, signed
    Seal(seal::Seal),
    /// Prepare data for others and seal it in one step
    Share(share::Share),
    /// Open a share, after everything about it was verified
    Open(open::Open),
    /// The ledger of shares given and received
    Shares(shares::Shares),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

impl Command {
    /// The folder of own keys that was given, and where their pass-phrase comes from, of a command
    /// that a serving process runs and that needs some.
    pub(crate) fn own_keys(&self) -> Option<(Option<&Path>, &Source)> {
        match self {
            Self::Seal(seal) => Some(seal.own_keys()),
            Self::Share(share) => Some(share.own_keys()),
            Self::Erase(erase) => erase.own_keys(),
            Self::Erasure(erasure) => erasure.own_keys(),
            _ => None,
        }
    }

    /// Whether the command needs the store: then a process that serves the data directory runs it.
    pub(crate) fn is_for_service(&self) -> bool {
        match self {
            Self::Import(_)
            | Self::Show(_)
            | Self::Conflicts(_)
            | Self::History(_)
            | Self::Resolve(_)
            | Self::Quarantine(_)
            | Self::Backup(_)
            | Self::Erase(_)
            | Self::Share(_)
            | Self::Tide(_) => true,
            Self::Seal(seal) => seal.is_of_store(),
            Self::Erasure(erasure) => erasure.is_of_store(),
            Self::Verify(verify) => verify.is_of_store(),
            _ => false,
        }
    }
}

//! The command line: one data directory, one command, results on stdout, the rest on stderr.

mod arguments;
mod bundle;
mod command;
mod context;
mod control;
mod exit;
mod files;
mod headline;
mod keyring;
mod metrics;
mod new_file;
mod outgoing;
mod outlet;
mod outside;
mod pass_phrase;
mod peers;
mod pipeline;
mod plain;
mod progress;
mod project_key;
mod query;
mod release;
mod replica;
mod results;
mod scratch;
mod service;
mod sharing;
mod site_keys;
mod sites;
mod spool;
mod store_keys;
mod tally;
mod terms;
mod vault_copies;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match command::run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => exit::report(&error).into(),
    }
}

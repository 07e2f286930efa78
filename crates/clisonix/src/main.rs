//! The command line: one data directory, one command, results on stdout, the rest on stderr.

mod arguments;
mod command;
mod context;
mod exit;
mod files;
mod headline;
mod keyring;
mod new_file;
mod outgoing;
mod outside;
mod pass_phrase;
mod pipeline;
mod plain;
mod progress;
mod project_key;
mod query;
mod release;
mod replica;
mod results;
mod scratch;
mod sharing;
mod spool;
mod store_keys;
mod tally;
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

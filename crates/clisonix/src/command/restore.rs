//! `restore`: an empty data directory filled from a backup.

use std::path::PathBuf;

use anyhow::Result;
use clisonix_node::Node;

use crate::command::backup;
use crate::context::Context;
use crate::exit::Exit;
use crate::outside::System;

/// Options of `restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Restore {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let store_keys = context.store_keys();
        let keys = match Node::backup_of(&self.file)? {
            Some(label) => store_keys.all_of(label.store, &label.commitment)?,
            // What was not encrypted becomes so.
            None => store_keys.fresh()?,
        };
        let report = Node::restore(&self.file, &context.directory()?, Some(keys), &mut System)?;
        let mut results = context.results();
        backup::print(&report, &mut results)?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

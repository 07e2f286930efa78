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
        let report = Node::restore(&self.file, &context.directory()?, &mut System)?;
        let mut results = context.results();
        backup::print(&report, &mut results)?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

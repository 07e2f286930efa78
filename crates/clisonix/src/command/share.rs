//! `share`: data prepared for others and sealed, in one step.

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::pass_phrase::Source;

mod research;

/// Options of `share`.
#[derive(Debug, Args)]
pub(crate) struct Share {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// De-identify the records of a cohort and seal them for a research institution
    Research(Box<research::Research>),
}

impl Share {
    pub(crate) fn own_keys(&self) -> (Option<&Path>, &Source) {
        let What::Research(research) = &self.what;
        research.own_keys()
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let What::Research(research) = self.what;
        research.run(context)
    }
}

//! `share`: data prepared for others and sealed, in one step.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::exit::Exit;

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
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let What::Research(research) = self.what;
        research.run(context)
    }
}

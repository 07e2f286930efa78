//! `completions`: the script that lets a shell complete commands and options.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;

/// Options of `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "clisonix", &mut script);
        let mut results = context.results();
        results.bytes(&script)?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

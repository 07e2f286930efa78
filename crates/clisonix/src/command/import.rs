//! `import`: files of any of the three kinds become records.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::exit::Exit;
use crate::files;
use crate::pipeline::{Order, take_in};
use crate::progress::Progress;
use crate::tally::Tally;

/// Longest name of a feed, in bytes.
const MAX_FEED_BYTES: usize = 200;

/// Options of `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// Files, and directories of files (taken in by name, hidden ones passed over)
    #[arg(value_name = "PATH", required_unless_present = "retry")]
    paths: Vec<PathBuf>,
    /// The feed that the files belong to; without it the content names it
    #[arg(long, value_name = "NAME", value_parser = feed_name)]
    feed: Option<String>,
    /// First try again what is in quarantine
    #[arg(long)]
    retry: bool,
}

impl Import {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let author = context.author()?;
        let by = context.by(&author);
        // Before anything is made: a path that is not there must not leave a data directory.
        let paths: Vec<_> = self.paths.iter().map(|path| context.path(path)).collect();
        let files = files::find(&paths)?;
        let node = context.open()?;

        let mut tally = Tally::new();
        let mut progress = Progress::new(files.len(), files.iter().map(|file| file.size).sum());
        let feed = self.feed.as_deref();
        if self.retry {
            let taken = node.retry_quarantine(by).context("cannot try the quarantine again")?;
            tally.add("quarantine", &taken, &mut progress);
        }
        let order = Order { node: &node, by, feed, files: &files };
        take_in(&order, &mut tally, &mut progress)?;
        tally.quarantine(node.quarantine()?.len());
        progress.finish();

        let mut results = context.results();
        results.either(|| tally.to_value(), |results| tally.print(results))?;
        results.finish()?;
        Ok(tally.exit())
    }
}

fn feed_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_FEED_BYTES {
        return Err(format!("a feed's name has 1 to {MAX_FEED_BYTES} bytes"));
    }
    Ok(name.to_owned())
}

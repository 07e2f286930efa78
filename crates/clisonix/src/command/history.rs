//! `history`: who changed a record, when, and from which feed.

use std::io;

use anyhow::Result;
use clisonix_node::ChangeInfo;

use crate::context::Context;
use crate::exit::Exit;
use crate::plain::Plain;
use crate::results::Results;

/// Most entries that a line names.
const MAX_ENTRIES_NAMED: usize = 3;

/// Options of `history`.
#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// A record's id, `Patient/` and an id, or an identifier
    #[arg(value_name = "PATIENT")]
    patient: String,
    /// Only changes to this entry
    #[arg(long, value_name = "TYPE/ID")]
    entry: Option<String>,
}

impl History {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let author = context.author()?;
        let by = context.by(&author);
        let node = context.open_present()?;
        let record = node.find_record(&self.patient)?;
        let mut results = context.results();
        for change in node.history(&record, self.entry.as_deref(), by)? {
            results.either(|| change.to_value(), |results| print(&change, results))?;
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

fn print(change: &ChangeInfo, results: &mut Results) -> io::Result<()> {
    let named = change.entries.iter().take(MAX_ENTRIES_NAMED).map(ToString::to_string);
    let more = change.entries.len().saturating_sub(MAX_ENTRIES_NAMED);
    let more = (more > 0).then(|| format!("{more} more"));
    let entries = named.chain(more).collect::<Vec<_>>().join(", ");
    results.line(format_args!("{}  {}", change.time, Plain(&change.author)))?;
    results.line(format_args!("    change   {}", change.id))?;
    results.line(format_args!("    entries  {}", Plain(&entries)))
}

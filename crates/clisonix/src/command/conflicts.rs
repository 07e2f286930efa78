//! `conflicts`: what cannot both be true, with every author and value.

use std::io;

use anyhow::Result;
use clisonix_fhir::json::Value;

use crate::context::Context;
use crate::exit::Exit;
use crate::headline::short;
use crate::plain::Plain;
use crate::results::Results;

/// Options of `conflicts`.
#[derive(Debug, clap::Args)]
pub(crate) struct Conflicts {
    /// Only this patient's: a record's id, `Patient/` and an id, or an identifier
    #[arg(value_name = "PATIENT")]
    patient: Option<String>,
}

impl Conflicts {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let author = context.author()?;
        let by = context.by(&author);
        let node = context.open_present()?;
        let record = self.patient.map(|patient| node.find_record(&patient)).transpose()?;
        let open = node.conflicts(record.as_deref(), by)?;
        let mut results = context.results();
        for conflict in &open {
            results.either(|| conflict.clone(), |results| print(conflict, results))?;
        }
        if open.is_empty() && !context.json() {
            results.line("no open conflicts")?;
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

/// Prints one conflict: what is shown and why, then each side, then the id to settle it by.
pub(crate) fn print(conflict: &Value, results: &mut Results) -> io::Result<()> {
    let text = |name| Plain(conflict.get(name).and_then(Value::as_str).unwrap_or_default());
    let path = text("path");
    results.line(format_args!("  {} {} {path}", text("severity"), text("kind")))?;
    let record = text("record");
    if !record.0.is_empty() {
        results.line(format_args!("    record   {record}"))?;
    }
    results.line(format_args!("    entry    {}", text("entry")))?;
    let shown = conflict.get("shown").map(short).unwrap_or_default();
    results.line(format_args!("    shown    {} ({})", Plain(&shown), text("why")))?;
    for side in conflict.get("values").and_then(Value::as_array).unwrap_or_default() {
        let text = |name| Plain(side.get(name).and_then(Value::as_str).unwrap_or_default());
        let removed = side.get("removed").and_then(Value::as_bool) == Some(true);
        let value = side.get("value").filter(|value| !value.is_null());
        let value =
            value.map_or_else(|| if removed { "removed" } else { "emptied" }.to_owned(), short);
        let (author, time) = (text("author"), text("time"));
        results.line(format_args!("    {time}  {author}: {}", Plain(&value)))?;
    }
    results.line(format_args!("    id       {}", text("id")))
}

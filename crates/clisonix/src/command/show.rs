//! `show`: a patient's record for people, or as a FHIR Bundle.

use std::collections::BTreeMap;
use std::io;

use anyhow::{Context as _, Result};
use clisonix_fhir::json::{self, Value};
use clisonix_node::ChangeId;

use crate::command::conflicts;
use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::headline::headline;
use crate::plain::Plain;
use crate::progress::tell;
use crate::results::Results;

/// Options of `show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// A record's id, `Patient/` and an id, or an identifier (`value` or `system|value`)
    #[arg(value_name = "PATIENT")]
    patient: String,
    /// As it was at these heads (change ids, see `history`)
    #[arg(long, value_name = "HEADS", num_args = 1.., value_delimiter = ',')]
    at: Vec<String>,
}

impl Show {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let author = context.author()?;
        let by = context.by(&author);
        let node = context.open_present()?;
        let record = node.find_record(&self.patient)?;
        let (bundle, open) = if self.at.is_empty() {
            let text = node.record_text(&record, by)?;
            (text.bundle, text.conflicts)
        } else {
            (node.record_at(&record, &heads(&self.at)?, by)?, "[]".to_owned())
        };
        if let Some(damage) = node.damage(&record)? {
            let what = match damage.missing {
                Some(missing) => format!("{missing} changes are not shown"),
                None => "what was written to it may not be shown".to_owned(),
            };
            tell(&format!("the log of this record is damaged: {what}, see `clisonix tide status`"));
        }
        let mut results = context.results();
        if context.json() {
            results.line(&bundle)?;
        } else {
            let bundle =
                json::parse(bundle.as_bytes()).context("the record does not read as JSON")?;
            let open = json::parse(open.as_bytes()).context("the conflicts do not read as JSON")?;
            print(&record, &bundle, open.as_array().unwrap_or_default(), &mut results)?;
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

fn heads(names: &[String]) -> Result<Vec<ChangeId>> {
    let read = |name: &String| {
        let fault = || Fault::usage("a head is a change id of 64 hexadecimal digits");
        name.parse().map_err(|_| fault().into())
    };
    names.iter().map(read).collect()
}

fn print(record: &str, bundle: &Value, open: &[Value], results: &mut Results) -> io::Result<()> {
    results.line(format_args!("record {record}"))?;
    let mut types: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let entries = bundle.get("entry").and_then(Value::as_array).unwrap_or_default();
    for resource in entries.iter().filter_map(|entry| entry.get("resource")) {
        types.entry(resource.resource_type().unwrap_or("?")).or_default().push(resource);
    }
    // The person first, then what is known of them.
    let patients = types.remove_entry("Patient");
    for (name, resources) in patients.into_iter().chain(types) {
        results.line(format_args!("\n{name} ({})", resources.len()))?;
        for resource in resources {
            let id = resource.get("id").and_then(Value::as_str).unwrap_or("?");
            results.line(format_args!("  {:<36}  {}", Plain(id), Plain(&headline(resource))))?;
        }
    }
    if !open.is_empty() {
        results.line(format_args!("\nOpen conflicts ({})", open.len()))?;
        open.iter().try_for_each(|conflict| conflicts::print(conflict, results))?;
    }
    Ok(())
}

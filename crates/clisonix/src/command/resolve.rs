//! `resolve`: settling a conflict is writing the value that holds.

use std::io;

use anyhow::Result;
use clisonix_fhir::json::{self, Object, Value};

use crate::context::Context;
use crate::exit::{Exit, Fault};

/// Options of `resolve`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("how").required(true).args(["value", "remove"])))]
pub(crate) struct Resolve {
    /// A record's id, `Patient/` and an id, or an identifier
    #[arg(value_name = "PATIENT")]
    patient: String,
    /// The conflict's id, as `conflicts` prints it
    #[arg(value_name = "CONFLICT-ID")]
    conflict: String,
    /// The value that holds, as JSON: one side's, or any that fits
    #[arg(long, value_name = "JSON")]
    value: Option<String>,
    /// Nothing holds: empty or remove it
    #[arg(long)]
    remove: bool,
}

impl Resolve {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let author = context.author()?;
        let by = context.by(&author);
        let value = self.value.as_deref().map(|text| {
            json::parse(text.as_bytes()).map_err(|error| {
                let place = format!("line {}, column {}", error.line, error.column);
                Fault::usage(format!("the value is no JSON: {} at {place}", error.kind))
            })
        });
        let value = value.transpose()?;
        let node = context.open_present()?;
        let record = node.find_record(&self.patient)?;
        let edited = node.resolve(&record, &self.conflict, value.as_ref(), by)?;
        let change = edited.change.map(|change| change.to_string());
        let mut results = context.results();
        results.either(
            || {
                let mut object = Object::new();
                object.insert("record", &*edited.record);
                object.insert("conflict", &*self.conflict);
                object.insert("change", change.clone().map_or(Value::Null, Value::from));
                Value::Object(object)
            },
            |results| -> io::Result<()> {
                match &change {
                    Some(change) => results.line(format_args!("settled by change {change}")),
                    None => results.line("nothing changed"),
                }
            },
        )?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

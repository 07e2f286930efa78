//! Which records are meant, and their resources one on a line (FHIR's NDJSON).

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::{Context as _, Result};
use clap::Args;
use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::resource_named;
use clisonix_node::{By, Node};

use crate::exit::Fault;

/// Records and types of resources.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// A patient's record, named as for `clisonix show`; may stand several times
    #[arg(long, value_name = "PATIENT", conflicts_with = "all")]
    record: Vec<String>,
    /// All records, those of shared resources too
    #[arg(long)]
    all: bool,
    /// Only resources of this type (of all records unless --record names some); may stand several
    /// times
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
}

impl Query {
    /// Writes the resources that are asked for, and returns how many they are.
    pub(crate) fn write(&self, node: &Node, by: By<'_>, out: &mut impl Write) -> Result<u64> {
        for name in &self.types {
            if resource_named(name).is_none() {
                return Err(Fault::usage(format!("`{name}` is no resource of FHIR R4")).into());
            }
        }
        let records = if self.record.is_empty() {
            node.shown_ids()?
        } else {
            let named = self.record.iter().map(|name| node.find_record(name));
            let named: BTreeSet<String> = named.collect::<Result<_, _>>()?;
            named.into_iter().collect()
        };
        let mut count = 0;
        for record in records {
            let bundle = parse(&node.record_to_share(&record, by)?)?;
            for resource in resources(&bundle) {
                let ty = resource.resource_type().unwrap_or_default();
                if self.types.is_empty() || self.types.iter().any(|asked| asked == ty) {
                    write_line(resource, out)?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }
}

/// Reads a record's Bundle.
pub(crate) fn parse(bundle: &str) -> Result<Value> {
    json::parse(bundle.as_bytes()).context("a record does not read as JSON")
}

/// The resources of a Bundle.
pub(crate) fn resources(bundle: &Value) -> impl Iterator<Item = &Value> {
    let entries = bundle.get("entry").and_then(Value::as_array).unwrap_or_default();
    entries.iter().filter_map(|entry| entry.get("resource"))
}

/// Writes a resource on a line of its own.
pub(crate) fn write_line(resource: &Value, out: &mut impl Write) -> Result<()> {
    let mut line = Vec::new();
    resource.write(&mut line);
    line.push(b'\n');
    Ok(out.write_all(&line)?)
}

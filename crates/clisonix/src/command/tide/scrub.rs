//! `tide scrub`: everything is made and hashed again, and held against what was signed.

use std::io;

use anyhow::Result;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::Scrubbed;

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::results::Results;

pub(super) fn run(context: &Context) -> Result<Exit> {
    let author = context.author()?;
    let found = context.open_present()?.scrub(context.by(&author))?;
    let mut results = context.results();
    results.either(|| value(&found), |results| print(&found, results))?;
    results.finish()?;
    Ok(if found.damaged == 0 { Exit::Done } else { Exit::Damaged })
}

/// Gives up what is not back of a damaged record.
pub(super) fn give_up(patient: &str, context: &Context) -> Result<Exit> {
    let author = context.author()?;
    let node = context.open_present()?;
    let record = node.find_record(patient)?;
    if !node.give_up(&record, context.by(&author))? {
        return Err(Fault::not_found("this record is not damaged").into());
    }
    Ok(Exit::Done)
}

fn value(found: &Scrubbed) -> Value {
    let damaged = found.named.iter().map(|(record, fault)| {
        let mut object = Object::new();
        object.insert("record", record.as_str());
        object.insert("fault", fault.to_string());
        Value::Object(object)
    });
    let mut object = Object::new();
    object.insert("records", found.records);
    object.insert("changes", found.changes);
    object.insert("busy", found.busy);
    object.insert("damaged", found.damaged);
    object.insert("repaired", found.repaired);
    object.insert("put_aside", found.put_aside);
    object.insert("faults", Value::Array(damaged.collect()));
    Value::Object(object)
}

fn print(found: &Scrubbed, results: &mut Results) -> io::Result<()> {
    let Scrubbed { records, changes, busy, damaged, repaired, put_aside, .. } = found;
    results.line(format_args!(
        "{records} records with {changes} changes, of which {damaged} were damaged; {repaired} of \
         these are whole again, {put_aside} are asked from peers; {busy} were being loaded and not \
         looked at"
    ))?;
    found
        .named
        .iter()
        .try_for_each(|(record, fault)| results.line(format_args!("  {record}: {fault}")))
}

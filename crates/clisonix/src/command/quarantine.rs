//! `quarantine`: what could not be read, kept as received.

use std::io;

use anyhow::Result;
use clisonix_fhir::json::{Number, Object, Value};
use clisonix_node::Quarantined;

use crate::context::Context;
use crate::exit::Exit;
use crate::plain::{Plain, hexadecimal};
use crate::results::Results;

/// Options of `quarantine`.
#[derive(Debug, clap::Args)]
pub(crate) struct Quarantine {}

impl Quarantine {
    #[allow(clippy::unused_self)] // every command is run in one way
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let node = context.open_present()?;
        let messages = node.quarantine()?;
        let mut results = context.results();
        for message in &messages {
            results.either(|| message_value(message), |results| print(message, results))?;
        }
        if messages.is_empty() && !context.json() {
            results.line("the quarantine is empty")?;
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

fn print(message: &Quarantined, results: &mut Results) -> io::Result<()> {
    let file = message.file.as_deref().unwrap_or("-");
    results.line(format_args!("{}  {}", id(message), Plain(file)))?;
    results.line(format_args!("    {} bytes, tried {}x", message.size_bytes, message.attempts))?;
    for issue in message.issues.as_array().unwrap_or_default() {
        let text = |name| Plain(issue.get(name).and_then(Value::as_str).unwrap_or_default());
        let line = issue.get("line").and_then(Value::as_number).map(Number::as_str);
        let line = line.map(|line| format!("line {line}, ")).unwrap_or_default();
        results.line(format_args!(
            "    {}: {line}{} {} ({})",
            text("severity"),
            text("path"),
            text("message"),
            text("code")
        ))?;
    }
    Ok(())
}

/// `{id, file, attempts, size_bytes, issues}`.
fn message_value(message: &Quarantined) -> Value {
    let mut object = Object::new();
    object.insert("id", id(message));
    object.insert("file", message.file.as_deref().map_or(Value::Null, Value::from));
    object.insert("attempts", u64::from(message.attempts));
    object.insert("size_bytes", message.size_bytes);
    object.insert("issues", message.issues.clone());
    Value::Object(object)
}

fn id(message: &Quarantined) -> String {
    hexadecimal(&message.id)
}

//! `quarantine`: what could not be read, kept as received.

use std::io;

use anyhow::Result;
use clisonix_fhir::json::{Number, Object, Value};
use clisonix_node::Quarantined;

use crate::context::Context;
use crate::exit::Exit;
use crate::files::File;
use crate::oversize::Oversize;
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
        let oversize = Oversize::of(&context.directory()?).files()?;
        let mut results = context.results();
        for message in &messages {
            results.either(|| message_value(message), |results| print(message, results))?;
        }
        for file in &oversize {
            let line =
                format!("{}\n    {} bytes, larger than the limit", Plain(&file.name), file.size);
            results.either(|| file_value(file), |results| results.line(line))?;
        }
        if messages.is_empty() && oversize.is_empty() && !context.json() {
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
    object.insert("size_bytes", message.size_bytes as u64);
    object.insert("issues", message.issues.clone());
    Value::Object(object)
}

/// `{file, size_bytes, oversize}`.
fn file_value(file: &File) -> Value {
    let mut object = Object::new();
    object.insert("file", &*file.name);
    object.insert("size_bytes", file.size);
    object.insert("oversize", true);
    Value::Object(object)
}

fn id(message: &Quarantined) -> String {
    hexadecimal(&message.id)
}

//! `shares`: the ledger of shares given and received.

use anyhow::Result;
use clap::{Args, Subcommand};
use clisonix_fhir::json::Value;

use crate::context::Context;
use crate::exit::Exit;
use crate::plain::Plain;
use crate::sharing;

/// Options of `shares`.
#[derive(Debug, Args)]
pub(crate) struct Shares {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what was given and received, oldest first, after checking the ledger's chain
    List,
}

impl Shares {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let Action::List = self.action;
        let mut results = context.results();
        for entry in sharing::ledger(context)? {
            let way = entry.way.name();
            results.either(
                || {
                    let mut object = sharing::object(&entry.manifest);
                    object.insert("way", way);
                    object.insert("at", entry.at.to_string());
                    Value::Object(object)
                },
                |results| {
                    let manifest = &entry.manifest;
                    let purpose = Plain(&manifest.terms.purpose);
                    results
                        .line(format_args!("{}  {way:<8}  {}  {purpose}", entry.at, manifest.share))
                },
            )?;
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

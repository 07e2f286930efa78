//! `verify`: is everything as it was written?

use anyhow::Result;
use clisonix_fhir::json::{Object, Value};

use crate::context::Context;
use crate::exit::Exit;

/// Options of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {}

impl Verify {
    #[allow(clippy::unused_self)] // every command is run in one way
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let entries = context.open_present()?.verify()?;
        let mut results = context.results();
        results.either(
            || {
                let mut object = Object::new();
                object.insert("sound", true);
                object.insert("access_entries", entries);
                Value::Object(object)
            },
            |results| {
                results.line(format_args!(
                    "the store is sound; the access log's chain of {entries} entries holds"
                ))
            },
        )?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

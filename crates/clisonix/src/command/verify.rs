//! `verify`: is everything as it was written?

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clisonix_fhir::json::{Object, Value};
use clisonix_pq::share;

use crate::context::Context;
use crate::exit::Exit;
use crate::sharing::{self, Trusted};

/// Options of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// A share, to be verified without opening it [default: the store]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    trusted: Trusted,
}

impl Verify {
    /// Whether it is the store that is verified.
    pub(crate) fn is_of_store(&self) -> bool {
        self.file.is_none()
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        match &self.file {
            Some(file) => self.share(file, context),
            None => store(context),
        }
    }

    fn share(&self, path: &Path, context: &Context) -> Result<Exit> {
        let trust = self.trusted.load()?;
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let manifest = share::verify(file, &trust, sharing::now()?)?;
        let line = "the share is sound, its issuer trusted and its time not over";
        sharing::tell(context, &manifest, [("sound", true.into())], line)?;
        Ok(Exit::Done)
    }
}

fn store(context: &Context) -> Result<Exit> {
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

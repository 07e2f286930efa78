//! `seal`: a signed share of a file or of records, for named recipients and a purpose.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::outgoing::{Outgoing, Ready, Sealed};
use crate::pass_phrase;
use crate::plain::Plain;
use crate::query::Query;
use crate::spool::Spooling;

/// What recipients see as the name of records.
const RECORDS: &str = "records.ndjson";

/// Options of `seal`: a file, or which records.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    #[command(flatten)]
    outgoing: Outgoing,
    #[command(flatten)]
    query: Query,
    /// The file to seal
    #[arg(value_name = "PATH", conflicts_with_all = ["record", "all", "types"],
          required_unless_present_any = ["record", "all", "types"])]
    path: Option<PathBuf>,
}

impl Seal {
    /// Whether it is records that are sealed.
    pub(crate) fn is_of_store(&self) -> bool {
        self.path.is_none()
    }

    pub(crate) fn own_keys(&self) -> (Option<&Path>, &pass_phrase::Source) {
        self.outgoing.own.given()
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let sealed = if let Some(path) = &self.path {
            let source = file(path)?;
            let ready = self.outgoing.ready(context, &source.name, "not described")?;
            ready.seal(context, source.content, source.bytes)?
        } else {
            let words = "FHIR R4 resources, one a line";
            records(&self.query, self.outgoing.ready(context, RECORDS, words)?, context)?
        };
        sealed.tell(context)?;
        Ok(Exit::Done)
    }
}

fn records(query: &Query, ready: Ready, context: &Context) -> Result<Sealed> {
    let author = context.author()?;
    let node = context.open_present()?;
    let mut spooling = Spooling::beside(ready.path())?;
    if query.write(&node, context.by(&author), &mut spooling)? == 0 {
        return Err(Fault::not_found("there is no such resource: nothing was sealed").into());
    }
    let spool = spooling.finish()?;
    let bytes = spool.size_bytes();
    ready.seal(context, spool, bytes)
}

/// What is sealed.
struct Source {
    name: String,
    content: File,
    bytes: u64,
}

fn file(path: &Path) -> Result<Source> {
    let shown = || Plain(&path.display().to_string()).to_string();
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Fault::not_found(format!("there is no {}", shown())).into(),
        _ => anyhow::Error::new(error).context(shown()),
    })?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(Fault::usage(format!("{} is not a file", shown())).into());
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Fault::usage("the file's name is not UTF-8"))?.to_owned();
    Ok(Source { name, content: file, bytes: about.len() })
}

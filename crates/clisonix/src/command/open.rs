//! `open`: the content of a share, after everything about it was verified, in a file or in the store.

use std::fs::File;
use std::io::{self, Read as _, Seek, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use clisonix_fhir::json::Value;
use clisonix_node::{Input, Node, Read, is_large};
use clisonix_pq::share::ledger::Way;
use clisonix_pq::share::{Arrived, Manifest, Opening};

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::new_file::NewFile;
use crate::progress::Progress;
use crate::sharing::{self, LedgerFile, OwnKeys, Trusted};
use crate::spool::{Spool, Spooling};
use crate::tally::Tally;

/// Options of `open`.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// The share
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write the content; `-` is stdout [default: the name that the sender gave it]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Take the content into the store as `import` does, instead of writing a file
    #[arg(long, conflicts_with = "out")]
    load: bool,
    /// With --load, the feed that it belongs to [default: `share:` and the sender's name for it]
    #[arg(long, value_name = "NAME", requires = "load")]
    feed: Option<String>,
    #[command(flatten)]
    trusted: Trusted,
    #[command(flatten)]
    own: OwnKeys,
}

impl Open {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let trust = self.trusted.load()?;
        let file = File::open(&self.file).with_context(|| self.file.display().to_string())?;
        // Nobody is asked for a pass-phrase by a share that is not to be trusted.
        let arrived = Arrived::start(file, &trust, sharing::now()?)?;
        let keys = self.own.named_by(&arrived, context)?;
        let opening = arrived.open(keys.recipient())?;
        if self.load {
            return load(opening, self.feed, context);
        }
        match self.out {
            Some(out) if out.as_os_str() == "-" => print(opening, context),
            out => write(opening, out, context),
        }
    }
}

fn print(opening: Opening<File>, context: &Context) -> Result<Exit> {
    let (ledger, _) = LedgerFile::open(context, opening.manifest().issuer)?;
    let mut out = io::stdout().lock();
    let manifest = opening.copy_to(&mut out)?;
    out.flush()?;
    ledger.append(Way::Received, &manifest)?;
    Ok(Exit::Done)
}

fn write(opening: Opening<File>, out: Option<PathBuf>, context: &Context) -> Result<Exit> {
    let (ledger, _) = LedgerFile::open(context, opening.manifest().issuer)?;
    let name = opening.about().name.clone();
    let path = match out {
        Some(out) => out,
        // A hidden file here could be one that other programs take orders from.
        None if name.starts_with('.') => {
            return Err(Fault::usage("the sender's name for it is hidden: give --out").into());
        }
        None => PathBuf::from(&name),
    };
    let mut new = NewFile::create(&path)?;
    let manifest = opening.copy_to(&mut new.file)?;
    ledger.append(Way::Received, &manifest)?;
    new.keep()?;
    let members = [("name", (&*name).into()), ("file", path.display().to_string().into())];
    sharing::tell(context, &manifest, members, sharing::file_line(&path))?;
    Ok(Exit::Done)
}

/// Takes the content in. It is spooled first: the store gets nothing of a share that is not whole.
fn load(opening: Opening<File>, feed: Option<String>, context: &Context) -> Result<Exit> {
    let author = context.author()?;
    let name = opening.about().name.clone();
    let feed = feed.unwrap_or_else(|| format!("share:{name}"));
    let node = context.open()?;
    let mut spooling = Spooling::beside(&context.directory()?.join("share"))?;
    let manifest = opening.copy_to(&mut spooling)?;
    let mut spool = spooling.finish()?;
    let (ledger, _) = LedgerFile::open(context, manifest.issuer)?;
    ledger.append(Way::Received, &manifest)?;
    let mut tally = Tally::new();
    let mut progress = Progress::new(1, spool.size_bytes());
    let mut taking = node.load(context.by(&author));
    let large = is_large(spool.size_bytes(), &mut spool)?;
    spool.rewind()?;
    if large {
        let told = &mut |taken: &_| tally.add(&name, taken, &mut progress);
        taking.take_large(&name, Some(&feed), &mut spool, told)?;
    } else {
        let taken = taking.take(&whole(&mut spool, &name, feed)?)?;
        tally.add(&name, &taken, &mut progress);
    }
    taking.finish().context("cannot make what was taken in durable")?;
    tally.file(spool.size_bytes());
    told(&manifest, &name, (tally, progress), &node, context)
}

/// A content that is small enough to be read at once.
fn whole(spool: &mut Spool, name: &str, feed: String) -> Result<Read> {
    let mut bytes = Vec::new();
    spool.read_to_end(&mut bytes)?;
    Ok(Read::new(Input { name: name.to_owned(), feed: Some(feed), bytes }))
}

fn told(
    manifest: &Manifest,
    name: &str,
    (mut tally, progress): (Tally, Progress),
    node: &Node,
    context: &Context,
) -> Result<Exit> {
    tally.quarantine(node.quarantine()?.len());
    progress.finish();
    let mut results = context.results();
    results.either(
        || {
            let mut object = sharing::object(manifest);
            object.insert("name", name);
            object.insert("loaded", tally.to_value());
            Value::Object(object)
        },
        |results| {
            sharing::print(manifest, results)?;
            tally.print(results)
        },
    )?;
    results.finish()?;
    Ok(tally.exit())
}

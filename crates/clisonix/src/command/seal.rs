//! `seal`: a signed share of a file, for named recipients and a purpose.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use clisonix_pq::share::ledger::Way;
use clisonix_pq::share::{Moment, Sealing, Terms, seal};
use clisonix_pq::{PublicRecipient, age};

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::keyring;
use crate::outside;
use crate::plain::Plain;
use crate::sharing::{self, LedgerFile, NewFile, OwnKeys};

/// Options of `seal`. The purpose is that of `--purpose`.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    /// A recipient: a public file that `clisonix keys export` wrote, or `age1pq1…`; may stand
    /// several times
    #[arg(long, value_name = "RECIPIENT", required = true)]
    to: Vec<String>,
    /// The last day it may be opened, such as 2027-03-31, a moment, or `none`
    #[arg(long, value_name = "DAY")]
    until: String,
    /// The consent or the legal basis
    #[arg(long, value_name = "WORDS")]
    basis: String,
    /// What it holds, in a few words that everyone may read
    #[arg(long, value_name = "WORDS", default_value = "not described")]
    content: String,
    /// The share to write [default: the file's name, then `.share`, here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Hide how many recipients there are
    #[arg(long)]
    hide_recipients: bool,
    /// Hide the exact size
    #[arg(long)]
    hide_size: bool,
    #[command(flatten)]
    own: OwnKeys,
    /// The file to seal
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

impl Seal {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let recipients = self.to.iter().map(|to| recipient(to)).collect::<Result<Vec<_>>>()?;
        let terms = self.terms(context)?;
        let source = file(&self.path)?;
        let keys = self.own.newest()?;
        let issuer = keys.identity();
        let (ledger, previous) = LedgerFile::open(context, issuer.public().fingerprint())?;
        let path = self.out.clone().unwrap_or_else(|| format!("{}.share", source.name).into());
        let new = NewFile::create(&path)?;
        let sealing = Sealing {
            issuer,
            recipients: &recipients,
            terms: Terms { previous, ..terms },
            name: &source.name,
            hide_recipients: self.hide_recipients,
            hide_size: self.hide_size,
        };
        let random = &mut outside::random;
        let manifest = seal(&sealing, source.content, source.bytes, &new.file, random)?;
        // Given is what the ledger says: the share has its name only after its line is written.
        ledger.append(Way::Given, &manifest)?;
        new.keep()?;
        let members = [("file", path.display().to_string().into())];
        sharing::tell(context, &manifest, members, sharing::file_line(&path))?;
        Ok(Exit::Done)
    }

    fn terms(&self, context: &Context) -> Result<Terms> {
        if context.purpose().is_empty() {
            return Err(Fault::usage("a purpose is needed: give --purpose").into());
        }
        let until = match &*self.until {
            "none" => None,
            day => Some(Moment::last_of_day(day).map_err(|error| Fault::usage(error.to_string()))?),
        };
        Ok(Terms {
            created: sharing::now()?,
            until,
            purpose: context.purpose().to_owned(),
            basis: self.basis.clone(),
            content: self.content.clone(),
            previous: None,
        })
    }
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

fn recipient(text: &str) -> Result<PublicRecipient> {
    if text.starts_with("age1pq1") {
        let recipient = age::recipient_from_text(text);
        return recipient.map_err(|error| Fault::usage(error.to_string()).into());
    }
    Ok(keyring::public_file(Path::new(text))?.recipient().clone())
}

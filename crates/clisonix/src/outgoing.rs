//! What every command that seals asks for: recipients, terms, own keys, and the file to write.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use clisonix_pq::share::ledger::Way;
use clisonix_pq::share::{Manifest, Moment, Sealing, Terms, seal};
use clisonix_pq::{Keys, PublicRecipient, age};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::exit::Fault;
use crate::keyring;
use crate::new_file::{NewFile, refuse_present};
use crate::outside;
use crate::sharing::{self, LedgerFile, OwnKeys};

/// Options of every command that seals. The purpose is that of `--purpose`.
#[derive(Debug, Args)]
pub(crate) struct Outgoing {
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
    #[arg(long, value_name = "WORDS")]
    content: Option<String>,
    /// The share to write [default: the content's name, then `.share`, here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Hide how many recipients there are
    #[arg(long)]
    hide_recipients: bool,
    /// Hide the exact size
    #[arg(long)]
    hide_size: bool,
    #[command(flatten)]
    pub(crate) own: OwnKeys,
}

/// All that is needed to seal, checked before the content is read.
pub(crate) struct Ready {
    recipients: Vec<PublicRecipient>,
    terms: Terms,
    name: String,
    path: PathBuf,
    hide_recipients: bool,
    hide_size: bool,
    keys: Keys,
    /// What the keys are wrapped under.
    pub(crate) pass_phrase: Zeroizing<Vec<u8>>,
}

/// A share that was written.
pub(crate) struct Sealed {
    pub(crate) manifest: Manifest,
    pub(crate) path: PathBuf,
}

impl Outgoing {
    /// Checks the options and unlocks the own keys. `name` is what recipients see of the content's
    /// name, `words` describe it unless `--content` does.
    pub(crate) fn ready(self, context: &Context, name: &str, words: &str) -> Result<Ready> {
        let recipients = self.to.iter().map(|to| recipient(to, context));
        let recipients = recipients.collect::<Result<Vec<_>>>()?;
        let terms = self.terms(context, words)?;
        let path = self.out.unwrap_or_else(|| format!("{name}.share").into());
        let path = context.path(&path);
        refuse_present(&path)?;
        let (keys, pass_phrase) = self.own.unlocked(context)?;
        Ok(Ready {
            recipients,
            terms,
            name: name.to_owned(),
            path,
            hide_recipients: self.hide_recipients,
            hide_size: self.hide_size,
            keys,
            pass_phrase,
        })
    }

    fn terms(&self, context: &Context, words: &str) -> Result<Terms> {
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
            content: self.content.clone().unwrap_or_else(|| words.to_owned()),
            previous: None,
        })
    }
}

impl Ready {
    /// The share's file, for what has to lie beside it meanwhile.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Seals the content, of exactly so many bytes, and writes the line of the ledger.
    pub(crate) fn seal(self, context: &Context, source: impl Read, bytes: u64) -> Result<Sealed> {
        let issuer = self.keys.identity();
        let (ledger, previous) = LedgerFile::open(context, issuer.public().fingerprint())?;
        let new = NewFile::create(&self.path)?;
        let sealing = Sealing {
            issuer,
            recipients: &self.recipients,
            terms: Terms { previous, ..self.terms },
            name: &self.name,
            hide_recipients: self.hide_recipients,
            hide_size: self.hide_size,
        };
        let manifest = seal(&sealing, source, bytes, &new.file, &mut outside::random)?;
        // Given is what the ledger says: the share has its name only after its line is written.
        ledger.append(Way::Given, &manifest)?;
        new.keep()?;
        Ok(Sealed { manifest, path: self.path })
    }
}

impl Sealed {
    /// Tells the manifest and the file.
    pub(crate) fn tell(&self, context: &Context) -> Result<()> {
        let members = [("file", self.path.display().to_string().into())];
        sharing::tell(context, &self.manifest, members, sharing::file_line(&self.path))
    }
}

fn recipient(text: &str, context: &Context) -> Result<PublicRecipient> {
    if text.starts_with("age1pq1") {
        let recipient = age::recipient_from_text(text);
        return recipient.map_err(|error| Fault::usage(error.to_string()).into());
    }
    Ok(keyring::public_file(&context.path(Path::new(text)))?.recipient().clone())
}

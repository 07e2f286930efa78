//! `open`: the content of a share, after everything about it was verified.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use clisonix_pq::share::ledger::Way;
use clisonix_pq::share::{Opening, stated};

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::sharing::{self, LedgerFile, NewFile, OwnKeys, Trusted};

/// Options of `open`.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// The share
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write the content; `-` is stdout [default: the name that the sender gave it]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    trusted: Trusted,
    #[command(flatten)]
    own: OwnKeys,
}

impl Open {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let trust = self.trusted.load()?;
        let open = || File::open(&self.file).with_context(|| self.file.display().to_string());
        // Only to choose the key; nothing of it is believed before the signature is verified.
        let keys = self.own.named_by(&stated(open()?)?)?;
        let opening = Opening::start(open()?, &trust, keys.recipient(), sharing::now()?)?;
        let manifest = opening.manifest().clone();
        let (ledger, _) = LedgerFile::open(context, manifest.issuer)?;
        let name = opening.about().name.clone();
        if self.out.as_deref().is_some_and(|out| out.as_os_str() == "-") {
            let mut out = io::stdout().lock();
            opening.copy_to(&mut out)?;
            out.flush()?;
            ledger.append(Way::Received, &manifest)?;
            return Ok(Exit::Done);
        }
        let path = match self.out {
            Some(out) => out,
            // A hidden file here could be one that other programs take orders from.
            None if name.starts_with('.') => {
                return Err(Fault::usage("the sender's name for it is hidden: give --out").into());
            }
            None => PathBuf::from(&name),
        };
        let mut new = NewFile::create(&path)?;
        opening.copy_to(&mut new.file)?;
        ledger.append(Way::Received, &manifest)?;
        new.keep()?;
        let members = [("name", (&*name).into()), ("file", path.display().to_string().into())];
        sharing::tell(context, &manifest, members, sharing::file_line(&path))?;
        Ok(Exit::Done)
    }
}

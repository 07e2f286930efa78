//! `shares`: the ledger of shares given and received, and taking a share back.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use clisonix_fhir::json::Value;
use clisonix_node::Outside;
use clisonix_pq::Withdrawal;
use clisonix_pq::share::ShareId;
use clisonix_pq::share::ledger::Way;

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::new_file::{NewFile, refuse_present};
use crate::outside::{self, System};
use crate::plain::Plain;
use crate::results::Results;
use crate::sharing::{self, LedgerFile, OwnKeys};

/// Options of `shares`.
#[derive(Debug, Args)]
pub(crate) struct Shares {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what was given, received and taken back, oldest first, after checking the ledger's chain
    List,
    /// Take back a share that was given: a signed statement for its recipients
    Withdraw(Withdraw),
}

/// Options of `shares withdraw`.
#[derive(Debug, Args)]
struct Withdraw {
    /// The share, as `shares list` names it
    #[arg(value_name = "SHARE")]
    share: ShareId,
    /// The statement to write, for all who have the share [default: the share's name, then
    /// `.withdrawal`, here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    own: OwnKeys,
}

impl Shares {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let mut results = context.results();
        match self.action {
            Action::List => list(context, &mut results)?,
            Action::Withdraw(withdraw) => withdraw.run(context, &mut results)?,
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

fn list(context: &Context, results: &mut Results) -> Result<()> {
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
                results.line(format_args!("{}  {way:<9}  {}  {purpose}", entry.at, manifest.share))
            },
        )?;
    }
    Ok(())
}

impl Withdraw {
    fn run(self, context: &Context, results: &mut Results) -> Result<()> {
        let share = self.share;
        let of_this: Vec<_> =
            sharing::ledger(context)?.into_iter().filter(|it| it.manifest.share == share).collect();
        let given = of_this.iter().find(|entry| entry.way == Way::Given);
        let given = given.ok_or_else(|| Fault::not_found("no such share was given"))?;
        if of_this.iter().any(|entry| entry.way == Way::Withdrawn) {
            return Err(Fault::usage("this share was taken back already").into());
        }
        let path = self.out.unwrap_or_else(|| format!("{share}.withdrawal").into());
        refuse_present(&path)?;
        let manifest = &given.manifest;
        let keys = self.own.signed_by(manifest.issuer, context)?;
        let random = &mut outside::random;
        let statement = Withdrawal::sign(keys.identity(), share, System.now_ms(), random);
        let (ledger, _) = LedgerFile::open(context, manifest.issuer)?;
        let mut new = NewFile::create(&path)?;
        new.file.write_all(statement.to_text().as_bytes())?;
        ledger.append(Way::Withdrawn, manifest)?;
        new.keep()?;
        let shown = path.display().to_string();
        Ok(results.either(
            || {
                let mut object = sharing::object(manifest);
                object.insert("way", Way::Withdrawn.name());
                object.insert("file", &*shown);
                Value::Object(object)
            },
            |results| {
                results.line(format_args!("share {share} is withdrawn"))?;
                results.line(format_args!("  statement     {}", Plain(&shown)))?;
                results.line("hand it to the recipients: it counts where they have it")
            },
        )?)
    }
}

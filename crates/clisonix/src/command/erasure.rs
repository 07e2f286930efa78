//! `erasure`: orders to erase that were given and that came, other sites' orders carried out, and
//! receipts checked.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use clisonix_fhir::json::{Object, Value};
use clisonix_pq::erasure::{Order, Receipt};
use clisonix_pq::{FormError, PublicKeys};

use crate::context::Context;
use crate::exit::Exit;
use crate::keyring;
use crate::new_file::{refuse_present, write_new};
use crate::outside;
use crate::pass_phrase::Source;
use crate::plain::hexadecimal;
use crate::results::Results;
use crate::sharing::OwnKeys;

pub(crate) mod orders;

/// Options of `erasure`.
#[derive(Debug, clap::Args)]
pub(crate) struct Erasure {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the orders that this site gave and that came to it, and what sites have signed about them
    List,
    /// Carry out an order that came over a link and waits for a person
    Accept {
        /// The order, by the beginning of its id
        #[arg(value_name = "ID")]
        order: String,
    },
    /// Refuse an order that came over a link and waits for a person
    Refuse {
        /// The order, by the beginning of its id
        #[arg(value_name = "ID")]
        order: String,
    },
    /// Carry out another site's order to erase, and write a signed receipt
    CarryOut {
        /// The order
        order: PathBuf,
        /// The public file of the site that gave it
        #[arg(long, value_name = "PUBLIC")]
        from: PathBuf,
        /// Where the receipt goes
        #[arg(long, value_name = "FILE")]
        receipt: PathBuf,
        #[command(flatten)]
        keys: OwnKeys,
    },
    /// Check that a receipt is signed, and for which order
    Check {
        /// The receipt
        receipt: PathBuf,
        /// The public file of the site that signed it
        #[arg(long, value_name = "PUBLIC")]
        from: PathBuf,
        /// The order
        #[arg(long, value_name = "FILE")]
        order: PathBuf,
        /// The public file of the site that gave the order
        #[arg(long, value_name = "PUBLIC")]
        by: PathBuf,
    },
}

impl Erasure {
    /// Whether the store is needed.
    pub(crate) fn is_of_store(&self) -> bool {
        !matches!(self.action, Action::Check { .. })
    }

    pub(crate) fn own_keys(&self) -> Option<(Option<&Path>, &Source)> {
        match &self.action {
            Action::CarryOut { keys, .. } => Some(keys.given()),
            _ => None,
        }
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let receipt = match self.action {
            Action::List => return orders::list(context),
            Action::Accept { order } => return orders::decide(&order, true, context),
            Action::Refuse { order } => return orders::decide(&order, false, context),
            Action::CarryOut { order, from, receipt, keys } => {
                carry_out((&order, &from), &receipt, &keys, context)?
            }
            Action::Check { receipt, from, order, by } => check((&receipt, &from), (&order, &by))?,
        };
        let mut results = context.results();
        told(&receipt, &mut results)?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

fn carry_out(
    (path, from): (&Path, &Path),
    out: &Path,
    keys: &OwnKeys,
    context: &Context,
) -> Result<Receipt> {
    let author = context.author()?;
    let out = &context.path(out);
    refuse_present(out)?;
    let order = order(&context.path(path), &keyring::public_file(&context.path(from))?)?;
    let (keys, _) = keys.unlocked(context)?;
    let terms = context.open_present()?.carry_out(&order, context.by(&author))?;
    let receipt = Receipt::sign(terms, keys.identity(), &mut outside::random)?;
    write_new(out, receipt.to_text())?;
    Ok(receipt)
}

fn check((path, from): (&Path, &Path), (order_path, by): (&Path, &Path)) -> Result<Receipt> {
    let order = order(order_path, &keyring::public_file(by)?)?;
    let site = keyring::public_file(from)?;
    let receipt = Receipt::from_text(&keyring::form(path)?, site.identity());
    let receipt = receipt.with_context(|| path.display().to_string())?;
    if receipt.answers(&order) {
        return Ok(receipt);
    }
    let about = format!("{} is for another order", path.display());
    Err(anyhow::Error::new(FormError::OtherKey).context(about))
}

fn order(path: &Path, issuer: &PublicKeys) -> Result<Order> {
    let text = keyring::form(path)?;
    Order::from_text(&text, issuer.identity()).with_context(|| path.display().to_string())
}

fn told(receipt: &Receipt, results: &mut Results) -> Result<()> {
    let terms = receipt.terms();
    let json = || {
        let mut object = Object::new();
        object.insert("record", terms.record.as_str());
        object.insert("change", hexadecimal(&terms.change));
        object.insert("done", terms.done.name());
        object.insert("vault_generation", terms.generation);
        object.insert("inputs_destroyed", terms.inputs_destroyed);
        object.insert("inputs_kept", terms.inputs_kept);
        object.insert("site", receipt.site().hexadecimal());
        Value::Object(object)
    };
    Ok(results.either(json, |results| {
        let what = orders::words(terms.done);
        results.line(format_args!("the record {}: {what}", terms.record))?;
        let (destroyed, kept) = (terms.inputs_destroyed, terms.inputs_kept);
        results.line(format_args!("  inputs        {destroyed} destroyed, {kept} kept"))?;
        results.line(format_args!("  signed by     {}", receipt.site()))
    })?)
}

//! `tide`: how the exchange with the peers stands.

mod bundles;
mod code;
mod scrub;
mod status;
mod verify;

use anyhow::Result;
use clap::{Args, Subcommand};
use clisonix_fhir::json::{Object, Value};

use crate::context::Context;
use crate::exit::Exit;
use crate::site_keys::SiteKeys;

/// Options of `tide`.
#[derive(Debug, Args)]
pub(crate) struct Tide {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show for each peer whether there is a link, since when both hold the same, what is missing,
    /// and what went wrong last
    Status {
        #[command(flatten)]
        site: SiteKeys,
    },
    /// Write records for a peer to a sealed file, where there is no line between the two sites
    Export(bundles::Export),
    /// Take in a file that a peer exported for this site
    Import(bundles::Import),
    /// Check every receipt, of peers and of this site, and the whole store with its chains
    Verify {
        #[command(flatten)]
        site: SiteKeys,
    },
    /// Make and hash everything again from the logs, and name each record that is not as it was
    /// signed; goes on past damage
    Scrub {
        /// Give up what is not back of this record, whose log was damaged: what was put aside of it is
        /// destroyed
        #[arg(long, value_name = "PATIENT")]
        give_up: Option<String>,
    },
    /// A digest of everything that this site holds
    #[command(hide = true)]
    Digest,
    /// Have the serving process open a code, and wait until somebody came with it
    #[command(hide = true)]
    Code(code::Code),
    /// Have the serving process read the list of peers again
    #[command(hide = true)]
    Peers,
}

impl Tide {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        match self.action {
            Action::Status { site } => status::run(&site, context),
            Action::Export(export) => export.run(context),
            Action::Import(import) => import.run(context),
            Action::Verify { site } => verify::run(&site, context),
            Action::Scrub { give_up: None } => scrub::run(context),
            Action::Scrub { give_up: Some(patient) } => scrub::give_up(&patient, context),
            Action::Digest => digest(context),
            Action::Code(code) => code.run(context),
            Action::Peers => {
                if let Some(service) = context.service() {
                    service.read_peers(true)?;
                }
                Ok(Exit::Done)
            }
        }
    }
}

/// Prints a digest that is the same at two sites that hold the same.
fn digest(context: &Context) -> Result<Exit> {
    let digest = context.open_present()?.digest()?;
    let mut results = context.results();
    results.either(
        || {
            let mut object = Object::new();
            object.insert("digest", digest.as_str());
            Value::Object(object)
        },
        |results| results.line(&digest),
    )?;
    results.finish()?;
    Ok(Exit::Done)
}

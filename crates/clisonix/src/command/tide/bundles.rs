//! `tide export` and `tide import`: records in a sealed file, between sites without a line.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::{By, Node, NodeReplica};
use clisonix_pq::link::Membership;
use clisonix_pq::share::ledger::Way;
use clisonix_pq::share::{Arrived, Sealing, Terms, Trust, seal};
use clisonix_pq::{Keys, PublicRecipient};
use clisonix_server::{Home as _, NodeHome};
use clisonix_tide::Replica as _;

use crate::bundle;
use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::new_file::NewFile;
use crate::outside;
use crate::peers::PeerFolder;
use crate::plain::Plain;
use crate::service::Service;
use crate::sharing::{self, LedgerFile};
use crate::site_keys::{self, SiteKeys};
use crate::spool::Spooling;

/// What recipients see as the content's name.
const NAME: &str = "records.tide";

/// As whom what was damaged is put back.
const REPAIR: By<'static> = By { author: "clisonix tide import", purpose: "repair" };

/// Options of `tide export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The peer, by its name or the beginning of its fingerprint
    #[arg(long = "for", value_name = "PEER")]
    peer: String,
    /// Only records of which something arrived after this arrival, as an earlier export told it
    #[arg(long, value_name = "NUMBER")]
    since: Option<u64>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    site: SiteKeys,
}

/// Options of `tide import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// A file that a peer exported for this site
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    site: SiteKeys,
}

/// The keys of this site: those of the serving process, or unlocked for this once.
enum Own<'a> {
    Service(&'a Service),
    Unlocked(Box<Keys>, PeerFolder),
}

impl<'a> Own<'a> {
    fn of(context: &'a Context, site: &SiteKeys) -> Result<Self> {
        if let Some(service) = context.service() {
            return Ok(Self::Service(service));
        }
        let (entry, keys) = site.unlocked()?;
        Ok(Self::Unlocked(Box::new(keys), PeerFolder::of(&entry)))
    }

    fn keys(&self) -> &Keys {
        match self {
            Self::Service(service) => service.keys(),
            Self::Unlocked(keys, _) => keys,
        }
    }

    fn peers(&self) -> &PeerFolder {
        match self {
            Self::Service(service) => service.peers(),
            Self::Unlocked(_, peers) => peers,
        }
    }

    /// Makes a node that this process has opened know who signs here, and whose changes are taken.
    fn home(&self, node: &std::sync::Arc<Node>) -> Result<NodeHome> {
        let author = site_keys::author(self.keys())?;
        let mut home = NodeHome::new(std::sync::Arc::clone(node), author.known().clone());
        if let Self::Unlocked(_, peers) = self {
            node.sign_as(author)?;
            home.admit(&peers.load()?.members())?;
        }
        Ok(home)
    }
}

impl Export {
    pub(super) fn run(self, context: &Context) -> Result<Exit> {
        let own = Own::of(context, &self.site)?;
        let admission = own.peers().find(&self.peer)?;
        if admission.membership() != Membership::Admitted {
            return Err(Fault::usage("this peer is revoked").into());
        }
        let invitation = admission.invitation();
        let recipient = invitation.keys().recipient().clone();
        let node = context.open_present()?;
        let home = own.home(&node)?;
        let replica = NodeReplica::new(std::sync::Arc::clone(&node), invitation.fingerprint());
        let upto = replica.arrival();
        let mut records = match self.since {
            None => node.record_ids()?,
            Some(since) => since_then(&home, since)?,
        };
        let scope = home.scope(invitation.fingerprint());
        records.retain(|record| scope.may_hold(record));

        let path = context.path(&self.out);
        let new = NewFile::create(&path)?;
        let mut spooling = Spooling::beside(&path)?;
        let count = bundle::write(&replica, &records, &mut spooling)?;
        // Who was given a record is told when it is erased.
        for record in &records {
            node.note_given(invitation.fingerprint(), record)?;
        }
        node.keep_audit()?;
        let mut spool = spooling.finish()?;
        let bytes = spool.size_bytes();
        let issuer = own.keys().identity();
        let (ledger, previous) = LedgerFile::open(context, issuer.public().fingerprint())?;
        let sealing = sealing(own.keys(), std::slice::from_ref(&recipient), previous)?;
        let manifest = seal(&sealing, &mut spool, bytes, &new.file, &mut outside::random)?;
        ledger.append(Way::Given, &manifest)?;
        new.keep()?;
        let name = Plain(&invitation.about().name).to_string();
        let line = format!("{count} records for {name}; go on with --since {upto} next time");
        told(context, &line, [("records", count), ("upto", upto)])
    }
}

impl Import {
    pub(super) fn run(self, context: &Context) -> Result<Exit> {
        let own = Own::of(context, &self.site)?;
        let mut trust = Trust::nobody();
        for admission in own.peers().load()?.admitted() {
            trust.accept(admission.invitation().keys().identity().clone());
        }
        let path = context.path(&self.file);
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        let arrived = Arrived::start(file, &trust, sharing::now()?)?;
        let from = arrived.manifest().issuer;
        let opening = arrived.open(own.keys().recipient())?;
        let node = context.open()?;
        let _home = own.home(&node)?;
        // Nothing is taken in of a file that is not whole.
        let mut spooling = Spooling::beside(&context.directory()?.join("bundle"))?;
        let manifest = opening.copy_to(&mut spooling)?;
        let mut spool = spooling.finish()?;
        let (ledger, _) = LedgerFile::open(context, from)?;
        ledger.append(Way::Received, &manifest)?;
        let mut replica = NodeReplica::new(std::sync::Arc::clone(&node), from);
        let taken = bundle::take_in(&mut replica, &mut spool, from)?;
        node.mend(REPAIR)?;
        let line = format!("{} records, of which {} were refused", taken.records, taken.refused);
        told(context, &line, [("records", taken.records), ("refused", taken.refused)])?;
        Ok(if taken.refused == 0 { Exit::Done } else { Exit::Rejected })
    }
}

/// The records of which something arrived after an arrival.
fn since_then(home: &NodeHome, since: u64) -> Result<Vec<String>> {
    let (mut after, mut records) = (since, Vec::new());
    loop {
        let news = home.arrived_since(after)?;
        if news.upto <= after {
            records.sort();
            records.dedup();
            return Ok(records);
        }
        after = news.upto;
        records.extend(news.records.into_iter().map(|(record, _)| record));
    }
}

fn sealing<'a>(
    keys: &'a Keys,
    recipients: &'a [PublicRecipient],
    previous: Option<[u8; 32]>,
) -> Result<Sealing<'a>> {
    Ok(Sealing {
        issuer: keys.identity(),
        recipients,
        terms: Terms {
            created: sharing::now()?,
            until: None,
            purpose: "replication".to_owned(),
            basis: "exchange between admitted sites".to_owned(),
            content: "signed records for a site".to_owned(),
            previous,
        },
        name: NAME,
        hide_recipients: false,
        hide_size: true,
    })
}

fn told(context: &Context, line: &str, figures: [(&str, u64); 2]) -> Result<Exit> {
    let mut results = context.results();
    results.either(
        || {
            let mut object = Object::new();
            for (name, figure) in figures {
                object.insert(name, figure);
            }
            Value::Object(object)
        },
        |results| results.line(line),
    )?;
    results.finish()?;
    Ok(Exit::Done)
}

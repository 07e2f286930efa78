//! A node as the demo sees it: one replica behind its public face.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clisonix_demo::export::horizon;
use clisonix_demo::site::{By as DemoBy, Imported, Outcome, Site};
use clisonix_fhir::json::{self, Value};
use clisonix_node::{By, Node, NodeError, ReadVersion};

use crate::files;
use crate::outside::SetClock;
use crate::pipeline::{Order, take_in};
use crate::progress::Quiet;
use crate::store_keys::StoreKeys;
use crate::tally::Tally;

/// Who the demo itself is, where it reads and exchanges.
const DEMO: By<'static> = By { author: "demo", purpose: "demo" };

/// One site with a data directory of its own and a clock that shows its authors' time.
pub(crate) struct Replica {
    node: Node,
    clock: SetClock,
}

/// Why a replica failed.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(crate) struct Failed(anyhow::Error);

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self(error)
    }
}

impl From<NodeError> for Failed {
    fn from(error: NodeError) -> Self {
        Self(error.into())
    }
}

impl Replica {
    /// A replica whose store is encrypted under a key in the folder `store_keys`.
    pub(crate) fn new(data: &Path, store_keys: &Path) -> Result<Self> {
        let clock = SetClock::default();
        // The files were all sent before the clinicians begin.
        clock.set(u64::try_from(horizon().0).unwrap_or_default());
        let keys = StoreKeys::within(store_keys.to_owned()).quietly_fresh()?;
        let node = Node::open_encrypted(data, keys, Box::new(clock.clone()))?;
        Ok(Self { node, clock })
    }

    fn take_in(&self, directory: &Path) -> Result<Imported> {
        let mut tally = Tally::new();
        let files = files::find(&[directory.to_owned()])?;
        let order = Order { node: &self.node, by: DEMO, feed: None, files: &files };
        take_in(&order, &mut tally, &mut Quiet)?;
        Ok(Imported {
            messages: tally.messages(),
            resources: tally.resources(),
            rejected: tally.rejected(),
        })
    }

    fn bundle(&self, patient: &str) -> Result<Value> {
        let record = self.node.record_text(patient, DEMO)?;
        json::parse(record.bundle.as_bytes()).context("a record does not read as JSON")
    }

    fn record_of(&self, entry: &str) -> Result<String> {
        Ok(self.node.record_of(entry)?.ok_or(NodeError::NotFound("entry"))?)
    }

    fn write(&self, patient: &str, by: DemoBy<'_>, resource: &Value) -> Result<Outcome> {
        self.clock.set(by.time_ms);
        self.node.edit(patient, resource, ReadVersion::FromResource, author(by))?;
        Ok(Outcome::Accepted)
    }

    /// Hands `other` what it lacks of a record.
    fn send(&self, other: &Self, record: &str) -> Result<()> {
        let (here, there) = (self.node.heads(record)?, other.node.heads(record)?);
        if here.is_empty() || here == there {
            return Ok(());
        }
        let (key, changes) = self.node.changes_since(record, &there, DEMO)?;
        let refused = other.node.receive(record, &key, &changes, DEMO)?.refused;
        ensure!(refused.is_empty(), "{} changes of a record were refused", refused.len());
        Ok(())
    }
}

impl Site for Replica {
    type Error = Failed;

    fn import(&mut self, directory: &Path) -> Result<Imported, Failed> {
        Ok(self.take_in(directory)?)
    }

    fn patients(&mut self) -> Result<Vec<String>, Failed> {
        Ok(self.node.patients()?.into_iter().map(|patient| patient.record).collect())
    }

    fn record(&mut self, patient: &str) -> Result<Value, Failed> {
        Ok(self.bundle(patient)?)
    }

    fn conflicts(&mut self, patient: &str) -> Result<Vec<Value>, Failed> {
        Ok(self.node.conflicts(Some(patient), DEMO)?)
    }

    fn read(&mut self, entry: &str) -> Result<Option<Value>, Failed> {
        Ok(self.node.entry(entry, DEMO)?)
    }

    fn create(&mut self, patient: &str, by: DemoBy<'_>, new: &Value) -> Result<Outcome, Failed> {
        Ok(self.write(patient, by, new)?)
    }

    fn edit(&mut self, by: DemoBy<'_>, resource: &Value) -> Result<Outcome, Failed> {
        let text = |name| resource.get(name).and_then(Value::as_str).unwrap_or_default();
        let record = self.record_of(&format!("{}/{}", text("resourceType"), text("id")))?;
        Ok(self.write(&record, by, resource)?)
    }

    fn remove(
        &mut self,
        by: DemoBy<'_>,
        entry: &str,
        version: Option<&str>,
    ) -> Result<Outcome, Failed> {
        self.clock.set(by.time_ms);
        self.node.remove(entry, version, author(by))?;
        Ok(Outcome::Accepted)
    }

    fn exchange(&mut self, other: &mut Self) -> Result<(), Failed> {
        let mut records: BTreeSet<String> = self.node.record_ids()?.into_iter().collect();
        records.extend(other.node.record_ids()?);
        for record in &records {
            self.send(other, record)?;
            other.send(self, record)?;
        }
        Ok(())
    }

    fn digest(&mut self) -> Result<String, Failed> {
        Ok(self.node.digest()?)
    }
}

fn author(by: DemoBy<'_>) -> By<'_> {
    By { author: by.author, purpose: DEMO.purpose }
}

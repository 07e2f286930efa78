//! This project's merge layer, through its public interface: a Patient is a
//! record with one entry, a Bundle a record with several.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clisonix_crdt::{
    ActorId, ActorSecret, Base, ChangeId, EntryId, Erasure, HybridTime, Link, LogSource, Origin,
    Record,
};
use clisonix_fhir::json::{self, Object, Value as Tree};
use serde_json::Value;

use super::Engine;
use crate::op::{Op, Step};

/// The engine.
pub struct Clisonix;

/// A record and what its writer needs.
pub struct Replica {
    record: Record,
    site: u64,
    /// Actors handed out so far.
    actors: u64,
    /// What this site says to all others.
    out: Link,
    /// What the others say, by site.
    into: BTreeMap<u8, Link>,
    /// The Patient, once it was looked for.
    patient: Option<EntryId>,
}

impl Replica {
    fn new(record: Record, site: u64) -> Self {
        Self { record, site, actors: 0, out: Link::new(), into: BTreeMap::new(), patient: None }
    }
}

impl Replica {
    /// The record as a store keeps it: its state, and a file with its log.
    pub fn store(&self) -> Result<(Vec<u8>, LogFile)> {
        let name = format!("clisonix-bench-{}.log", std::process::id());
        let log = LogFile(std::env::temp_dir().join(name));
        std::fs::write(&log.0, self.record.segment(0))?;
        Ok((self.record.save_state(), log))
    }

    /// The replica of a stored record; the log is read when something asks for it.
    pub fn of_store(state: &[u8], log: LogFile) -> Result<Self> {
        Ok(Self::new(Record::load_state(state, Arc::new(log))?, 9))
    }
}

/// A log on disk, for as long as the record is in use.
#[derive(Debug)]
pub struct LogFile(PathBuf);

impl Drop for LogFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl LogSource for LogFile {
    fn segments(&self) -> Option<Vec<Vec<u8>>> {
        Some(vec![std::fs::read(&self.0).ok()?])
    }
}

impl Engine for Clisonix {
    type Doc = Replica;
    type Mark = Vec<ChangeId>;

    const NAME: &'static str = "clisonix";

    fn create(text: &str, site: u64) -> Result<Replica> {
        let mut replica = Replica::new(Record::new("bench"), site);
        let tree = json::parse(text.as_bytes())?;
        let resources = resources(&tree)?;
        replica.write(|record, origin, actors| {
            Ok(record.write(&resources, &Base::Assertion, origin, actors)?)
        })?;
        Ok(replica)
    }

    fn load(bytes: &[u8], site: u64) -> Result<Replica> {
        Ok(Replica::new(Record::load(bytes)?, site))
    }

    fn save(replica: &mut Replica) -> Result<Vec<u8>> {
        Ok(replica.record.save())
    }

    fn read(replica: &mut Replica) -> Result<String> {
        let view = replica.record.view();
        let mut entries = view.entries();
        match (entries.next(), entries.next()) {
            (Some(only), None) if is_patient(only) => {
                view.resource_text(only).context("no resource")
            }
            _ => Ok(view.bundle_text()),
        }
    }

    fn apply(replica: &mut Replica, ops: &[Op]) -> Result<Vec<u8>> {
        let first = replica.record.change_count();
        for op in ops {
            replica.set(op)?;
        }
        let mut message = replica.out.write(&replica.record, first);
        // The sender's number stands for the connection that the message comes over.
        message.insert(0, replica.site as u8);
        Ok(message)
    }

    fn mark(replica: &mut Replica) -> Vec<ChangeId> {
        replica.record.view().heads()
    }

    fn batch(replica: &mut Replica, since: &Vec<ChangeId>) -> Result<Vec<u8>> {
        Ok(replica.record.changes_since(since))
    }

    fn merge(replica: &mut Replica, message: &[u8]) -> Result<()> {
        if message.starts_with(b"CXB") {
            let received = replica.record.receive(message)?;
            return if received.refused.is_empty() {
                Ok(())
            } else {
                bail!("a change was refused")
            };
        }
        let (site, message) = message.split_first().context("an empty message")?;
        let message = replica.into.entry(*site).or_default().read(message)?;
        let received = replica.record.receive_message(message)?;
        if received.refused.is_empty() { Ok(()) } else { bail!("a change was refused") }
    }

    fn rewrite(replica: &mut Replica, _before: &Value, after: &Value) -> Result<()> {
        let tree = json::parse(after.to_string().as_bytes())?;
        let resources = resources(&tree)?;
        replica.write(|record, origin, actors| {
            Ok(record.edit_all(&resources, &Base::Current, origin, actors)?)
        })?;
        Ok(())
    }

    fn shows_conflict(replica: &mut Replica) -> Result<bool> {
        Ok(!replica.record.view().conflicts().is_empty())
    }

    /// A value and its correction, erased at one site and carried to another.
    fn erases() -> Result<bool> {
        let mut here = Self::create(r#"{"resourceType":"Patient","id":"p1","active":true}"#, 1)?;
        let path = vec![Step::Key("birthDate".to_owned())];
        for date in ["1931-07-18", "1931-07-19"] {
            Self::apply(&mut here, &[Op::Set(path.clone(), Value::from(date))])?;
        }
        let mut there = Self::load(&Self::save(&mut here)?, 2)?;
        let (before, since) = (ids(&here.record), Self::mark(&mut here));
        let entry = here.patient.clone().context("no Patient")?;
        here.write(|record, origin, actors| {
            let what = Erasure::Value { entry: &entry, pointer: "/birthDate" };
            Ok(record.erase(&what, &Base::Current, "bench", origin, actors)?)
        })?;
        let message = Self::batch(&mut here, &since)?;
        Self::merge(&mut there, &message)?;
        Ok([&here.record, &there.record].into_iter().all(|record| {
            record.is_sound()
                && ids(record).starts_with(&before)
                && leavings(record).iter().all(|left| !holds(left, b"1931-07-1"))
        }))
    }
}

type Actors<'a> = dyn FnMut() -> (ActorId, ActorSecret) + 'a;

impl Replica {
    fn set(&mut self, op: &Op) -> Result<()> {
        let Op::Set(path, value) = op else { bail!("edits of a Patient set members") };
        let mut pointer = String::with_capacity(64);
        for step in path {
            // Writing to a `String` cannot fail.
            match step {
                Step::Key(key) => pointer.extend(["/", key]),
                Step::Index(index) => drop(write!(pointer, "/{index}")),
            }
        }
        let value = match value {
            Value::String(text) => Tree::from(text.as_str()),
            Value::Bool(bool) => Tree::from(*bool),
            other => json::parse(other.to_string().as_bytes())?,
        };
        let id = match self.patient.take() {
            Some(id) => id,
            None => {
                let view = self.record.view();
                view.entries().find(|id| is_patient(id)).context("no Patient")?.clone()
            }
        };
        self.write(
            |record, origin, actors| Ok(record.set(&id, &pointer, &value, origin, actors)?),
        )?;
        self.patient = Some(id);
        Ok(())
    }

    fn write<T>(
        &mut self,
        edit: impl FnOnce(&mut Record, &Origin<'_>, &mut &mut Actors<'_>) -> Result<T>,
    ) -> Result<T> {
        let (site, count) = (self.site, &mut self.actors);
        let mut fresh = || {
            *count += 1;
            let mut id = [0; 16];
            id[..8].copy_from_slice(&site.to_be_bytes());
            id[8..].copy_from_slice(&count.to_be_bytes());
            let mut secret = [7; 32];
            secret[..16].copy_from_slice(&id);
            (ActorId(id), ActorSecret(secret))
        };
        let time: HybridTime = self.record.latest_time().tick(1_790_000_000_000);
        let origin = Origin { author: "clinician", time, source: None };
        let mut actors: &mut Actors<'_> = &mut fresh;
        edit(&mut self.record, &origin, &mut actors)
    }
}

fn ids(record: &Record) -> Vec<ChangeId> {
    record.history(None).into_iter().map(|change| change.id).collect()
}

/// State, every change and every version, as bytes that are not compressed.
fn leavings(record: &Record) -> Vec<Vec<u8>> {
    let versions = ids(record).into_iter().flat_map(|id| {
        let version = record.at(&[id]).ok();
        let text = version.map(|version| record.view_of(&version).bundle_text().into_bytes());
        text.into_iter().chain(record.change(&id))
    });
    std::iter::once(record.state_bytes()).chain(versions).collect()
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn is_patient(id: &EntryId) -> bool {
    id.ty.definition().name == "Patient"
}

/// The resources of a Bundle, or the one resource.
fn resources(tree: &Tree) -> Result<Vec<&Object>> {
    let entries = match tree.get("entry").and_then(Tree::as_array) {
        Some(entries) => entries.iter().map(|entry| entry.get("resource")).collect(),
        None => vec![Some(tree)],
    };
    let objects = entries.into_iter().map(|entry| entry.and_then(Tree::as_object));
    objects.collect::<Option<_>>().context("an entry without a resource")
}

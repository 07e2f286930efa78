//! The text cell of one of this project's records: a note that is typed in, one change a commit.

use anyhow::{Context, Result, ensure};
use clisonix_crdt::text::TextEdits;
use clisonix_crdt::{ActorId, ActorSecret, ActorSource, Base, EntryId, HybridTime, Origin, Record};
use clisonix_fhir::json;
use clisonix_fhir::schema::resource_named;

use super::Engine;
use crate::trace::Patch;

/// The engine.
pub struct Noted;

/// A record with one note, and who writes at this replica.
pub struct Replica {
    record: Record,
    entry: EntryId,
    actors: Actors,
    time: u64,
}

/// The actors of one site.
struct Actors {
    site: u8,
    drawn: u8,
}

impl ActorSource for Actors {
    fn fresh(&mut self) -> (ActorId, ActorSecret) {
        self.drawn += 1;
        let mut id = [self.drawn; 16];
        id[0] = self.site;
        (ActorId(id), ActorSecret([self.drawn ^ self.site; 32]))
    }
}

const NOTE: &str = "/note/0/text";
const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"course"},"note":[{"text":""}]}"#;

impl Replica {
    fn new(record: Record, site: usize) -> Result<Self> {
        let ty = resource_named("Observation").context("a resource type")?;
        let entry = EntryId { ty, id: "o".into() };
        Ok(Self { record, entry, actors: Actors { site: site as u8, drawn: 0 }, time: 1 << 40 })
    }

    fn write<T>(
        &mut self,
        patches: &[Patch],
        write: impl FnOnce(&mut Record, &EntryId, &TextEdits, &Origin<'_>, &mut Actors) -> Result<T>,
    ) -> Result<T> {
        let mut edits = TextEdits::new();
        for patch in patches {
            edits.delete(patch.position, patch.deleted)?;
            edits.insert(patch.position, &patch.inserted)?;
        }
        self.time += 1 << 16;
        let origin = Origin { author: "author", time: HybridTime(self.time), source: None };
        write(&mut self.record, &self.entry, &edits, &origin, &mut self.actors)
    }
}

impl Engine for Noted {
    type Doc = Replica;

    const NAME: &'static str = "record cell";

    /// All replicas begin with the same note, which one site made.
    fn create(site: usize) -> Result<Replica> {
        let mut first = Replica::new(Record::new("bench"), 0xff)?;
        let value = json::parse(OBSERVATION.as_bytes())?;
        let resource = value.as_object().context("an object")?;
        let origin = Origin { author: "author", time: HybridTime(first.time), source: None };
        first.record.edit(&[resource], &Base::Current, &origin, &mut first.actors)?;
        Replica::new(first.record.fork(), site)
    }

    fn edit(doc: &mut Replica, patches: &[Patch]) -> Result<()> {
        doc.write(patches, |record, entry, edits, origin, actors| {
            Ok(record.type_text(entry, NOTE, edits, origin, actors)?)
        })?;
        Ok(())
    }

    fn send(doc: &mut Replica, patches: &[Patch]) -> Result<Vec<u8>> {
        let made = doc.write(patches, |record, entry, edits, origin, actors| {
            Ok(record.edit_text(entry, NOTE, edits, &Base::Current, origin, actors)?)
        })?;
        doc.record.change(&made.context("a change")?).context("a change")
    }

    fn merge(doc: &mut Replica, message: &[u8]) -> Result<()> {
        let received = doc.record.receive(message)?;
        ensure!(received.refused.is_empty(), "a change was refused");
        Ok(())
    }

    fn batch(doc: &mut Replica) -> Result<Vec<u8>> {
        Ok(doc.record.changes_since(&[]))
    }

    fn read(doc: &mut Replica) -> Result<String> {
        Ok(doc.record.view().text(&doc.entry, NOTE)?)
    }

    fn save(doc: &mut Replica) -> Result<Vec<u8>> {
        Ok(doc.record.save())
    }

    fn load(bytes: &[u8]) -> Result<Replica> {
        Replica::new(Record::load(bytes)?, 98)
    }
}

//! One replica of a document: the record with the clock and the actors that write it.

use clisonix_crdt::{Base, ChangeId, EntryId, HybridTime, Origin, Record, Source};
use clisonix_fhir::schema::resource_named;

use crate::changes::{GivenBase, read_heads};
use crate::clock::{Actors, now_ms};
use crate::failure::Failure;

/// A record, and what is needed to write it.
pub(crate) struct Replica {
    pub(crate) record: Record,
    actors: Actors,
    /// The latest time written or seen here.
    clock: HybridTime,
}

impl Replica {
    pub(crate) fn new(record: Record) -> Result<Self, Failure> {
        let clock = record.latest_time();
        Ok(Self { record, actors: Actors::new()?, clock })
    }

    pub(crate) fn fork(&self) -> Result<Self, Failure> {
        Ok(Self { record: self.record.fork(), actors: Actors::new()?, clock: self.clock })
    }

    /// Makes this process the owner of its actors; see [`Actors::is_foreign`].
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        if self.actors.is_foreign() {
            *self = self.fork()?;
        }
        Ok(())
    }

    /// Runs `change`; if it fails, the record is as it was.
    pub(crate) fn whole<T>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let before = self.record.clone();
        let result = change(self);
        if result.is_err() {
            // Actors that were drawn meanwhile are forgotten with the record; the source of actors
            // has moved on, so none is drawn twice.
            self.record = before;
        }
        result
    }

    /// Writes with the next time of the clock.
    pub(crate) fn write<T>(
        &mut self,
        author: &str,
        source: Option<Source>,
        edit: impl FnOnce(&mut Record, &Origin<'_>, &mut Actors) -> T,
    ) -> T {
        self.clock = self.clock.tick(now_ms());
        let origin = Origin { author, time: self.clock, source };
        edit(&mut self.record, &origin, &mut self.actors)
    }

    /// Takes in another replica's changes, as a batch or as that replica's saved form; ids of those
    /// applied now, in order.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<Vec<ChangeId>, Failure> {
        let before = self.record.change_count();
        let received = if bytes.starts_with(SAVED) {
            let other = Record::load(bytes)?;
            if other.id() != self.record.id() {
                return Err(Failure::OtherDocument);
            }
            self.record.receive(&other.whole_changes_since(&[]))?
        } else {
            self.record.receive(bytes)?
        };
        self.clock = self.clock.max(self.record.latest_time());
        let mut applied = Vec::new();
        if self.record.change_count() > before {
            applied.extend(self.record.history(None).into_iter().skip(before).map(|info| info.id));
        }
        if received.refused.is_empty() {
            return Ok(applied);
        }
        let applied = applied.iter().map(ToString::to_string).collect();
        Err(Failure::Refused { applied, refused: received.refused })
    }

    /// The heads that a base names; `None` if nothing is said.
    pub(crate) fn heads_of(&self, base: &GivenBase) -> Result<Option<Vec<ChangeId>>, Failure> {
        match base {
            GivenBase::Unsaid => Ok(None),
            GivenBase::Heads(heads) => Ok(Some(read_heads(heads)?)),
            GivenBase::Version(version) => Ok(Some(self.record.heads_of_version(version)?)),
        }
    }

    /// The base of an edit that without one is made on the present state.
    pub(crate) fn base_or_now(&self, base: &GivenBase) -> Result<Base, Failure> {
        Ok(self.heads_of(base)?.map_or(Base::Current, Base::Heads))
    }

    /// The text of the document, or of one entry, now or at a version.
    pub(crate) fn text(&self, entry: Option<&str>, at: &GivenBase) -> Result<String, Failure> {
        let version = match self.heads_of(at)? {
            Some(heads) => Some(self.record.at(&heads)?),
            None => None,
        };
        let view = match &version {
            Some(version) => self.record.view_of(version),
            None => self.record.view(),
        };
        match entry {
            None => Ok(view.bundle_text()),
            Some(entry) => view.resource_text(&entry_id(entry)?).ok_or(NO_ENTRY),
        }
    }
}

/// The first bytes of a saved record (`docs/formats/record.md`).
const SAVED: &[u8] = b"CXR";
const NO_ENTRY: Failure = Failure::NotFound("there is no such entry at this version");

/// Reads `Type/id`.
pub(crate) fn entry_id(entry: &str) -> Result<EntryId, Failure> {
    let parts = entry.split_once('/').and_then(|(ty, id)| Some((resource_named(ty)?, id)));
    let (ty, id) = parts.ok_or(Failure::NotFound("an entry is named `Type/id`"))?;
    Ok(EntryId { ty, id: id.into() })
}

//! A replica for tests: deterministic actors, a clock that ticks, resources as JSON text.

use std::sync::Arc;

use clisonix_crdt::{
    ActorId, ActorSecret, Base, ChangeId, Conflict, EditError, EntryId, HybridTime, LogSource,
    Origin, Record, Source, join_segments,
};
use clisonix_fhir::json::{self, Object, Value};
use clisonix_fhir::schema::resource_named;

/// A site with one replica of one record.
pub(crate) struct Site {
    pub(crate) record: Record,
    name: u8,
    actors: u8,
    pub(crate) now: u64,
}

impl Site {
    pub(crate) fn new(name: u8) -> Self {
        Self { record: Record::new("patient-123"), name, actors: 0, now: 1_700_000_000_000 }
    }

    pub(crate) fn fork(&self, name: u8) -> Self {
        Self { record: self.record.fork(), name, actors: 0, now: self.now }
    }

    pub(crate) fn name(&self) -> u8 {
        self.name
    }

    /// Runs an edit with this site's author, clock and actors.
    pub(crate) fn with<T>(
        &mut self,
        source: Option<Source>,
        run: impl FnOnce(&mut Record, &Origin<'_>, &mut dyn clisonix_crdt::ActorSource) -> T,
    ) -> T {
        self.now += 1000;
        let author = format!("clinician-{}", char::from(self.name));
        let origin = Origin { author: &author, time: HybridTime::from_millis(self.now), source };
        let (name, actors) = (self.name, &mut self.actors);
        let mut fresh = || {
            *actors += 1;
            let mut id = [0; 16];
            id[0] = name;
            id[1] = *actors;
            (ActorId(id), ActorSecret([name ^ *actors; 32]))
        };
        run(&mut self.record, &origin, &mut fresh)
    }

    pub(crate) fn put(&mut self, resource: &str) -> Option<ChangeId> {
        self.put_at(resource, &Base::Current).expect("the edit is accepted")
    }

    pub(crate) fn put_at(
        &mut self,
        resource: &str,
        base: &Base,
    ) -> Result<Option<ChangeId>, EditError> {
        let object = object(resource);
        self.with(None, |record, origin, actors| record.edit(&[&object], base, origin, actors))
    }

    pub(crate) fn remove(&mut self, entry: &str) {
        let id = entry_id(entry);
        self.with(None, |record, origin, actors| {
            record.remove(&id, &Base::Current, origin, actors)
        })
        .expect("the entry is there");
    }

    /// Changes a member of the shown resource; `None` takes it out.
    pub(crate) fn set(&mut self, entry: &str, member: &str, value: Option<&str>) {
        let mut resource = self.shown(entry).expect("the entry is there");
        let object = resource.as_object_mut().expect("an object");
        match value {
            Some(value) => {
                object.insert(member, json::parse(value.as_bytes()).expect("JSON"));
            }
            None => {
                object.remove(member);
            }
        }
        self.put(&resource.to_text());
    }

    /// Puts a string at a JSON Pointer.
    pub(crate) fn set_at(&mut self, entry: &str, pointer: &str, text: &str) {
        let (id, value) = (entry_id(entry), Value::from(text));
        let set = self
            .with(None, |record, origin, actors| record.set(&id, pointer, &value, origin, actors));
        assert_eq!(set, Ok(true));
    }

    pub(crate) fn shown(&self, entry: &str) -> Option<Value> {
        self.record.view().resource(&entry_id(entry))
    }

    /// The shown resource without its version.
    pub(crate) fn content(&self, entry: &str) -> Option<Value> {
        self.shown(entry).map(without_version)
    }

    pub(crate) fn member(&self, entry: &str, member: &str) -> Option<String> {
        Some(self.shown(entry)?.get(member)?.to_text())
    }

    pub(crate) fn conflicts(&self) -> Vec<Conflict> {
        self.record.view().conflicts()
    }

    pub(crate) fn pull(&mut self, from: &Site) {
        let bytes = from.record.changes_since(&self.record.view().heads());
        let received = self.record.receive(&bytes).expect("readable");
        assert!(received.refused.is_empty(), "{received:?}");
        assert_eq!(received.waiting, 0);
    }
}

/// Exchanges everything between two sites and checks that they hold the same bytes.
pub(crate) fn exchange(a: &mut Site, b: &mut Site) {
    a.pull(b);
    b.pull(a);
    assert_eq!(a.record.state_bytes(), b.record.state_bytes());
    assert_eq!(a.record.view().bundle_text(), b.record.view().bundle_text());
}

pub(crate) fn object(text: &str) -> Object {
    match json::parse(text.as_bytes()).expect("JSON") {
        Value::Object(object) => object,
        _ => panic!("no object"),
    }
}

pub(crate) fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).expect("JSON")
}

pub(crate) fn entry_id(entry: &str) -> EntryId {
    let (ty, id) = entry.split_once('/').expect("Type/id");
    EntryId { ty: resource_named(ty).expect("a resource type"), id: id.into() }
}

pub(crate) fn without_version(mut resource: Value) -> Value {
    if let Some(object) = resource.as_object_mut() {
        let empty = match object.get_mut("meta").and_then(Value::as_object_mut) {
            Some(meta) => {
                meta.remove("versionId");
                meta.remove("lastUpdated");
                meta.is_empty()
            }
            None => false,
        };
        if empty {
            object.remove("meta");
        }
    }
    resource
}

#[derive(Debug)]
struct Segments(Vec<Vec<u8>>);

impl LogSource for Segments {
    fn segments(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.0.clone())
    }
}

/// The log in segments of one change, the first half of them joined.
pub(crate) fn segments(record: &Record) -> Vec<Vec<u8>> {
    let all: Vec<Vec<u8>> =
        (0..record.change_count()).map(|number| record.segment_of(number..number + 1)).collect();
    let (old, young) = all.split_at(all.len() / 2);
    let old = if old.is_empty() { Vec::new() } else { vec![join_segments(old).unwrap()] };
    [old, young.to_vec()].concat()
}

/// The record from its state and its log in segments.
pub(crate) fn reload_apart(record: &Record) -> Record {
    Record::load_state(&record.save_state(), Arc::new(Segments(segments(record)))).unwrap()
}

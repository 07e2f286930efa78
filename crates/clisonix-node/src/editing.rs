//! Edits by people and applications: validated, merged, durable before they are acknowledged.

use clisonix_crdt::{Base, ChangeId, Origin, Record};
use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::validate::validate;
use clisonix_ingest::RecordKey;
use clisonix_store::{Action, Batch};

use crate::error::NodeError;
use crate::load::{base_of, edit_time, entry_id, put_identifiers};
use crate::node::{By, Node, access};
use crate::outside::Actors;
use crate::reading::parse_entry;
use crate::records::Records;
use crate::stored;

/// What an edit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The record.
    pub record: String,
    /// The change; `None` if the edit changed nothing.
    pub change: Option<ChangeId>,
}

/// The version an edit was made against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadVersion<'a> {
    /// The resource's own `meta.versionId`; without one the edit is an assertion.
    FromResource,
    /// This version id.
    Version(&'a str),
    /// Whatever is shown now.
    Current,
}

impl Node {
    /// Writes a resource into a record as its author now wants it, against the version read. One that
    /// is labelled with a sensitive class and new comes into the record that keeps it apart.
    ///
    /// # Errors
    /// [`NodeError::Invalid`] with the issues; [`NodeError::Edit`] for an unknown version.
    pub fn edit(
        &self,
        record: &str,
        resource: &Value,
        version: ReadVersion<'_>,
        by: By<'_>,
    ) -> Result<Edited, NodeError> {
        let faults: Vec<Issue> = validate(resource).into_iter().filter(Issue::is_error).collect();
        let Some(object) = resource.as_object().filter(|_| faults.is_empty()) else {
            return Err(NodeError::Invalid(faults));
        };
        let snapshot = self.store.snapshot()?;
        let key = stored::key_of(&snapshot, record)?.ok_or(NodeError::NotFound("record"))?;
        let home = self.home(&snapshot, &key.whole(), resource)?;
        self.write(&home.id(), Some(&home), Action::Write, by, |record, origin, actors| {
            let base = match version {
                ReadVersion::Current => Base::Current,
                ReadVersion::Version(version) => base_of(record, Some(version))?,
                ReadVersion::FromResource => base_of(record, version_in(object))?,
            };
            Ok(record.edit(&[object], &base, origin, actors)?)
        })
    }

    /// Removes an entry, against the version read (`None`: what is shown now).
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Edit`].
    pub fn remove(
        &self,
        entry: &str,
        version: Option<&str>,
        by: By<'_>,
    ) -> Result<Edited, NodeError> {
        let name = self.record_of(entry)?.ok_or(NodeError::NotFound("entry"))?;
        let id = parse_entry(entry).ok_or(NodeError::NotFound("entry"))?;
        self.write(&name, None, Action::Write, by, |record, origin, actors| {
            let base = match version {
                None => Base::Current,
                version => base_of(record, version)?,
            };
            Ok(record.remove(&id, &base, origin, actors)?)
        })
    }

    /// Settles a conflict by its id: `value` is one side's value, or any that fits; `None` empties
    /// or removes.
    ///
    /// # Errors
    /// [`NodeError::NotFound`] if no such conflict is open.
    pub fn resolve(
        &self,
        record: &str,
        conflict: &str,
        value: Option<&Value>,
        by: By<'_>,
    ) -> Result<Edited, NodeError> {
        let holder = |name: &String| {
            let open = self.with_record(name, |record| Ok(record.view().conflicts()))?;
            Ok::<bool, NodeError>(open.iter().any(|open| open.id() == conflict))
        };
        let mut records = self.with_beside(record)?;
        let mut last = records.pop().unwrap_or_default();
        // Mostly there is but one.
        for name in records {
            if holder(&name)? {
                last = name;
                break;
            }
        }
        self.write(&last, None, Action::Resolve, by, |record, origin, actors| {
            let open = record.view().conflicts().into_iter().find(|open| open.id() == conflict);
            let open = open.ok_or(NodeError::NotFound("conflict"))?;
            Ok(record.resolve(&open.entry, &open.address, value, origin, actors)?)
        })
    }

    /// Runs an edit and makes change, state, index rows and access entry durable as one. With a key
    /// the record may be new.
    fn write(
        &self,
        name: &str,
        key: Option<&RecordKey>,
        action: Action,
        by: By<'_>,
        edit: impl FnOnce(
            &mut Record,
            &Origin<'_>,
            &mut Actors<'_>,
        ) -> Result<Option<ChangeId>, NodeError>,
    ) -> Result<Edited, NodeError> {
        if by.author.trim().is_empty() {
            return Err(NodeError::Author);
        }
        let is_new = self.store.snapshot()?.record(name)?.is_none();
        if is_new && key.is_none() {
            return Err(NodeError::NotFound("record"));
        }
        let mut guard = self.inside_for(name);
        let inside = &mut *guard;
        let now = inside.outside.now_ms();
        if inside.records.is_held(name) {
            return Err(NodeError::Loading);
        }
        let record = inside.records.record(&self.store, name)?;
        let origin = Origin { author: by.author, time: edit_time(record, now), source: None };
        let mut actors = Actors { outside: &mut *inside.outside, signing: &mut inside.signing };
        let change = edit(record, &origin, &mut actors);
        if record.has_lost_log() {
            inside.records.forget(name);
            return Err(NodeError::Damaged(name.to_owned()));
        }
        let Some(change) = change? else {
            return Ok(Edited { record: name.to_owned(), change: None });
        };
        let mut batch = Batch::new();
        if let Some(key) = key.filter(|_| is_new) {
            stored::put_key(&mut batch, key)?;
        }
        batch.access(access(by, action, now, Some(record))?)?;
        let first = record.change_count() - 1;
        let indexed = index_entries(&mut batch, record, first)
            .and_then(|()| inside.signing.note_edit(&mut batch, &self.store, record, first, now));
        let flight = self.launch(name, indexed.map(|()| batch), &mut inside.records)?;
        drop(guard);
        self.land(flight)?;
        Ok(Edited { record: name.to_owned(), change: Some(change) })
    }
}

impl Node {
    /// Adds a record's rows to a batch that tells of its changes and writes it. If that fails, what
    /// is in memory must not be shown as if it were stored, so it is forgotten.
    pub(crate) fn make_durable(
        &self,
        record: &str,
        batch: Result<Batch, NodeError>,
        records: &mut Records,
    ) -> Result<(), NodeError> {
        let result = batch.and_then(|mut batch| {
            records.put_joined(&self.store, record, &mut batch)?;
            Ok(self.store.write(batch)?)
        });
        if result.is_err() {
            records.forget(record);
        }
        records.shrink();
        self.watchers.tell();
        result.map(|_| ())
    }
}

/// Index rows for the entries that the changes from number `first` on wrote.
pub(crate) fn index_entries(
    batch: &mut Batch,
    record: &Record,
    first: usize,
) -> Result<(), NodeError> {
    for entry in record.entries_since(first) {
        stored::put_entry(batch, &entry, record.id())?;
        if entry.ty.name() == "Patient"
            && let Some(Value::Object(patient)) = record.view().resource(&entry)
        {
            put_identifiers(batch, &patient, record.id())?;
        }
    }
    Ok(())
}

fn version_in(object: &Object) -> Option<&str> {
    entry_id(object)?;
    object.get("meta")?.get("versionId")?.as_str()
}

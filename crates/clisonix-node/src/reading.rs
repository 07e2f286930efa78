//! Reading: patients, records, conflicts, history. Every reading of a record is logged.

use clisonix_crdt::{ChangeId, ChangeInfo, EntryId, Record, bundle_text};
use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::resource_named;
use clisonix_ingest::identity::short_hash;
use clisonix_ingest::{RecordKey, RecordKind};
use clisonix_store::{Action, Snapshot, Span, Table};

use crate::error::NodeError;
use crate::node::{By, Node};
use crate::stored;

/// A patient's record, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    /// The record's id.
    pub record: String,
    /// The assigning authority of the identifier that names the record.
    pub system: String,
    /// That identifier.
    pub value: String,
}

/// A record as stored, ready to be handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordText {
    /// The record's id.
    pub record: String,
    /// A FHIR Bundle of type `collection`, as JSON text.
    pub bundle: String,
    /// The open conflicts, as a JSON list.
    pub conflicts: String,
}

impl Node {
    /// All patients' records, by record id. What is kept apart of a patient is shown with the
    /// patient's own record; it stands here for itself only where that is not at this node.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn patients(&self) -> Result<Vec<Patient>, NodeError> {
        let mut found = Vec::new();
        self.each_shown(|record, key| {
            if key.kind == RecordKind::Patient {
                found.push(Patient { record, system: key.system, value: key.value });
            }
        })?;
        Ok(found)
    }

    /// The ids of all records that are shown for themselves: not of those that are shown with a
    /// patient's own.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn shown_ids(&self) -> Result<Vec<String>, NodeError> {
        let mut found = Vec::new();
        self.each_shown(|record, _| found.push(record))?;
        Ok(found)
    }

    /// The ids of all records, shared ones included.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn record_ids(&self) -> Result<Vec<String>, NodeError> {
        let mut found = Vec::new();
        each_key(&self.store.snapshot()?, |record, _| {
            found.push(record);
            Ok(())
        })?;
        Ok(found)
    }

    fn each_shown(&self, mut each: impl FnMut(String, RecordKey)) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
        each_key(&snapshot, |record, key| {
            if key.classes.is_empty() || snapshot.record(&key.whole().id())?.is_none() {
                each(record, key);
            }
            Ok(())
        })
    }

    /// A record, and after it those that keep sensitive classes of the same patient apart.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn with_beside(&self, record: &str) -> Result<Vec<String>, NodeError> {
        let mut records = vec![record.to_owned()];
        records.extend(stored::beside(&self.store.snapshot()?, record)?);
        Ok(records)
    }

    /// The record that `name` means: a record's id, an entry (`Type/id`), a patient's id, or any
    /// identifier of the patient (`value` or `system|value`). An entry that is kept apart means the
    /// patient's own record, if that is here.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ambiguous`].
    pub fn find_record(&self, name: &str) -> Result<String, NodeError> {
        let snapshot = self.store.snapshot()?;
        if name.len() < 200 && snapshot.record(name)?.is_some() {
            return Ok(name.to_owned());
        }
        if let Some(record) = self.record_of(name)? {
            let whole = stored::key_of(&snapshot, &record)?.map(|key| key.whole().id());
            let is_here = |whole: &String| Ok::<_, NodeError>(snapshot.record(whole)?.is_some());
            return match whole {
                Some(whole) if is_here(&whole)? => Ok(whole),
                _ => Ok(record),
            };
        }
        if let Some(record) = self.record_of(&format!("Patient/{name}"))? {
            return Ok(record);
        }
        let (system, value) = match name.rsplit_once('|') {
            Some((system, value)) => (Some(system), value),
            None => (None, name),
        };
        let mut records = Vec::new();
        for row in snapshot.rows(Table::Aliases, &Span::prefix(&stored::alias_prefix(value)))? {
            let row = row?;
            let system_fits = system.is_none_or(|system| {
                let mut parts = row.key.split(|&byte| byte == 0);
                parts.nth(1) == Some(system.as_bytes())
            });
            records.extend(stored::alias_record(&row).filter(|_| system_fits));
        }
        records.sort();
        records.dedup();
        match records.len() {
            0 => Err(NodeError::NotFound("record")),
            1 => records.pop().ok_or(NodeError::NotFound("record")),
            count => Err(NodeError::Ambiguous(count)),
        }
    }

    /// The record that holds an entry, `Type/id`.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn record_of(&self, entry: &str) -> Result<Option<String>, NodeError> {
        if entry.len() > 512 {
            return Ok(None);
        }
        stored::record_of(&self.store.snapshot()?, entry)
    }

    /// A record as it is now, with what is kept apart of the patient, read without its log.
    ///
    /// # Errors
    /// [`NodeError::NotFound`].
    pub fn record_text(&self, record: &str, by: By<'_>) -> Result<RecordText, NodeError> {
        let text = whole_text_of(&self.store.snapshot()?, record)?;
        self.log_records(by, Action::Read, &self.with_beside(record)?)?;
        Ok(text)
    }

    /// All open conflicts of all records, or of one; each value has a member `record` beside the
    /// conflict's own.
    ///
    /// # Errors
    /// [`NodeError::NotFound`].
    pub fn conflicts(&self, record: Option<&str>, by: By<'_>) -> Result<Vec<Value>, NodeError> {
        let records = match record {
            Some(record) => self.with_beside(record)?,
            None => self.record_ids()?,
        };
        let mut found = Vec::new();
        for record in &records {
            let text = text_of(&self.store.snapshot()?, record)?;
            let Ok(Value::Array(conflicts)) = json::parse(text.conflicts.as_bytes()) else {
                return Err(NodeError::Damaged(record.clone()));
            };
            for mut conflict in conflicts {
                if let Some(object) = conflict.as_object_mut() {
                    object.insert("record", record.as_str());
                }
                found.push(conflict);
            }
        }
        match record {
            Some(_) => self.log_records(by, Action::Read, &records)?,
            None => self.log_access(by, Action::Search, None)?,
        }
        Ok(found)
    }

    /// One entry as it is now, with its version; `None` if it is not there.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn entry(&self, entry: &str, by: By<'_>) -> Result<Option<Value>, NodeError> {
        let Some(record) = self.record_of(entry)? else { return Ok(None) };
        let shown = stored::shown(&self.store.snapshot()?, &record, entry)?;
        let damaged = |_| NodeError::Damaged(record.clone());
        let shown = shown.map(|shown| json::parse(shown.resource.as_bytes()).map_err(damaged));
        let shown = shown.transpose()?;
        self.log_reading(by, &record)?;
        Ok(shown)
    }

    /// Who changed a record (or one entry of it) and when, in order of arrival; then the same of each
    /// record that keeps something of the patient apart.
    ///
    /// # Errors
    /// [`NodeError::NotFound`].
    pub fn history(
        &self,
        record: &str,
        entry: Option<&str>,
        by: By<'_>,
    ) -> Result<Vec<ChangeInfo>, NodeError> {
        let id = match entry {
            Some(entry) => Some(parse_entry(entry).ok_or(NodeError::NotFound("entry"))?),
            None => None,
        };
        let mut history = Vec::new();
        let records = self.with_beside(record)?;
        for name in &records {
            history.extend(self.with_record(name, |record| Ok(record.history(id.as_ref())))?);
        }
        self.log_records(by, Action::Read, &records)?;
        Ok(history)
    }

    /// A record as it was at `heads`, as a FHIR Bundle's JSON text.
    ///
    /// # Errors
    /// [`NodeError::Edit`] if a head is not known here.
    pub fn record_at(
        &self,
        record: &str,
        heads: &[ChangeId],
        by: By<'_>,
    ) -> Result<String, NodeError> {
        let bundle = self.with_record(record, |record| {
            let version = record.at(heads)?;
            Ok(record.view_of(&version).bundle_text())
        })?;
        self.log_reading(by, record)?;
        Ok(bundle)
    }

    /// Runs `read` on a record in memory.
    pub(crate) fn with_record<T>(
        &self,
        record: &str,
        read: impl FnOnce(&Record) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        if self.store.snapshot()?.record(record)?.is_none() {
            return Err(NodeError::NotFound("record"));
        }
        let mut inside = self.inside_for(record);
        let held = inside.records.record(&self.store, record)?;
        let result = read(held);
        if held.has_lost_log() {
            inside.records.forget(record);
            return Err(NodeError::Damaged(record.to_owned()));
        }
        inside.records.shrink();
        result
    }
}

/// A record as it is shown, with what is kept apart of the patient.
pub(crate) fn whole_text_of(snapshot: &Snapshot, record: &str) -> Result<RecordText, NodeError> {
    let beside = stored::beside(snapshot, record)?;
    if beside.is_empty() {
        return text_of(snapshot, record);
    }
    let records: Vec<&str> =
        std::iter::once(record).chain(beside.iter().map(String::as_str)).collect();
    shown_together(snapshot, &records)
}

/// Each record with its key.
fn each_key(
    snapshot: &Snapshot,
    mut each: impl FnMut(String, RecordKey) -> Result<(), NodeError>,
) -> Result<(), NodeError> {
    for row in snapshot.rows(Table::Records, &Span::all())? {
        let row = row?;
        let record = String::from_utf8(row.key).ok();
        if let (Some(record), Some(key)) = (record, stored::read_key(&row.value)) {
            each(record, key)?;
        }
    }
    Ok(())
}

/// A record as it is shown, read without its state and its log.
pub(crate) fn text_of(snapshot: &Snapshot, record: &str) -> Result<RecordText, NodeError> {
    shown_together(snapshot, &[record])
}

/// Several records as one, under the name of the first.
fn shown_together(snapshot: &Snapshot, records: &[&str]) -> Result<RecordText, NodeError> {
    let (mut versions, mut shown) = (Vec::new(), Vec::new());
    for record in records {
        let Some(head) = stored::head(snapshot, record)? else {
            return Err(if crate::damage::is_noted(snapshot, record)? {
                NodeError::Damaged((*record).to_owned())
            } else {
                NodeError::NotFound("record")
            });
        };
        versions.push(head.version);
        shown.extend(stored::all_shown(snapshot, record)?);
    }
    let version = match &*versions {
        [version] => version.clone(),
        versions => short_hash("clisonix joined version 1", versions),
    };
    // Each list is canonical: joined, they are the list of the whole.
    let lists = shown.iter().filter_map(|shown| shown.conflicts.get(1..shown.conflicts.len() - 1));
    let lists: Vec<&str> = lists.filter(|list| !list.is_empty()).collect();
    Ok(RecordText {
        record: records.first().map_or_else(String::new, |record| (*record).to_owned()),
        conflicts: format!("[{}]", lists.join(",")),
        bundle: bundle_text(&version, shown.iter().map(|shown| &shown.resource)),
    })
}

/// Reads `Type/id`.
pub(crate) fn parse_entry(entry: &str) -> Option<EntryId> {
    let (ty, id) = entry.split_once('/')?;
    Some(EntryId { ty: resource_named(ty)?, id: id.into() })
}

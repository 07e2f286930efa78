//! Sensitive classes of a patient's data are kept apart: each in a record of its own beside the
//! patient's, so that a peer can hold the one without the other.

use std::collections::BTreeMap;

use clisonix_fhir::json::Value;
use clisonix_ingest::sensitivity::kept_apart;
use clisonix_ingest::{RecordKey, Stated, Statement};
use clisonix_store::Snapshot;

use crate::error::NodeError;
use crate::load::entry_id;
use crate::node::Node;
use crate::stored;

/// What a statement says of one record.
pub(crate) struct Part<'s> {
    pub(crate) record: RecordKey,
    pub(crate) resources: Vec<&'s Stated>,
}

/// Entries, `Type/id`, that a load put into records beside the patient's and that the store may not
/// have yet.
#[derive(Default)]
pub(crate) struct Apart {
    noted: BTreeMap<String, RecordKey>,
    /// Of the batch that is on its way.
    in_flight: BTreeMap<String, RecordKey>,
}

impl Apart {
    fn is_empty(&self) -> bool {
        self.noted.is_empty() && self.in_flight.is_empty()
    }

    fn holder(&self, entry: &str) -> Option<&RecordKey> {
        self.noted.get(entry).or_else(|| self.in_flight.get(entry))
    }

    /// The batch was handed to the store.
    pub(crate) fn hand_over(&mut self) {
        self.in_flight = std::mem::take(&mut self.noted);
    }

    /// The batch that was on its way is stored, or will not be.
    pub(crate) fn settle(&mut self) {
        self.in_flight.clear();
    }

    /// What was noted since will not be stored.
    pub(crate) fn forget(&mut self) {
        self.noted.clear();
    }
}

impl Node {
    /// What a statement says of the patient's own record and of those beside it. An entry stays in
    /// the record that it came into first, whatever its labels are later.
    pub(crate) fn parts<'s>(
        &self,
        statement: &'s Statement,
        apart: &mut Apart,
    ) -> Result<Vec<Part<'s>>, NodeError> {
        let own = &statement.record;
        let snapshot = self.store.snapshot()?;
        let is_plain = |stated: &Stated| kept_apart(own, &stated.resource).is_none();
        if apart.is_empty()
            && statement.resources.iter().all(is_plain)
            && stored::beside(&snapshot, &own.id())?.is_empty()
        {
            let resources = statement.resources.iter().collect();
            return Ok(vec![Part { record: own.clone(), resources }]);
        }
        let mut parts: BTreeMap<RecordKey, Vec<&Stated>> = BTreeMap::new();
        for stated in &statement.resources {
            let entry = name_of(&stated.resource);
            let held = entry.as_ref().and_then(|entry| apart.holder(entry)).cloned();
            let held = held.filter(|held| held.whole() == *own);
            let home = match held {
                Some(held) => held,
                None => self.home(&snapshot, own, &stated.resource)?,
            };
            if let Some(entry) = entry.filter(|_| home != *own) {
                apart.noted.insert(entry, home.clone());
            }
            parts.entry(home).or_default().push(stated);
        }
        Ok(parts.into_iter().map(|(record, resources)| Part { record, resources }).collect())
    }

    /// The record of the patient with the key `own` in which a resource is, or to which it belongs.
    pub(crate) fn home(
        &self,
        snapshot: &Snapshot,
        own: &RecordKey,
        resource: &Value,
    ) -> Result<RecordKey, NodeError> {
        let Some(entry) = name_of(resource) else { return Ok(own.clone()) };
        if let Some(holder) = stored::record_of(snapshot, &entry)? {
            let key = stored::key_of(snapshot, &holder)?;
            if let Some(key) = key.filter(|key| key.whole() == *own) {
                return Ok(key);
            }
        }
        let Some(class) = kept_apart(own, resource) else { return Ok(own.clone()) };
        // Of a load that is running the index does not know yet.
        let name = own.id();
        let mut inside = self.inside_for(&name);
        let record = inside.records.record(&self.store, &name)?;
        let object = resource.as_object();
        let is_known = object.and_then(entry_id).is_some_and(|id| record.knows(&id));
        Ok(if is_known { own.clone() } else { class })
    }
}

/// `Type/id`.
fn name_of(resource: &Value) -> Option<String> {
    Some(entry_id(resource.as_object()?)?.to_string())
}

#[cfg(test)]
mod tests;

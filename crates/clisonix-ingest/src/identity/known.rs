//! What the messages of one file name: the records of its patients and shared resources.
//!
//! A line of NDJSON is a message of its own, but its references mean resources of the other lines,
//! before it or after it. So a file's names are gathered before its first line is applied.

use std::collections::HashMap;

use super::Draft;
use super::owner::Owners;
use super::table::TABLE;
use crate::intake::{RecordKey, RecordKind};

/// Most names of patients and shared resources in one file.
pub const MAX_KNOWN_NAMES: usize = 500_000;

/// The records that `Type/id` means in one file.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// `None` for a name that two resources of different records bear: it leads nowhere, because
    /// a guess could put a fact into another patient's record.
    records: HashMap<String, Option<RecordKey>>,
}

impl Known {
    /// Whether resources of this type have a record of their own, so that they are worth noting.
    pub(crate) fn is_worth(resource_type: &str) -> bool {
        resource_type == "Patient" || TABLE.is_shared(resource_type)
    }

    /// Notes the names of a message with one resource; false when there are too many names.
    pub(crate) fn note(&mut self, feed: &str, draft: Draft) -> bool {
        let drafts = [draft];
        let owners = Owners::of(feed, &drafts, &|_| None, &Self::default());
        let [draft] = drafts;
        let Some(record) = owners.record(0) else { return true };
        for name in draft.names {
            let full = self.records.len() >= MAX_KNOWN_NAMES;
            match self.records.get_mut(&name) {
                Some(known) if known.as_ref() == Some(record) => {}
                Some(known) => *known = None,
                None if full => return false,
                None => drop(self.records.insert(name, Some(record.clone()))),
            }
        }
        true
    }

    /// The record of the patient that a reference's text means.
    pub(super) fn patient(&self, text: &str) -> Option<&RecordKey> {
        self.record(text).filter(|record| record.kind == RecordKind::Patient)
    }

    /// What a reference's text is to be instead: both kinds of record hold a resource of their id.
    pub(super) fn target(&self, text: &str) -> Option<String> {
        let (ty, _) = text.split_once('/')?;
        Some(format!("{ty}/{}", self.record(text)?.resource_id()))
    }

    fn record(&self, text: &str) -> Option<&RecordKey> {
        let (name, _) = text.split_once("/_history/").unwrap_or((text, ""));
        self.records.get(name)?.as_ref()
    }
}

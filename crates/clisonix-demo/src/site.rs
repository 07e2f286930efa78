//! What the demo asks of whatever keeps the records: one replica, through its public face.

use std::path::Path;

use clisonix_fhir::json::Value;

/// One replica of the system under test.
///
/// Entries are named `Type/id`; times are milliseconds since 1970-01-01T00:00:00Z.
pub trait Site {
    /// What can go wrong inside the replica; it ends the demo.
    type Error: std::error::Error + 'static;

    /// Takes in every file under a directory.
    fn import(&mut self, directory: &Path) -> Result<Imported, Self::Error>;
    /// The names of all patient records.
    fn patients(&mut self) -> Result<Vec<String>, Self::Error>;
    /// A patient's record as a FHIR Bundle of type `collection`.
    fn record(&mut self, patient: &str) -> Result<Value, Self::Error>;
    /// The open conflicts of a patient's record, as objects with `entry`, `path`, `kind`,
    /// `severity`, `shown`, `why` and `values` (each `value`, `author`, `time`, `source`,
    /// `removed`).
    fn conflicts(&mut self, patient: &str) -> Result<Vec<Value>, Self::Error>;
    /// One entry as a reader sees it now, with its `meta.versionId`.
    fn read(&mut self, entry: &str) -> Result<Option<Value>, Self::Error>;
    /// Adds an entry whose id follows from what it says.
    fn create(&mut self, patient: &str, by: By<'_>, new: &Value) -> Result<Outcome, Self::Error>;
    /// Writes a whole resource as its author now wants it; `meta.versionId` is what was read.
    fn edit(&mut self, by: By<'_>, resource: &Value) -> Result<Outcome, Self::Error>;
    /// Removes an entry; `version` is what was read.
    fn remove(
        &mut self,
        by: By<'_>,
        entry: &str,
        version: Option<&str>,
    ) -> Result<Outcome, Self::Error>;
    /// Brings both replicas to the union of what they hold.
    fn exchange(&mut self, other: &mut Self) -> Result<(), Self::Error>;
    /// A digest of everything the replica holds: equal replicas have equal digests.
    fn digest(&mut self) -> Result<String, Self::Error>;
}

/// Who writes, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The author's name.
    pub author: &'a str,
    /// The time of writing.
    pub time_ms: u64,
}

/// What an import took in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Messages, documents and bundles.
    pub messages: u64,
    /// Resources stated by them.
    pub resources: u64,
    /// Messages that were not taken in.
    pub rejected: u64,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken in.
    Accepted,
    /// It was refused, as a server refuses a stale version with 412.
    Refused,
}

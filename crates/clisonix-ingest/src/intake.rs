//! What comes out of ingest: outcomes, statements about records, and what was kept aside.

use std::ops::Range;

use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::Value;

use crate::{identity, timestamp};

/// What the caller knows about an input beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// The feed the input belongs to; `None` lets the content name it.
    pub feed: Option<String>,
    /// The name of the file, for issues only.
    pub file: Option<String>,
    /// The feed's zone, in minutes east of UTC: see [`Hint::zone_minutes_of`].
    pub zone_minutes: i32,
}

impl Hint {
    /// A hint that names the feed.
    pub fn for_feed(feed: impl Into<String>) -> Self {
        Self { feed: Some(feed.into()), ..Self::default() }
    }

    /// Minutes east of UTC at which a time of day without an offset is read, of whatever format:
    /// the offset that the message's own time has (MSH-7, `ClinicalDocument/effectiveTime`), else
    /// the feed's zone.
    ///
    /// FHIR R4 2.24.0.1 allows no time of day without an offset. Cutting the time to its day would
    /// be another fact than the same result with its time, and a feed's clocks agree with one
    /// another far more often than not.
    pub fn zone_minutes_of(&self, stamp: Option<&str>) -> i32 {
        stamp.and_then(timestamp::offset_minutes_of_hl7).unwrap_or(self.zone_minutes)
    }

    /// The file's name, or a word that stands for it in an issue.
    pub fn file_name(&self) -> &str {
        self.file.as_deref().unwrap_or("input")
    }
}

/// How one message ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Read. Applied without loss when [`Intake::kept`] is empty, else with the kept leaves listed.
    Taken(Intake),
    /// Not read; the caller puts the raw bytes into quarantine.
    Rejected(Rejected),
}

impl Outcome {
    /// A rejection for one reason.
    pub fn rejected(raw: Range<usize>, issue: Issue) -> Self {
        Self::Rejected(Rejected { raw, issues: vec![issue] })
    }

    /// The intake, when the message was read.
    pub fn taken(&self) -> Option<&Intake> {
        match self {
            Self::Taken(intake) => Some(intake),
            Self::Rejected(_) => None,
        }
    }
}

/// A message that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// Where the message stands in the unpacked input, in bytes.
    pub raw: Range<usize>,
    /// Why; at least one issue.
    pub issues: Vec<Issue>,
}

/// Everything that one message says.
#[derive(Clone, Debug, PartialEq)]
pub struct Intake {
    /// The feed the message came by.
    pub feed: String,
    /// First 16 bytes of a SHA-256 over feed and raw bytes (see [`message_id`]).
    pub message: [u8; 16],
    /// The sender's own id of the message (MSH-10, document id, `Bundle.identifier`).
    pub control_id: Option<String>,
    /// How much of each record the message speaks for.
    pub extent: Extent,
    /// When the sender says it happened, milliseconds since 1970-01-01T00:00:00Z.
    pub event_time_ms: Option<i64>,
    /// One statement for each record the message speaks of, sorted by record.
    pub statements: Vec<Statement>,
    /// Problems that did not stop the message.
    pub issues: Vec<Issue>,
    /// Source leaves that no rule used.
    pub kept: Vec<Kept>,
    /// How many source leaves were used.
    pub used: usize,
}

/// How much a message says by what it leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The resources are whole: what they lack, the sender does not state any more.
    Whole,
    /// What is absent is not stated; a list that is stated is stated whole (HL7 v2 ADT snapshots).
    Snapshot,
    /// What is absent is not stated, elements of lists included (results, documents).
    Partial,
}

/// What one message says about one record: a patient's compartment or one shared resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Which record.
    pub record: RecordKey,
    /// The resources, sorted by type and id.
    pub resources: Vec<Stated>,
}

/// One resource as the message states it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// A FHIR resource with `resourceType` and `id`. JSON `null` as a member's value retracts the
    /// feed's own earlier statement of that element (HL7 v2 `""`).
    pub resource: Value,
    /// The source's own `Type/id`, where it had one.
    pub origin: Option<String>,
}

/// A source leaf that was kept aside because no rule used it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it stood, in the source's own address form.
    pub address: String,
    /// What it said.
    pub value: String,
}

/// Whether a record is a patient's compartment or one shared resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// The compartment of one patient as one registration authority knows them.
    Patient,
    /// One resource outside every patient's compartment.
    Shared,
}

/// The business key of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// Patient or shared.
    pub kind: RecordKind,
    /// The identifier's system (assigning authority).
    pub system: String,
    /// The identifier's value; of a shared record prefixed with its type, `Practitioner/123`.
    pub value: String,
    /// Which sensitive classes of the patient's data it holds, apart from the patient's own record:
    /// their codes in order, joined by `+`. Empty: it is the patient's own, or a shared one.
    pub classes: String,
}

/// How the id of a record of sensitive classes begins.
const OF_CLASSES: &str = "c-";
/// How the id of a shared record begins.
const SHARED: &str = "s-";

impl RecordKey {
    /// A patient's record.
    pub fn patient(system: impl Into<String>, value: impl Into<String>) -> Self {
        let (system, value) = (system.into(), value.into());
        Self { kind: RecordKind::Patient, system, value, classes: String::new() }
    }

    /// The record of one shared resource of the given type.
    pub fn shared(resource_type: &str, system: impl Into<String>, value: &str) -> Self {
        let value = format!("{resource_type}/{value}");
        let (system, classes) = (system.into(), String::new());
        Self { kind: RecordKind::Shared, system, value, classes }
    }

    /// The record of sensitive classes beside a patient's own.
    #[must_use]
    pub fn of_classes(&self, classes: &str) -> Self {
        Self { classes: classes.to_owned(), ..self.clone() }
    }

    /// The patient's own record beside which this one is; of any other its own key.
    #[must_use]
    pub fn whole(&self) -> Self {
        self.of_classes("")
    }

    /// The record's id: `p-`, `s-` or `c-` (sensitive classes of a patient) and 32 hexadecimal
    /// digits of a SHA-256 over the key.
    pub fn id(&self) -> String {
        if !self.classes.is_empty() {
            let key = [&self.system, &self.value, &self.classes];
            let hash = identity::short_hash("clisonix record classes 1", &key);
            return format!("{OF_CLASSES}{hash}");
        }
        let (prefix, domain) = match self.kind {
            RecordKind::Patient => ("p-", "clisonix record patient 1"),
            RecordKind::Shared => (SHARED, "clisonix record shared 1"),
        };
        format!("{prefix}{}", identity::short_hash(domain, &[&self.system, &self.value]))
    }

    /// Whether an id is that of a record of sensitive classes, beside a patient's own.
    pub fn is_of_classes(id: &str) -> bool {
        id.starts_with(OF_CLASSES)
    }

    /// Whether an id is that of a shared record.
    pub fn is_shared(id: &str) -> bool {
        id.starts_with(SHARED)
    }

    /// The id of the patient, or of the one shared resource, that the record holds: a pseudonym
    /// where that is all the source told, else the record's own.
    pub fn resource_id(&self) -> String {
        identity::pseudonym_held(self).map_or_else(|| self.id(), str::to_owned)
    }
}

/// The id of a message: first 16 bytes of SHA-256 over the feed's length, the feed and the bytes.
pub fn message_id(feed: &str, raw: &[u8]) -> [u8; 16] {
    identity::half_hash("clisonix message 1", &[feed.as_bytes(), raw])
}

//! What servers do today: the same edits against one server that overwrites, and one that
//! refuses.
//!
//! A FHIR R4 server offers a second writer two outcomes (FHIR R4 3.1.0.5, "Managing resource
//! contention"): without `If-Match` the whole resource is overwritten, with it a stale version is
//! refused with 412. The model is kind to both: one server for everybody, so no replica is ever
//! cut off; an author who reads again sees everything; a refused author may not try again,
//! because trying again means someone has to compare the versions by hand.

use std::collections::BTreeMap;
use std::path::Path;

use clisonix_fhir::json::{Value, parse};

use crate::compose::{elements, object, set, text};
use crate::edits::Edit;
use crate::oracle::{Output, lost};
use crate::play::{Played, Together, play};
use crate::population::{Population, SHARED_OID};
use crate::sighting::{entries, name};
use crate::site::{By, Imported, Outcome, Site};

/// What the server does with a stale write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contention {
    /// Last write wins.
    Overwrite,
    /// 412 Precondition Failed.
    Refuse,
}

/// How many of the edits one behaviour loses or refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BaselineGrade {
    /// Edits sent.
    pub submitted: usize,
    /// Taken in, and then overwritten by someone who had not seen them.
    pub lost: usize,
    /// Refused.
    pub refused: usize,
}

/// Plays the script against a server that starts with these records.
pub fn grade(
    population: &Population,
    records: &BTreeMap<String, Value>,
    script: &[Edit],
    contention: Contention,
) -> Result<BaselineGrade, ServerError> {
    let mut server = Server::new(contention);
    for (patient, record) in records {
        entries(record).for_each(|resource| server.put(patient, 0, resource.clone()));
    }
    let played = play(population, script, &mut Together(&mut server))?;
    let output = Output::of(&mut server)?;
    let refused = |edit: &&Played| edit.outcome == Some(Outcome::Refused);
    let lost = lost(population, &played, &output).into_iter();
    Ok(BaselineGrade {
        submitted: played.iter().filter(|edit| edit.outcome.is_some()).count(),
        lost: lost.filter(|place| played.get(*place).is_some_and(|edit| !refused(&edit))).count(),
        refused: played.iter().filter(refused).count(),
    })
}

/// A FHIR server of today, in memory.
#[derive(Debug, Clone)]
pub struct Server {
    contention: Contention,
    entries: BTreeMap<String, Stored>,
    created: u64,
}

#[derive(Debug, Clone)]
struct Stored {
    patient: String,
    version: u64,
    time_ms: u64,
    /// None after a DELETE.
    resource: Option<Value>,
}

/// Why the server's files could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A bundle could not be read from disk.
    #[error("cannot read a bundle")]
    Read(#[from] std::io::Error),
}

impl Server {
    /// An empty server.
    pub fn new(contention: Contention) -> Self {
        Self { contention, entries: BTreeMap::new(), created: 0 }
    }

    pub(crate) fn put(&mut self, patient: &str, time_ms: u64, mut resource: Value) {
        let entry = name(&resource);
        let version = self.entries.get(&entry).map_or(1, |stored| stored.version + 1);
        set(&mut resource, "meta", object! { "versionId": version.to_string() });
        let resource = Some(resource);
        let patient = patient.to_owned();
        self.entries.insert(entry, Stored { patient, version, time_ms, resource });
    }

    fn stale(&self, entry: &str, version: Option<&str>) -> bool {
        let current = self.entries.get(entry).map(|stored| stored.version.to_string());
        self.contention == Contention::Refuse && current.as_deref() != version
    }
}

impl Site for Server {
    type Error = ServerError;

    /// Reads FHIR bundles only: a FHIR server understands nothing else.
    fn import(&mut self, directory: &Path) -> Result<Imported, ServerError> {
        let mut files = Vec::new();
        for file in std::fs::read_dir(directory.join("fhir"))? {
            files.push(file?.path());
        }
        files.sort();
        let mut imported = Imported::default();
        for file in files {
            let Ok(bundle) = parse(&std::fs::read(file)?) else {
                imported.rejected += 1;
                continue;
            };
            imported.messages += 1;
            let patient = entries(&bundle).find_map(shared).unwrap_or_default();
            for resource in entries(&bundle) {
                imported.resources += 1;
                self.put(&patient, 0, resource.clone());
            }
        }
        Ok(imported)
    }

    fn patients(&mut self) -> Result<Vec<String>, ServerError> {
        let mut names: Vec<String> = self.entries.values().map(|it| it.patient.clone()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn record(&mut self, patient: &str) -> Result<Value, ServerError> {
        let of_patient = self.entries.values().filter(|it| it.patient == patient);
        let entry = of_patient
            .filter_map(|it| it.resource.clone())
            .map(|resource| object! { "resource": resource });
        Ok(object! {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": Value::Array(entry.collect()),
        })
    }

    fn conflicts(&mut self, _patient: &str) -> Result<Vec<Value>, ServerError> {
        Ok(Vec::new())
    }

    fn read(&mut self, entry: &str) -> Result<Option<Value>, ServerError> {
        Ok(self.entries.get(entry).and_then(|stored| stored.resource.clone()))
    }

    /// A POST: every server gives each one an id of its own.
    fn create(&mut self, patient: &str, by: By<'_>, new: &Value) -> Result<Outcome, ServerError> {
        self.created += 1;
        let mut new = new.clone();
        set(&mut new, "id", format!("new-{}-{}", by.time_ms, self.created).into());
        self.put(patient, by.time_ms, new);
        Ok(Outcome::Accepted)
    }

    fn edit(&mut self, by: By<'_>, resource: &Value) -> Result<Outcome, ServerError> {
        let entry = name(resource);
        let version = resource.get("meta").and_then(|meta| text(meta, "versionId"));
        if self.stale(&entry, version) {
            return Ok(Outcome::Refused);
        }
        // A PUT after a DELETE brings the resource back (FHIR R4 3.1.0.4, update as create).
        let patient = self.entries.get(&entry).map(|stored| stored.patient.clone());
        self.put(&patient.unwrap_or_default(), by.time_ms, resource.clone());
        Ok(Outcome::Accepted)
    }

    fn remove(
        &mut self,
        by: By<'_>,
        entry: &str,
        version: Option<&str>,
    ) -> Result<Outcome, ServerError> {
        if self.stale(entry, version) {
            return Ok(Outcome::Refused);
        }
        if let Some(stored) = self.entries.get_mut(entry) {
            stored.version += 1;
            stored.time_ms = by.time_ms;
            stored.resource = None;
        }
        Ok(Outcome::Accepted)
    }

    /// Both ends take the later version of each resource, as replicated databases do.
    fn exchange(&mut self, other: &mut Self) -> Result<(), ServerError> {
        for (entry, stored) in &other.entries {
            let later =
                |mine: &Stored| (mine.time_ms, mine.version) < (stored.time_ms, stored.version);
            if self.entries.get(entry).is_none_or(later) {
                self.entries.insert(entry.clone(), stored.clone());
            }
        }
        other.entries.clone_from(&self.entries);
        Ok(())
    }

    fn digest(&mut self) -> Result<String, ServerError> {
        let mut text = String::new();
        for (entry, stored) in &self.entries {
            let resource = stored.resource.as_ref().map_or_else(String::new, Value::to_text);
            text.extend([entry, " ", &stored.version.to_string(), " ", &resource, "\n"]);
        }
        Ok(text)
    }
}

/// The shared identifier of a Patient.
fn shared(resource: &Value) -> Option<String> {
    let system = format!("urn:oid:{SHARED_OID}");
    let identifiers = elements(resource, "identifier").iter();
    identifiers
        .filter(|identifier| text(identifier, "system") == Some(&system))
        .find_map(|identifier| text(identifier, "value").map(str::to_owned))
}

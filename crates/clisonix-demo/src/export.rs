//! Writing the population as three systems would send it, and the ledger of what was sent.
//!
//! The same facts travel by one, two or three routes. Some messages are sent twice (byte for
//! byte, or again under a new control id), some arrive after a newer one, and results are
//! corrected later. The ledger says which fact was sent by which message: it is what *received*
//! means when the oracle counts.

pub mod ccda;
pub mod fhir;
pub mod hl7v2;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::calendar::{Day, Instant};
use crate::population::{Body, Fact, Person, Population, Route};

/// When the documents and exports that close the period are made: after every fact.
pub fn horizon() -> Instant {
    Day::of(2025, 8, 15).at(6, 0)
}

/// When the documents and exports in the middle of the period are made.
pub fn halfway() -> Instant {
    Day::of(2024, 6, 30).at(6, 0)
}

/// What was sent, and by which message.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// In order of arrival within a file.
    pub sent: Vec<Sent>,
}

/// One message, document or bundle that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The file, relative to the directory of the export.
    pub file: String,
    /// Which system sent it.
    pub route: Route,
    /// About whom.
    pub person: u32,
    /// The time the message itself gives.
    pub at: Instant,
    /// Whether the same message was sent before.
    pub resend: bool,
    /// The facts it states.
    pub facts: Vec<SentFact>,
}

/// A fact as a message states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentFact {
    /// The fact's number.
    pub fact: u32,
    /// How many corrections the sender knew of.
    pub version: usize,
}

/// The files of one export in memory, by relative path.
#[derive(Debug, Clone, Default)]
pub struct Export {
    /// Path and content.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What they say.
    pub ledger: Ledger,
}

/// Why an export could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file or directory could not be written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// One thing to send, before it is placed in a file.
#[derive(Debug, Clone)]
struct Message {
    at: Instant,
    resend: bool,
    facts: Vec<SentFact>,
    bytes: Vec<u8>,
}

/// Makes the files of all three systems.
pub fn render(population: &Population) -> Export {
    let mut export = Export::default();
    for person in &population.people {
        hl7v2::render(person, population.seed, &mut export);
        ccda::render(person, population.seed, &mut export);
        fhir::render(person, population.seed, &mut export);
    }
    export
}

/// Makes the files and writes them under `directory`.
pub fn write(population: &Population, directory: &Path) -> Result<Ledger, ExportError> {
    let export = render(population);
    for (name, bytes) in &export.files {
        let path = directory.join(name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, bytes));
        written.map_err(|source| ExportError::Write { path, source })?;
    }
    Ok(export.ledger)
}

impl Export {
    fn add(&mut self, file: &str, person: &Person, route: Route, message: Message) {
        let Message { at, resend, facts, bytes } = message;
        self.files.entry(file.to_owned()).or_default().extend(bytes);
        let file = file.to_owned();
        self.ledger.sent.push(Sent { file, route, person: person.number, at, resend, facts });
    }
}

impl Ledger {
    /// Statements of facts, each message counted.
    pub fn facts_received(&self) -> usize {
        self.sent.iter().map(|sent| sent.facts.len()).sum()
    }

    /// The facts that were stated at least once, with the newest version that was stated.
    pub fn distinct(&self) -> BTreeMap<u32, usize> {
        let mut newest = BTreeMap::new();
        for stated in self.sent.iter().flat_map(|sent| &sent.facts) {
            let version = newest.entry(stated.fact).or_insert(stated.version);
            *version = stated.version.max(*version);
        }
        newest
    }

    /// The people about whom anything was sent.
    pub fn people(&self) -> BTreeSet<u32> {
        self.sent.iter().map(|sent| sent.person).collect()
    }
}

/// A fact as it is known at a time.
fn stated(fact: &Fact, at: Instant) -> SentFact {
    let version = match &fact.body {
        Body::Measure(measure) => {
            measure.values.iter().filter(|value| value.at <= at).count().saturating_sub(1)
        }
        _ => 0,
    };
    SentFact { fact: fact.id, version }
}

/// The facts a system knows at a time.
fn known(person: &Person, route: Route, after: Option<Instant>, until: Instant) -> Vec<&Fact> {
    let fresh = |fact: &&Fact| {
        let after = after.is_none_or(|after| fact.known > after || corrected(fact, after, until));
        fact.routes.by(route) && fact.known <= until && after
    };
    person.facts.iter().filter(fresh).collect()
}

fn corrected(fact: &Fact, after: Instant, until: Instant) -> bool {
    stated(fact, after) != stated(fact, until)
}

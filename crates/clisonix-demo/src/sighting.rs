//! Recognising true persons and true facts in public output.
//!
//! These rules are the oracle's own: shared identifier for persons, visit number for visits,
//! otherwise code, body site and time. They know nothing of how the judged system names things.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_fhir::json::Value;

use crate::calendar::Moment;
use crate::compose::{elements, text};
use crate::population::{Body, Diagnosis, Fact, Person, Population, SHARED_OID};

/// The types of which an entry stands for one fact.
pub(crate) const FACT_TYPES: [&str; 7] = [
    "Encounter",
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Immunization",
];

/// Finds persons by their shared identifier.
pub(crate) struct Register<'a> {
    people: BTreeMap<&'a str, &'a Person>,
}

impl<'a> Register<'a> {
    /// A register of everybody.
    pub(crate) fn new(population: &'a Population) -> Self {
        Self { people: population.people.iter().map(|p| (p.shared.as_str(), p)).collect() }
    }

    /// Everybody whose shared identifier a Patient in this record carries.
    pub(crate) fn people(&self, record: &Value) -> Vec<&'a Person> {
        let system = format!("urn:oid:{SHARED_OID}");
        let mut found: BTreeMap<u32, &'a Person> = BTreeMap::new();
        for patient in entries(record).filter(|it| text(it, "resourceType") == Some("Patient")) {
            for identifier in elements(patient, "identifier") {
                if text(identifier, "system") == Some(&system)
                    && let Some(value) = text(identifier, "value")
                    && let Some(person) = self.people.get(value)
                {
                    found.insert(person.number, person);
                }
            }
        }
        found.into_values().collect()
    }
}

/// The resources of a Bundle.
pub(crate) fn entries(bundle: &Value) -> impl Iterator<Item = &Value> {
    elements(bundle, "entry").iter().filter_map(|entry| entry.get("resource"))
}

/// `Type/id` of a resource.
pub(crate) fn name(resource: &Value) -> String {
    let part = |member| text(resource, member).unwrap_or_default();
    format!("{}/{}", part("resourceType"), part("id"))
}

/// The facts of a person that this entry of the person's record may stand for.
pub(crate) fn facts<'a>(person: &'a Person, entry: &Value, record: &Value) -> Vec<&'a Fact> {
    let kind = text(entry, "resourceType").unwrap_or_default();
    let codes = codes(entry, record);
    let candidates = person.facts.iter().filter(|fact| fact.types().contains(&kind));
    let matching = candidates.filter(|fact| match &fact.body {
        Body::Encounter(visit) => elements(entry, "identifier")
            .iter()
            .any(|identifier| text(identifier, "value") == Some(&visit.number)),
        Body::Condition(diagnosis) => {
            named(fact, &codes) && began(entry, fact) && sided(diagnosis, entry, &codes)
        }
        Body::Measure(_) => named(fact, &codes) && time(entry, "effective") == Some(fact.when),
        // A person has one allergy to a substance, one order of a drug, one dose of a vaccine.
        Body::Allergy(_) | Body::Medication(_) | Body::Immunization(_) => named(fact, &codes),
    });
    matching.collect()
}

/// All codes by which an entry says what it is about.
pub(crate) fn codes<'a>(entry: &'a Value, record: &'a Value) -> BTreeSet<(&'a str, &'a str)> {
    let mut concepts: Vec<&Value> = ["code", "medicationCodeableConcept", "vaccineCode"]
        .iter()
        .filter_map(|member| entry.get(member))
        .collect();
    if let Some(reference) = entry.get("medicationReference").and_then(|it| text(it, "reference")) {
        let contained = elements(entry, "contained").iter();
        let wanted =
            |it: &&Value| name(it) == reference || reference.strip_prefix('#') == text(it, "id");
        concepts
            .extend(contained.chain(entries(record)).find(wanted).and_then(|it| it.get("code")));
    }
    codings(&concepts)
}

fn codings<'a>(concepts: &[&'a Value]) -> BTreeSet<(&'a str, &'a str)> {
    let codings = concepts.iter().flat_map(|concept| elements(concept, "coding"));
    codings.filter_map(|coding| Some((text(coding, "system")?, text(coding, "code")?))).collect()
}

fn named(fact: &Fact, codes: &BTreeSet<(&str, &str)>) -> bool {
    fact.codings().iter().any(|coding| codes.contains(&(coding.system.uri(), coding.code)))
}

/// The time in a choice of `dateTime`, `instant` or `Period`.
fn time(entry: &Value, stem: &str) -> Option<Moment> {
    let single = ["DateTime", "Instant"]
        .iter()
        .find_map(|suffix| text(entry, &format!("{stem}{suffix}")))
        .or_else(|| entry.get(&format!("{stem}Period")).and_then(|it| text(it, "start")));
    single.and_then(Moment::read)
}

/// Whether the onset is the fact's, or not said.
fn began(entry: &Value, fact: &Fact) -> bool {
    time(entry, "onset").is_none_or(|onset| onset.local_day() == fact.when.local_day())
}

/// Whether everything the entry says about the side of the body fits the problem.
fn sided(diagnosis: &Diagnosis, entry: &Value, codes: &BTreeSet<(&str, &str)>) -> bool {
    let icd = diagnosis.problem.icd;
    let other_icd =
        |(system, code): &(&str, &str)| *system == icd.system.uri() && *code != icd.code;
    if codes.iter().any(other_icd) && !codes.contains(&(icd.system.uri(), icd.code)) {
        return false;
    }
    let sites: Vec<&Value> = elements(entry, "bodySite").iter().collect();
    let sites = codings(&sites);
    diagnosis
        .problem
        .site
        .is_none_or(|site| sites.is_empty() || sites.contains(&(site.system.uri(), site.code)))
}

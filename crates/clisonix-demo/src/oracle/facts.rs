//! Persons and facts: found, found twice, found as one, not found.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_fhir::json::Value;

use super::{Grades, Output};
use crate::compose::{holds, number, text};
use crate::edits::{Intent, Target};
use crate::export::Ledger;
use crate::play::{Played, allergies};
use crate::population::{Body, Fact, Measure, Person, Population};
use crate::sighting::{FACT_TYPES, Register, entries, facts, name};

/// Counts persons and facts.
pub(super) fn grade(
    population: &Population,
    ledger: &Ledger,
    played: &[Played],
    output: &Output,
) -> Grades {
    let mut count = Count {
        population,
        output,
        created: created(played),
        grades: Grades::default(),
        people: BTreeMap::new(),
        found: BTreeMap::new(),
        made: BTreeMap::new(),
        holders: BTreeMap::new(),
    };
    let register = Register::new(population);
    for record in output.records.values() {
        count.record(&register.people(record), record);
    }
    count.finish(ledger, played)
}

struct Count<'a> {
    population: &'a Population,
    output: &'a Output,
    /// Allergies that clinicians added: person and substance.
    created: BTreeSet<(u32, &'static str)>,
    grades: Grades,
    /// Records by person.
    people: BTreeMap<u32, usize>,
    /// Entries by fact.
    found: BTreeMap<u32, usize>,
    /// Entries by added allergy.
    made: BTreeMap<(u32, &'static str), usize>,
    /// The Observation entries, by person and by the fact they were taken for.
    holders: BTreeMap<u32, Vec<(&'a Value, &'a Fact)>>,
}

fn created(played: &[Played]) -> BTreeSet<(u32, &'static str)> {
    let accepted = played.iter().filter(|p| p.outcome == Some(crate::site::Outcome::Accepted));
    accepted
        .filter_map(|played| match played.edit.target {
            Target::NewAllergy(allergen) => Some((played.edit.person, allergen.substance.code)),
            _ => None,
        })
        .collect()
}

impl<'a> Count<'a> {
    fn record(&mut self, people: &[&'a Person], record: &'a Value) {
        // Two persons in one record are shown as one.
        self.grades.false_merges += people.len().saturating_sub(1);
        for person in people {
            *self.people.entry(person.number).or_default() += 1;
        }
        let patients = entries(record).filter(|it| text(it, "resourceType") == Some("Patient"));
        self.grades.duplicates_left += patients.count().saturating_sub(1);
        let mut made = BTreeSet::new();
        for person in people {
            for allergen in crate::population::allergens() {
                let key = (person.number, allergen.substance.code);
                if self.created.contains(&key) {
                    let names: Vec<String> = allergies(record, allergen).map(name).collect();
                    *self.made.entry(key).or_default() += names.len();
                    made.extend(names);
                }
            }
        }
        let of_facts =
            |it: &&Value| text(it, "resourceType").is_some_and(|t| FACT_TYPES.contains(&t));
        for entry in entries(record).filter(of_facts).filter(|it| !made.contains(&name(it))) {
            self.entry(people, entry, record);
        }
    }

    fn entry(&mut self, people: &[&'a Person], entry: &'a Value, record: &'a Value) {
        let matched: Vec<(&Person, &Fact)> = people
            .iter()
            .flat_map(|person| facts(person, entry, record).into_iter().map(move |f| (*person, f)))
            .collect();
        let Some((person, first)) = matched.first() else {
            self.stray(entry, record);
            return;
        };
        if matches!(first.body, Body::Measure(_)) {
            self.holders.entry(person.number).or_default().push((entry, first));
        }
        // An entry that stands for two facts shows them as one.
        self.grades.false_merges += matched.len() - 1;
        for (_, fact) in &matched {
            *self.found.entry(fact.id).or_default() += 1;
        }
    }

    /// An entry that stands for no fact of the record's person: another person's, or nobody's.
    fn stray(&mut self, entry: &Value, record: &Value) {
        let exact = |fact: &&Fact| matches!(fact.body, Body::Encounter(_) | Body::Measure(_));
        let others = self.population.people.iter();
        if others.flat_map(|person| facts(person, entry, record)).any(|fact| exact(&fact)) {
            self.grades.false_merges += 1;
        } else {
            self.grades.entries_unknown += 1;
        }
    }

    fn finish(mut self, ledger: &Ledger, played: &[Played]) -> Grades {
        let received = ledger.distinct();
        let removed: BTreeSet<u32> = played
            .iter()
            .filter(|played| matches!(played.edit.intent, Intent::Remove))
            .filter_map(|played| match played.edit.target {
                Target::Fact(fact) => Some(fact),
                _ => None,
            })
            .collect();
        let edited: BTreeSet<&str> = played.iter().filter_map(|p| p.entry.as_deref()).collect();
        for (person, fact) in self.population.facts() {
            let Some(version) = received.get(&fact.id) else { continue };
            if !self.found.contains_key(&fact.id) && !removed.contains(&fact.id) {
                if self.swallowed(person, fact) {
                    self.grades.false_merges += 1;
                } else {
                    self.grades.facts_lost += 1;
                }
            }
            if self.missed(person, fact, *version, &edited) {
                self.grades.corrections_missed += 1;
            }
        }
        let extra = |counts: &mut dyn Iterator<Item = &usize>| -> usize {
            counts.map(|count| count.saturating_sub(1)).sum()
        };
        let mut grades = self.grades;
        grades.patients_true = ledger.people().len();
        grades.patients_found = self.people.len();
        grades.facts_true = received.len() + self.created.len();
        grades.facts_received = ledger.facts_received();
        grades.duplicates_received = grades.facts_received - received.len();
        grades.duplicates_left += grades.entries_unknown
            + extra(&mut self.people.values())
            + extra(&mut self.found.values())
            + extra(&mut self.made.values());
        grades.facts_lost +=
            self.created.iter().filter(|key| self.made.get(*key) < Some(&1)).count();
        grades
    }

    /// Whether a result that has no entry of its own lives on inside another result's entry.
    fn swallowed(&self, person: &Person, fact: &Fact) -> bool {
        let Body::Measure(measure) = &fact.body else { return false };
        let own = spellings(measure);
        self.holders.get(&person.number).into_iter().flatten().any(|(entry, other)| {
            let Body::Measure(holder) = &other.body else { return false };
            let theirs = spellings(holder);
            let entry_name = name(entry);
            let foreign = |value: &Value| {
                own.iter()
                    .filter(|text| !theirs.contains(text))
                    .any(|text| holds(value, &number(text)))
            };
            let conflicts = self.output.conflicts_of(&entry_name);
            holder.analyte.coding.code == measure.analyte.coding.code
                && (entry.get("valueQuantity").is_some_and(foreign)
                    || entry.get("component").is_some_and(foreign)
                    || conflicts.filter_map(|conflict| conflict.get("values")).any(foreign))
        })
    }

    /// Whether an entry shows what a newer message had corrected, and nothing says so.
    fn missed(
        &self,
        person: &Person,
        fact: &Fact,
        version: usize,
        edited: &BTreeSet<&str>,
    ) -> bool {
        let Body::Measure(measure) = &fact.body else { return false };
        let Some(newest) = measure.values.get(version).filter(|_| version > 0) else {
            return false;
        };
        let mut right = vec![measure.text(newest)];
        right.extend(measure.other_text(newest).map(|(text, _)| text));
        self.holders.get(&person.number).into_iter().flatten().any(|(entry, held)| {
            let entry_name = name(entry);
            held.id == fact.id
                && !edited.contains(entry_name.as_str())
                && !right.iter().any(|text| {
                    entry.get("valueQuantity").is_some_and(|shown| holds(shown, &number(text)))
                })
                && self.output.conflicts_of(&entry_name).next().is_none()
        })
    }
}

/// All ways in which the value of a result may truly be written.
fn spellings(measure: &Measure) -> Vec<String> {
    let own = measure.values.iter().map(|value| measure.text(value));
    let other = measure.values.iter().filter_map(|value| measure.other_text(value));
    own.chain(other.map(|(text, _)| text)).collect()
}

//! The population is what it claims to be, for many seeds.

use std::collections::{BTreeMap, BTreeSet};

use super::{Body, Population, Routes};
use crate::calendar::Moment;

#[test]
fn one_seed_one_population() {
    let text = |seed| format!("{:?}", Population::generate(12, seed));
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

#[test]
fn default_size_has_thousands_of_facts_and_every_one_has_a_route() {
    for seed in 1..=5 {
        let population = Population::generate(40, seed);
        let facts = population.facts().count();
        assert!((3_000..=6_000).contains(&facts), "seed {seed}: {facts} facts");
        let ids: BTreeSet<u32> = population.facts().map(|(_, fact)| fact.id).collect();
        assert_eq!(ids.len(), facts);
        assert!(population.facts().all(|(_, fact)| fact.routes != Routes::default()));
    }
}

#[test]
fn shared_identifiers_are_unique_and_look_alikes_exist() {
    let population = Population::generate(40, 7);
    let shared: BTreeSet<&str> = population.people.iter().map(|p| p.shared.as_str()).collect();
    assert_eq!(shared.len(), 40);
    let mut namesakes = BTreeMap::new();
    let mut households = BTreeMap::new();
    for p in &population.people {
        *namesakes.entry((p.family, p.given, p.birth)).or_insert(0) += 1;
        let street = p.addresses.first().map(|a| a.line.clone());
        *households.entry((p.family, p.birth, street)).or_insert(0) += 1;
    }
    assert!(namesakes.values().any(|count| *count > 1));
    assert!(households.values().any(|count| *count > 1));
}

#[test]
fn the_traps_are_there_at_every_seed() {
    for seed in 1..=5 {
        let population = Population::generate(40, seed);
        let (mut corrected, mut other_unit, mut repeats, mut sides) = (0, 0, 0, 0);
        for person in &population.people {
            let mut days = BTreeSet::new();
            let mut problems = BTreeSet::new();
            for fact in &person.facts {
                match &fact.body {
                    Body::Measure(measure) => {
                        corrected += usize::from(measure.values.len() > 1);
                        other_unit += usize::from(measure.other_unit);
                        let key = (measure.analyte.coding.code, fact.when.local_day());
                        repeats += usize::from(!days.insert(key));
                    }
                    Body::Condition(diagnosis) => {
                        let key = (diagnosis.problem.snomed.code, fact.when);
                        sides += usize::from(!problems.insert(key));
                    }
                    _ => {}
                }
            }
        }
        assert!(corrected > 5 && other_unit > 20 && repeats > 50 && sides > 0, "seed {seed}");
    }
}

#[test]
fn one_analyte_has_one_value_at_one_time() {
    let population = Population::generate(40, 3);
    for person in &population.people {
        let mut seen = BTreeSet::new();
        for fact in &person.facts {
            if let (Body::Measure(measure), Moment::Instant(when)) = (&fact.body, fact.when) {
                assert!(seen.insert((measure.analyte.coding.code, when)));
            }
        }
    }
}

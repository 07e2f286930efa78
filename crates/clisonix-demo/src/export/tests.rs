//! The files are reproducible, and the ledger tells what is in them.

use std::collections::BTreeSet;

use clisonix_fhir::json::{Value, parse};

use super::{Export, render};
use crate::population::{Population, Route};

fn export(seed: u64) -> (Population, Export) {
    let population = Population::generate(40, seed);
    let export = render(&population);
    (population, export)
}

#[test]
fn one_seed_makes_the_same_bytes_and_another_seed_other_bytes() {
    assert_eq!(export(5).1.files, export(5).1.files);
    assert_ne!(export(5).1.files, export(6).1.files);
}

#[test]
fn every_fact_is_sent_and_many_are_sent_by_several_routes() {
    for seed in 1..=3 {
        let (population, export) = export(seed);
        let sent = export.ledger.distinct();
        for (person, fact) in population.facts() {
            assert!(sent.contains_key(&fact.id), "fact {} of person {}", fact.id, person.number);
        }
        assert_eq!(sent.len(), population.facts().count());
        assert_eq!(export.ledger.people().len(), population.people.len());
        assert!(export.ledger.facts_received() > sent.len() * 3 / 2);
        let routes = |fact: u32| {
            let by = export.ledger.sent.iter().filter(|s| s.facts.iter().any(|f| f.fact == fact));
            by.map(|sent| sent.route).collect::<BTreeSet<Route>>().len()
        };
        let several = population.facts().take(300).filter(|(_, f)| routes(f.id) > 1).count();
        assert!(several > 80, "{several} of 300 facts by several routes");
    }
}

#[test]
fn some_messages_come_twice_and_some_late() {
    let (_, export) = export(1);
    for route in crate::population::ROUTES {
        let resent = export.ledger.sent.iter().filter(|s| s.route == route && s.resend).count();
        assert!(resent > 0, "{route:?}");
    }
    let late = export.ledger.sent.windows(2).filter(|pair| match pair {
        [one, two] => one.file == two.file && two.at < one.at && !two.resend,
        _ => false,
    });
    assert!(late.count() > 5);
}

#[test]
fn v2_messages_have_their_segments_in_place() {
    let (population, export) = export(2);
    for person in &population.people {
        let file = export.files.get(&format!("hl7v2/{:04}.hl7", person.number)).unwrap();
        let text = std::str::from_utf8(file).unwrap();
        assert!(!text.contains('\n'));
        for segment in text.split_terminator('\r') {
            let fields: Vec<&str> = segment.split('|').collect();
            match fields[0] {
                "MSH" => assert_eq!(fields[11], "2.5.1"),
                "PID" => assert!(fields[3].starts_with(&person.shared) && fields[7].len() == 8),
                "PV1" => assert!(fields[19].starts_with('V') && fields[44].len() == 19),
                "OBR" => assert!(fields[7].len() == 19 && "FC".contains(fields[25])),
                "OBX" => assert!(fields[5].parse::<f64>().is_ok() && "FC".contains(fields[11])),
                "EVN" | "NK1" | "AL1" | "DG1" | "ORC" | "NTE" => {}
                other => panic!("segment {other}"),
            }
        }
    }
    assert!(export.files.values().any(|file| file.windows(3).any(|w| w == b"|C|")));
}

#[test]
fn fhir_bundles_are_valid_resources() {
    let (_, export) = export(3);
    let bundles = export.files.iter().filter(|(name, _)| name.starts_with("fhir/"));
    let mut resources = 0;
    for (name, bytes) in bundles {
        let bundle = parse(bytes).unwrap();
        for entry in bundle.get("entry").and_then(Value::as_array).unwrap() {
            let resource = entry.get("resource").unwrap();
            assert!(resource.get("id").is_some(), "{name}");
            resources += 1;
        }
    }
    assert!(resources > 1_500);
}

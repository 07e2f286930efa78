//! The oracle counts each thing that can be wrong: a perfect output grades perfect, and every
//! planted fault is found, so that no figure can be right by accident.

use clisonix_fhir::json::Value;

use super::{Grades, Output, grade, lost};
use crate::baseline::{Contention, Server};
use crate::compose::{append, list, object, set, text};
use crate::edits::{Target, script};
use crate::export::{Export, fhir, horizon, render};
use crate::play::{Apart, Played, play};
use crate::population::{Body, Population};
use crate::runner::{Lent, Options, run};
use crate::sighting::entries;
use crate::site::Site;

struct World {
    population: Population,
    export: Export,
    output: Output,
}

/// The output of a system that makes no mistake: the truth, each fact once.
fn perfect() -> World {
    let population = Population::generate(12, 4);
    let export = render(&population);
    let mut output = Output::default();
    for person in &population.people {
        let facts = person.facts.iter().map(|fact| fhir::resource(person, fact, horizon()));
        let resources = [fhir::patient(person, horizon())].into_iter().chain(facts);
        let entry = resources.map(|resource| object! { "resource": resource }).collect();
        let record = object! { "resourceType": "Bundle", "entry": Value::Array(entry) };
        output.records.insert(person.shared.clone(), record);
    }
    World { population, export, output }
}

fn graded(world: &World) -> Grades {
    grade(&world.population, &world.export.ledger, &[], &world.output, &|resource| {
        resource.get("id").is_some()
    })
}

/// The entries of the first person's record, for planting faults.
fn first(world: &mut World) -> &mut Vec<Value> {
    let name = world.population.people[0].shared.clone();
    let record = world.output.records.get_mut(&name).unwrap();
    record.get_mut("entry").unwrap().as_array_mut().unwrap()
}

/// The place of the first entry that stands for a fact of this kind.
fn place(world: &World, fit: impl Fn(&Body) -> bool) -> usize {
    world.population.people[0].facts.iter().position(|fact| fit(&fact.body)).unwrap() + 1
}

#[test]
fn a_perfect_output_grades_perfect() {
    let grades = graded(&perfect());
    assert_eq!(grades.patients_found, 12);
    assert_eq!(grades.patients_true, 12);
    assert!(grades.duplicates_received > grades.facts_true / 2);
    let counts = [
        grades.duplicates_left,
        grades.entries_unknown,
        grades.false_merges,
        grades.facts_lost,
        grades.corrections_missed,
        grades.edits_lost,
        grades.invalid_resources,
    ];
    assert_eq!(counts, [0; 7]);
}

#[test]
fn a_planted_duplicate_is_counted() {
    let mut world = perfect();
    let again = first(&mut world)[3].clone();
    first(&mut world).push(again);
    assert_eq!(graded(&world).duplicates_left, 1);
    assert_eq!(graded(&world).false_merges, 0);
}

#[test]
fn a_second_record_of_a_person_is_counted() {
    let mut world = perfect();
    let only_patient = list([first(&mut world)[0].clone()]);
    world.output.records.insert("again".to_owned(), object! { "entry": only_patient });
    assert_eq!(graded(&world).duplicates_left, 1);
}

#[test]
fn a_lost_fact_is_counted() {
    let mut world = perfect();
    let at = place(&world, |body| matches!(body, Body::Encounter(_)));
    first(&mut world).remove(at);
    assert_eq!(graded(&world).facts_lost, 1);
    assert_eq!(graded(&world).duplicates_left, 0);
}

#[test]
fn an_invalid_resource_is_counted() {
    let mut world = perfect();
    let resource = first(&mut world)[2].get_mut("resource").unwrap();
    resource.as_object_mut().unwrap().remove("id");
    assert_eq!(graded(&world).invalid_resources, 1);
}

#[test]
fn two_visits_in_one_entry_are_a_false_merge() {
    let mut world = perfect();
    let visits: Vec<usize> = world.population.people[0]
        .facts
        .iter()
        .enumerate()
        .filter(|(_, fact)| matches!(fact.body, Body::Encounter(_)))
        .map(|(place, _)| place + 1)
        .collect();
    let other = first(&mut world).remove(visits[1]);
    let identifier = other.get("resource").unwrap().get("identifier").unwrap().at(0).unwrap();
    let one = first(&mut world)[visits[0]].get_mut("resource").unwrap();
    append(one, "identifier", identifier.clone());
    assert_eq!(graded(&world).false_merges, 1);
    assert_eq!(graded(&world).facts_lost, 0);
}

#[test]
fn a_result_that_lives_inside_another_is_a_false_merge() {
    let mut world = perfect();
    let pulse = |body: &Body| matches!(body, Body::Measure(m) if m.analyte.coding.code == "8867-4");
    let facts = &world.population.people[0].facts;
    let places: Vec<usize> =
        facts.iter().enumerate().filter(|(_, f)| pulse(&f.body)).map(|(p, _)| p + 1).collect();
    let values: Vec<Value> = places
        .iter()
        .map(|p| {
            first(&mut world)[*p].get("resource").unwrap().get("valueQuantity").unwrap().clone()
        })
        .collect();
    let differing = (1..values.len()).find(|p| values[*p] != values[0]).unwrap();
    first(&mut world).remove(places[differing]);
    assert_eq!(graded(&world).facts_lost, 1);
    let holder = first(&mut world)[places[0]].get_mut("resource").unwrap();
    set(holder, "component", list([object! { "valueQuantity": values[differing].clone() }]));
    assert_eq!(graded(&world).facts_lost, 0);
    assert_eq!(graded(&world).false_merges, 1);
}

#[test]
fn two_persons_in_one_record_are_a_false_merge() {
    let mut world = perfect();
    let name = world.population.people[1].shared.clone();
    let other = world.output.records.remove(&name).unwrap();
    let theirs = other.get("entry").and_then(Value::as_array).unwrap().to_vec();
    first(&mut world).extend(theirs);
    assert!(graded(&world).false_merges >= 1);
}

#[test]
fn an_old_value_after_its_correction_is_counted() {
    let mut world = perfect();
    let corrected = world.population.facts().find_map(|(person, fact)| match &fact.body {
        Body::Measure(measure) if measure.values.len() > 1 => {
            Some((person.shared.clone(), fact.id, measure.text(&measure.values[0])))
        }
        _ => None,
    });
    let (shared, id, old) = corrected.unwrap();
    let facts = &world.population.people.iter().find(|p| p.shared == shared).unwrap().facts;
    let at = facts.iter().position(|fact| fact.id == id).unwrap() + 1;
    let record = world.output.records.get_mut(&shared).unwrap();
    let entry = record.get_mut("entry").unwrap().at_mut(at).unwrap().get_mut("resource").unwrap();
    set(entry, "valueQuantity", fhir::quantity(&old, "x", "x"));
    assert_eq!(graded(&world).corrections_missed, 1);
}

/// The script without new entries, played at two replicas of which the last write wins.
fn overwritten(world: &World) -> (Vec<Played>, Output) {
    let mut a = Server::new(Contention::Overwrite);
    for (patient, record) in &world.output.records {
        entries(record).for_each(|resource| a.put(patient, 0, resource.clone()));
    }
    let mut b = a.clone();
    let edits: Vec<_> = script(&world.population, 4)
        .into_iter()
        .filter(|edit| !matches!(edit.target, Target::NewAllergy(_)))
        .collect();
    let played = play(&world.population, &edits, &mut Apart { a: &mut a, b: &mut b }).unwrap();
    assert!(played.iter().all(|edit| edit.outcome.is_some()));
    a.exchange(&mut b).unwrap();
    let output = Output::of(&mut a).unwrap();
    (played, output)
}

#[test]
fn overwritten_edits_are_lost_until_a_conflict_shows_them() {
    let world = perfect();
    let (played, mut output) = overwritten(&world);
    let missing = lost(&world.population, &played, &output);
    assert!(missing.len() > played.len() / 4, "{} of {}", missing.len(), played.len());
    for (at, edit) in played.iter().enumerate() {
        let value = edit.after.clone().unwrap_or(Value::Null);
        let conflict = object! {
            "entry": edit.entry.clone().unwrap(),
            "kind": "value",
            "values": list([object! {
                "value": value,
                "author": edit.edit.author,
                "removed": edit.after.is_none(),
            }]),
            "place": at.to_string(),
        };
        output.conflicts.entry("all".to_owned()).or_default().push(conflict);
    }
    assert!(lost(&world.population, &played, &output).is_empty());
    // Hiding the conflict of one dose that was overwritten loses exactly that edit.
    let hidden = *missing.iter().find(|at| played[**at].edit.case == Some(1)).unwrap();
    let conflicts = output.conflicts.get_mut("all").unwrap();
    conflicts.retain(|conflict| text(conflict, "place") != Some(hidden.to_string().as_str()));
    assert_eq!(lost(&world.population, &played, &output), [hidden]);
}

#[test]
fn a_whole_run_on_servers_of_today_finds_their_losses() {
    let directory = tempfile::tempdir().unwrap();
    let mut a = Server::new(Contention::Overwrite);
    let mut b = Server::new(Contention::Overwrite);
    let options = Options { patients: 12, seed: 9, directory: directory.path() };
    let mut lent = Lent { elapsed_s: &|| 1.0, valid: &|_| true, step: &mut |_| {} };
    let report = run(options, &mut a, &mut b, &mut lent).unwrap();
    assert!(report.grades.edits_lost > 0);
    assert!(report.grades.facts_lost > 0, "it reads neither HL7 v2 nor C-CDA");
    assert!(report.overwrite.lost > 0 && report.overwrite.refused == 0);
    assert!(report.refuse.lost == 0 && report.refuse.refused > 0, "{:?}", report.refuse);
    assert!(report.replicas_equal);
    assert!(!report.passed());
    let json = report.to_json().to_text();
    for key in ["patients_true", "duplicates_left", "false_merges", "edits_lost", "wall_s"] {
        assert!(json.contains(key), "{key}");
    }
    assert!(report.to_string().contains("last write wins"));
}

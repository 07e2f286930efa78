//! Edits: shown, in an open conflict, superseded by someone who had seen them, or lost.

use clisonix_fhir::json::Value;

use super::Output;
use crate::claim::Claim;
use crate::compose::{objects_with, same};
use crate::edits::Target;
use crate::play::{Played, allergies};
use crate::population::Population;
use crate::sighting::{Register, entries, name};
use crate::site::Outcome;

/// The places in the play of the edits that are lost.
pub fn lost(population: &Population, played: &[Played], output: &Output) -> Vec<usize> {
    let register = Register::new(population);
    let kept = |(place, edit): &(usize, &Played)| {
        let entry = shown(&register, edit, output);
        edit.claims.iter().all(|claim| {
            claim.shown(entry)
                || conflicting(claim, edit, entry, output)
                || superseded(claim, *place, edit, played)
        })
    };
    played
        .iter()
        .enumerate()
        .filter(|(_, edit)| edit.outcome.is_some())
        .filter(|pair| !kept(pair))
        .map(|(place, _)| place)
        .collect()
}

/// The edit's entry in the output.
pub(super) fn shown<'a>(
    register: &Register<'_>,
    edit: &'a Played,
    output: &'a Output,
) -> Option<&'a Value> {
    let mut records = output.records.values();
    match (&edit.entry, edit.edit.target) {
        (Some(wanted), _) => records.flat_map(entries).find(|entry| name(entry) == *wanted),
        (None, Target::NewAllergy(allergen)) => {
            let of_person = |record: &&Value| {
                register.people(record).iter().any(|person| person.number == edit.edit.person)
            };
            // Where the same allergy stands twice (which counts as a duplicate), the edit may be
            // the one that the second entry shows.
            let says = |it: &&Value| edit.claims.iter().all(|claim| claim.shown(Some(it)));
            let record = records.find(of_person)?;
            allergies(record, allergen).find(says).or_else(|| allergies(record, allergen).next())
        }
        _ => None,
    }
}

fn conflicting(claim: &Claim, edit: &Played, entry: Option<&Value>, output: &Output) -> bool {
    let wanted = edit.entry.clone().or_else(|| entry.map(name)).unwrap_or_default();
    let author = edit.edit.author;
    output.conflicts_of(&wanted).any(|conflict| claim.in_conflict(conflict, author))
}

/// Whether someone who had seen the edit wrote the same member, or removed the entry.
fn superseded(claim: &Claim, place: usize, edit: &Played, played: &[Played]) -> bool {
    played.iter().any(|later| {
        later.seen.contains(&place)
            && edit.entry.is_some()
            && later.entry == edit.entry
            && later.outcome == Some(Outcome::Accepted)
            && later
                .claims
                .iter()
                .any(|other| other.member == claim.member || other.member.is_empty())
    })
}

/// Quantities in edited entries that neither the sources nor any author stated.
pub(super) fn invented(played: &[Played], output: &Output) -> usize {
    let mut invented = 0;
    for entry in output.records.values().flat_map(entries) {
        let wanted = name(entry);
        let edits: Vec<&Played> =
            played.iter().filter(|edit| edit.entry.as_ref() == Some(&wanted)).collect();
        if edits.is_empty() {
            continue;
        }
        let mut stated = Vec::new();
        for edit in &edits {
            objects_with(&edit.before, "unit", &mut stated);
            if let Some(after) = &edit.after {
                objects_with(after, "unit", &mut stated);
            }
        }
        let mut shown = Vec::new();
        objects_with(entry, "unit", &mut shown);
        invented += shown.iter().filter(|q| !stated.iter().any(|s| same(s, q))).count();
    }
    invented
}

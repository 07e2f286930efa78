//! Playing the script against replicas, and writing down what each author had read.

use std::collections::BTreeMap;

use clisonix_fhir::json::Value;

use crate::claim::{Claim, claims, removal};
use crate::compose::text;
use crate::edits::{Base, Change, Edit, Replica, Target};
use crate::population::{Allergen, Person, Population};
use crate::sighting::{Register, codes, entries, facts, name};
use crate::site::{By, Outcome, Site};

/// Where the authors sit.
pub trait Desks {
    /// The kind of replica.
    type Site: Site;
    /// The replica an author works at.
    fn at(&mut self, replica: Replica) -> &mut Self::Site;
    /// Whether all authors see one another's writes.
    fn shared(&self) -> bool;
}

/// Two replicas that cannot see each other.
#[derive(Debug)]
pub struct Apart<'a, S> {
    /// The replica of [`Replica::A`].
    pub a: &'a mut S,
    /// The replica of [`Replica::B`].
    pub b: &'a mut S,
}

impl<S: Site> Desks for Apart<'_, S> {
    type Site = S;

    fn at(&mut self, replica: Replica) -> &mut S {
        match replica {
            Replica::A => self.a,
            Replica::B => self.b,
        }
    }

    fn shared(&self) -> bool {
        false
    }
}

/// One server for everybody.
#[derive(Debug)]
pub struct Together<'a, S>(pub &'a mut S);

impl<S: Site> Desks for Together<'_, S> {
    type Site = S;

    fn at(&mut self, _replica: Replica) -> &mut S {
        self.0
    }

    fn shared(&self) -> bool {
        true
    }
}

/// One edit as it was made.
#[derive(Debug, Clone)]
pub struct Played {
    /// What the script says.
    pub edit: Edit,
    /// The entry it is about (`Type/id`); none for a new one, or where nothing was found.
    pub entry: Option<String>,
    /// What its author had read.
    pub before: Value,
    /// What its author wrote; none for a removal.
    pub after: Option<Value>,
    /// What it claims.
    pub claims: Vec<Claim>,
    /// The edits its author had seen, by their place in the play.
    pub seen: Vec<usize>,
    /// What became of it; none when its target was not to be found.
    pub outcome: Option<Outcome>,
}

/// An entry as an author has it before them.
#[derive(Debug, Clone)]
struct Page {
    patient: String,
    resource: Value,
}

/// Plays a script.
pub fn play<D: Desks>(
    population: &Population,
    script: &[Edit],
    desks: &mut D,
) -> Result<Vec<Played>, <D::Site as Site>::Error> {
    let register = Register::new(population);
    let patients = [
        (Replica::A, directory(&register, desks.at(Replica::A))?),
        (Replica::B, directory(&register, desks.at(Replica::B))?),
    ];
    let mut played: Vec<Played> = Vec::new();
    for group in script.chunk_by(|one, two| one.group == two.group) {
        let begun = played.len();
        let mut start: BTreeMap<Replica, Option<Page>> = BTreeMap::new();
        for edit in group {
            let patient = patients
                .iter()
                .find(|(replica, _)| *replica == edit.replica)
                .and_then(|(_, patients)| patients.get(&edit.person));
            let Some((person, patient)) = population.person(edit.person).zip(patient) else {
                continue;
            };
            if let std::collections::btree_map::Entry::Vacant(slot) = start.entry(edit.replica) {
                slot.insert(open(desks.at(edit.replica), person, patient, edit.target)?);
            }
        }
        for edit in group {
            let page = match (edit.base, start.get(&edit.replica)) {
                (Base::Now, Some(Some(page))) => again(desks.at(edit.replica), page)?,
                (_, page) => page.cloned().flatten(),
            };
            let seen = seen(&played, begun, edit, desks.shared());
            played.push(make(desks.at(edit.replica), edit, page, seen)?);
        }
    }
    Ok(played)
}

/// Which record belongs to which person at a replica.
fn directory<S: Site>(
    register: &Register<'_>,
    site: &mut S,
) -> Result<BTreeMap<u32, String>, S::Error> {
    let mut found = BTreeMap::new();
    for patient in site.patients()? {
        let record = site.record(&patient)?;
        if let Some(person) = register.people(&record).first() {
            found.entry(person.number).or_insert(patient);
        }
    }
    Ok(found)
}

fn open<S: Site>(
    site: &mut S,
    person: &Person,
    patient: &str,
    target: Target,
) -> Result<Option<Page>, S::Error> {
    let record = site.record(patient)?;
    let patient_entry = |it: &&Value| text(it, "resourceType") == Some("Patient");
    let found = match target {
        Target::Patient | Target::NewAllergy(_) => entries(&record).find(patient_entry),
        Target::Fact(id) => entries(&record)
            .find(|it| facts(person, it, &record).first().is_some_and(|fact| fact.id == id)),
    };
    let Some(entry) = found.map(name) else { return Ok(None) };
    let resource = site.read(&entry)?;
    Ok(resource.map(|resource| Page { patient: patient.to_owned(), resource }))
}

fn again<S: Site>(site: &mut S, page: &Page) -> Result<Option<Page>, S::Error> {
    let resource = site.read(&name(&page.resource))?;
    Ok(resource.map(|resource| Page { patient: page.patient.clone(), resource }))
}

/// What the author of `edit` had seen: everything accepted at the same replica before the group
/// began, and with [`Base::Now`] also what the group wrote there since.
fn seen(played: &[Played], begun: usize, edit: &Edit, shared: bool) -> Vec<usize> {
    let visible = |(place, other): &(usize, &Played)| {
        (shared || other.edit.replica == edit.replica)
            && other.outcome == Some(Outcome::Accepted)
            && (*place < begun || edit.base == Base::Now)
    };
    played.iter().enumerate().filter(visible).map(|(place, _)| place).collect()
}

fn make<S: Site>(
    site: &mut S,
    edit: &Edit,
    page: Option<Page>,
    seen: Vec<usize>,
) -> Result<Played, S::Error> {
    let mut played = Played {
        edit: edit.clone(),
        entry: None,
        before: Value::Null,
        after: None,
        claims: Vec::new(),
        seen,
        outcome: None,
    };
    let Some(Page { patient, resource }) = page else { return Ok(played) };
    let by = By { author: edit.author, time_ms: edit.time_ms };
    match edit.intent.apply(&resource) {
        Change::Create(new) => {
            played.outcome = Some(site.create(&patient, by, &new)?);
            played.claims = claims(&Value::Null, &new);
            played.after = Some(new);
        }
        Change::Write(new) => {
            played.outcome = Some(site.edit(by, &new)?);
            played.claims = claims(&resource, &new);
            played.entry = Some(name(&new));
            played.after = Some(new);
            played.before = resource;
        }
        Change::Remove => {
            let entry = name(&resource);
            let version = resource.get("meta").and_then(|meta| text(meta, "versionId"));
            played.outcome = Some(site.remove(by, &entry, version)?);
            played.claims = removal();
            played.entry = Some(entry);
            played.before = resource;
        }
    }
    Ok(played)
}

/// The entries of a record that say this allergy.
pub(crate) fn allergies<'a>(
    record: &'a Value,
    allergen: &'a Allergen,
) -> impl Iterator<Item = &'a Value> {
    entries(record).filter(move |it| {
        let said = codes(it, record);
        text(it, "resourceType") == Some("AllergyIntolerance")
            && allergen.codings().iter().any(|c| said.contains(&(c.system.uri(), c.code)))
    })
}

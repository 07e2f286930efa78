//! Choosing the patients and the facts, and writing the script down.

use super::{Base, Edit, Intent, Replica, Target};
use crate::calendar::{DAY_MS, Day};
use crate::chance::Chance;
use crate::population::{Allergy, Body, Fact, Person, Population, allergens};

/// The first day of the edits: after everything that was sent.
const FIRST_DAY: (i64, i64, i64) = (2025, 11, 3);
const MINUTE_MS: u64 = 60_000;
const AUTHORS: [&str; 4] = ["dr-adams", "dr-brooks", "nurse-chen", "dr-diaz"];

/// The script for a population. Every person is edited; which edits, follows from the seed.
pub fn script(population: &Population, seed: u64) -> Vec<Edit> {
    let mut writer = Writer { edits: Vec::new(), group: 0, swap: false };
    for person in &population.people {
        let mut chance = Chance::child(seed, "edits", u64::from(person.number));
        // Both orders of actors: who writes first alternates from patient to patient.
        writer.swap = person.number % 2 == 0;
        writer.cases(person, &mut chance);
        writer.demographics(person, &mut chance);
        writer.ordinary(person, &mut chance);
    }
    writer.edits
}

struct Writer {
    edits: Vec<Edit>,
    group: u32,
    swap: bool,
}

/// One author's part in a group.
type Part = (Replica, Base, Intent);

impl Writer {
    fn group(&mut self, case: Option<u8>, person: &Person, target: Target, parts: Vec<Part>) {
        self.group += 1;
        let day = Day::of(FIRST_DAY.0, FIRST_DAY.1, FIRST_DAY.2);
        let start = u64::try_from(day.0 * DAY_MS).unwrap_or(0);
        let start = start + u64::from(self.group) * 30 * MINUTE_MS;
        for (place, (replica, base, intent)) in (0_u64..).zip(parts) {
            let author = AUTHORS.get(usize::try_from(place).unwrap_or(0) % AUTHORS.len());
            self.edits.push(Edit {
                group: self.group,
                case,
                replica,
                author: author.copied().unwrap_or("dr-adams"),
                time_ms: start + place * MINUTE_MS,
                person: person.number,
                target,
                base,
                intent,
            });
        }
    }

    /// Two authors at two replicas, neither seeing the other.
    fn apart(&mut self, case: Option<u8>, person: &Person, target: Target, both: [Intent; 2]) {
        let [first, second] = both;
        let (first, second) = if self.swap { (second, first) } else { (first, second) };
        let at = if self.swap { Replica::B } else { Replica::A };
        let parts = vec![(at, Base::Start, first), (at.other(), Base::Start, second)];
        self.group(case, person, target, parts);
    }

    fn cases(&mut self, person: &Person, chance: &mut Chance) {
        let mut pick = Picker { person, chance, used: Vec::new() };
        if let Some((target, milligrams)) = pick.medication() {
            let both = [Intent::Dose(milligrams * 1000, "ug"), Intent::Dose(milligrams * 2, "mg")];
            self.apart(Some(1), person, target, both);
        }
        if let Some((target, number, unit)) = pick.result() {
            let both = [
                Intent::ResultText("Specimen hemolyzed, not reported"),
                Intent::ResultNumber(number, unit),
            ];
            self.apart(Some(2), person, target, both);
        }
        if let Some(target) = pick.condition() {
            let both = [Intent::Resolve(Day::of(2025, 10, 30)), Intent::Relapse];
            self.apart(Some(3), person, target, both);
        }
        if let Some((target, _)) = pick.medication() {
            self.apart(Some(4), person, target, [Intent::EnteredInError, Intent::Complete]);
        }
        if let Some(target) = pick.mild_allergy() {
            self.apart(Some(5), person, target, [Intent::Remove, Intent::RaiseCriticality]);
        }
        if let Some(allergen) = pick.new_allergen() {
            let both = [Intent::AddAllergy(allergen, "low"), Intent::AddAllergy(allergen, "high")];
            self.apart(Some(6), person, Target::NewAllergy(allergen), both);
        }
    }

    fn demographics(&mut self, person: &Person, chance: &mut Chance) {
        let phone = |kind, last: i64| Intent::AddPhone(kind, format!("+1-602-555-01{last:02}"));
        let one = chance.between(10, 50);
        let both = [phone("mobile", one), phone("work", one + 40)];
        self.apart(None, person, Target::Patient, both);
        if chance.percent(50) {
            let born = Day(person.birth.0 + chance.between(1, 20));
            let both = [Intent::BirthDate(born), Intent::MoveTo("77 E Van Buren St".to_owned())];
            self.apart(None, person, Target::Patient, both);
        }
        if chance.percent(25) {
            let later = |days| Intent::BirthDate(Day(person.birth.0 + days));
            self.apart(None, person, Target::Patient, [later(31), later(62)]);
        }
    }

    fn ordinary(&mut self, person: &Person, chance: &mut Chance) {
        let mut pick = Picker { person, chance, used: self.used(person) };
        if let Some(target) = pick.condition() {
            let note = |text: &str| Intent::Note(text.to_owned());
            let both = [note("Seen today, stable."), note("Referral sent.")];
            self.apart(None, person, target, both);
        }
        if let Some((target, milligrams)) = pick.medication() {
            // The second author has read the first one's dose: no conflict. The third, at the
            // other replica, has not.
            let mut parts = vec![
                (Replica::A, Base::Start, Intent::Dose(milligrams * 2, "mg")),
                (Replica::A, Base::Now, Intent::Dose(milligrams * 3, "mg")),
            ];
            if pick.chance.percent(40) {
                parts.push((Replica::B, Base::Start, Intent::Note("Takes with food.".to_owned())));
            }
            self.group(None, person, target, parts);
        }
        if let Some((target, number, unit)) = pick.result() {
            // Two at one replica, the second from a stale page.
            let note = Intent::Note("Discussed with the patient.".to_owned());
            let parts = vec![
                (Replica::B, Base::Start, Intent::ResultNumber(number, unit)),
                (Replica::B, Base::Start, note),
            ];
            self.group(None, person, target, parts);
        }
    }

    /// The facts of a person that are edited already.
    fn used(&self, person: &Person) -> Vec<u32> {
        let of = self.edits.iter().filter(|edit| edit.person == person.number);
        of.filter_map(|edit| match edit.target {
            Target::Fact(fact) => Some(fact),
            _ => None,
        })
        .collect()
    }
}

/// Draws facts of one person, each at most once.
struct Picker<'a> {
    person: &'a Person,
    chance: &'a mut Chance,
    used: Vec<u32>,
}

impl<'a> Picker<'a> {
    fn fact(&mut self, fit: impl Fn(&Body) -> bool) -> Option<&'a Fact> {
        let fitting: Vec<&'a Fact> = self
            .person
            .facts
            .iter()
            .filter(|fact| fit(&fact.body) && !self.used.contains(&fact.id))
            .collect();
        let fact = self.chance.pick(&fitting).copied()?;
        self.used.push(fact.id);
        Some(fact)
    }

    fn medication(&mut self) -> Option<(Target, i64)> {
        let fact = self.fact(|body| matches!(body, Body::Medication(_)))?;
        let Body::Medication(order) = &fact.body else { return None };
        Some((Target::Fact(fact.id), order.drug.milligrams))
    }

    fn result(&mut self) -> Option<(Target, String, crate::population::Unit)> {
        let fact = self.fact(|body| {
            matches!(body, Body::Measure(m) if m.order.is_some() && m.values.len() == 1 && !m.other_unit)
        })?;
        let Body::Measure(measure) = &fact.body else { return None };
        let mut value = measure.values.last()?.clone();
        value.scaled += self.chance.between(1, 6);
        Some((Target::Fact(fact.id), measure.text(&value), measure.analyte.unit))
    }

    fn condition(&mut self) -> Option<Target> {
        let fact = self.fact(|body| matches!(body, Body::Condition(d) if d.abatement.is_none()))?;
        Some(Target::Fact(fact.id))
    }

    fn mild_allergy(&mut self) -> Option<Target> {
        let fact = self.fact(|body| matches!(body, Body::Allergy(Allergy { high: false, .. })))?;
        Some(Target::Fact(fact.id))
    }

    fn new_allergen(&mut self) -> Option<&'static crate::population::Allergen> {
        let has = |code: &str| {
            self.person.facts.iter().any(
                |fact| matches!(&fact.body, Body::Allergy(a) if a.allergen.substance.code == code),
            )
        };
        let new: Vec<_> = allergens().iter().filter(|a| !has(a.substance.code)).collect();
        self.chance.pick(&new).copied()
    }
}

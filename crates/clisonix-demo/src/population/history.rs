//! What happened to one person: visits first, and everything else hangs on a visit.

use std::collections::BTreeSet;

use super::{
    Allergy, Analyte, Body, Diagnosis, FACTS_PER_PERSON, Fact, Measure, Order, Panel, Person,
    Prescription, Problem, Reported, Routes, Vaccination, Visit, allergens, drugs, panels,
    problems, vaccines, vital_signs,
};
use crate::calendar::{DAY_MS, Day, HOUR_MS, Instant, MINUTE_MS, Moment};
use crate::chance::Chance;

/// The first day on which something can happen.
const FIRST: (i64, i64, i64) = (2023, 1, 9);
/// Days over which visits are spread.
const SPAN_DAYS: i64 = 900;

/// Everything that is true of one person, by the time it became known.
pub(super) fn facts(person: &Person, seed: u64) -> Vec<Fact> {
    let mut history = History {
        person: person.number,
        chance: Chance::child(seed, "history", u64::from(person.number)),
        facts: Vec::new(),
        measured: BTreeSet::new(),
        diagnosed: BTreeSet::new(),
    };
    history.allergies();
    let days = history.days();
    for (place, day) in days.iter().enumerate() {
        history.visit(*day, place);
    }
    history.immunizations(&days);
    let mut facts = history.facts;
    facts.sort_by_key(|fact| (fact.known, fact.id));
    facts
}

struct History {
    person: u32,
    chance: Chance,
    facts: Vec<Fact>,
    /// What was measured when: one analyte has one value at one time.
    measured: BTreeSet<(&'static str, Instant)>,
    /// Which problem began on which day on which side.
    diagnosed: BTreeSet<(&'static str, &'static str, Day)>,
}

impl History {
    fn push(&mut self, when: Moment, known: Instant, routes: Routes, body: Body) {
        let place = u32::try_from(self.facts.len()).unwrap_or(0);
        let id = self.person * FACTS_PER_PERSON + place.min(FACTS_PER_PERSON - 1);
        self.facts.push(Fact { id, when, known, routes, body });
    }

    /// The days of the visits, all different.
    fn days(&mut self) -> Vec<Day> {
        let count = self.chance.between(4, 9);
        let first = Day::of(FIRST.0, FIRST.1, FIRST.2).0;
        let mut days = BTreeSet::new();
        for _ in 0..count {
            days.insert(Day(first + self.chance.between(0, SPAN_DAYS / 4) * 4));
        }
        days.into_iter().collect()
    }

    fn allergies(&mut self) {
        let count = self.chance.place(4);
        for allergen in self.chance.several(allergens(), count) {
            let day = Day::of(2022, self.chance.between(1, 13), self.chance.between(1, 29));
            let routes = self.routes(85, 60, 60);
            let high = self.chance.percent(35);
            let body = Body::Allergy(Allergy { allergen, high });
            self.push(Moment::Day(day), day.at(12, 0), routes, body);
        }
    }

    fn visit(&mut self, day: Day, place: usize) {
        let start = day.at(self.chance.between(8, 15), self.chance.between(0, 60));
        let inpatient = self.chance.percent(25);
        let stay = if inpatient { DAY_MS * self.chance.between(1, 4) } else { HOUR_MS };
        let number = format!("V{:07}", u64::from(self.person) * 100 + place as u64);
        let mut routes = self.routes(90, 0, 65);
        routes.ccda = false;
        let visit = Visit { number: number.clone(), inpatient, end: start.plus(stay) };
        self.push(Moment::Instant(start), start, routes, Body::Encounter(visit));
        self.vitals(start.plus(10 * MINUTE_MS), &format!("{number}-1"));
        if inpatient {
            self.vitals(start.plus(9 * HOUR_MS), &format!("{number}-2"));
        }
        self.diagnoses(day, start, &number);
        self.prescriptions(day, start, place);
        self.orders(start, &number);
    }

    fn diagnoses(&mut self, day: Day, start: Instant, visit: &str) {
        if self.chance.percent(30) {
            return;
        }
        let Some(problem) = self.chance.pick(problems()) else { return };
        let mut found = vec![problem];
        if problem.site.is_some() && self.chance.percent(60) {
            // The same problem on the other side, found on the same day.
            found.extend(
                problems()
                    .iter()
                    .filter(|other| other.snomed == problem.snomed && other.site != problem.site),
            );
        }
        for problem in found {
            self.diagnose(problem, day, start, visit);
        }
    }

    fn diagnose(&mut self, problem: &'static Problem, day: Day, start: Instant, visit: &str) {
        let site = problem.site.map_or("", |site| site.code);
        let began = self
            .diagnosed
            .iter()
            .any(|(code, side, _)| *code == problem.snomed.code && *side == site && !problem.acute);
        // A chronic problem begins once; an acute one may come back and is then another fact.
        if began || !self.diagnosed.insert((problem.snomed.code, site, day)) {
            return;
        }
        let mut routes = self.routes(75, 60, 60);
        if !problem.icd_says_side() {
            routes.hl7v2 = false;
            routes.ccda |= !routes.fhir;
        }
        let abatement = problem.acute.then(|| Day(day.0 + self.chance.between(7, 29)));
        let body = Body::Condition(Diagnosis { problem, abatement, visit: visit.to_owned() });
        self.push(Moment::Day(day), start, routes, body);
    }

    fn prescriptions(&mut self, day: Day, start: Instant, place: usize) {
        if place > 0 && self.chance.percent(45) {
            return;
        }
        let count = self.chance.place(2) + 1;
        for drug in self.chance.several(drugs(), count) {
            let code = drug.coding.code;
            let taken = self.facts.iter().any(
                |fact| matches!(&fact.body, Body::Medication(p) if p.drug.coding.code == code),
            );
            if taken {
                continue;
            }
            let routes = self.routes(0, 70, 70);
            let per_day = self.chance.between(1, 4);
            let body = Body::Medication(Prescription { drug, per_day });
            self.push(Moment::Day(day), start, routes, body);
        }
    }

    fn orders(&mut self, start: Instant, visit: &str) {
        let count = self.chance.place(3);
        let drawn: Vec<&'static Panel> = self.chance.several(panels(), count);
        for (place, panel) in drawn.into_iter().enumerate() {
            let place = place as u64;
            let minutes = self.chance.between(20, 50) + 5 * place.cast_signed();
            let drawn = start.plus(minutes * MINUTE_MS);
            self.order(panel, drawn, visit, place * 2);
            if self.chance.percent(25) {
                // The same test again on the same day: other values, other facts.
                let again = drawn.plus(self.chance.between(3, 6) * HOUR_MS);
                self.order(panel, again, visit, place * 2 + 1);
            }
        }
    }

    fn order(&mut self, panel: &'static Panel, drawn: Instant, visit: &str, place: u64) {
        let digits = visit.get(1..).unwrap_or_default();
        let order = Order {
            panel,
            placer: format!("P{digits}{place}"),
            filler: format!("L{digits}{place}"),
        };
        let routes = self.routes(85, 45, 60);
        let corrected = self.chance.percent(15).then(|| self.chance.place(panel.analytes.len()));
        let other_unit = self.chance.percent(50);
        for (at, analyte) in panel.analytes.iter().enumerate() {
            let mut values = vec![self.value(analyte, drawn.plus(HOUR_MS))];
            if corrected == Some(at) {
                let mut better = self.value(analyte, drawn.plus(30 * HOUR_MS));
                while values.iter().any(|value| value.scaled == better.scaled) {
                    better = self.value(analyte, drawn.plus(30 * HOUR_MS));
                }
                values.push(better);
            }
            let measure = Measure {
                analyte,
                order: Some(order.clone()),
                values,
                other_unit: other_unit && analyte.other.is_some(),
                set: order.filler.clone(),
            };
            self.measure(measure, drawn, routes);
        }
    }

    fn vitals(&mut self, time: Instant, set: &str) {
        let routes = self.routes(0, 60, 75);
        for analyte in vital_signs() {
            let values = vec![self.value(analyte, time)];
            let set = set.to_owned();
            let measure = Measure { analyte, order: None, values, other_unit: false, set };
            self.measure(measure, time, routes);
        }
    }

    fn measure(&mut self, measure: Measure, when: Instant, routes: Routes) {
        if !self.measured.insert((measure.analyte.coding.code, when)) {
            return;
        }
        let known = measure.values.first().map_or(when, |value| value.at);
        self.push(Moment::Instant(when), known, routes, Body::Measure(measure));
    }

    fn value(&mut self, analyte: &Analyte, at: Instant) -> Reported {
        let (low, high) = analyte.drawn;
        // Two draws of which the nearer to the reference range is taken: mostly normal values.
        let middle = i64::midpoint(analyte.normal.0, analyte.normal.1);
        let (one, two) = (self.chance.between(low, high), self.chance.between(low, high));
        let scaled = if (one - middle).abs() < (two - middle).abs() { one } else { two };
        Reported { scaled, at }
    }

    fn immunizations(&mut self, days: &[Day]) {
        let count = self.chance.place(4) + 1;
        for vaccine in self.chance.several(vaccines(), count) {
            let Some(day) = self.chance.pick(days).copied() else { return };
            let routes = self.routes(0, 65, 65);
            let lot = format!("{}{}", self.chance.between(100, 999), self.chance.between(10, 99));
            let body = Body::Immunization(Vaccination { vaccine, lot: format!("U{lot}") });
            self.push(Moment::Day(day), day.at(17, 0), routes, body);
        }
    }

    /// Which systems know a fact, by their shares in percent; at least one does.
    fn routes(&mut self, hl7v2: i64, ccda: i64, fhir: i64) -> Routes {
        let mut routes = Routes {
            hl7v2: self.chance.percent(hl7v2),
            ccda: self.chance.percent(ccda),
            fhir: self.chance.percent(fhir),
        };
        if !routes.hl7v2 && !routes.ccda && !routes.fhir {
            routes.fhir = true;
        }
        routes
    }
}

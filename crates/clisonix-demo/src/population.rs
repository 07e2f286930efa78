//! A population of which the truth is known: people, and what is true of each of them.
//!
//! A *fact* is one thing that happened to one person (one visit, one result, one problem on one
//! side of the body). The exporters spread the facts over three systems; the oracle later asks
//! whether each fact came back as exactly one entry. Nothing here knows how records are merged.
//!
//! The population holds the situations that make merging hard, on purpose:
//! - the same test twice on one day with different values: two facts;
//! - a corrected result: one fact, whose value changes;
//! - the same problem on the left and on the right: two facts, told apart by the body site;
//! - the same problem again a year later: two facts, told apart by the onset;
//! - one result written in mg/dL by one system and in mmol/L by another: one fact;
//! - twins in one household with similar names: two persons;
//! - strangers with the same name and birth date: two persons.

mod catalog;
mod history;
mod people;

#[cfg(test)]
mod tests;

pub use catalog::{
    Allergen, Analyte, Coding, Drug, Panel, Problem, System, Unit, Vaccine, allergens, drugs,
    panels, problems, vaccines, vital_signs,
};

use crate::calendar::{Day, Instant, Moment};

/// The system of the identifier that all three systems carry.
pub const SHARED_OID: &str = "2.16.840.1.113883.19.5.99999.1";
/// The most people one population may have.
pub const MAX_PEOPLE: u32 = 9_999;
/// Facts of one person are numbered from `person × FACTS_PER_PERSON`.
pub const FACTS_PER_PERSON: u32 = 1_000;

/// One of the three systems that send data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// The hospital's HL7 v2 feed.
    Hl7v2,
    /// The clinic's C-CDA documents.
    Ccda,
    /// The third system's FHIR R4 server.
    Fhir,
}

/// All routes, in the order used by tables of three.
pub const ROUTES: [Route; 3] = [Route::Hl7v2, Route::Ccda, Route::Fhir];

/// Which systems know a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Routes {
    /// Known to the HL7 v2 feed.
    pub hl7v2: bool,
    /// Known to the C-CDA system.
    pub ccda: bool,
    /// Known to the FHIR server.
    pub fhir: bool,
}

impl Routes {
    /// Whether this system knows the fact.
    pub fn by(self, route: Route) -> bool {
        match route {
            Route::Hl7v2 => self.hl7v2,
            Route::Ccda => self.ccda,
            Route::Fhir => self.fhir,
        }
    }
}

/// A whole population.
#[derive(Debug, Clone)]
pub struct Population {
    /// The seed it was made from.
    pub seed: u64,
    /// Its people, by number from 1.
    pub people: Vec<Person>,
}

/// One true person.
#[derive(Debug, Clone)]
pub struct Person {
    /// 1, 2, 3 ...
    pub number: u32,
    /// The identifier under [`SHARED_OID`].
    pub shared: String,
    /// Each system's own number for the person, in the order of [`ROUTES`].
    pub local: [String; 3],
    /// Family name.
    pub family: &'static str,
    /// Given name.
    pub given: &'static str,
    /// Whether female.
    pub female: bool,
    /// Birth date.
    pub birth: Day,
    /// Addresses, oldest first; the last is today's.
    pub addresses: Vec<Address>,
    /// Home telephones, oldest first; the last is today's.
    pub phones: Vec<Phone>,
    /// Given name of the next of kin.
    pub kin: &'static str,
    /// Everything that is true of the person, by date.
    pub facts: Vec<Fact>,
}

/// A home address and since when the systems know it.
#[derive(Debug, Clone)]
pub struct Address {
    /// House number and street.
    pub line: String,
    /// City in Arizona.
    pub city: &'static str,
    /// ZIP code of that city.
    pub zip: &'static str,
    /// Known from then on.
    pub since: Instant,
}

/// A telephone number and since when the systems know it.
#[derive(Debug, Clone)]
pub struct Phone {
    /// `602-555-0123` (555-01xx is reserved for fiction).
    pub number: String,
    /// Known from then on.
    pub since: Instant,
}

/// One thing that is true of one person.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Unique in the population.
    pub id: u32,
    /// When: the visit's start, the result's time, the onset, the first dose.
    pub when: Moment,
    /// When the systems knew of it.
    pub known: Instant,
    /// Which systems know of it.
    pub routes: Routes,
    /// What it is.
    pub body: Body,
}

/// What a fact is.
#[derive(Debug, Clone)]
pub enum Body {
    /// A visit.
    Encounter(Visit),
    /// A problem or diagnosis.
    Condition(Diagnosis),
    /// An allergy.
    Allergy(Allergy),
    /// A prescribed medicine.
    Medication(Prescription),
    /// A laboratory result or a vital sign.
    Measure(Measure),
    /// A vaccination.
    Immunization(Vaccination),
}

/// A visit.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The hospital's visit number, which every system keeps.
    pub number: String,
    /// Admitted to a bed, or an outpatient.
    pub inpatient: bool,
    /// When it ended.
    pub end: Instant,
}

/// A problem of one person.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// The problem.
    pub problem: &'static Problem,
    /// When it was over, if it is.
    pub abatement: Option<Day>,
    /// Number of the visit at which it was recorded.
    pub visit: String,
}

/// An allergy of one person.
#[derive(Debug, Clone)]
pub struct Allergy {
    /// To what.
    pub allergen: &'static Allergen,
    /// Whether the next exposure may threaten life.
    pub high: bool,
}

/// A medicine prescribed to one person.
#[derive(Debug, Clone)]
pub struct Prescription {
    /// The drug.
    pub drug: &'static Drug,
    /// How many times a day.
    pub per_day: i64,
}

/// One measured value.
#[derive(Debug, Clone)]
pub struct Measure {
    /// What was measured.
    pub analyte: &'static Analyte,
    /// The order it belongs to; none for a vital sign.
    pub order: Option<Order>,
    /// The values in the order in which they were reported; the last is the true one.
    pub values: Vec<Reported>,
    /// Whether the FHIR server writes it in the analyte's other unit.
    pub other_unit: bool,
    /// Groups what was measured at one time.
    pub set: String,
}

/// The order of a laboratory panel.
#[derive(Debug, Clone)]
pub struct Order {
    /// The panel.
    pub panel: &'static Panel,
    /// The ordering system's number.
    pub placer: String,
    /// The laboratory's number.
    pub filler: String,
}

/// A value as it was reported at a time.
#[derive(Debug, Clone)]
pub struct Reported {
    /// In units of the analyte's last decimal place.
    pub scaled: i64,
    /// When the laboratory said so.
    pub at: Instant,
}

/// A vaccination of one person.
#[derive(Debug, Clone)]
pub struct Vaccination {
    /// With what.
    pub vaccine: &'static Vaccine,
    /// The lot number.
    pub lot: String,
}

impl Population {
    /// Makes `people` people (at most [`MAX_PEOPLE`]) and their histories from a seed.
    pub fn generate(people: u32, seed: u64) -> Self {
        let mut people = people::people(people.min(MAX_PEOPLE), seed);
        for person in &mut people {
            person.facts = history::facts(person, seed);
        }
        Self { seed, people }
    }

    /// All facts with their persons.
    pub fn facts(&self) -> impl Iterator<Item = (&Person, &Fact)> {
        self.people.iter().flat_map(|person| person.facts.iter().map(move |fact| (person, fact)))
    }

    /// The person with a number.
    pub fn person(&self, number: u32) -> Option<&Person> {
        self.people.iter().find(|person| person.number == number)
    }
}

impl Person {
    /// The address known at a time.
    pub fn address_at(&self, time: Instant) -> Option<&Address> {
        self.addresses.iter().rev().find(|a| a.since <= time).or(self.addresses.first())
    }

    /// The telephone known at a time.
    pub fn phone_at(&self, time: Instant) -> Option<&Phone> {
        self.phones.iter().rev().find(|p| p.since <= time).or(self.phones.first())
    }

    /// The number a system has given the person.
    pub fn local_id(&self, route: Route) -> &str {
        let [hl7v2, ccda, fhir] = &self.local;
        match route {
            Route::Hl7v2 => hl7v2,
            Route::Ccda => ccda,
            Route::Fhir => fhir,
        }
    }
}

impl Fact {
    /// The FHIR types that may hold such a fact.
    pub fn types(&self) -> &'static [&'static str] {
        match self.body {
            Body::Encounter(_) => &["Encounter"],
            Body::Condition(_) => &["Condition"],
            Body::Allergy(_) => &["AllergyIntolerance"],
            Body::Medication(_) => &["MedicationRequest", "MedicationStatement"],
            Body::Measure(_) => &["Observation"],
            Body::Immunization(_) => &["Immunization"],
        }
    }

    /// All codes that name the fact, in any code system a sender may use.
    pub fn codings(&self) -> Vec<Coding> {
        match &self.body {
            Body::Encounter(_) => Vec::new(),
            Body::Condition(diagnosis) => vec![diagnosis.problem.snomed, diagnosis.problem.icd],
            Body::Allergy(allergy) => allergy.allergen.codings(),
            Body::Medication(prescription) => vec![prescription.drug.coding],
            Body::Measure(measure) => vec![measure.analyte.coding],
            Body::Immunization(vaccination) => vec![vaccination.vaccine.coding],
        }
    }
}

impl Measure {
    /// The value reported last, or as known at `time`.
    pub fn value_at(&self, time: Option<Instant>) -> Option<&Reported> {
        let known = |value: &&Reported| time.is_none_or(|time| value.at <= time);
        self.values.iter().rev().find(known).or(self.values.first())
    }

    /// A value in the analyte's own unit, as text.
    pub fn text(&self, value: &Reported) -> String {
        decimal(value.scaled, self.analyte.places)
    }

    /// A value in the analyte's other unit, as text with that unit.
    pub fn other_text(&self, value: &Reported) -> Option<(String, Unit)> {
        let other = self.analyte.other?;
        let scaled = value.scaled.saturating_mul(10_i64.pow(u32::from(other.places)));
        let own = 10_i64.pow(u32::from(self.analyte.places));
        // Rounded half up: values are positive.
        let divisor = own.saturating_mul(other.factor_thousandths);
        let converted = (scaled.saturating_mul(1_000) + divisor / 2) / divisor.max(1);
        Some((decimal(converted, other.places), other.unit))
    }
}

/// A scaled integer as decimal text: 145 with one place is `14.5`.
pub fn decimal(scaled: i64, places: u8) -> String {
    if places == 0 {
        return scaled.to_string();
    }
    let power = 10_i64.pow(u32::from(places));
    let width = usize::from(places);
    format!("{}.{:0width$}", scaled / power, scaled % power)
}

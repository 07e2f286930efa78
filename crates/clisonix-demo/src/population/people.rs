//! The people: names, addresses, households, and the two kinds of look-alikes.

use super::{Address, Person, Phone};
use crate::calendar::{Day, Instant};
use crate::chance::Chance;

/// Of every ten people two are twins.
const TWINS_EVERY: u32 = 10;
/// Of every ten people two are strangers with one name and birth date.
const NAMESAKES_EVERY: u32 = 10;

/// Makes the people, without their histories.
pub(super) fn people(count: u32, seed: u64) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for number in 1..=count {
        let mut chance = Chance::child(seed, "person", u64::from(number));
        let person = match people.last() {
            Some(sibling) if number % TWINS_EVERY == 2 => twin(sibling, number, &mut chance),
            Some(other) if number % NAMESAKES_EVERY == 5 => namesake(other, number, &mut chance),
            _ => stranger(number, &mut chance),
        };
        people.push(person);
    }
    people
}

fn stranger(number: u32, chance: &mut Chance) -> Person {
    let female = chance.percent(50);
    let table = if female { &GIVEN_FEMALE } else { &GIVEN_MALE };
    let birth = Day::of(chance.between(1938, 2004), chance.between(1, 13), chance.between(1, 29));
    let start = Day::of(2022, 1, 1).at(0, 0);
    let mut addresses = vec![address(start, chance)];
    let mut phones = vec![phone(start, number, 0)];
    if chance.percent(30) {
        let moved = Day::of(2024, chance.between(2, 12), chance.between(1, 28)).at(9, 0);
        addresses.push(address(moved, chance));
        phones.push(phone(moved, number, 1));
    }
    let salt = chance.between(10, 100);
    Person {
        number,
        shared: format!("9{number:05}{salt}"),
        local: [
            format!("{}", 400_000 + u64::from(number) * 37),
            format!("C{:06}", 2_100 + u64::from(number) * 13),
            format!("F-{:05}", 70_000 + u64::from(number) * 3),
        ],
        family: chance.pick(&FAMILY).copied().unwrap_or("Stone"),
        given: chance.pick(table).map_or("Alex", |pair| pair.0),
        female,
        birth,
        addresses,
        phones,
        kin: chance.pick(&GIVEN_FEMALE).map_or("Robin", |pair| pair.1),
        facts: Vec::new(),
    }
}

/// Same household, family name, birth date and sex; given names that differ by a letter or two.
fn twin(sibling: &Person, number: u32, chance: &mut Chance) -> Person {
    let table = if sibling.female { &GIVEN_FEMALE } else { &GIVEN_MALE };
    let similar = table.iter().find(|pair| pair.0 == sibling.given).map_or("Alexis", |pair| pair.1);
    Person {
        family: sibling.family,
        given: similar,
        female: sibling.female,
        birth: sibling.birth,
        addresses: sibling.addresses.clone(),
        phones: sibling.phones.clone(),
        kin: sibling.kin,
        ..stranger(number, chance)
    }
}

/// Same name and birth date, and nothing else in common.
fn namesake(other: &Person, number: u32, chance: &mut Chance) -> Person {
    Person {
        family: other.family,
        given: other.given,
        female: other.female,
        birth: other.birth,
        ..stranger(number, chance)
    }
}

fn address(since: Instant, chance: &mut Chance) -> Address {
    let (city, zip) = chance.pick(&CITIES).copied().unwrap_or(("Phoenix", "85004"));
    let street = chance.pick(&STREETS).copied().unwrap_or("Main St");
    Address { line: format!("{} {street}", chance.between(100, 9_900)), city, zip, since }
}

fn phone(since: Instant, number: u32, place: u32) -> Phone {
    // 555-0100 to 555-0199 are reserved for fiction in every area code.
    let area = [602, 520, 480, 623, 928].get((number / 50) as usize % 5).copied().unwrap_or(602);
    Phone { number: format!("{area}-555-01{:02}", (number * 2 + place) % 100), since }
}

static FAMILY: [&str; 24] = [
    "Abbott",
    "Begay",
    "Castillo",
    "Delgado",
    "Ellison",
    "Fairbanks",
    "Garza",
    "Holloway",
    "Ibarra",
    "Jennings",
    "Kowalski",
    "Lindqvist",
    "Montoya",
    "Nakamura",
    "O'Connor",
    "Petersen",
    "Quintana",
    "Ramirez",
    "Sandoval",
    "Thornton",
    "Upshaw",
    "Vasquez",
    "Whitehorse",
    "Yazzie",
];

/// Given names with a similar one, as twins often have.
static GIVEN_FEMALE: [(&str, &str); 14] = [
    ("Maria", "Marta"),
    ("Elena", "Elina"),
    ("Dana", "Diana"),
    ("Carol", "Carla"),
    ("Joan", "Joanna"),
    ("Susan", "Susanna"),
    ("Karen", "Karin"),
    ("Linda", "Lynda"),
    ("Rosa", "Rose"),
    ("Teresa", "Tessa"),
    ("Anita", "Anna"),
    ("Julia", "Julie"),
    ("Paula", "Paola"),
    ("Helen", "Helena"),
];

static GIVEN_MALE: [(&str, &str); 14] = [
    ("John", "Jon"),
    ("Mark", "Marc"),
    ("Daniel", "David"),
    ("Carlos", "Carlo"),
    ("Eric", "Erik"),
    ("Luis", "Louis"),
    ("Peter", "Pedro"),
    ("Brian", "Bryan"),
    ("Steven", "Stephen"),
    ("Frank", "Francis"),
    ("Jorge", "George"),
    ("Alan", "Allen"),
    ("Victor", "Vincent"),
    ("Henry", "Harry"),
];

static CITIES: [(&str, &str); 6] = [
    ("Phoenix", "85004"),
    ("Tucson", "85701"),
    ("Mesa", "85201"),
    ("Tempe", "85281"),
    ("Flagstaff", "86001"),
    ("Prescott", "86301"),
];

static STREETS: [&str; 8] = [
    "N Central Ave",
    "E Camelback Rd",
    "W Baseline Rd",
    "S Mill Ave",
    "E Speedway Blvd",
    "N Oracle Rd",
    "W Grant Rd",
    "E Southern Ave",
];

//! The hospital's HL7 v2.5.1 feed: ADT A01, A04, A08 and ORU R01.
//!
//! Structure follows HL7 v2.5.1 chapters 2 (control), 3 (patient administration) and 7
//! (observations); tables are named as in chapter 2C. One file per patient holds the messages in
//! order of arrival, segments ended by a carriage return.

use super::{Export, Message, SentFact, horizon, stated};
use crate::calendar::Instant;
use crate::chance::Chance;
use crate::population::{
    Allergy, Body, Coding, Diagnosis, Fact, Measure, Order, Person, Route, SHARED_OID, Visit,
};

/// The hospital's own patient numbers.
pub const HOSPITAL_OID: &str = "2.16.840.1.113883.19.5.1";
/// The hospital's visit numbers, which every system keeps.
pub const VISIT_OID: &str = "2.16.840.1.113883.19.5.4";
/// Order numbers of the ordering system.
pub const PLACER_OID: &str = "2.16.840.1.113883.19.5.5";
/// Order numbers of the laboratory.
pub const FILLER_OID: &str = "2.16.840.1.113883.19.5.6";

/// Puts one person's messages into one file.
pub(super) fn render(person: &Person, seed: u64, export: &mut Export) {
    let mut feed = Feed { person, control: 0, messages: Vec::new() };
    feed.visits();
    feed.moves();
    feed.results();
    let mut chance = Chance::child(seed, "hl7v2 arrival", u64::from(person.number));
    let arrivals = arrive(feed.messages, &mut chance);
    let file = format!("hl7v2/{:04}.hl7", person.number);
    for event in arrivals {
        export.add(&file, person, Route::Hl7v2, event.message());
    }
}

struct Feed<'a> {
    person: &'a Person,
    control: u32,
    messages: Vec<Event>,
}

/// A message whose control id is still open, so that it can be sent again under another.
#[derive(Debug, Clone)]
struct Event {
    at: Instant,
    control: String,
    resend: bool,
    facts: Vec<SentFact>,
    kind: &'static str,
    structure: &'static str,
    segments: Vec<String>,
    /// Messages about one order, or about the person's address, follow one another.
    topic: String,
}

impl Event {
    fn message(&self) -> Message {
        let time = self.at.compact();
        let mut text = format!(
            "MSH|^~\\&|ADT1|SJMC^{HOSPITAL_OID}^ISO|HUB|REGION|{time}||{}^{}|{}|P|2.5.1|||AL|NE|\
             USA|UNICODE UTF-8\r",
            self.kind, self.structure, self.control
        );
        for segment in &self.segments {
            text.push_str(segment);
            text.push('\r');
        }
        let bytes = text.into_bytes();
        Message { at: self.at, resend: self.resend, facts: self.facts.clone(), bytes }
    }
}

impl Feed<'_> {
    fn push(&mut self, at: Instant, named: [&'static str; 2], topic: &str, said: Said) {
        self.control += 1;
        let [kind, structure] = named;
        self.messages.push(Event {
            at,
            control: format!("SJ{:04}{:05}", self.person.number, self.control),
            resend: false,
            facts: said.facts,
            kind,
            structure,
            segments: said.segments,
            topic: topic.to_owned(),
        });
    }

    /// Admission or registration, and the update at the end of each visit.
    fn visits(&mut self) {
        let person = self.person;
        for (place, (fact, visit)) in visits(person).into_iter().enumerate() {
            let billed = diagnoses(person, visit).next().is_some();
            if !(fact.routes.hl7v2 || billed || place == 0) {
                continue;
            }
            let start = fact.known;
            let named =
                if visit.inpatient { ["ADT^A01", "ADT_A01"] } else { ["ADT^A04", "ADT_A01"] };
            self.push(start, named, "", adt(person, fact, visit, start, false));
            let said = adt(person, fact, visit, visit.end, true);
            self.push(visit.end, ["ADT^A08", "ADT_A01"], "", said);
        }
    }

    /// An update for each change of address, about the visit before it.
    fn moves(&mut self) {
        let person = self.person;
        for address in person.addresses.iter().skip(1) {
            let before = visits(person).into_iter().rev().find(|(_, v)| v.end < address.since);
            if let Some((fact, visit)) = before {
                let said = adt(person, fact, visit, address.since, true);
                self.push(address.since, ["ADT^A08", "ADT_A01"], "address", said);
            }
        }
    }

    /// A report for each order, and another when a result is corrected.
    fn results(&mut self) {
        let person = self.person;
        let mut orders: Vec<&Order> = Vec::new();
        for (_, _, order) in ordered(person) {
            if !orders.iter().any(|other| other.filler == order.filler) {
                orders.push(order);
            }
        }
        for order in orders {
            let results: Vec<(&Fact, &Measure)> = ordered(person)
                .filter(|(_, _, other)| other.filler == order.filler)
                .map(|(fact, measure, _)| (fact, measure))
                .collect();
            let mut times: Vec<Instant> =
                results.iter().flat_map(|(_, m)| m.values.iter().map(|value| value.at)).collect();
            times.sort_unstable();
            times.dedup();
            for at in times {
                let said = oru(person, order, &results, at);
                self.push(at, ["ORU^R01", "ORU_R01"], &order.filler, said);
            }
        }
    }
}

/// What a message says: its segments after MSH, and the facts in them.
struct Said {
    segments: Vec<String>,
    facts: Vec<SentFact>,
}

fn visits(person: &Person) -> Vec<(&Fact, &Visit)> {
    let mut visits = Vec::new();
    for fact in &person.facts {
        if let Body::Encounter(visit) = &fact.body {
            visits.push((fact, visit));
        }
    }
    visits
}

fn diagnoses<'a>(
    person: &'a Person,
    visit: &'a Visit,
) -> impl Iterator<Item = (&'a Fact, &'a Diagnosis)> {
    person.facts.iter().filter_map(move |fact| match &fact.body {
        Body::Condition(diagnosis) if fact.routes.hl7v2 && diagnosis.visit == visit.number => {
            Some((fact, diagnosis))
        }
        _ => None,
    })
}

fn ordered(person: &Person) -> impl Iterator<Item = (&Fact, &Measure, &Order)> {
    person.facts.iter().filter_map(|fact| match &fact.body {
        Body::Measure(measure) if fact.routes.hl7v2 => {
            measure.order.as_ref().map(|order| (fact, measure, order))
        }
        _ => None,
    })
}

fn adt(person: &Person, fact: &Fact, visit: &Visit, at: Instant, ended: bool) -> Said {
    let mut facts = vec![stated(fact, at)];
    let trigger = if ended { "A08" } else { "A01" };
    let mut segments = vec![
        format!("EVN|{trigger}|{}", at.compact()),
        pid(person, at),
        format!("NK1|1|{}^{}^^^^^L|SPO^Spouse^HL70063", person.family, person.kin),
        pv1(visit, fact.known, ended),
    ];
    let allergies = person.facts.iter().filter_map(|fact| match &fact.body {
        Body::Allergy(allergy) if fact.routes.hl7v2 && fact.known <= at => Some((fact, allergy)),
        _ => None,
    });
    for (place, (fact, allergy)) in allergies.enumerate() {
        facts.push(stated(fact, at));
        segments.push(al1(place + 1, fact, allergy));
    }
    for (place, (fact, diagnosis)) in diagnoses(person, visit).enumerate() {
        facts.push(stated(fact, at));
        segments.push(format!(
            "DG1|{}||{}||{}|F",
            place + 1,
            cwe(diagnosis.problem.icd),
            fact.when.local_day().compact()
        ));
    }
    Said { segments, facts }
}

fn pid(person: &Person, at: Instant) -> String {
    let local = person.local_id(Route::Hl7v2);
    let sex = if person.female { "F" } else { "M" };
    let address = person.address_at(at).map_or_else(String::new, |address| {
        format!("{}^^{}^AZ^{}^USA^H", escape(&address.line), address.city, address.zip)
    });
    let phone = person.phone_at(at).map_or_else(String::new, |phone| {
        let (area, rest) = phone.number.split_once('-').unwrap_or_default();
        format!("^PRN^PH^^1^{area}^{}", rest.replace('-', ""))
    });
    format!(
        "PID|1||{}^^^EMPI&{SHARED_OID}&ISO^PI~{local}^^^SJMC&{HOSPITAL_OID}&ISO^MR||\
         {}^{}^^^^^L||{}|{sex}|||{address}||{phone}",
        person.shared,
        person.family,
        person.given,
        person.birth.compact()
    )
}

fn pv1(visit: &Visit, start: Instant, ended: bool) -> String {
    let class = if visit.inpatient { "I" } else { "O" };
    let ward = if visit.inpatient { "MED^204^B" } else { "CLIN1" };
    let number = format!("{}^^^VISIT&{VISIT_OID}&ISO^VN", visit.number);
    let end = if ended { visit.end.compact() } else { String::new() };
    // PV1-7 attending doctor, PV1-19 visit number, PV1-44 admission, PV1-45 discharge.
    format!(
        "PV1|1|{class}|{ward}||||1234567893^Adams^Ruth^^^^MD^^NPI||||||||||||{number}{}{}|{end}",
        "|".repeat(25),
        start.compact()
    )
    .trim_end_matches('|')
    .to_owned()
}

fn al1(place: usize, fact: &Fact, allergy: &Allergy) -> String {
    let kind = if allergy.allergen.is_drug() { "DA^Drug allergy" } else { "FA^Food allergy" };
    let code = allergy.allergen.ingredient.unwrap_or(allergy.allergen.substance);
    let severity = if allergy.high { "SV^Severe" } else { "MO^Moderate" };
    format!(
        "AL1|{place}|{kind}^HL70127|{}|{severity}^HL70128|{}|{}",
        cwe(code),
        allergy.allergen.reaction.display,
        fact.when.local_day().compact()
    )
}

fn oru(person: &Person, order: &Order, results: &[(&Fact, &Measure)], at: Instant) -> Said {
    let placer = format!("{}^HIS^{PLACER_OID}^ISO", order.placer);
    let filler = format!("{}^LAB^{FILLER_OID}^ISO", order.filler);
    let provider = "1234567893^Adams^Ruth^^^^MD^^NPI";
    let drawn = results.first().map_or_else(String::new, |(fact, _)| moment(fact));
    let corrected = results.iter().any(|(fact, _)| stated(fact, at).version > 0);
    let status = if corrected { "C" } else { "F" };
    let mut segments = vec![
        pid(person, at),
        format!("ORC|RE|{placer}|{filler}||CM|||||||{provider}"),
        format!(
            "OBR|1|{placer}|{filler}|{}|||{drawn}|||||||||{provider}||||||{}|||{status}",
            cwe(order.panel.coding),
            at.compact()
        ),
    ];
    if corrected {
        segments.push("NTE|1|L|Corrected report: supersedes the earlier one.".to_owned());
    }
    let mut facts = Vec::new();
    for (place, (fact, measure)) in results.iter().enumerate() {
        facts.push(stated(fact, at));
        segments.push(obx(place + 1, fact, measure, at));
    }
    Said { segments, facts }
}

fn obx(place: usize, fact: &Fact, measure: &Measure, at: Instant) -> String {
    let analyte = measure.analyte;
    let value = measure.value_at(Some(at));
    let (low, high) = analyte.normal;
    let flag = match value.map(|value| value.scaled) {
        Some(scaled) if scaled < low => "L",
        Some(scaled) if scaled > high => "H",
        _ => "N",
    };
    let status = if stated(fact, at).version > 0 { "C" } else { "F" };
    format!(
        "OBX|{place}|NM|{}||{}|{}^{}^UCUM|{}-{}|{flag}|||{status}|||{}",
        cwe(analyte.coding),
        value.map_or_else(String::new, |value| measure.text(value)),
        analyte.unit.ucum,
        analyte.unit.shown,
        crate::population::decimal(low, analyte.places),
        crate::population::decimal(high, analyte.places),
        moment(fact)
    )
}

fn moment(fact: &Fact) -> String {
    match fact.when {
        crate::calendar::Moment::Day(day) => day.compact(),
        crate::calendar::Moment::Instant(instant) => instant.compact(),
    }
}

fn cwe(coding: Coding) -> String {
    format!("{}^{}^{}", coding.code, escape(coding.display), coding.system.v2_name())
}

/// HL7 v2.5.1 2.7.1: delimiters inside a value are written as escape sequences.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\E\\"),
            '|' => out.push_str("\\F\\"),
            '^' => out.push_str("\\S\\"),
            '&' => out.push_str("\\T\\"),
            '~' => out.push_str("\\R\\"),
            c => out.push(c),
        }
    }
    out
}

/// The order in which messages arrive: mostly that of their events, some late, some twice.
fn arrive(mut messages: Vec<Event>, chance: &mut Chance) -> Vec<Event> {
    messages.retain(|message| message.at <= horizon());
    messages.sort_by(|a, b| (a.at, &a.control).cmp(&(b.at, &b.control)));
    delay(&mut messages, chance);
    let mut arrivals: Vec<Event> = Vec::new();
    let mut resent: Vec<(usize, Event)> = Vec::new();
    for (place, message) in messages.into_iter().enumerate() {
        let draw = chance.between(0, 100);
        if draw < 9 {
            let mut again = message.clone();
            again.resend = true;
            if draw < 4 {
                // A sender that forgot: same content under a new control id.
                again.control.push('R');
            }
            resent.push((place + chance.place(5), again));
        }
        arrivals.push(message);
        while let Some(at) = resent.iter().position(|(due, _)| *due <= place) {
            arrivals.push(resent.swap_remove(at).1);
        }
    }
    arrivals.extend(resent.into_iter().map(|(_, message)| message));
    arrivals
}

/// Lets some messages arrive after a newer one about the same matter.
fn delay(messages: &mut Vec<Event>, chance: &mut Chance) {
    let mut newer = 0;
    while newer < messages.len() {
        let older = messages.get(newer).and_then(|message| match message.topic.as_str() {
            "" => None,
            // The message before a change of address still has the old one.
            "address" => newer.checked_sub(1),
            topic => messages.iter().take(newer).position(|other| other.topic == topic),
        });
        if let Some(older) = older.filter(|_| chance.percent(40)) {
            let late = messages.remove(older);
            messages.insert(newer, late);
        }
        newer += 1;
    }
}

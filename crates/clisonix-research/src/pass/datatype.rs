//! Datatypes that are decided as a whole: amounts, codes, references, identifiers.

use clisonix_fhir::json::{Number, Object, Value};
use clisonix_fhir::schema::{Scope, type_named};

use super::{Pass, Place, ROOT};
use crate::pseudonym::{Purpose, keyed, letters};
use crate::unit::{is_ucum, is_unit};

const UCUM: &str = "http://unitsofmeasure.org";

/// Ages from here on are one group: 45 CFR 164.514(b)(2)(i)(C).
const OLD_YEARS: i64 = 90;

/// The most digits of a whole number without a unit.
const MAX_BARE_DIGITS: usize = 6;

/// How many months are in a hundred years. Whole years and months may be an age, however few; of
/// shorter times, those from ten years on.
const MONTHS: i64 = 1_200;

/// How many of a unit of time are in a hundred years.
const TIMES: &[(&[&str], i64)] = &[
    (&["a", "year", "years", "yr", "yrs", "y", "a_j"], 100),
    (&["mo", "month", "months", "mon", "mth", "mo_j"], 1_200),
    (&["wk", "week", "weeks"], 5_218),
    (&["d", "day", "days"], 36_525),
    (&["h", "hour", "hours", "hr", "hrs"], 876_600),
    (&["min", "minute", "minutes"], 52_596_000),
];

/// What is known of an amount's unit.
struct Unit<'a> {
    text: Option<&'a str>,
    system: Option<&'a str>,
    code: Option<&'a str>,
}

impl<'a> Pass<'a> {
    /// An amount with a known unit; one with an unknown unit does not go out, because its number
    /// alone says something else.
    pub(super) fn quantity(&mut self, place: Place<'a>, object: &'a Object) -> Option<Object> {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let source = Unit { text: text("unit"), system: text("system"), code: text("code") };
        let unit = self.unit(&source)?;
        let number = object.get("value").and_then(Value::as_number);
        let bare = unit.text.is_none() && unit.code.is_none();
        if number.is_some_and(|number| bare && is_long(number.as_str())) {
            return None;
        }
        let capped = match number.map_or(Age::Young { tells: false }, |number| age(number, &unit)) {
            // Beside the year of an event it would tell the year of birth.
            Age::Young { tells } if tells && self.shown.old => return None,
            Age::Young { .. } => None,
            Age::Old(most) => Some(most),
            Age::Unread => return None,
        };
        let comparator = text("comparator").filter(|text| matches!(*text, "<" | "<=" | ">=" | ">"));
        if text("comparator").is_some() && comparator.is_none() {
            return None;
        }
        let mut out = Object::with_capacity(object.len());
        let number = capped.map(Number::from).or_else(|| number.cloned());
        out.extend(number.map(|number| (Box::from("value"), number.into())));
        // The ends of a range have no comparator.
        let is_end = place.element().owner.name() == "Range";
        let comparator = if capped.is_some() && !is_end { Some(">=") } else { comparator };
        let texts = [("comparator", comparator), ("unit", unit.text), ("system", unit.system)];
        for (name, text) in texts.into_iter().chain([("code", unit.code)]) {
            out.extend(text.map(|text| (Box::from(name), text.into())));
        }
        if let Some(extension) = object.get("_value") {
            let sibling = self.sibling(extension).ok().flatten();
            out.extend(sibling.map(|sibling| (Box::from("_value"), sibling.into())));
        }
        Some(out).filter(|out| !out.is_empty())
    }

    /// The parts of a unit that go out; `None` if there is a unit and nothing of it is known.
    fn unit(&self, source: &Unit<'a>) -> Option<Unit<'a>> {
        let text = source.text.filter(|text| is_unit(text));
        let rules = &self.project.rules;
        let known = |system: &str, code: &str| {
            rules.knows_code(system, code) || (rules.knows_system(system) && is_unit(code))
        };
        let code = match (source.system, source.code) {
            (Some(UCUM), Some(code)) => Some(code).filter(|code| is_ucum(code) || is_unit(code)),
            (Some(system), Some(code)) => Some(code).filter(|code| known(system, code)),
            _ => None,
        };
        let system = code.and(source.system).or(source.system.filter(|system| *system == UCUM));
        let nothing = source.text.is_none() && source.code.is_none();
        let some = text.is_some() || code.is_some();
        (nothing || some).then_some(Unit { text, system, code })
    }

    /// A code of a known system, in that system's form.
    pub(super) fn coding(&mut self, object: &'a Object) -> Option<Object> {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let (system, code) = (text("system")?, text("code")?);
        if !self.project.rules.knows_code(system, code) {
            return None;
        }
        let mut out = Object::with_capacity(4);
        out.insert("system", system);
        out.insert("code", code);
        let own = |display: &&str| {
            self.project.displays.is_some_and(|is_own| is_own(system, code, display))
        };
        if let Some(display) = text("display").filter(own) {
            out.insert("display", display);
        }
        if let Some(selected) = object.get("userSelected").and_then(Value::as_bool) {
            out.insert("userSelected", selected);
        }
        Some(out)
    }

    /// A reference to a resource that goes out too.
    pub(super) fn reference(&mut self, object: &'a Object) -> Option<Object> {
        let text = object.get("reference").and_then(Value::as_str)?;
        let made = if let Some(id) = text.strip_prefix('#') {
            self.local_reference(id)?
        } else {
            let target = self.find(text)?;
            self.refers.extend(target.index);
            format!("{}/{}", target.ty.name(), target.id)
        };
        Some([("reference", Value::from(made))].into_iter().collect())
    }

    /// An identifier whose value is a pseudonym; its system goes, because it tells the house.
    pub(super) fn identifier(&mut self, object: &'a Object) -> Option<Object> {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let parts = [text("system").unwrap_or_default(), text("value")?];
        let answer = keyed(self.project.pseudonyms, Purpose::Identifier, &parts);
        let mut out = Object::with_capacity(2);
        let scope = Scope::Type(type_named("Identifier")?);
        if let (true, Some(member)) = (object.contains_key("type"), scope.member("type")) {
            self.member(object, "type", member, ROOT, &mut out).ok()?;
        }
        out.insert("value", letters(&answer));
        Some(out)
    }
}

/// A whole number of many digits.
fn is_long(number: &str) -> bool {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    digits > MAX_BARE_DIGITS && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// What an amount says of an age.
enum Age {
    /// No age, or one that may be told of most patients; `tells` if it may be an age.
    Young { tells: bool },
    /// A time of ninety years or more: ninety years in its unit.
    Old(i64),
    /// A time whose number is not written plainly.
    Unread,
}

fn age(number: &Number, unit: &Unit<'_>) -> Age {
    // Codes of UCUM are case-sensitive (`A` is no year), what people write is not.
    let is_named = |name: &str| {
        unit.code == Some(name) || unit.text.is_some_and(|unit| unit.eq_ignore_ascii_case(name))
    };
    let time = TIMES.iter().find(|(names, _)| names.iter().any(|name| is_named(name)));
    let Some((_, century)) = time else { return Age::Young { tells: false } };
    let most = century * OLD_YEARS / 100;
    let least = if *century > MONTHS { century / 10 } else { 0 };
    let text = number.as_str();
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    match whole.parse::<i64>() {
        _ if text.contains(['e', 'E']) => Age::Unread,
        Ok(whole) if whole < most => Age::Young { tells: whole >= least },
        _ => Age::Old(most),
    }
}

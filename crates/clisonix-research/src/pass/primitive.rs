//! Primitives, with their `_` siblings.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::Binding;

use super::{Fate, Pass, Place, Stop, masked};
use crate::day::Moment;
use crate::place::{is_country, is_state, is_united_states};
use crate::pseudonym::{Purpose, keyed, letters};
use crate::report::Event;
use crate::rules::Method;

/// The most digits of an integer that goes out.
const MAX_COUNT_DIGITS: usize = 6;

impl<'a> Pass<'a> {
    /// The values of a primitive member, and of its `_` sibling.
    pub(super) fn primitives(&mut self, place: Place<'a>, out: &mut Object) -> Result<(), Stop> {
        let name = place.name;
        let value = place.around.get(name);
        let sibling = place.around.get(&format!("_{name}"));
        let mut made = Vec::new();
        if place.element().is_list() {
            let list =
                |value: Option<&'a Value>| value.and_then(Value::as_array).unwrap_or_default();
            let (values, siblings) = (list(value), list(sibling));
            for index in 0..values.len().max(siblings.len()) {
                let one = self.one(place, values.get(index), siblings.get(index))?;
                made.extend(one);
            }
            let some = |has: &dyn Fn(&(Value, Value)) -> bool| made.iter().any(has);
            let (plain, beside) = (some(&|one| !one.0.is_null()), some(&|one| !one.1.is_null()));
            let (values, siblings): (Vec<Value>, Vec<Value>) = made.into_iter().unzip();
            if plain {
                out.insert(name, values);
            }
            if beside {
                out.insert(format!("_{name}"), siblings);
            }
            return Ok(());
        }
        if let Some((value, sibling)) = self.one(place, value, sibling)? {
            if !value.is_null() {
                out.insert(name, value);
            }
            if !sibling.is_null() {
                out.insert(format!("_{name}"), sibling);
            }
        }
        Ok(())
    }

    /// One value and its sibling, `null` for what is not there; `None` if nothing goes out.
    fn one(
        &mut self,
        place: Place<'a>,
        value: Option<&'a Value>,
        sibling: Option<&'a Value>,
    ) -> Result<Option<(Value, Value)>, Stop> {
        let beside = sibling.map(|sibling| self.sibling(sibling)).transpose()?.flatten();
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Ok(beside.map(|beside| (Value::Null, beside.into())));
        };
        let (event, value, beside) = match self.primitive(place, value) {
            Fate::Kept(value) => (Event::Kept, value, beside),
            Fate::Changed(value) => (Event::Changed, value, beside),
            Fate::Sibling(object) => (Event::Changed, Value::Null, Some(object)),
            Fate::Withheld => {
                self.note(place.member.element, Event::Withheld);
                return Ok(None);
            }
        };
        self.note(place.member.element, event);
        Ok(Some((value, beside.map_or(Value::Null, Value::from))))
    }

    fn primitive(&self, place: Place<'a>, value: &Value) -> Fate {
        let keep = |fits: bool| if fits { Fate::Kept(value.clone()) } else { Fate::Withheld };
        if value.is_array() || value.as_object().is_some() {
            return Fate::Withheld;
        }
        if matches!(place.method, Method::Keep) {
            return keep(true);
        }
        if let (Method::Count, Some(number)) = (place.method, value.as_number()) {
            return keep(number.as_str().trim_start_matches('-').len() <= MAX_COUNT_DIGITS);
        }
        let Some(text) = value.as_str() else { return Fate::Withheld };
        match place.method {
            Method::Bound => keep(place.element().binding.is_some_and(|b| is_bound(b, text))),
            Method::Form(forms) => keep(forms.iter().any(|form| form.fits(text))),
            Method::Year => self.year(place, text),
            Method::Shift => self.shifted(place, text),
            Method::Zip3 => self.zip3(place, text),
            Method::State => keep(is_state(text)),
            Method::Country => keep(is_country(text)),
            Method::Samples => keep(is_samples(text)),
            Method::Text => keep(self.project.free_text),
            Method::Pseudonym => {
                let parts = [place.element().path, text];
                let answer = keyed(self.project.pseudonyms, Purpose::Identifier, &parts);
                Fate::Changed(letters(&answer).into())
            }
            _ => Fate::Withheld,
        }
    }

    fn year(&self, place: Place<'a>, text: &str) -> Fate {
        let Some(moment) = Moment::read(text) else { return Fate::Withheld };
        if moment.is_old(self.project.release_year) {
            return old(place);
        }
        if place.member.ty.name() == "instant" {
            return Fate::Withheld;
        }
        let year = moment.year();
        if year == text { Fate::Kept(year.into()) } else { Fate::Changed(year.into()) }
    }

    fn shifted(&self, place: Place<'a>, text: &str) -> Fate {
        let Some(days) = self.shown.shift else { return self.year(place, text) };
        let Some(moment) = Moment::read(text) else { return Fate::Withheld };
        if moment.is_old(self.project.release_year) {
            return old(place);
        }
        moment.shifted(days).map_or(Fate::Withheld, |text| Fate::Changed(text.into()))
    }

    fn zip3(&self, place: Place<'a>, text: &str) -> Fate {
        let country = place.around.get("country").and_then(Value::as_str);
        let here = country.is_none_or(is_united_states);
        let list = self.project.zips.as_ref().filter(|_| here);
        let three = list.and_then(|list| list.reduced(text));
        three.map_or(Fate::Withheld, |three| Fate::Changed(three.into()))
    }
}

/// A date that tells an age over 89: of a birth that much is said, of anything else nothing.
fn old(place: Place<'_>) -> Fate {
    if place.element().name != "birthDate" {
        return Fate::Withheld;
    }
    let mut masked = masked();
    let rendered = [
        ("url", "http://hl7.org/fhir/StructureDefinition/rendered-value".into()),
        ("valueString", "90+".into()),
    ];
    if let Some(extensions) = masked.get_mut("extension").and_then(Value::as_array_mut) {
        extensions.push(Value::from(rendered.into_iter().collect::<Object>()));
    }
    Fate::Sibling(masked)
}

fn is_bound(binding: &Binding, text: &str) -> bool {
    binding.allows(text)
}

/// FHIR R4 2.24.0.11: decimals with one space between them, and `E`, `U`, `L`.
fn is_samples(text: &str) -> bool {
    let is_decimal = |part: &str| {
        let digits = part.strip_prefix('-').unwrap_or(part);
        (1..=12).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    text.split(' ').all(|part| matches!(part, "E" | "U" | "L") || is_decimal(part))
}

//! Numbers with a unit: of UCUM, of the calendar, or of a text that is compared as it stands.

use std::cmp::Ordering;
use std::fmt;

use super::decimal::{Decimal, Rounding};
use super::temporal::Step;
use super::unit::Measure;

/// A number with a unit.
#[derive(Clone, Debug)]
pub struct Quantity {
    /// The number.
    pub value: Decimal,
    /// The unit.
    pub unit: Unit,
}

/// A unit as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit(pub(super) Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A UCUM code; `1` for a plain number.
    Code(Box<str>),
    /// A word of the calendar, whether in the plural.
    Calendar(Step, bool),
    /// A unit of no known system.
    Text(Box<str>),
}

impl Unit {
    pub(super) fn code(code: &str) -> Self {
        Self(Kind::Code(code.into()))
    }

    pub(super) fn calendar(word: &str) -> Option<Self> {
        Step::of_word(word).map(|step| Self(Kind::Calendar(step, word.ends_with('s'))))
    }

    fn measure(&self) -> Option<Measure> {
        match &self.0 {
            Kind::Code(code) => Measure::of(code),
            Kind::Calendar(step, _) => Measure::of(step.code()?),
            Kind::Text(_) => None,
        }
    }

    /// The unit of the calendar that this one is, for adding to dates: UCUM's months and years are
    /// of fixed length and are none (N1 6.6.7).
    pub(super) fn step(&self) -> Option<Step> {
        match &self.0 {
            Kind::Calendar(step, _) => Some(*step),
            Kind::Code(code) => Step::of_word(code).or_else(|| {
                let steps = [
                    Step::Millisecond,
                    Step::Second,
                    Step::Minute,
                    Step::Hour,
                    Step::Day,
                    Step::Week,
                ];
                steps.into_iter().find(|step| step.code() == Some(code))
            }),
            Kind::Text(_) => None,
        }
    }

    /// How many months, for a month and a year of the calendar.
    fn months(&self) -> Option<i64> {
        match self.0 {
            Kind::Calendar(Step::Month, _) => Some(1),
            Kind::Calendar(Step::Year, _) => Some(12),
            _ => None,
        }
    }

    /// The unit that `FHIRPath`'s `~` looks at: a month of the calendar is one of UCUM there.
    fn loosened(&self) -> Self {
        match self.0 {
            Kind::Calendar(Step::Month, _) => Self::code("mo"),
            Kind::Calendar(Step::Year, _) => Self::code("a"),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Code(code) | Kind::Text(code) => write!(f, "'{code}'"),
            Kind::Calendar(step, plural) => {
                write!(f, "{}{}", step.word(), if *plural { "s" } else { "" })
            }
        }
    }
}

impl Quantity {
    /// `1`, `1.5 'mg'` or `4 days`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+'));
        let (number, unit) = text.split_at_checked(end.unwrap_or(text.len()))?;
        let value = Decimal::parse(number)?;
        let unit = unit.trim_start();
        let unit = if unit.is_empty() {
            Unit::code("1")
        } else if let Some(quoted) = unit.strip_prefix('\'') {
            Unit::code(quoted.strip_suffix('\'').filter(|code| !code.is_empty())?)
        } else {
            Unit::calendar(unit)?
        };
        Some(Self { value, unit })
    }

    /// The number in the unit `other`.
    pub(super) fn in_unit(&self, other: &Unit) -> Option<Decimal> {
        if self.unit == *other {
            return Some(self.value);
        }
        if let (Some(mine), Some(theirs)) = (self.unit.months(), other.months()) {
            return self.value.times(mine.into())?.over(theirs.into());
        }
        self.unit.measure()?.convert(self.value, other.measure()?)
    }

    /// Whether the two can be brought to one unit.
    pub(super) fn is_comparable(&self, other: &Self) -> bool {
        self.in_unit(&other.unit).is_some()
    }

    /// Before, the same or after; `None` where the units cannot be compared.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.in_unit(&other.unit)?.cmp(&other.value))
    }

    /// Equal, for `=`: units of different kinds are not equal; a month or year of the calendar and
    /// one of UCUM cannot be compared (N1 6.1.1).
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        if let Some(order) = self.compare(other) {
            return Some(order == Ordering::Equal);
        }
        let known = |quantity: &Self| quantity.unit.loosened().measure();
        match known(self).zip(known(other)) {
            Some((a, b)) => (a.dimension != b.dimension).then_some(false),
            None => Some(false),
        }
    }

    /// Equal, for `~`: in the coarser unit, rounded to the lesser precision.
    pub(super) fn is_equivalent(&self, other: &Self) -> bool {
        let a = Self { value: self.value, unit: self.unit.loosened() };
        let b = Self { value: other.value, unit: other.unit.loosened() };
        let measures = a.unit.measure().zip(b.unit.measure());
        let a_coarser = measures.is_some_and(|(a, b)| a.is_coarser(b));
        let pair = if a_coarser {
            b.in_unit(&a.unit).map(|b| (a.value, b))
        } else {
            a.in_unit(&b.unit).map(|a| (a, b.value))
        };
        pair.is_some_and(|(a, b)| is_equivalent(a, b))
    }

    pub(super) fn plus(&self, other: &Self) -> Option<Self> {
        // In the finer unit, so that nothing is rounded.
        let measures = self.unit.measure().zip(other.unit.measure());
        if measures.is_some_and(|(mine, theirs)| mine.is_coarser(theirs)) {
            let value = self.in_unit(&other.unit)?.plus(other.value)?;
            return Some(Self { value, unit: other.unit.clone() });
        }
        let value = self.value.plus(other.in_unit(&self.unit)?)?;
        Some(Self { value, unit: self.unit.clone() })
    }

    pub(super) fn times(&self, other: &Self) -> Option<Self> {
        Some(Self { value: self.value.times(other.value)?, unit: self.unit_with(other, '.')? })
    }

    pub(super) fn over(&self, other: &Self) -> Option<Self> {
        let unit =
            if self.unit == other.unit { Unit::code("1") } else { self.unit_with(other, '/')? };
        Some(Self { value: self.value.over(other.value)?, unit })
    }

    fn unit_with(&self, other: &Self, sign: char) -> Option<Unit> {
        let code = |unit: &Unit| match &unit.0 {
            Kind::Code(code) => Some(code.clone()),
            Kind::Calendar(step, _) => step.code().map(Into::into),
            Kind::Text(_) => None,
        };
        let (mine, theirs) = (code(&self.unit)?, code(&other.unit)?);
        if &*theirs == "1" {
            return Some(Unit(Kind::Code(mine)));
        }
        if &*mine == "1" && sign == '.' {
            return Some(Unit(Kind::Code(theirs)));
        }
        Some(Unit::code(&format!("({mine}){sign}({theirs})")))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.unit)
    }
}

/// N1 6.1.2: decimals are equivalent when they are equal at the precision of the less precise one.
pub(super) fn is_equivalent(a: Decimal, b: Decimal) -> bool {
    let scale = a.trimmed().scale().min(b.trimmed().scale());
    let rounded = |number: Decimal| number.rounded(scale, Rounding::Nearest);
    rounded(a).zip(rounded(b)).is_some_and(|(a, b)| a == b)
}

//! Units of measure: the terms of UCUM that clinical data mostly uses, brought to base units.
//!
//! The grammar is that of UCUM (The Unified Code for Units of Measure, sections 2 and 3): terms of
//! `.` and `/`, exponents, prefixes, parentheses and annotations. Units with an offset (`Cel`) and
//! logarithmic ones are compared only with themselves.

use super::decimal::Decimal;

/// The longest unit that is looked into, in bytes.
pub const MAX_UNIT_BYTES: usize = 128;

/// How deeply parentheses may nest in a unit.
const MAX_NESTING: u8 = 8;

/// Length, time, mass, plane angle, temperature, charge, luminous intensity, amount of `[iU]`,
/// and of `[arb'U]`.
const BASES: usize = 9;

/// What a unit measures and how many base units it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    top: Decimal,
    bottom: Decimal,
    pub(super) dimension: [i16; BASES],
}

/// Name, how many base units (as a decimal), the dimension, whether prefixes may stand before it.
type Atom = (&'static str, &'static str, [i16; BASES], bool);

const ONE: [i16; BASES] = [0; BASES];
const LENGTH: [i16; BASES] = [1, 0, 0, 0, 0, 0, 0, 0, 0];
const TIME: [i16; BASES] = [0, 1, 0, 0, 0, 0, 0, 0, 0];
const MASS: [i16; BASES] = [0, 0, 1, 0, 0, 0, 0, 0, 0];
const ANGLE: [i16; BASES] = [0, 0, 0, 1, 0, 0, 0, 0, 0];
const TEMPERATURE: [i16; BASES] = [0, 0, 0, 0, 1, 0, 0, 0, 0];
const CHARGE: [i16; BASES] = [0, 0, 0, 0, 0, 1, 0, 0, 0];
const LIGHT: [i16; BASES] = [0, 0, 0, 0, 0, 0, 1, 0, 0];
const INTERNATIONAL: [i16; BASES] = [0, 0, 0, 0, 0, 0, 0, 1, 0];
const ARBITRARY: [i16; BASES] = [0, 0, 0, 0, 0, 0, 0, 0, 1];
const VOLUME: [i16; BASES] = [3, 0, 0, 0, 0, 0, 0, 0, 0];
const RATE: [i16; BASES] = [0, -1, 0, 0, 0, 0, 0, 0, 0];
const FORCE: [i16; BASES] = [1, -2, 1, 0, 0, 0, 0, 0, 0];
const PRESSURE: [i16; BASES] = [-1, -2, 1, 0, 0, 0, 0, 0, 0];
const ENERGY: [i16; BASES] = [2, -2, 1, 0, 0, 0, 0, 0, 0];
const POWER: [i16; BASES] = [2, -3, 1, 0, 0, 0, 0, 0, 0];
const CURRENT: [i16; BASES] = [0, -1, 0, 0, 0, 1, 0, 0, 0];
const VOLTAGE: [i16; BASES] = [2, -2, 1, 0, 0, -1, 0, 0, 0];
const DOSE: [i16; BASES] = [2, -2, 0, 0, 0, 0, 0, 0, 0];

/// UCUM, tables 3 to 26: the base units are m, s, g, rad, K, C, cd.
const ATOMS: &[Atom] = &[
    ("m", "1", LENGTH, true),
    ("s", "1", TIME, true),
    ("g", "1", MASS, true),
    ("rad", "1", ANGLE, true),
    ("K", "1", TEMPERATURE, true),
    ("C", "1", CHARGE, true),
    ("cd", "1", LIGHT, true),
    ("%", "0.01", ONE, false),
    ("[ppth]", "0.001", ONE, false),
    ("[ppm]", "0.000001", ONE, false),
    ("[ppb]", "0.000000001", ONE, false),
    ("[pi]", "3.1415926535897932384626433", ONE, false),
    ("10*", "10", ONE, false),
    ("10^", "10", ONE, false),
    ("mol", "602213670000000000000000", ONE, true),
    ("osm", "602213670000000000000000", ONE, true),
    ("eq", "602213670000000000000000", ONE, true),
    ("l", "0.001", VOLUME, true),
    ("L", "0.001", VOLUME, true),
    ("min", "60", TIME, false),
    ("h", "3600", TIME, false),
    ("d", "86400", TIME, false),
    ("wk", "604800", TIME, false),
    ("mo", "2629800", TIME, false),
    ("a", "31557600", TIME, false),
    ("t", "1000000", MASS, true),
    ("u", "0.0000000000000000000000016605402", MASS, true),
    ("[lb_av]", "453.59237", MASS, false),
    ("[oz_av]", "28.349523125", MASS, false),
    ("[gr]", "0.06479891", MASS, false),
    ("[stone_av]", "6350.29318", MASS, false),
    ("[in_i]", "0.0254", LENGTH, false),
    ("[ft_i]", "0.3048", LENGTH, false),
    ("[yd_i]", "0.9144", LENGTH, false),
    ("[mi_i]", "1609.344", LENGTH, false),
    ("Ao", "0.0000000001", LENGTH, false),
    ("[gal_us]", "0.003785411784", VOLUME, false),
    ("[qt_us]", "0.000946352946", VOLUME, false),
    ("[pt_us]", "0.000473176473", VOLUME, false),
    ("[cup_us]", "0.0002365882365", VOLUME, false),
    ("[foz_us]", "0.0000295735295625", VOLUME, false),
    ("[tbs_us]", "0.00001478676478125", VOLUME, false),
    ("[tsp_us]", "0.00000492892159375", VOLUME, false),
    ("Hz", "1", RATE, true),
    ("Bq", "1", RATE, true),
    ("Ci", "37000000000", RATE, true),
    ("N", "1000", FORCE, true),
    ("Pa", "1000", PRESSURE, true),
    ("bar", "100000000", PRESSURE, true),
    ("atm", "101325000", PRESSURE, false),
    ("m[Hg]", "133322000", PRESSURE, true),
    ("m[H2O]", "9806650", PRESSURE, true),
    ("J", "1000", ENERGY, true),
    ("cal", "4184", ENERGY, true),
    ("[Cal]", "4184000", ENERGY, false),
    ("W", "1000", POWER, true),
    ("A", "1", CURRENT, true),
    ("V", "1000", VOLTAGE, true),
    ("Gy", "1", DOSE, true),
    ("Sv", "1", DOSE, true),
    ("kat", "602213670000000000000000", RATE, true),
    ("U", "10036894500000000", RATE, true),
    ("[iU]", "1", INTERNATIONAL, true),
    ("[IU]", "1", INTERNATIONAL, true),
    ("[arb'U]", "1", ARBITRARY, false),
    ("deg", "0.0174532925199432957692369", ANGLE, false),
];

/// UCUM, table 2.
const PREFIXES: &[(&str, i32)] = &[
    ("da", 1),
    ("Y", 24),
    ("Z", 21),
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
];

impl Measure {
    /// What `unit` measures; `None` if it is no UCUM term of the units known here.
    pub(super) fn of(unit: &str) -> Option<Self> {
        if unit.len() > MAX_UNIT_BYTES || !unit.is_ascii() {
            return None;
        }
        let mut reader = Reader { rest: unit, nesting: 0 };
        let measure = reader.term()?;
        reader.rest.is_empty().then_some(measure)
    }

    /// `value` of this unit in the unit `other` of the same dimension.
    pub(super) fn convert(self, value: Decimal, other: Self) -> Option<Decimal> {
        if self.dimension != other.dimension {
            return None;
        }
        if self == other {
            return Some(value);
        }
        let factor_top = self.top.times(other.bottom)?.trimmed();
        let factor_bottom = self.bottom.times(other.top)?.trimmed();
        value.times(factor_top)?.over(factor_bottom)
    }

    /// Whether one of it is more than one of `other`.
    pub(super) fn is_coarser(self, other: Self) -> bool {
        let (mine, theirs) = (self.top.times(other.bottom), other.top.times(self.bottom));
        mine.zip(theirs).is_some_and(|(mine, theirs)| mine > theirs)
    }

    const NUMBER: Self =
        Self { top: Decimal::new(1, 0), bottom: Decimal::new(1, 0), dimension: ONE };

    fn times(self, other: Self) -> Option<Self> {
        let mut dimension = self.dimension;
        for (mine, theirs) in dimension.iter_mut().zip(other.dimension) {
            *mine = mine.checked_add(theirs)?;
        }
        let top = self.top.times(other.top)?.trimmed();
        let bottom = self.bottom.times(other.bottom)?.trimmed();
        Some(Self { top, bottom, dimension })
    }

    fn inverse(self) -> Option<Self> {
        let mut dimension = self.dimension;
        for exponent in &mut dimension {
            *exponent = exponent.checked_neg()?;
        }
        Some(Self { top: self.bottom, bottom: self.top, dimension })
    }

    fn power(self, exponent: i8) -> Option<Self> {
        let base = if exponent < 0 { self.inverse()? } else { self };
        (0..exponent.unsigned_abs()).try_fold(Self::NUMBER, |product, _| product.times(base))
    }
}

struct Reader<'a> {
    rest: &'a str,
    nesting: u8,
}

impl<'a> Reader<'a> {
    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn term(&mut self) -> Option<Measure> {
        let mut product =
            if self.take("/") { self.component()?.inverse()? } else { self.component()? };
        loop {
            product = if self.take(".") {
                product.times(self.component()?)?
            } else if self.take("/") {
                product.times(self.component()?.inverse()?)?
            } else {
                return Some(product);
            };
        }
    }

    fn component(&mut self) -> Option<Measure> {
        if self.take("(") {
            self.nesting += 1;
            let inner = if self.nesting <= MAX_NESTING { self.term()? } else { return None };
            self.nesting -= 1;
            return self.take(")").then_some(inner);
        }
        if self.take("{") {
            return self.annotation().then_some(Measure::NUMBER);
        }
        let atom = self.simple_unit()?;
        let (atom, exponent) = exponent_of(atom)?;
        let measure = if atom.bytes().all(|byte| byte.is_ascii_digit()) {
            Measure { top: Decimal::parse(atom)?, ..Measure::NUMBER }
        } else {
            atom_measure(atom)?
        };
        if self.take("{") && !self.annotation() {
            return None;
        }
        measure.power(exponent)
    }

    /// What stands up to the end of an annotation says nothing about the measure.
    fn annotation(&mut self) -> bool {
        let Some((_, rest)) = self.rest.split_once('}') else { return false };
        self.rest = rest;
        true
    }

    /// The letters of an atom with its exponent: brackets may hold any character.
    fn simple_unit(&mut self) -> Option<&'a str> {
        let mut in_brackets = false;
        let is_end = |c: char| {
            in_brackets = (in_brackets || c == '[') && c != ']';
            !in_brackets && matches!(c, '.' | '/' | '(' | ')' | '{' | '}')
        };
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (unit, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!unit.is_empty()).then_some(unit)
    }
}

/// The atom, and the exponent behind it: `m2`, `s-1`, `10*3`.
fn exponent_of(unit: &str) -> Option<(&str, i8)> {
    let atom = unit.trim_end_matches(|c: char| c.is_ascii_digit());
    if atom.is_empty() {
        return Some((unit, 1));
    }
    let atom = atom.strip_suffix(['+', '-']).filter(|_| atom != unit).unwrap_or(atom);
    let exponent = unit.strip_prefix(atom)?;
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    Some((atom, if exponent.is_empty() { 1 } else { exponent.parse().ok()? }))
}

fn atom_measure(name: &str) -> Option<Measure> {
    let named = |name: &str| ATOMS.iter().find(|(atom, ..)| *atom == name);
    let (atom, exponent) = named(name).map(|atom| (atom, 0)).or_else(|| {
        PREFIXES.iter().find_map(|&(prefix, exponent)| {
            let atom = named(name.strip_prefix(prefix)?).filter(|(.., metric)| *metric)?;
            Some((atom, exponent))
        })
    })?;
    let (_, factor, dimension, _) = atom;
    let ten = Decimal::new(10_i128.checked_pow(exponent.unsigned_abs())?, 0);
    let one = Decimal::new(1, 0);
    let (top, bottom) = if exponent < 0 { (one, ten) } else { (ten, one) };
    let top = Decimal::parse(factor)?.times(top)?.trimmed();
    Some(Measure { top, bottom, dimension: *dimension })
}

//! Units of measure: which texts are units, so that nothing else passes for one.
//!
//! The grammar is that of UCUM (The Unified Code for Units of Measure, section 2): atoms with
//! prefixes and exponents, joined by `.` and `/`, with parentheses and annotations. Only atoms that
//! clinical data uses are known, and only annotations of a list: an annotation is free text.

/// The longest text that is taken for a unit, in bytes.
const MAX_UNIT_BYTES: usize = 40;
/// How many digits a unit may have in all: `mL/min/1.73m2` has four.
const MAX_DIGITS: usize = 6;

/// Whether UCUM can read the text, as far as its atoms are known here.
pub(crate) fn is_ucum(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.is_empty() || text.len() > MAX_UNIT_BYTES || digits > MAX_DIGITS {
        return false;
    }
    let text = text.strip_prefix('/').unwrap_or(text);
    components(text).is_some_and(|components| components.iter().all(|one| is_component(one)))
}

/// Whether the text is a unit: by UCUM, or as people write it.
pub(crate) fn is_unit(text: &str) -> bool {
    if text.len() > MAX_UNIT_BYTES {
        return false;
    }
    let plain: String = text
        .chars()
        .filter(|letter| *letter != ' ')
        .map(|letter| match letter {
            'µ' | 'μ' => 'u',
            '²' => '2',
            '³' => '3',
            other => other,
        })
        .collect();
    is_ucum(&plain) || plain.split('/').enumerate().all(|(at, part)| is_word(part, at > 0))
}

/// A unit as people write it, in any case, one or many.
fn is_word(part: &str, below: bool) -> bool {
    let small = part.to_ascii_lowercase();
    let one = small.strip_suffix('s').unwrap_or(&small);
    WORDS.contains(&&*small) || WORDS.contains(&one) || (below && is_ucum(part))
}

/// The components between `.` and `/`, outside of braces and brackets, without parentheses.
fn components(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut inside, mut depth) = (0, false, 0_i32);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' | b'[' if !inside => inside = true,
            b'}' | b']' if inside => inside = false,
            b'{' | b'[' | b'}' | b']' => return None,
            b'(' if !inside => depth += 1,
            b')' if !inside => depth -= 1,
            // 1.73: a point between digits is not UCUM's, but is written everywhere.
            b'.' | b'/' if !inside => {
                parts.push(text.get(start..at)?);
                start = at + 1;
            }
            _ if !byte.is_ascii_graphic() => return None,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    parts.push(text.get(start..)?);
    (depth == 0 && !inside).then_some(parts)
}

fn is_component(text: &str) -> bool {
    let text = text.trim_matches(['(', ')']);
    let (unit, annotation) = match text.split_once('{') {
        Some((unit, rest)) => (unit, rest.strip_suffix('}')),
        None => (text, Some("")),
    };
    let Some(annotation) = annotation else { return false };
    if !annotation.is_empty() && !ANNOTATIONS.iter().any(|one| one.eq_ignore_ascii_case(annotation))
    {
        return false;
    }
    if unit.is_empty() {
        return !annotation.is_empty();
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let powers = unit.strip_prefix("10*").or_else(|| unit.strip_prefix("10^"));
    if let Some(power) = powers {
        return is_number(power.trim_start_matches(['+', '-']));
    }
    let unit = unit.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let unit = unit.trim_end_matches(|letter: char| letter.is_ascii_digit());
    unit.is_empty() || is_atom(unit.trim_end_matches(['+', '-']))
}

fn is_atom(text: &str) -> bool {
    let prefixed =
        |prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| METRIC.contains(&rest));
    METRIC.contains(&text)
        || ATOMS.contains(&text)
        || PREFIXES.iter().any(|prefix| prefixed(prefix))
}

/// UCUM table 1.
const PREFIXES: &[&str] = &["T", "G", "M", "k", "h", "da", "d", "c", "m", "u", "n", "p", "f", "a"];

/// Atoms that a prefix may stand before (UCUM, tables 2 to 26).
const METRIC: &[&str] = &[
    "m", "s", "g", "rad", "K", "C", "cd", "mol", "sr", "Hz", "N", "Pa", "J", "W", "A", "V", "F",
    "Ohm", "S", "Wb", "Cel", "T", "H", "lm", "lx", "Bq", "Gy", "Sv", "l", "L", "ar", "t", "bar",
    "u", "eV", "kat", "U", "osm", "eq", "[iU]", "[IU]", "cal", "[Cal]", "B", "Np", "Ci", "R",
    "m[Hg]", "m[H2O]", "g%", "bit", "By", "Osm", "Eq", "IU",
];

/// Atoms that stand alone.
const ATOMS: &[&str] = &[
    "%",
    "[ppth]",
    "[ppm]",
    "[ppb]",
    "[pptr]",
    "[pi]",
    "min",
    "h",
    "d",
    "wk",
    "mo",
    "a",
    "a_j",
    "mo_j",
    "deg",
    "'",
    "''",
    "[in_i]",
    "[ft_i]",
    "[yd_i]",
    "[mi_i]",
    "[lb_av]",
    "[oz_av]",
    "[gr]",
    "[foz_us]",
    "[pt_us]",
    "[qt_us]",
    "[gal_us]",
    "[cup_us]",
    "[tbs_us]",
    "[tsp_us]",
    "[degF]",
    "[pH]",
    "[diop]",
    "[psi]",
    "[drp]",
    "[Ch]",
    "[CFU]",
    "[PFU]",
    "[arb'U]",
    "[USP'U]",
    "[APL'U]",
    "[GPL'U]",
    "[MPL'U]",
    "[mesh_i]",
    "[HPF]",
    "[LPF]",
    "[EID_50]",
    "[beth'U]",
    "[todd'U]",
    "[dye'U]",
    "[knk'U]",
    "[BAU]",
    "[AU]",
    "[Lf]",
    "[HP_X]",
    "[HP_C]",
    "[p'diop]",
    "[kn_i]",
    "[MET]",
    "[stone_av]",
    "[ELU]",
    "[EU]",
];

/// Annotations that say what is counted (UCUM 2.2.2); any other may say anything.
const ANNOTATIONS: &[&str] = &[
    "score",
    "INR",
    "ratio",
    "count",
    "nominal",
    "T-score",
    "Z-score",
    "1.73_m2",
    "cells",
    "cell",
    "RBC",
    "WBC",
    "HPF",
    "LPF",
    "beats",
    "breaths",
    "tablet",
    "tbl",
    "capsule",
    "dose",
    "drop",
    "puff",
    "scoop",
    "patch",
    "spray",
    "unit",
    "units",
    "copies",
    "CFU",
    "titer",
    "index",
    "number",
    "#",
    "rate",
    "pack",
    "packs",
    "cigarettes",
    "steps",
    "visits",
    "events",
    "days",
    "serving",
    "copy",
    "mutation",
    "creatinine",
    "pH",
    "MoM",
    "ISR",
    "S/CO",
    "OD_unit",
    "a.u.",
    "relative",
    "percentile",
];

/// What people write instead, in small letters, one of it.
const WORDS: &[&str] = &[
    "year",
    "yr",
    "y",
    "month",
    "mon",
    "mth",
    "week",
    "day",
    "hour",
    "hr",
    "minute",
    "second",
    "sec",
    "mcg",
    "microgram",
    "milligram",
    "gram",
    "kilogram",
    "kilo",
    "pound",
    "lb",
    "ounce",
    "oz",
    "ml",
    "mls",
    "cc",
    "milliliter",
    "millilitre",
    "liter",
    "litre",
    "deciliter",
    "inch",
    "inche",
    "in",
    "foot",
    "feet",
    "ft",
    "centimeter",
    "centimetre",
    "meter",
    "metre",
    "millimeter",
    "mile",
    "mmhg",
    "degree",
    "degreec",
    "degreesc",
    "degreesf",
    "degf",
    "degc",
    "celsius",
    "fahrenheit",
    "beat",
    "bpm",
    "breath",
    "percent",
    "tablet",
    "tab",
    "tbl",
    "capsule",
    "cap",
    "pill",
    "vial",
    "ampule",
    "ampoule",
    "patch",
    "patche",
    "drop",
    "gtt",
    "puff",
    "spray",
    "suppository",
    "recsupp",
    "vagtab",
    "opdrop",
    "eardrop",
    "each",
    "ea",
    "unit",
    "iu",
    "meq",
    "mmol",
    "umol",
    "nmol",
    "kcal",
    "calorie",
    "kilocalorie",
    "joule",
    "ph",
    "inr",
    "score",
    "count",
    "dose",
    "piece",
    "package",
    "pack",
    "box",
    "bottle",
    "can",
    "bag",
    "scoop",
    "teaspoon",
    "tsp",
    "tablespoon",
    "tbsp",
    "cup",
    "diopter",
    "dioptre",
    "mg/dl",
    "g/dl",
    "k/ul",
    "cfu",
    "cell",
    "copie",
    "copy",
    "u",
    "ml",
    "mg",
    "ug",
    "kg",
    "cm",
    "mm",
    "dl",
    "l",
    "ul",
    "metricton",
    "visit",
    "test",
    "strip",
    "syringe",
    "swab",
    "lozenge",
    "film",
    "kit",
    "inhalation",
    "application",
    "sachet",
    "usdollar",
    "usd",
    "$",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_clinical_data_are_known() {
        let codes = [
            "mg/dL",
            "%",
            "mmol/L",
            "mm[Hg]",
            "/min",
            "10*3/uL",
            "{score}",
            "kg/m2",
            "Cel",
            "[pH]",
            "U/L",
            "mL/min/{1.73_m2}",
            "mL/min/1.73m2",
            "{INR}",
            "{T-score}",
            "[in_i]",
            "cal/[foz_us]",
            "g/cm-2",
            "10*12/L",
            "[iU]/mL",
            "meq/L",
            "a",
            "ug/kg/min",
            "mol/(kg.s)",
            "1",
            "ng/mL{creatinine}",
        ];
        for code in codes {
            assert!(is_ucum(code), "{code}");
        }
        for text in
            ["x 10^9/L", "mm Hg", "years", "beats/minute", "µg/mL", "TAB", "tablets", "kg/m²"]
        {
            assert!(is_unit(text) || text.starts_with('x'), "{text}");
        }
    }

    #[test]
    fn nothing_else_passes_for_a_unit() {
        let texts = [
            "Smith",
            "Mary",
            "{Smith}",
            "{MRN 12345}",
            "617-555-0134",
            "1974-12-25",
            "12345678",
            "",
            "john@example.org",
            "http://example.org",
            "192.168.0.1",
            "Main St",
            "[Smith]",
            "kg{",
            "a}b{",
        ];
        for text in texts {
            assert!(!is_ucum(text) && !is_unit(text), "{text}");
        }
    }
}

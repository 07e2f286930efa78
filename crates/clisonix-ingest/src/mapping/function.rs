//! The closed list of functions that expressions may call.

use super::conversion;
use crate::identity::short_hash;
use crate::terminology;
use crate::timestamp;

/// A function on texts. `code`, `ref` and the source's own functions are handled beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Concat,
    Join,
    First,
    Split,
    Before,
    After,
    Replace,
    Upper,
    Lower,
    Trim,
    Date,
    System,
    Quantity,
    Ucum,
    Minus,
    Hash,
    Name,
}

/// Names, fewest and most arguments, and what to say when the count is wrong.
pub(super) const FUNCTIONS: &[(&str, Function, usize, usize, &str)] = &[
    ("concat", Function::Concat, 1, MANY, "at least one value"),
    ("join", Function::Join, 2, MANY, "a separator and at least one value"),
    ("first", Function::First, 1, MANY, "at least one value"),
    ("split", Function::Split, 3, 3, "a value, a separator and a number"),
    ("before", Function::Before, 2, 2, "a value and a separator"),
    ("after", Function::After, 2, 2, "a value and a separator"),
    ("replace", Function::Replace, 3, 3, "a value, a text and what stands for it"),
    ("upper", Function::Upper, 1, 1, "a value"),
    ("lower", Function::Lower, 1, 1, "a value"),
    ("trim", Function::Trim, 1, 1, "a value"),
    ("date", Function::Date, 1, 1, "a value"),
    ("system", Function::System, 1, 1, "a value"),
    ("quantity", Function::Quantity, 2, 2, "a value and a unit"),
    ("ucum", Function::Ucum, 1, 1, "a unit"),
    ("minus", Function::Minus, 2, 2, "two whole numbers"),
    ("hash", Function::Hash, 1, MANY, "at least one value"),
    ("name", Function::Name, 1, 1, "a path"),
];

const MANY: usize = usize::MAX;

impl Function {
    /// The function of that name with its row of [`FUNCTIONS`].
    pub(super) fn named(name: &str) -> Option<(Self, usize, usize, &'static str)> {
        let row = FUNCTIONS.iter().find(|row| row.0 == name)?;
        Some((row.1, row.2, row.3, row.4))
    }

    /// The answer of a function whose arguments have one text each; an argument without a value
    /// is `None`. `Join`, `First`, `Name` and `Quantity` look at more than texts: see the engine.
    pub(super) fn answer(self, arguments: &[Option<String>], zone_minutes: i32) -> Option<String> {
        let whole: Option<Vec<&str>> = arguments.iter().map(Option::as_deref).collect();
        let text = match (self, whole?.as_slice()) {
            (Self::Concat, texts) => texts.concat(),
            (Self::Split, [text, separator, number]) if !separator.is_empty() => {
                let index: usize = number.parse().ok()?;
                text.split(separator).nth(index.checked_sub(1)?)?.to_owned()
            }
            (Self::Before, [text, separator]) => {
                text.split_once(separator).map_or(*text, |(before, _)| before).to_owned()
            }
            (Self::After, [text, separator]) => text.split_once(separator)?.1.to_owned(),
            (Self::Replace, [text, from, to]) if !from.is_empty() => text.replace(from, to),
            (Self::Upper, [text]) => text.to_uppercase(),
            (Self::Lower, [text]) => text.to_lowercase(),
            (Self::Trim, [text]) => text.trim().to_owned(),
            (Self::Date, [text]) => timestamp::fhir_of_hl7(text, zone_minutes)?,
            (Self::System, [text]) => terminology::system_uri(text)?,
            (Self::Ucum, [unit]) => conversion::is_ucum_like(unit).then(|| (*unit).to_owned())?,
            (Self::Minus, [whole, less]) => {
                let (whole, less): (u32, u32) = (whole.parse().ok()?, less.parse().ok()?);
                whole.saturating_sub(less).to_string()
            }
            (Self::Hash, texts) => short_hash("clisonix mapping hash 1", texts),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }
}

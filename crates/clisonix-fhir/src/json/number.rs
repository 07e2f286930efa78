//! A JSON number that is its own text.

use super::parser::{MAX_NUMBER_BYTES, number_len};

/// A number exactly as it was written: `1.10`, `1E5` and `-0.0` stay what they are.
///
/// Equality is equality of the texts. The grammar is RFC 8259 section 6.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

impl Number {
    /// The number written as `text`, or `None` if that is not a JSON number or is longer than
    /// [`MAX_NUMBER_BYTES`].
    pub fn from_text(text: &str) -> Option<Self> {
        let whole =
            text.len() <= MAX_NUMBER_BYTES && number_len(text.as_bytes()) == Some(text.len());
        whole.then(|| Self(text.into()))
    }

    /// For the parser, which has checked the grammar.
    pub(super) fn from_checked(text: &str) -> Self {
        Self(text.into())
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest float; infinite when the exponent is out of a float's range.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The whole number, if it is written as one (no point, no exponent) and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value.to_string().into_boxed_str())
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(value.to_string().into_boxed_str())
    }
}

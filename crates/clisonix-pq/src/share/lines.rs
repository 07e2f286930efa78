//! The line form of manifests and of what stands inside of a payload: a name, a space, a value, one
//! line feed; names in a fixed order. Of every content there is exactly one text.

use std::fmt::{Display, Write};

/// What is wrong with such a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    Encoding,
    /// The line of this name does not stand where it must.
    #[error("line {line} is not the line `{name}`")]
    Missing {
        /// Counted from 1.
        line: u32,
        /// The line that must stand there.
        name: &'static str,
    },
    /// The value has not the form of this line's values, or more than one text stands for it.
    #[error("line {line} has no proper value of `{name}`")]
    Value {
        /// Counted from 1.
        line: u32,
        /// The line's name.
        name: &'static str,
    },
    /// Something follows behind the last line.
    #[error("line {line} follows behind the last line")]
    Behind {
        /// Counted from 1.
        line: u32,
    },
    /// Lines of one name that are not in ascending order, or twice the same.
    #[error("the lines `{name}` are not in ascending order")]
    Order {
        /// The lines' name.
        name: &'static str,
    },
    /// Too many lines of one name.
    #[error("line {line}: too many lines `{name}`")]
    TooMany {
        /// Counted from 1.
        line: u32,
        /// The lines' name.
        name: &'static str,
    },
}

/// Stands for a value that is not there.
pub(super) const NONE: &str = "none";

/// Appends a line.
pub(super) fn put(out: &mut String, name: &str, value: impl Display) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{name} {value}");
}

/// Lower-case hexadecimal digits.
pub(super) fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of `2 N` lower-case hexadecimal digits.
pub(super) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A number without leading zeros or signs.
pub(super) fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// Words of at most `limit` bytes on one line, without control characters, not empty and without
/// space at either end.
pub(crate) fn words(text: &str, limit: usize) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= limit && text.trim() == text;
    // Beside control characters, what turns the direction of writing or breaks lines could make a
    // person read something else than what was signed.
    let plain = |letter: char| {
        !letter.is_control()
            && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    (fits && text.chars().all(plain)).then(|| text.to_owned())
}

/// Lines that are read in order.
pub(super) struct Lines<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Result<Self, LineFault> {
        let rest = std::str::from_utf8(text).map_err(|_| LineFault::Encoding)?;
        Ok(Self { rest, line: 1 })
    }

    /// The value of the next line, which must have this name.
    pub(super) fn value<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, LineFault> {
        let missing = LineFault::Missing { line: self.line, name };
        let value = self.take(name).ok_or(missing)?;
        parse(value).ok_or(LineFault::Value { line: self.line - 1, name })
    }

    /// The value of the next line, which must have this name; `None` for the word `none`.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, LineFault> {
        let text = self.value(name, Some)?;
        if text == NONE {
            return Ok(None);
        }
        parse(text).map(Some).ok_or(LineFault::Value { line: self.line - 1, name })
    }

    /// The values of the next lines of this name, at least one and at most `limit`.
    pub(super) fn values<T>(
        &mut self,
        name: &'static str,
        limit: usize,
        parse: impl Fn(&'a str) -> Option<T>,
    ) -> Result<Vec<T>, LineFault> {
        let mut values = vec![self.value(name, &parse)?];
        while let Some(value) = self.take(name) {
            let line = self.line - 1;
            if values.len() == limit {
                return Err(LineFault::TooMany { line, name });
            }
            values.push(parse(value).ok_or(LineFault::Value { line, name })?);
        }
        Ok(values)
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(self) -> Result<(), LineFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(LineFault::Behind { line: self.line }) }
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        let value = line.strip_prefix(name)?.strip_prefix(' ')?;
        self.rest = rest;
        self.line += 1;
        Some(value)
    }
}

//! Forms of codes: small patterns, and the forms that need arithmetic.
//!
//! A pattern is a row of classes and characters: `9` a digit, `A` a capital letter, `a` a small one,
//! `X` a digit or capital letter, `'LA'` these letters; what is neither letter nor digit stands for
//! itself. `{2}` or `{1,4}` after a class says how many of it.

use super::error::RuleErrorKind;
use crate::unit;

/// The most repetitions of one class.
const MAX_REPEAT: u8 = 40;
/// The longest code that is looked at, in bytes.
const MAX_CODE_BYTES: usize = 64;
/// How many digits a `word` may have.
const MAX_WORD_DIGITS: usize = 4;

/// What a code or text must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A pattern.
    Pattern(Vec<Piece>),
    /// A SNOMED CT identifier with a right check digit.
    Sctid,
    /// A code as HL7 makes them: all capitals, or small words with hyphens.
    Word,
    /// A unit that UCUM can read.
    Ucum,
}

/// One class or character, and how many of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    class: Class,
    min: u8,
    max: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Digit,
    Upper,
    Lower,
    UpperOrDigit,
    Byte(u8),
}

impl Class {
    fn holds(self, byte: u8) -> bool {
        match self {
            Self::Digit => byte.is_ascii_digit(),
            Self::Upper => byte.is_ascii_uppercase(),
            Self::Lower => byte.is_ascii_lowercase(),
            Self::UpperOrDigit => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Byte(one) => byte == one,
        }
    }
}

impl Form {
    /// Reads all forms of a column.
    pub(super) fn all(text: &str) -> Result<Vec<Self>, RuleErrorKind> {
        text.split_whitespace().map(Self::read).collect()
    }

    fn read(word: &str) -> Result<Self, RuleErrorKind> {
        Ok(match word {
            "sctid" => Self::Sctid,
            "word" => Self::Word,
            "ucum" => Self::Ucum,
            _ => Self::Pattern(pattern(word).ok_or_else(|| RuleErrorKind::Form(word.into()))?),
        })
    }

    /// Whether the text has this form.
    pub(crate) fn fits(&self, text: &str) -> bool {
        text.len() <= MAX_CODE_BYTES
            && match self {
                Self::Pattern(pieces) => fits(pieces, text.as_bytes()),
                Self::Sctid => is_sctid(text),
                Self::Word => is_word(text),
                Self::Ucum => unit::is_ucum(text),
            }
    }
}

fn pattern(word: &str) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        rest = rest.get(first.len_utf8()..)?;
        let class = match first {
            '9' => Class::Digit,
            'A' => Class::Upper,
            'a' => Class::Lower,
            'X' => Class::UpperOrDigit,
            '\'' => {
                let (letters, after) = rest.split_once('\'').filter(|(l, _)| l.is_ascii())?;
                let one = |byte| Piece { class: Class::Byte(byte), min: 1, max: 1 };
                pieces.extend(letters.bytes().map(one));
                rest = after;
                continue;
            }
            '{' => {
                let (counts, after) = rest.split_once('}')?;
                let (min, max) = counts.split_once(',').unwrap_or((counts, counts));
                let last = pieces.last_mut()?;
                (last.min, last.max) = (min.parse().ok()?, max.parse().ok()?);
                if last.min > last.max || last.max > MAX_REPEAT {
                    return None;
                }
                rest = after;
                continue;
            }
            other if other.is_ascii_punctuation() => Class::Byte(other as u8),
            _ => return None,
        };
        pieces.push(Piece { class, min: 1, max: 1 });
    }
    if pieces.is_empty() { None } else { Some(pieces) }
}

fn fits(pieces: &[Piece], text: &[u8]) -> bool {
    let Some((piece, pieces)) = pieces.split_first() else { return text.is_empty() };
    let most = text.iter().take(piece.max.into()).take_while(|&&b| piece.class.holds(b)).count();
    (usize::from(piece.min)..=most)
        .rev()
        .any(|taken| text.get(taken..).is_some_and(|rest| fits(pieces, rest)))
}

/// All capitals and digits, or small letters and digits; words with hyphens between them, and few
/// digits, so that neither a name in its usual spelling nor a number passes.
fn is_word(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = text.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    digits <= MAX_WORD_DIGITS && !(upper && lower) && text.split(['-', '_']).all(is_part)
}

/// SNOMED CT Technical Implementation Guide, "SCTID": digits, a partition, a check digit after
/// Verhoeff. Concepts of the core have ten digits at most so far; those of extensions name their
/// namespace, and all namespaces begin with 1000.
fn is_sctid(text: &str) -> bool {
    let digits = text.as_bytes();
    let from_end = |from: usize, len: usize| {
        let at = digits.len().checked_sub(from)?;
        digits.get(at..at + len)
    };
    let is_concept = match from_end(3, 2) {
        Some(b"00") => (6..=10).contains(&digits.len()),
        Some(b"10") => digits.len() <= 18 && from_end(10, 4) == Some(b"1000"),
        _ => false,
    };
    is_concept
        && digits.iter().all(u8::is_ascii_digit)
        && !text.starts_with('0')
        && verhoeff(digits) == Some(0)
}

/// The check sum: each digit through a power of one permutation, joined in the dihedral group.
fn verhoeff(digits: &[u8]) -> Option<u8> {
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut sum = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let mut value = digit.checked_sub(b'0')?;
        for _ in 0..place % 8 {
            value = *PERMUTATION.get(usize::from(value))?;
        }
        sum = dihedral(sum, value);
    }
    Some(sum)
}

/// The product of two elements of the symmetries of a pentagon: 0 to 4 turn, 5 to 9 mirror.
fn dihedral(left: u8, right: u8) -> u8 {
    match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => 5 + (left + right - 5) % 5,
        (false, true) => 5 + (left - 5 + 5 - right) % 5,
        (false, false) => (left + 5 - right) % 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(form: &str, text: &str) -> bool {
        Form::all(form).unwrap().iter().any(|form| form.fits(text))
    }

    #[test]
    fn patterns_hold_classes_counts_and_letters() {
        assert!(fits("9{1,5}-9 'LA'9{1,6}-9", "4548-4"));
        assert!(fits("9{1,5}-9 'LA'9{1,6}-9", "LA14-2"));
        assert!(fits("A9X A9X.X{1,4}", "E11.65"));
        assert!(!fits("A9X A9X.X{1,4}", "E11.65123"));
        assert!(!fits("9{4}-9{4}-9{2}", "617-555-0134"));
        assert!(Form::all("LA9").is_err() && Form::all("9{5,2}").is_err());
    }

    #[test]
    fn snomed_codes_have_their_check_digit() {
        for code in ["44054006", "10001005", "132281000119108", "373270004"] {
            assert!(fits("sctid", code), "{code}");
        }
        for text in ["44054007", "6175550134", "123456789", "19400101", ""] {
            assert!(!fits("sctid", text), "{text}");
        }
    }

    #[test]
    fn words_are_neither_names_nor_numbers() {
        for code in ["vital-signs", "AMB", "ar002", "CT", "11"] {
            assert!(fits("word", code), "{code}");
        }
        for text in ["Smith", "6175550134", "1940-01-01", "john.smith@example.org", "a b", "-"] {
            assert!(!fits("word", text), "{text}");
        }
    }
}

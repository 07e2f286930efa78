//! Escape sequences in values (HL7 v2 2.7), undone only when a value is asked for.

#[cfg(test)]
mod tests;

use crate::{Charset, Delimiters};
use std::borrow::Cow;

/// Most lines or blanks that one `\.sp n\` or `\.sk n\` gives.
pub const MAX_SPACING: usize = 100;

/// A decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// The value; borrowed if nothing had to be changed.
    pub value: Cow<'a, str>,
    /// Escape sequences that are not known (or local, `\Zxx\`) and stand in the value as they came.
    pub unknown_escapes: u32,
    /// A spacing command asked for more than [`MAX_SPACING`] and got that much.
    pub capped: bool,
}

impl<'a> Text<'a> {
    pub(crate) fn plain(value: Cow<'a, str>) -> Self {
        Self { value, unknown_escapes: 0, capped: false }
    }
}

/// Decodes a value; `None` if its bytes are not valid in the character set.
#[must_use]
pub fn decode<'a>(raw: &'a [u8], delimiters: &Delimiters, charset: Charset) -> Option<Text<'a>> {
    let Some(sign) = delimiters.escape.filter(|sign| raw.contains(sign)) else {
        return charset.decode(raw).map(Text::plain);
    };
    if delimiters.escape_doubled {
        let single = undouble(raw, sign);
        let text = unescape(&single, sign, delimiters, charset)?;
        return Some(Text { value: Cow::Owned(text.value.into_owned()), ..text });
    }
    unescape(raw, sign, delimiters, charset)
}

/// Writes text as a value: delimiters and the escape sign become escape sequences, line feeds
/// `\.br\`, other control characters `\Xhh\`.
#[must_use]
pub fn encode(text: &str, delimiters: &Delimiters) -> String {
    let sign = delimiters.escape.map(char::from);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let byte = u8::try_from(c).ok();
        let letter = match byte {
            Some(b) if b == delimiters.field => "F",
            Some(b) if b == delimiters.component => "S",
            Some(b) if Some(b) == delimiters.repetition => "R",
            Some(b) if Some(b) == delimiters.subcomponent => "T",
            Some(b) if Some(b) == delimiters.escape => "E",
            Some(b'\n') => ".br",
            Some(b) if b.is_ascii_control() => {
                push_escape(&mut out, sign, &format!("X{b:02X}"));
                continue;
            }
            _ => {
                out.push(c);
                continue;
            }
        };
        push_escape(&mut out, sign, letter);
    }
    out
}

/// Without an escape sign a delimiter cannot be written; a blank stands for it.
fn push_escape(out: &mut String, sign: Option<char>, code: &str) {
    match sign {
        Some(sign) => {
            out.push(sign);
            out.push_str(code);
            out.push(sign);
        }
        None => out.push(' '),
    }
}

fn unescape<'a>(
    raw: &[u8],
    sign: u8,
    delimiters: &Delimiters,
    charset: Charset,
) -> Option<Text<'a>> {
    let mut text = Text::plain(Cow::Owned(String::new()));
    let mut bytes = Vec::with_capacity(raw.len());
    let mut shifted = false;
    let mut rest = raw;
    while let Some(open) = rest.iter().position(|&b| b == sign) {
        let (before, from) = rest.split_at(open);
        bytes.extend_from_slice(before);
        let body = from.get(1..).unwrap_or_default();
        let Some(length) = body.iter().position(|&b| b == sign) else {
            bytes.push(sign);
            text.unknown_escapes += 1;
            rest = body;
            continue;
        };
        let (code, after) = body.split_at(length);
        match apply(code, delimiters, &mut bytes, &mut text.capped) {
            Applied::Done => rest = after.get(1..).unwrap_or_default(),
            Applied::Shift => {
                shifted = true;
                rest = after.get(1..).unwrap_or_default();
            }
            Applied::Unknown => {
                // The closing sign may open the next sequence, so only this one is passed over.
                bytes.push(sign);
                bytes.extend_from_slice(code);
                text.unknown_escapes += 1;
                rest = if looks_closed(code) {
                    bytes.push(sign);
                    after.get(1..).unwrap_or_default()
                } else {
                    after
                };
            }
        }
    }
    bytes.extend_from_slice(rest);
    let decoder = if shifted { Charset::Wide(encoding_rs::ISO_2022_JP) } else { charset };
    let value = decoder.decode(&bytes).map(Cow::into_owned);
    if value.is_none() {
        // The sequences gave bytes that the set does not have: leave the value as it came.
        text.unknown_escapes += 1;
    }
    text.value = Cow::Owned(match value {
        Some(value) => value,
        None => charset.decode(raw)?.into_owned(),
    });
    Some(text)
}

enum Applied {
    Done,
    /// A switch of character set, written as its ISO 2022 escape.
    Shift,
    Unknown,
}

fn apply(code: &[u8], d: &Delimiters, out: &mut Vec<u8>, capped: &mut bool) -> Applied {
    let sign = match code {
        b"F" => Some(d.field),
        b"S" => Some(d.component),
        b"T" => Some(d.subcomponent.unwrap_or(b'&')),
        b"R" => Some(d.repetition.unwrap_or(b'~')),
        b"E" => d.escape,
        b"P" => Some(d.truncation.unwrap_or(b'#')),
        // Highlighting has no place in plain text.
        b"H" | b"N" => return Applied::Done,
        _ => None,
    };
    if let Some(sign) = sign {
        out.push(sign);
        return Applied::Done;
    }
    match code {
        [b'X', hex @ ..] => match unhex(hex) {
            Some(bytes) if !bytes.is_empty() => {
                out.extend_from_slice(&bytes);
                Applied::Done
            }
            _ => Applied::Unknown,
        },
        [b'C', hex @ ..] if hex.len() == 4 => shift(hex, out),
        [b'M', hex @ ..] if hex.len() == 4 || hex.len() == 6 => shift(hex, out),
        [b'.', command @ ..] => format_command(command, out, capped),
        _ => Applied::Unknown,
    }
}

fn shift(hex: &[u8], out: &mut Vec<u8>) -> Applied {
    match unhex(hex) {
        Some(bytes) => {
            out.push(0x1B);
            out.extend(bytes.into_iter().filter(|b| *b != 0));
            Applied::Shift
        }
        None => Applied::Unknown,
    }
}

/// The commands of formatted text (HL7 v2 2.7.6); indents and fill modes have no place in plain
/// text.
fn format_command(command: &[u8], out: &mut Vec<u8>, capped: &mut bool) -> Applied {
    let (word, argument) = command.split_at(command.len().min(2));
    let argument = std::str::from_utf8(argument).unwrap_or("?").trim();
    let spacing = match argument {
        "" => Some(1),
        digits => digits.trim_start_matches('+').parse::<usize>().ok(),
    };
    let mut repeat = |byte: u8| match spacing {
        Some(count) => {
            *capped |= count > MAX_SPACING;
            out.resize(out.len() + count.min(MAX_SPACING), byte);
            Applied::Done
        }
        None if argument.bytes().all(|b| b.is_ascii_digit() || b == b'+') => {
            *capped = true;
            out.resize(out.len() + MAX_SPACING, byte);
            Applied::Done
        }
        None => Applied::Unknown,
    };
    match word {
        b"sp" => repeat(b'\n'),
        b"sk" => repeat(b' '),
        b"br" | b"ce" if argument.is_empty() => {
            out.push(b'\n');
            Applied::Done
        }
        b"fi" | b"nf" if argument.is_empty() => Applied::Done,
        b"in" | b"ti"
            if argument.trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit()) =>
        {
            Applied::Done
        }
        _ => Applied::Unknown,
    }
}

/// Whether an unknown sequence is one (`\Z01\`, `\Xzz\`) and not text between two stray signs.
fn looks_closed(code: &[u8]) -> bool {
    !code.is_empty()
        && code.len() <= 16
        && code.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-'))
}

fn unhex(hex: &[u8]) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: &u8| char::from(*b).to_digit(16);
    hex.chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

fn undouble(raw: &[u8], sign: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().peekable();
    while let Some(&byte) = bytes.next() {
        if byte == sign {
            bytes.next_if(|next| **next == sign);
        }
        out.push(byte);
    }
    out
}

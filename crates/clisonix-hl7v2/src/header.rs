//! Reading the header by its bytes alone, for messages that may not parse.

use crate::{ParseError, Segment, SegmentName};

/// Finds MSH at the start of a message, behind a byte order mark, a start block or blank bytes.
pub(crate) fn find(bytes: &[u8]) -> Result<usize, ParseError> {
    if matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'M', 0, b'S', ..] | [0, b'M', ..]) {
        return Err(ParseError::WideCharacters);
    }
    let mark = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let rest = bytes.get(mark..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| is_filler(**b)).count();
    let offset = mark + blank;
    let found = bytes.get(offset..offset + 3).is_some_and(|name| name.eq_ignore_ascii_case(b"MSH"));
    if found { Ok(offset) } else { Err(ParseError::NoHeader { offset }) }
}

/// The raw bytes of field `number` (2 or more) of the header that begins at the start of `header`;
/// empty if it has none.
#[must_use]
pub fn raw_field(header: &[u8], separator: u8, number: usize) -> &[u8] {
    let length = header.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(header.len());
    let line = header.get(..length).unwrap_or_default();
    // The name is piece 0 and MSH-1 is the separator itself, so MSH-2 is piece 1.
    line.split(|&b| b == separator).nth(number.saturating_sub(1)).unwrap_or_default()
}

/// Whether a field holds delimiters as data: MSH-1, MSH-2 and the same of batch headers.
pub(crate) fn holds_delimiters(segment: Option<&Segment>, field: u16) -> bool {
    field <= 2 && segment.is_some_and(|s| s.name.is_header())
}

/// Bytes that may stand before a header: blanks, line ends, NUL, block marks.
pub(crate) fn is_filler(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | 0x0B | 0x1C)
}

/// The name, if `line` begins a message, a batch or a file, or ends a batch or a file.
pub(crate) fn envelope(line: &[u8]) -> Option<SegmentName> {
    let name = SegmentName::from_bytes(line.get(..3)?)?;
    let known = matches!(name.as_str(), "MSH" | "FHS" | "BHS" | "BTS" | "FTS");
    let separated = match line.get(3) {
        None | Some(b'\r' | b'\n') => !name.is_header(),
        Some(byte) => byte.is_ascii_graphic() && !byte.is_ascii_alphanumeric(),
    };
    (known && separated).then_some(name)
}

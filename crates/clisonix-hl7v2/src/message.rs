//! A message as a flat, sorted index of leaves over its own bytes.

mod scan;
#[cfg(test)]
mod tests;

use crate::charset::Declared;
use crate::{
    Address, Charset, Delimiters, ParseError, Report, ReportKind, SegmentName, Text, escape, header,
};
use std::borrow::Cow;
use std::ops::Range;

/// Longest message read, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 50 * 1024 * 1024;
/// Most segments in a message.
pub const MAX_SEGMENTS: usize = 60_000;
/// Most values in a message.
pub const MAX_LEAVES: usize = 2_000_000;
/// Highest field, repetition, component or subcomponent number.
pub const MAX_POSITION: u16 = 60_000;
/// Most reports kept with one message; later ones are only counted.
pub const MAX_REPORTS: usize = 64;

/// One stated (non-empty) value: its address and its byte range. All numbers count from 1 except
/// `segment`, which is the index into [`Message::segments`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf {
    /// Index of the segment in the message.
    pub segment: u16,
    /// Field number.
    pub field: u16,
    /// Repetition of the field.
    pub repetition: u16,
    /// Component number.
    pub component: u16,
    /// Subcomponent number.
    pub subcomponent: u16,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Leaf {
    /// The byte range in [`Message::bytes`].
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn position(&self) -> (u16, u16, u16, u16, u16) {
        (self.segment, self.field, self.repetition, self.component, self.subcomponent)
    }
}

/// One segment: its name, its bytes without the line end, its leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The name in upper case.
    pub name: SegmentName,
    /// Which of the segments of this name it is, from 1.
    pub occurrence: u16,
    /// Bytes of the segment, name included, line end not.
    pub bytes: Range<usize>,
    /// Its part of [`Message::leaves`].
    pub leaves: Range<usize>,
}

/// How to read a message where it does not say so itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Read values in this set whatever MSH-18 says.
    pub charset: Option<Charset>,
}

/// A parsed message. Borrows the bytes, unless its character set had to be turned to UTF-8 first.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    bytes: Cow<'a, [u8]>,
    delimiters: Delimiters,
    charset: Charset,
    segments: Vec<Segment>,
    leaves: Vec<Leaf>,
    reports: Vec<Report>,
    reports_left_out: usize,
}

impl<'a> Message<'a> {
    /// Reads one message (HL7 v2 chapter 2).
    ///
    /// If a carriage return stands outside CRLF, only carriage returns end segments and a line
    /// feed is data; else line feeds do.
    ///
    /// # Errors
    /// [`ParseError`]; the caller keeps the bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        Self::parse_with(bytes, Options::default())
    }

    /// [`Message::parse`] with a character set fixed by the caller.
    ///
    /// # Errors
    /// As [`Message::parse`].
    pub fn parse_with(bytes: &'a [u8], options: Options) -> Result<Self, ParseError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(ParseError::TooLong { limit: MAX_MESSAGE_BYTES });
        }
        let begin = header::find(bytes)?;
        let (delimiters, repaired) = Delimiters::read(bytes.get(begin..).unwrap_or_default())
            .map_err(|e| shift(e, begin))?;
        let (declared, known) = declared_charset(bytes, begin, delimiters, options)?;
        let (bytes, charset, guessed) = read_charset(bytes, begin, declared)?;
        let mut scan = scan::Scan::new(&bytes, begin, delimiters);
        scan.report_header(&repaired, guessed, !known);
        let indexed = scan.run()?;
        let message = Self {
            delimiters,
            charset,
            segments: indexed.segments,
            leaves: indexed.leaves,
            reports: indexed.reports,
            reports_left_out: indexed.reports_left_out,
            bytes,
        };
        if declared.is_some() {
            message.check_characters(begin)?;
        }
        Ok(message)
    }

    /// The bytes that the ranges of leaves and segments refer to: the message as received, or as
    /// UTF-8 where its character set made that necessary.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The delimiters in use.
    #[must_use]
    pub fn delimiters(&self) -> &Delimiters {
        &self.delimiters
    }

    /// The character set that values are read in.
    #[must_use]
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// All values in order of their position.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// What was strange, at most [`MAX_REPORTS`].
    #[must_use]
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// How many more reports there were.
    #[must_use]
    pub fn reports_left_out(&self) -> usize {
        self.reports_left_out
    }

    /// Whether the structure had to be repaired to be read.
    #[must_use]
    pub fn is_repaired(&self) -> bool {
        self.reports.iter().any(|r| r.kind.is_repair())
    }

    /// Whether the message surely breaks off. It must then not be acknowledged as accepted.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.reports.iter().any(|r| r.kind == ReportKind::Truncated)
    }

    /// The leaves of one segment, by its index.
    #[must_use]
    pub fn segment_leaves(&self, segment: usize) -> &[Leaf] {
        let range = self.segments.get(segment).map(|s| s.leaves.clone()).unwrap_or_default();
        self.leaves.get(range).unwrap_or_default()
    }

    /// The index in [`Message::leaves`] of the leaves of one field, all repetitions.
    #[must_use]
    pub fn field(&self, segment: usize, field: u16) -> Range<usize> {
        let within = self.segments.get(segment).map(|s| s.leaves.clone()).unwrap_or_default();
        let leaves = self.leaves.get(within.clone()).unwrap_or_default();
        let first = leaves.partition_point(|leaf| leaf.field < field);
        let after = leaves.partition_point(|leaf| leaf.field <= field);
        within.start + first..within.start + after
    }

    /// The leaf at an address, if a value is stated there.
    #[must_use]
    pub fn at(&self, address: &Address) -> Option<&Leaf> {
        let segment = self
            .segments
            .iter()
            .position(|s| s.name == address.segment && s.occurrence == address.occurrence)?;
        let wanted = (
            segment as u16,
            address.field,
            address.repetition,
            address.component,
            address.subcomponent,
        );
        let index = self.leaves.binary_search_by(|leaf| leaf.position().cmp(&wanted)).ok()?;
        self.leaves.get(index)
    }

    /// The address of a leaf.
    #[must_use]
    pub fn address(&self, leaf: &Leaf) -> Address {
        let segment = self.segments.get(usize::from(leaf.segment));
        Address {
            segment: segment.map_or(SegmentName::MSH, |s| s.name),
            occurrence: segment.map_or(1, |s| s.occurrence),
            field: leaf.field,
            repetition: leaf.repetition,
            component: leaf.component,
            subcomponent: leaf.subcomponent,
        }
    }

    /// A leaf's bytes as received.
    #[must_use]
    pub fn raw(&self, leaf: &Leaf) -> &[u8] {
        self.bytes.get(leaf.range()).unwrap_or_default()
    }

    /// Whether the leaf is `""`: *delete what you have* (HL7 v2 2.5.3).
    #[must_use]
    pub fn is_delete(&self, leaf: &Leaf) -> bool {
        self.raw(leaf) == b"\"\""
    }

    /// A leaf's value, decoded and unescaped.
    ///
    /// # Errors
    /// [`ParseError::Characters`] if an escape sequence gives bytes outside the character set.
    pub fn text(&self, leaf: &Leaf) -> Result<Text<'_>, ParseError> {
        if header::holds_delimiters(self.segments.get(usize::from(leaf.segment)), leaf.field) {
            let signs = self.charset.decode(self.raw(leaf)).map(Text::plain);
            return signs.ok_or_else(|| self.characters(leaf));
        }
        self.text_in(leaf, leaf.range())
    }

    /// The value of a run of leaves with the delimiters between them left in place: for text in
    /// which a sender did not escape its delimiters.
    ///
    /// # Errors
    /// As [`Message::text`].
    pub fn joined_text(&self, first: &Leaf, last: &Leaf) -> Result<Text<'_>, ParseError> {
        self.text_in(first, first.start as usize..last.end as usize)
    }

    /// The value at an address given as text; `Ok(None)` if nothing is stated there or the text
    /// is no address.
    ///
    /// # Errors
    /// As [`Message::text`].
    pub fn text_at(&self, address: &str) -> Result<Option<Cow<'_, str>>, ParseError> {
        let leaf = address.parse().ok().and_then(|address| self.at(&address));
        leaf.map(|leaf| self.text(leaf).map(|text| text.value)).transpose()
    }

    fn text_in(&self, leaf: &Leaf, range: Range<usize>) -> Result<Text<'_>, ParseError> {
        let raw = self.bytes.get(range).unwrap_or_default();
        escape::decode(raw, &self.delimiters, self.charset).ok_or_else(|| self.characters(leaf))
    }

    fn characters(&self, leaf: &Leaf) -> ParseError {
        ParseError::Characters {
            segment: self.address(leaf).segment,
            field: leaf.field,
            offset: leaf.start as usize,
        }
    }

    /// Refuses bytes that the character set does not have, saying where they stand.
    fn check_characters(&self, begin: usize) -> Result<(), ParseError> {
        let bytes = self.bytes.get(begin..).unwrap_or_default();
        let Some(invalid) = self.charset.first_invalid(bytes) else { return Ok(()) };
        let offset = begin + invalid;
        let after = self.leaves.partition_point(|leaf| leaf.end as usize <= offset);
        let leaf = self.leaves.get(after).or(self.leaves.last());
        Err(ParseError::Characters {
            segment: leaf.map_or(SegmentName::MSH, |leaf| self.address(leaf).segment),
            field: leaf.map_or(0, |leaf| leaf.field),
            offset,
        })
    }
}

/// The character set declared, and whether it is one that is known.
fn declared_charset(
    bytes: &[u8],
    begin: usize,
    delimiters: Delimiters,
    options: Options,
) -> Result<(Option<Charset>, bool), ParseError> {
    if let Some(charset) = options.charset {
        return Ok((Some(charset), true));
    }
    let head = bytes.get(begin..).unwrap_or_default();
    let field = header::raw_field(head, delimiters.field, 18);
    // Further repetitions name sets that escape sequences switch to.
    let first = field.split(|&b| Some(b) == delimiters.repetition).next().unwrap_or_default();
    match Charset::declared(first) {
        Declared::Nothing => Ok((None, true)),
        Declared::Known(charset) => Ok((Some(charset), true)),
        Declared::Unknown => Ok((None, false)),
        Declared::Unreadable => Err(ParseError::WideCharacters),
    }
}

/// The bytes to index, the set to read them in, and whether the set was guessed.
fn read_charset(
    bytes: &[u8],
    begin: usize,
    declared: Option<Charset>,
) -> Result<(Cow<'_, [u8]>, Charset, bool), ParseError> {
    match declared {
        Some(charset @ Charset::Wide(_)) => {
            let text = charset.decode(bytes).ok_or_else(|| ParseError::Characters {
                segment: SegmentName::MSH,
                field: 0,
                offset: charset.first_invalid(bytes).unwrap_or(begin),
            })?;
            Ok((Cow::Owned(text.into_owned().into_bytes()), Charset::Utf8, false))
        }
        Some(charset) => Ok((Cow::Borrowed(bytes), charset, false)),
        None if std::str::from_utf8(bytes).is_ok() => {
            Ok((Cow::Borrowed(bytes), Charset::Utf8, false))
        }
        None => Ok((Cow::Borrowed(bytes), Charset::Superset(encoding_rs::WINDOWS_1252), true)),
    }
}

fn shift(error: ParseError, by: usize) -> ParseError {
    match error {
        ParseError::FieldSeparator { offset } => ParseError::FieldSeparator { offset: offset + by },
        ParseError::EncodingCharacter { offset } => {
            ParseError::EncodingCharacter { offset: offset + by }
        }
        other => other,
    }
}

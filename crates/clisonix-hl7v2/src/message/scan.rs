//! The one pass over a message's bytes that makes the index.

use super::{Leaf, MAX_LEAVES, MAX_POSITION, MAX_REPORTS, MAX_SEGMENTS, Segment};
use crate::{Delimiters, ParseError, Report, ReportKind, SegmentName};
use std::collections::BTreeMap;

/// Most leaves that room is made for before any is seen.
const FIRST_LEAVES: usize = 16_384;

/// What a pass gives.
pub(super) struct Indexed {
    pub(super) segments: Vec<Segment>,
    pub(super) leaves: Vec<Leaf>,
    pub(super) reports: Vec<Report>,
    pub(super) reports_left_out: usize,
}

/// The state of a pass: the position counters and what was found so far.
pub(super) struct Scan<'b> {
    bytes: &'b [u8],
    begin: usize,
    end: usize,
    delimiters: Delimiters,
    classes: Classes,
    returns_end: bool,
    /// Position of the value being read; its segment is the last of `found.segments`.
    at: Leaf,
    occurrences: BTreeMap<SegmentName, u16>,
    found: Indexed,
}

impl<'b> Scan<'b> {
    pub(super) fn new(bytes: &'b [u8], begin: usize, delimiters: Delimiters) -> Self {
        let blank = bytes.iter().rev().take_while(|b| is_end_filler(**b)).count();
        let end = bytes.len().saturating_sub(blank).max(begin);
        Self {
            bytes,
            begin,
            end,
            delimiters,
            classes: Classes::new(delimiters),
            returns_end: has_lone_return(bytes),
            at: Leaf {
                segment: 0,
                field: 0,
                repetition: 1,
                component: 1,
                subcomponent: 1,
                start: 0,
                end: 0,
            },
            occurrences: BTreeMap::new(),
            found: Indexed {
                segments: Vec::with_capacity(16),
                leaves: Vec::with_capacity((bytes.len() / 6).min(FIRST_LEAVES)),
                reports: Vec::new(),
                reports_left_out: 0,
            },
        }
    }

    /// Notes what was strange before the first segment was read.
    pub(super) fn report_header(
        &mut self,
        repaired: &[(ReportKind, usize)],
        guessed: bool,
        unknown: bool,
    ) {
        let begin = self.begin;
        if begin > 0 {
            self.report_at(ReportKind::LeadingBytes, SegmentName::MSH, 0, 0);
        }
        for (kind, offset) in repaired {
            self.report_at(*kind, SegmentName::MSH, 2, begin + offset);
        }
        if unknown {
            self.report_at(ReportKind::CharsetUnknown, SegmentName::MSH, 18, begin);
        }
        if guessed {
            self.report_at(ReportKind::CharsetGuessed, SegmentName::MSH, 18, begin);
        }
    }

    pub(super) fn run(mut self) -> Result<Indexed, ParseError> {
        let mut next = self.open_segment(self.begin, SegmentName::MSH)?;
        while let Some(offset) = self.next_special(next) {
            let class = self.classes.of(self.byte(offset));
            next = match class {
                Class::Line => self.line(offset)?,
                Class::Plain => offset + 1,
                delimiter => {
                    self.close_leaf(offset)?;
                    self.advance(delimiter, offset)?;
                    self.at.start = (offset + 1) as u32;
                    offset + 1
                }
            };
        }
        self.close_segment(self.end)?;
        self.check_end();
        Ok(self.found)
    }

    fn byte(&self, offset: usize) -> u8 {
        self.bytes.get(offset).copied().unwrap_or_default()
    }

    fn next_special(&self, from: usize) -> Option<usize> {
        let rest = self.bytes.get(from..self.end)?;
        rest.iter().position(|&byte| self.classes.of(byte) != Class::Plain).map(|i| from + i)
    }

    fn advance(&mut self, class: Class, offset: usize) -> Result<(), ParseError> {
        let at = &mut self.at;
        let counter = match class {
            Class::Subcomponent => &mut at.subcomponent,
            Class::Component => {
                at.subcomponent = 1;
                &mut at.component
            }
            Class::Repetition => {
                (at.component, at.subcomponent) = (1, 1);
                &mut at.repetition
            }
            Class::Field | Class::Line | Class::Plain => {
                (at.repetition, at.component, at.subcomponent) = (1, 1, 1);
                &mut at.field
            }
        };
        if *counter >= MAX_POSITION {
            return Err(ParseError::PositionTooHigh {
                limit: MAX_POSITION,
                field: at.field,
                segment: self.segment_name(),
                offset,
            });
        }
        *counter += 1;
        Ok(())
    }

    fn close_leaf(&mut self, end: usize) -> Result<(), ParseError> {
        let end = end as u32;
        if end <= self.at.start {
            return Ok(());
        }
        if self.found.leaves.len() >= MAX_LEAVES {
            return Err(ParseError::TooManyLeaves {
                limit: MAX_LEAVES,
                segment: self.segment_name(),
                offset: end as usize,
            });
        }
        self.found.leaves.push(Leaf { end, ..self.at });
        Ok(())
    }

    fn close_segment(&mut self, end: usize) -> Result<(), ParseError> {
        self.close_leaf(end)?;
        let leaves = self.found.leaves.len();
        if let Some(segment) = self.found.segments.last_mut() {
            segment.bytes.end = end.max(segment.bytes.start);
            segment.leaves.end = leaves;
        }
        Ok(())
    }

    /// Begins the segment at `start`; gives the offset to read on from.
    fn open_segment(&mut self, start: usize, name: SegmentName) -> Result<usize, ParseError> {
        let index = self.found.segments.len();
        if index >= MAX_SEGMENTS {
            return Err(ParseError::TooManySegments { limit: MAX_SEGMENTS });
        }
        let occurrence = self.occurrences.entry(name).or_insert(0);
        *occurrence += 1;
        let occurrence = *occurrence;
        let first = self.found.leaves.len();
        self.found.segments.push(Segment {
            name,
            occurrence,
            bytes: start..start,
            leaves: first..first,
        });
        let after = start + name.as_str().len();
        self.at = Leaf {
            segment: index as u16,
            field: 0,
            repetition: 1,
            component: 1,
            subcomponent: 1,
            start: after as u32,
            end: 0,
        };
        if !name.is_header() || after >= self.end {
            return Ok(after.min(self.end));
        }
        if index > 0 && name == SegmentName::MSH {
            self.report(ReportKind::SecondHeader, start);
        }
        self.header_fields(after)
    }

    /// MSH-1 is the separator and MSH-2 the other delimiters: both are values as they stand.
    fn header_fields(&mut self, after: usize) -> Result<usize, ParseError> {
        self.at.field = 1;
        self.close_leaf(after + 1)?;
        self.at.field = 2;
        self.at.start = (after + 1) as u32;
        let rest = self.bytes.get(after + 1..self.end).unwrap_or_default();
        let separator = self.delimiters.field;
        let length = rest.iter().position(|&b| b == separator || b == b'\r' || b == b'\n');
        Ok(after + 1 + length.unwrap_or(rest.len()))
    }

    /// A line end at `offset`: the end of the segment, or data. Gives the offset to read on from.
    fn line(&mut self, offset: usize) -> Result<usize, ParseError> {
        let separator = self.delimiters.field;
        if self.returns_end && self.byte(offset) == b'\n' {
            // Only a name of the standard can end a segment here: text has line feeds too.
            let line = self.bytes.get(offset + 1..self.end).unwrap_or_default();
            let name = SegmentName::at_line_start(line, separator);
            return match name.filter(|n| n.is_standard() && line.get(3) == Some(&separator)) {
                Some(name) => {
                    self.report(ReportKind::LineEndsMixed, offset);
                    self.close_segment(offset)?;
                    self.open_segment(offset + 1, name)
                }
                None => Ok(offset + 1),
            };
        }
        let next = self.skip_blank_lines(offset);
        let line = self.bytes.get(next..self.end).unwrap_or_default();
        if line.is_empty() {
            self.close_segment(offset)?;
            self.at.start = self.end as u32;
            return Ok(self.end);
        }
        if let Some(name) = SegmentName::at_line_start(line, separator) {
            self.close_segment(offset)?;
            return self.open_segment(next, name);
        }
        if let Some((blanks, name)) = indented(line, separator) {
            self.close_segment(offset)?;
            self.report(ReportKind::Indented, next);
            return self.open_segment(next + blanks, name);
        }
        self.report(ReportKind::LineJoined, offset);
        Ok(next)
    }

    /// The start of the next line that has more than blanks.
    fn skip_blank_lines(&self, offset: usize) -> usize {
        let mut line_start = offset;
        let rest = self.bytes.get(offset..self.end).unwrap_or_default();
        for (i, byte) in rest.iter().enumerate() {
            match byte {
                b'\r' | b'\n' => line_start = offset + i + 1,
                b' ' | b'\t' => {}
                _ => return line_start,
            }
        }
        self.end
    }

    /// Notes a missing line end, and a message that surely breaks off.
    fn check_end(&mut self) {
        let tail = self.bytes.get(self.end..).unwrap_or_default();
        if tail.iter().any(|b| matches!(b, b'\r' | b'\n')) {
            return;
        }
        let end = self.end;
        let last = self.found.leaves.last().copied().filter(|l| l.end as usize == end);
        let value = last.and_then(|l| self.bytes.get(l.range())).unwrap_or_default();
        let escape = self.delimiters.escape;
        let open_escape = value.iter().filter(|b| Some(**b) == escape).count() % 2 == 1;
        let line = value.rsplit(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default();
        let part_name = line.len() < value.len() && line.len() <= 3;
        let part_character = std::str::from_utf8(value).is_err_and(|e| e.error_len().is_none());
        let last_name = self.found.segments.last().map(|s| s.name);
        if open_escape || part_name || part_character || last_name == Some(SegmentName::MSH) {
            self.report(ReportKind::Truncated, end);
        } else {
            self.report(ReportKind::Unterminated, end);
        }
    }

    fn segment_name(&self) -> SegmentName {
        self.found.segments.last().map_or(SegmentName::MSH, |s| s.name)
    }

    fn report(&mut self, kind: ReportKind, offset: usize) {
        self.report_at(kind, self.segment_name(), self.at.field, offset);
    }

    fn report_at(&mut self, kind: ReportKind, segment: SegmentName, field: u16, offset: usize) {
        if self.found.reports.len() < MAX_REPORTS {
            self.found.reports.push(Report { kind, segment, field, offset });
        } else {
            self.found.reports_left_out += 1;
        }
    }
}

/// The role of a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Field,
    Repetition,
    Component,
    Subcomponent,
    Line,
}

/// The role of every byte value.
struct Classes([Class; 256]);

impl Classes {
    fn new(delimiters: Delimiters) -> Self {
        let mut classes = [Class::Plain; 256];
        let roles = [
            (delimiters.subcomponent, Class::Subcomponent),
            (delimiters.repetition, Class::Repetition),
            (Some(delimiters.component), Class::Component),
            (Some(delimiters.field), Class::Field),
            (Some(b'\r'), Class::Line),
            (Some(b'\n'), Class::Line),
        ];
        for (byte, class) in roles {
            if let Some(slot) = byte.and_then(|b| classes.get_mut(usize::from(b))) {
                *slot = class;
            }
        }
        Self(classes)
    }

    #[inline]
    fn of(&self, byte: u8) -> Class {
        self.0.get(usize::from(byte)).copied().unwrap_or(Class::Plain)
    }
}

/// Whether a carriage return stands outside CRLF. One at the very end says nothing about the
/// lines before it unless there is no line feed at all.
fn has_lone_return(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&b| b == b'\r') {
        match rest.get(at + 1) {
            Some(b'\n') => rest = rest.get(at + 2..).unwrap_or_default(),
            Some(_) => return true,
            None => return !bytes.contains(&b'\n'),
        }
    }
    false
}

/// A name of the standard behind blanks, and how many blanks.
fn indented(line: &[u8], separator: u8) -> Option<(usize, SegmentName)> {
    let blanks = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let rest = line.get(blanks..).filter(|_| blanks > 0)?;
    let name = SegmentName::at_line_start(rest, separator)?;
    (name.is_standard() && rest.get(3) == Some(&separator)).then_some((blanks, name))
}

fn is_end_filler(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0 | 0x1C)
}

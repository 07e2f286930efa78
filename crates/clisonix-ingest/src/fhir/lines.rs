//! NDJSON: one resource a line, read in pieces, whatever the size of the whole.
//!
//! Two passes: [`survey`] gathers what the lines name, then each [`Piece`] is taken in with that
//! knowledge. Memory depends on the longest line and on the number of patients and shared
//! resources, not on the size of the file.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use clisonix_fhir::issue::{Issue, IssueCode, Location};
use clisonix_fhir::json;

use super::{Reading, document, feed_of};
use crate::identity::{Known, MAX_KNOWN_NAMES};
use crate::recognition::{is_whole_resource, without_mark};
use crate::{Hint, Outcome};

/// Most lines of one NDJSON file.
pub const MAX_LINES: u32 = 5_000_000;
/// Longest line of an NDJSON file that is not read at once, in bytes.
pub const MAX_LINE_BYTES: usize = 16 << 20;
/// A piece takes no further line once it holds this many bytes.
pub const PIECE_BYTES: usize = 4 << 20;

/// Takes in one resource a line; blank lines mean nothing.
pub(crate) fn take_in(bytes: &[u8], hint: &Hint, sink: &mut dyn FnMut(Outcome)) {
    let mut known = Known::default();
    if let Err(issue) = note(bytes, 1, hint, &mut known) {
        return sink(Outcome::rejected(0..bytes.len(), issue));
    }
    each(bytes, 1, hint, &known, sink);
}

/// Whether a source begins as NDJSON does: a first line that is a whole resource, then another
/// object. The source is read as far as needed to tell.
///
/// # Errors
/// What the source says.
pub fn begin(source: &mut dyn BufRead) -> io::Result<bool> {
    let mut pieces = Pieces { piece_bytes: 1, ..Pieces::new(source) };
    let mut lines = 0;
    while let Some(piece) = pieces.next_piece()? {
        let line = without_mark(&piece.bytes).trim_ascii();
        if line.is_empty() && !piece.too_long {
            continue;
        }
        lines += 1;
        if lines == 2 {
            return Ok(piece.too_long || line.starts_with(b"{"));
        }
        if piece.too_long || !is_whole_resource(line) {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Gathers what the lines of a source name.
///
/// # Errors
/// An issue when the source cannot be read to its end or crosses a limit; then nothing of it may
/// be applied.
pub fn survey(source: &mut dyn BufRead, hint: &Hint) -> Result<Known, Issue> {
    let mut known = Known::default();
    let mut pieces = Pieces::new(source);
    while let Some(piece) = pieces.next_piece().map_err(|error| unreadable(&error, hint))? {
        note(&piece.bytes, piece.first_line, hint, &mut known)?;
    }
    Ok(known)
}

/// Some whole lines of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The lines as they stand; none if there is one line that is too long.
    pub bytes: Vec<u8>,
    /// The number of the first, from 1.
    pub first_line: u32,
    /// The one line is longer than [`MAX_LINE_BYTES`].
    pub too_long: bool,
}

impl Piece {
    /// The lines that have an outcome, in order, each with its number; none of one that is too long.
    pub fn lines(&self) -> impl Iterator<Item = (u32, &[u8])> {
        filled(&self.bytes, self.first_line).map(|(number, _, line)| (number, line))
    }

    /// The outcome of each line, in order.
    pub fn take_in(&self, known: &Known, hint: &Hint) -> Vec<Outcome> {
        if self.too_long {
            let message = format!("the line is longer than {} MiB", MAX_LINE_BYTES >> 20);
            let issue = at_line(IssueCode::TooLong, &message, self.first_line, hint);
            return vec![Outcome::rejected(0..0, issue)];
        }
        let mut outcomes = Vec::new();
        each(&self.bytes, self.first_line, hint, known, &mut |outcome| outcomes.push(outcome));
        outcomes
    }
}

/// Lines from anywhere in a source, each with its number.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    places: Vec<(u32, Range<usize>)>,
}

impl Lines {
    /// Adds a line.
    pub fn push(&mut self, number: u32, line: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(line);
        self.places.push((number, start..self.bytes.len()));
        self.bytes.push(b'\n');
    }

    /// The lines as they stand, each ended by a line feed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As [`Self::bytes`], given away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The outcome of each line, in order.
    pub fn take_in(&self, known: &Known, hint: &Hint) -> Vec<Outcome> {
        let outcome = |(number, range): &(u32, Range<usize>)| {
            let line = self.bytes.get(range.clone()).unwrap_or_default();
            document(line, range.clone(), *number, hint, known)
        };
        self.places.iter().map(outcome).collect()
    }
}

/// Cuts a source into pieces, between lines.
pub struct Pieces<'a> {
    source: &'a mut dyn BufRead,
    piece_bytes: usize,
    line_bytes: usize,
    next_line: u32,
    /// A line that is too long was met after others, and is the next piece.
    too_long: bool,
}

impl<'a> Pieces<'a> {
    /// The pieces of a source, from its begin.
    pub fn new(source: &'a mut dyn BufRead) -> Self {
        let (piece_bytes, line_bytes) = (PIECE_BYTES, MAX_LINE_BYTES);
        Self { source, piece_bytes, line_bytes, next_line: 1, too_long: false }
    }

    /// The next piece, `None` at the end.
    ///
    /// # Errors
    /// What the source says.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        let mut piece = Piece { first_line: self.next_line, ..Piece::default() };
        while !self.too_long && piece.bytes.len() < self.piece_bytes {
            let before = piece.bytes.len();
            let mut line = (&mut *self.source).take(self.line_bytes as u64 + 1);
            let length = line.read_until(b'\n', &mut piece.bytes)?;
            if length == 0 {
                break;
            }
            if length > self.line_bytes && !piece.bytes.ends_with(b"\n") {
                piece.bytes.truncate(before);
                self.skip_line()?;
                self.too_long = true;
            } else {
                self.next_line = self.next_line.saturating_add(1);
            }
        }
        if piece.bytes.is_empty() && self.too_long {
            self.too_long = false;
            self.next_line = self.next_line.saturating_add(1);
            return Ok(Some(Piece { too_long: true, ..piece }));
        }
        Ok((!piece.bytes.is_empty()).then_some(piece))
    }

    /// Passes over what is left of a line.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.source.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(buffer.len(), |end| end + 1);
            let done = end.is_some() || buffer.is_empty();
            self.source.consume(count);
            if done {
                return Ok(());
            }
        }
    }
}

/// The lines that are not blank, each with its number and its place.
fn filled(bytes: &[u8], first: u32) -> impl Iterator<Item = (u32, std::ops::Range<usize>, &[u8])> {
    let mut start = 0;
    let numbered = (first..).zip(bytes.split(|byte| *byte == b'\n'));
    let placed = numbered.map(move |(number, line)| {
        let range = start..start + line.len();
        start = range.end + 1;
        (number, range, line)
    });
    placed.filter(|(_, _, line)| !line.trim_ascii().is_empty())
}

fn each(bytes: &[u8], first: u32, hint: &Hint, known: &Known, sink: &mut dyn FnMut(Outcome)) {
    for (number, range, line) in filled(bytes, first) {
        sink(document(line, range, number, hint, known));
    }
}

/// Notes what lines name; what cannot be read has its outcome in the second pass.
fn note(bytes: &[u8], first: u32, hint: &Hint, known: &mut Known) -> Result<(), Issue> {
    for (number, _, line) in filled(bytes, first) {
        if number > MAX_LINES {
            return Err(at_line(
                IssueCode::TooCostly,
                "too many lines; split the file",
                number,
                hint,
            ));
        }
        if !names_a_record(line) {
            continue;
        }
        let Ok(value) = json::parse(line) else { continue };
        if !value.resource_type().is_some_and(Known::is_worth) {
            continue;
        }
        let feed = feed_of(&value, hint);
        let mut reading = Reading::default();
        reading.resource(value, None, "");
        for draft in reading.drafts {
            if !known.note(&feed, draft) {
                let message = format!(
                    "the file names more than {MAX_KNOWN_NAMES} patients and shared resources; \
                     split it, the lines about a patient together"
                );
                return Err(at_line(IssueCode::TooCostly, &message, number, hint));
            }
        }
    }
    Ok(())
}

/// Whether one of the line's `resourceType` members, contained ones included, is of a type that
/// is worth noting: most lines need not be parsed twice.
fn names_a_record(line: &[u8]) -> bool {
    const MEMBER: &[u8] = b"\"resourceType\"";
    let mut rest = line;
    while let Some(at) = rest.windows(MEMBER.len()).position(|window| window == MEMBER) {
        rest = rest.get(at + MEMBER.len()..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        let Some(text) = value.and_then(|value| value.strip_prefix(b"\"")) else { continue };
        let end = text.iter().position(|byte| *byte == b'"');
        let name = end.and_then(|end| std::str::from_utf8(text.get(..end)?).ok());
        if name.is_some_and(Known::is_worth) {
            return true;
        }
    }
    false
}

fn unreadable(error: &io::Error, hint: &Hint) -> Issue {
    let message = match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            "the packed input is damaged or cut short, or grows too much when unpacked"
        }
        _ => "the input cannot be read to its end",
    };
    Issue::error(IssueCode::Structure, hint.file_name(), message)
}

fn at_line(code: IssueCode, message: &str, line: u32, hint: &Hint) -> Issue {
    let mut issue = Issue::error(code, "", message);
    issue.at = Some(Location { file: hint.file_name().to_owned(), line, column: 1 });
    issue
}

#[cfg(test)]
mod tests;

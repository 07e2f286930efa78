//! The textual form of an age file: strict PEM of RFC 7468 figure 3, read and written as a stream.

use std::io::{self, BufRead, Read, Write};

use super::base64;

/// Most white space before the first line and after the last one, in bytes.
pub const MAX_OUTER_SPACE_BYTES: u64 = 1024;

const BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const END: &[u8] = b"-----END AGE ENCRYPTED FILE-----";
/// Letters of a full line, and the bytes they stand for.
const LINE_LETTERS: usize = 64;
const LINE_BYTES: usize = 48;
/// A full line with its line end.
const MAX_LINE_BYTES: u64 = LINE_LETTERS as u64 + 2;

/// What is wrong with an armoured file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmorError {
    /// The first line that is not blank is not the label.
    #[error("the armour does not begin with its label")]
    Begin,
    /// More than [`MAX_OUTER_SPACE_BYTES`] before or after.
    #[error("more than {MAX_OUTER_SPACE_BYTES} bytes of white space around the armour")]
    Space,
    /// A line that is empty, too long, or no canonical base64.
    #[error("line {line} of the armour is no canonical base64 line")]
    Line {
        /// Counted from the label, which is line 1.
        line: u64,
    },
    /// A short line that is not the last one.
    #[error("line {line} of the armour stands behind a short line")]
    AfterShort {
        /// Counted from the label, which is line 1.
        line: u64,
    },
    /// The file ends before the closing label.
    #[error("the armour ends without its label")]
    Truncated,
    /// Something other than white space stands behind the closing label.
    #[error("something stands behind the armour")]
    Behind,
}

impl From<ArmorError> for io::Error {
    fn from(error: ArmorError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Takes the armour off while reading. Its errors are [`ArmorError`]s inside of [`io::Error`]s.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    place: Place,
    line: u64,
    decoded: Vec<u8>,
    given: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    BehindShort,
    Behind,
}

impl<R: BufRead> Reader<R> {
    /// Reads armour from `input`.
    pub fn new(input: R) -> Self {
        Self { input, place: Place::Before, line: 0, decoded: Vec::new(), given: 0 }
    }

    /// Decodes the next line; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        if self.place == Place::Before {
            self.begin()?;
        }
        if self.place == Place::Behind {
            return Ok(false);
        }
        self.line += 1;
        let raw = self.raw_line(MAX_LINE_BYTES)?;
        let (text, ended) = without_end(&raw);
        if text == END {
            self.place = Place::Behind;
            self.only_space_follows(ended)?;
            return Ok(false);
        }
        if !ended && raw.len() < MAX_LINE_BYTES as usize {
            return Err(ArmorError::Truncated.into());
        }
        if self.place == Place::BehindShort {
            return Err(ArmorError::AfterShort { line: self.line }.into());
        }
        let fault = ArmorError::Line { line: self.line };
        if !ended || text.is_empty() || text.len() > LINE_LETTERS {
            return Err(fault.into());
        }
        self.decoded = base64::decode_padded(text).ok_or(fault)?;
        self.given = 0;
        if self.decoded.len() < LINE_BYTES {
            self.place = Place::BehindShort;
        }
        Ok(true)
    }

    fn begin(&mut self) -> io::Result<()> {
        let mut space = 0;
        loop {
            let raw = self.raw_line(MAX_OUTER_SPACE_BYTES + 1)?;
            let (text, ended) = without_end(&raw);
            if text == BEGIN && ended {
                break;
            }
            if raw.is_empty() || !raw.iter().all(u8::is_ascii_whitespace) {
                return Err(ArmorError::Begin.into());
            }
            space += raw.len() as u64;
            if space > MAX_OUTER_SPACE_BYTES {
                return Err(ArmorError::Space.into());
            }
        }
        self.line = 1;
        self.place = Place::Inside;
        Ok(())
    }

    fn only_space_follows(&mut self, ended: bool) -> io::Result<()> {
        let mut rest = Vec::new();
        (&mut self.input).take(MAX_OUTER_SPACE_BYTES + 1).read_to_end(&mut rest)?;
        if !rest.iter().all(u8::is_ascii_whitespace) || (!ended && !rest.is_empty()) {
            return Err(ArmorError::Behind.into());
        }
        if rest.len() as u64 > MAX_OUTER_SPACE_BYTES {
            return Err(ArmorError::Space.into());
        }
        Ok(())
    }

    fn raw_line(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut raw = Vec::new();
        (&mut self.input).take(limit).read_until(b'\n', &mut raw)?;
        Ok(raw)
    }
}

impl<R: BufRead> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.decoded.len() {
            if out.is_empty() || !self.advance()? {
                return Ok(0);
            }
        }
        let mut rest = self.decoded.get(self.given..).unwrap_or_default();
        let count = rest.read(out)?;
        self.given += count;
        Ok(count)
    }
}

/// Puts the armour on while writing; [`Writer::finish`] closes it.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the opening label.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(BEGIN)?;
        out.write_all(b"\n")?;
        Ok(Self { out, line: Vec::with_capacity(LINE_BYTES) })
    }

    /// Writes what is left and the closing label.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.line.is_empty() {
            self.write_line()?;
        }
        self.out.write_all(END)?;
        self.out.write_all(b"\n")?;
        Ok(self.out)
    }

    fn write_line(&mut self) -> io::Result<()> {
        let mut text = Vec::with_capacity(LINE_LETTERS + 1);
        base64::encode_padded(&self.line, &mut text);
        text.push(b'\n');
        self.line.clear();
        self.out.write_all(&text)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LINE_BYTES - self.line.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.line.extend_from_slice(taken);
        if self.line.len() == LINE_BYTES {
            self.write_line()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The line without LF or CR LF, and whether it had one.
fn without_end(raw: &[u8]) -> (&[u8], bool) {
    match raw.strip_suffix(b"\n") {
        Some(text) => (text.strip_suffix(b"\r").unwrap_or(text), true),
        None => (raw, false),
    }
}

//! What kind of input the bytes are, told from their content alone.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use clisonix_fhir::issue::{Issue, IssueCode};

/// Most bytes an input may have after unpacking.
pub const MAX_EXPANDED_BYTES: usize = 256 << 20;
/// Most bytes one packed byte may become; beyond it the input is taken for a zip bomb.
pub const MAX_EXPANSION_RATIO: usize = 400;
/// Unpacked bytes below which the ratio is not looked at.
const RATIO_FREE_BYTES: usize = 4 << 20;
/// Bytes that are read at a time where the whole is not read at once.
const STREAM_BUFFER_BYTES: usize = 64 << 10;
/// How far into an XML document its root element is looked for.
const PROLOG_BYTES: usize = 64 << 10;

/// The formats that ingest reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// HL7 v2 in the delimiter encoding: one message, a batch, or MLLP frames.
    Hl7v2,
    /// An HL7 CDA R2 document.
    Ccda,
    /// One FHIR R4 resource as JSON, a `Bundle` or any other.
    FhirJson,
    /// FHIR R4 resources as JSON, one a line.
    FhirNdjson,
}

/// Recognises the format of unpacked bytes; `None` when it is none that ingest reads.
pub fn recognise(bytes: &[u8]) -> Option<Format> {
    let text = trimmed(without_mark(bytes));
    match text.first()? {
        0x0B => Some(Format::Hl7v2),
        b'<' => is_clinical_document(text).then_some(Format::Ccda),
        b'{' => json_format(text),
        _ => is_hl7v2(text).then_some(Format::Hl7v2),
    }
}

/// Unpacks gzip (RFC 1952) and bzip2 by their magic bytes; other bytes pass through.
///
/// # Errors
/// An issue when the packed data is damaged or cut, or grows beyond [`MAX_EXPANDED_BYTES`] or
/// [`MAX_EXPANSION_RATIO`].
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Issue> {
    let unpacked = if bytes.starts_with(&[0x1F, 0x8B]) {
        read_limited(flate2::read::MultiGzDecoder::new(bytes), bytes.len())?
    } else if bytes.starts_with(b"BZh") && bytes.get(4..10) == Some(b"1AY&SY") {
        read_limited(bzip2::read::MultiBzDecoder::new(bytes), bytes.len())?
    } else {
        return if bytes.len() > MAX_EXPANDED_BYTES {
            Err(too_large("the input is larger than the limit"))
        } else {
            Ok(Cow::Borrowed(bytes))
        };
    };
    Ok(Cow::Owned(unpacked))
}

/// Like [`unpack`], for a source of any size: what is read is unpacked as it goes. The limit on how
/// much a packed byte may become holds; there is none on the whole.
///
/// # Errors
/// What the source says; reading on fails with [`io::ErrorKind::InvalidData`] where the packed data
/// is damaged, cut, or grows too much.
pub fn unpack_stream<'a>(source: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut source = BufReader::with_capacity(STREAM_BUFFER_BYTES, source);
    let head = source.fill_buf()?;
    let gzip = head.starts_with(&[0x1F, 0x8B]);
    let bzip2 = head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY");
    if !gzip && !bzip2 {
        return Ok(Box::new(source));
    }
    let packed = Rc::new(Cell::new(0));
    let counted = Counted { source, read: Rc::clone(&packed) };
    let unpacked: Box<dyn Read + 'a> = if gzip {
        Box::new(flate2::bufread::MultiGzDecoder::new(counted))
    } else {
        Box::new(bzip2::bufread::MultiBzDecoder::new(counted))
    };
    let bounded = Bounded { unpacked, packed, grown: 0 };
    Ok(Box::new(BufReader::with_capacity(STREAM_BUFFER_BYTES, bounded)))
}

/// Counts the packed bytes that were used.
struct Counted<R> {
    source: BufReader<R>,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(out)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

impl<R: Read> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.read.set(self.read.get() + count as u64);
        self.source.consume(count);
    }
}

/// Ends a stream that grows too much.
struct Bounded<'a> {
    unpacked: Box<dyn Read + 'a>,
    packed: Rc<Cell<u64>>,
    grown: u64,
}

impl Read for Bounded<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.unpacked.read(out)?;
        self.grown += count as u64;
        let limit = self.packed.get().saturating_mul(MAX_EXPANSION_RATIO as u64);
        if self.grown > limit.max(RATIO_FREE_BYTES as u64) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(count)
    }
}

/// Why the bytes cannot be text that ingest reads: empty, or an encoding it does not speak.
pub fn unreadable(bytes: &[u8]) -> Option<Issue> {
    let reason = match bytes {
        [] => "the input is empty",
        [0, 0, 0xFE, 0xFF, ..] | [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0, _, ..] => {
            "the input is in UTF-32; send UTF-8"
        }
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "the input is in UTF-16; send UTF-8",
        [0, b'<' | b'{' | b'[' | b'M' | b'F' | b'B', ..]
        | [b'<' | b'{' | b'[' | b'M' | b'F' | b'B', 0, ..] => {
            "the input is in UTF-16 without a byte order mark; send UTF-8"
        }
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "the input is a zip archive; unpack it first",
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0xFD, b'7', b'z', b'X', b'Z', ..] => {
            "the input is packed with zstd or xz; only gzip and bzip2 are unpacked"
        }
        _ if trimmed(without_mark(bytes)).is_empty() => "the input is blank",
        _ => return None,
    };
    Some(Issue::error(IssueCode::NotSupported, "input", reason))
}

/// The bytes after a UTF-8 byte order mark.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes)
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

fn read_limited(reader: impl Read, packed: usize) -> Result<Vec<u8>, Issue> {
    let ratio_limit = packed.saturating_mul(MAX_EXPANSION_RATIO).max(RATIO_FREE_BYTES);
    let limit = MAX_EXPANDED_BYTES.min(ratio_limit);
    let mut unpacked = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut unpacked).map_err(|_| {
        Issue::error(IssueCode::Structure, "input", "the packed input is damaged or cut short")
    })?;
    if unpacked.len() > limit {
        return Err(too_large("the packed input grows beyond the limit when unpacked"));
    }
    Ok(unpacked)
}

fn too_large(message: &str) -> Issue {
    Issue::error(IssueCode::TooLong, "input", message)
}

/// `MSH`, or a file or batch header, and a delimiter that is no letter, digit or blank.
fn is_hl7v2(text: &[u8]) -> bool {
    match text {
        [b'M', b'S', b'H', delimiter, ..] | [b'F' | b'B', b'H', b'S', delimiter, ..] => {
            !delimiter.is_ascii_alphanumeric() && !delimiter.is_ascii_whitespace()
        }
        _ => false,
    }
}

/// Whether the root element's local name is `ClinicalDocument`, whatever its prefix.
fn is_clinical_document(text: &[u8]) -> bool {
    let head = text.get(..PROLOG_BYTES).unwrap_or(text);
    let Some(name) = root_name(head) else { return false };
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
    local == b"ClinicalDocument"
}

/// The name of the first element after declarations, comments and processing instructions.
fn root_name(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = trimmed(text).strip_prefix(b"<")?;
        let end: &[u8] = match text {
            [b'?', ..] => b"?>",
            [b'!', b'-', b'-', ..] => b"-->",
            [b'!', ..] => b">",
            _ => break,
        };
        let at = text.windows(end.len()).position(|window| window == end)?;
        text = text.get(at + end.len()..)?;
    }
    let end =
        text.iter().position(|byte| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace());
    text.get(..end?)
}

/// FHIR JSON or NDJSON: an object with a member `resourceType`; several lines of them are NDJSON.
fn json_format(text: &[u8]) -> Option<Format> {
    let mut lines = text.split(|byte| *byte == b'\n').map(trimmed).filter(|line| !line.is_empty());
    let first = lines.next()?;
    if is_whole_resource(first) && lines.next().is_some_and(|line| line.starts_with(b"{")) {
        return Some(Format::FhirNdjson);
    }
    has_resource_type(text).then_some(Format::FhirJson)
}

/// Whether a line can be a resource by itself.
pub(crate) fn is_whole_resource(line: &[u8]) -> bool {
    line.starts_with(b"{") && line.ends_with(b"}") && has_resource_type(line)
}

fn has_resource_type(text: &[u8]) -> bool {
    const MEMBER: &[u8] = b"\"resourceType\"";
    text.windows(MEMBER.len()).any(|window| window == MEMBER)
}

#[cfg(test)]
mod tests;

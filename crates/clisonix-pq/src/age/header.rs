//! The header of an age file: version line, recipient stanzas, MAC line (C2SP age.md, "Header").

use std::io::{BufRead, Read};

use zeroize::Zeroize;

use super::{AgeError, FileKey, base64};
use crate::KeyError;
use crate::digest::{equal_in_constant_time, hkdf_sha256, hmac_sha256};

/// Most bytes of a header.
pub const MAX_HEADER_BYTES: u64 = 512 * 1024;
/// Most recipient stanzas of a header.
pub const MAX_STANZAS: usize = 128;
/// Most bytes of a line of a header.
pub const MAX_LINE_BYTES: u64 = 16 * 1024;
/// Most bytes of a stanza's body.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

const FAMILY: &[u8] = b"age-encryption.org/";
const VERSION: &[u8] = b"age-encryption.org/v1";
const STANZA: &[u8] = b"-> ";
const MAC: &[u8] = b"---";
const FULL_LINE_LETTERS: usize = 64;
const FULL_LINE_BYTES: usize = 48;

/// Bytes of the lines that are not stanzas.
pub(super) const BARE_BYTES: u64 = (VERSION.len() + 1 + MAC.len() + 1 + 43 + 1) as u64;

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// The first line is not that of an age file.
    #[error("this is no age file")]
    NotAge,
    /// A version of the format other than 1.
    #[error("a version of age that is not supported")]
    Version,
    /// The file ends within the header.
    #[error("the file ends within the header")]
    Truncated,
    /// More than [`MAX_HEADER_BYTES`], [`MAX_STANZAS`], [`MAX_LINE_BYTES`] or [`MAX_BODY_BYTES`].
    #[error("larger than a header may be")]
    TooLarge,
    /// A line that is neither a stanza's first line nor the MAC.
    #[error("neither a stanza nor the MAC")]
    Line,
    /// An argument that is empty or holds something other than visible ASCII.
    #[error("an argument that is empty or not visible ASCII")]
    Argument,
    /// A body line that is longer than 64 letters or no canonical base64.
    #[error("a body line that is too long or no canonical base64")]
    Body,
    /// A MAC line without exactly one canonical 32-byte value.
    #[error("a MAC that is no canonical base64 of 32 bytes")]
    Mac,
    /// A header without stanzas.
    #[error("no recipient at all")]
    NoStanza,
    /// A stanza of a known kind that has not that kind's form.
    #[error("a stanza without the form of its kind")]
    Stanza,
    /// A share of a key exchange that leads to a secret everybody knows.
    #[error("a stanza with a share of low order")]
    LowOrder,
    /// The payload's nonce is missing or cut.
    #[error("the payload's nonce is cut")]
    Nonce,
}

/// One wrapped copy of the file key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// The first argument.
    pub kind: String,
    /// The arguments behind it.
    pub arguments: Vec<String>,
    /// The wrapped key.
    pub body: Vec<u8>,
}

/// A header as read, its MAC not yet checked.
#[derive(Clone, Debug)]
pub struct Header {
    /// In the order of the file.
    pub stanzas: Vec<Stanza>,
    /// Everything up to and with `---`.
    covered: Vec<u8>,
    mac: [u8; 32],
    lines: u32,
}

impl Header {
    /// Reads a header and leaves `input` at the byte behind it.
    pub fn read(input: &mut impl BufRead) -> Result<Self, AgeError> {
        let mut lines = Lines { input, covered: Vec::new(), start: 0, number: 0 };
        lines.version()?;
        let mut stanzas = Vec::new();
        loop {
            lines.next()?;
            if let Some(arguments) = lines.text().strip_prefix(STANZA) {
                let arguments = words(arguments).ok_or(lines.fault(HeaderFault::Argument))?;
                if stanzas.len() == MAX_STANZAS {
                    return Err(lines.fault(HeaderFault::TooLarge));
                }
                stanzas.push(lines.stanza(arguments)?);
            } else if lines.text().starts_with(MAC) {
                if stanzas.is_empty() {
                    return Err(lines.fault(HeaderFault::NoStanza));
                }
                let mac = lines.mac()?;
                return Ok(Self { stanzas, covered: lines.covered, mac, lines: lines.number });
            } else {
                return Err(lines.fault(HeaderFault::Line));
            }
        }
    }

    /// Whether the MAC is the one that `file_key` makes.
    pub(super) fn is_made_with(&self, file_key: &FileKey) -> bool {
        mac(file_key, &self.covered).is_ok_and(|mac| equal_in_constant_time(&mac, &self.mac))
    }

    /// A fault of the whole header, told of its last line.
    pub fn fault(&self, fault: HeaderFault) -> AgeError {
        AgeError::Header { line: self.lines, fault }
    }
}

/// The bytes of a header with its MAC.
pub(super) fn write(stanzas: &[Stanza], file_key: &FileKey) -> Result<Vec<u8>, KeyError> {
    let mut out = VERSION.to_vec();
    out.push(b'\n');
    for stanza in stanzas {
        out.extend_from_slice(b"->");
        for argument in std::iter::once(&stanza.kind).chain(&stanza.arguments) {
            out.push(b' ');
            out.extend_from_slice(argument.as_bytes());
        }
        out.push(b'\n');
        for line in stanza.body.chunks(FULL_LINE_BYTES) {
            base64::encode(line, &mut out);
            out.push(b'\n');
        }
        // A body ends with a line that is not full, if need be with an empty one.
        if stanza.body.len() % FULL_LINE_BYTES == 0 {
            out.push(b'\n');
        }
    }
    out.extend_from_slice(MAC);
    let mac = mac(file_key, &out)?;
    out.push(b' ');
    base64::encode(&mac, &mut out);
    out.push(b'\n');
    Ok(out)
}

fn mac(file_key: &FileKey, covered: &[u8]) -> Result<[u8; 32], KeyError> {
    let mut key = [0; 32];
    hkdf_sha256(b"", file_key.expose(), &[b"header"], &mut key)?;
    let mac = hmac_sha256(&key, covered);
    key.zeroize();
    Ok(mac)
}

/// The lines of a header, all of them kept for the MAC.
struct Lines<'a, R> {
    input: &'a mut R,
    covered: Vec<u8>,
    /// Where in `covered` the last line begins.
    start: usize,
    number: u32,
}

impl<R: BufRead> Lines<'_, R> {
    /// Reads one more line.
    fn next(&mut self) -> Result<(), AgeError> {
        self.number += 1;
        self.start = self.covered.len();
        let room = MAX_HEADER_BYTES.saturating_sub(self.start as u64);
        let limit = room.min(MAX_LINE_BYTES);
        let count = self.input.by_ref().take(limit).read_until(b'\n', &mut self.covered)?;
        if self.covered.last() == Some(&b'\n') && count > 0 {
            Ok(())
        } else if count as u64 == limit {
            Err(self.fault(HeaderFault::TooLarge))
        } else {
            Err(self.fault(HeaderFault::Truncated))
        }
    }

    /// The last line without its line end.
    fn text(&self) -> &[u8] {
        let line = self.covered.get(self.start..).unwrap_or_default();
        line.strip_suffix(b"\n").unwrap_or(line)
    }

    fn fault(&self, fault: HeaderFault) -> AgeError {
        AgeError::Header { line: self.number, fault }
    }

    fn version(&mut self) -> Result<(), AgeError> {
        self.number = 1;
        let limit = VERSION.len() as u64 + 1;
        self.input.by_ref().take(limit).read_until(b'\n', &mut self.covered)?;
        if self.covered.strip_suffix(b"\n") == Some(VERSION) {
            Ok(())
        } else if self.covered.starts_with(FAMILY) {
            Err(self.fault(HeaderFault::Version))
        } else if !self.covered.is_empty() && FAMILY.starts_with(&self.covered) {
            Err(self.fault(HeaderFault::Truncated))
        } else {
            Err(self.fault(HeaderFault::NotAge))
        }
    }

    /// The body's lines behind a stanza's first line.
    fn stanza(&mut self, mut arguments: Vec<String>) -> Result<Stanza, AgeError> {
        let mut body = Vec::new();
        loop {
            self.next()?;
            let letters = self.text().len();
            let bytes = base64::decode(self.text()).filter(|_| letters <= FULL_LINE_LETTERS);
            body.extend(bytes.ok_or(self.fault(HeaderFault::Body))?);
            if body.len() > MAX_BODY_BYTES {
                return Err(self.fault(HeaderFault::TooLarge));
            }
            if letters < FULL_LINE_LETTERS {
                let kind = arguments.remove(0);
                return Ok(Stanza { kind, arguments, body });
            }
        }
    }

    /// The value of the last line; afterwards `covered` ends with `---`.
    fn mac(&mut self) -> Result<[u8; 32], AgeError> {
        let value = self.text().strip_prefix(b"--- ").and_then(base64::decode);
        let value: Option<[u8; 32]> = value.and_then(|value| value.try_into().ok());
        let mac = value.ok_or(self.fault(HeaderFault::Mac))?;
        self.covered.truncate(self.start + MAC.len());
        Ok(mac)
    }
}

/// One argument or more, divided by single spaces.
fn words(text: &[u8]) -> Option<Vec<String>> {
    let word = |word: &[u8]| {
        let visible = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
        visible.then(|| String::from_utf8_lossy(word).into_owned())
    };
    text.split(|byte| *byte == b' ').map(word).collect()
}

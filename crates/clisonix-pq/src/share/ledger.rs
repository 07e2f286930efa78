//! The ledger of shares: what was given, received and taken back, line after line, each bound to the
//! one before.

use std::io::{BufRead, Read};

use super::ShareError;
use super::lines;
use super::manifest::Manifest;
use super::moment::Moment;
use crate::Fingerprint;
use crate::age::base64;
use crate::digest::sha256;

/// Most bytes of a line: a manifest in base64 and what stands before it.
pub const MAX_LINE_BYTES: usize = 8 * 1024;
/// Before the first line.
const START: [u8; 32] = [0; 32];

/// Which way a share went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Sealed here.
    Given,
    /// Opened here.
    Received,
    /// Given here, and taken back.
    Withdrawn,
}

impl Way {
    /// Its word in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Received => "received",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Given, Self::Received, Self::Withdrawn].into_iter().find(|way| way.name() == name)
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which way it went.
    pub way: Way,
    /// When it was sealed or opened here.
    pub at: Moment,
    /// What its issuer stated.
    pub manifest: Manifest,
}

/// What is wrong with a ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// A line was changed, removed or put in, or is no line of a ledger.
    #[error("line {line} of the ledger of shares is not as it was written")]
    Damaged {
        /// Counted from 1.
        line: u64,
    },
    /// Reading failed.
    #[error("the ledger of shares cannot be read")]
    Io(#[from] std::io::Error),
}

/// A ledger that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    head: [u8; 32],
    /// Bytes of all whole lines; what follows was never finished.
    pub bytes: u64,
    /// How many lines there are.
    pub entries: u64,
}

impl Ledger {
    /// Reads all lines, checks that each follows from the one before, and hands each out.
    pub fn read(mut input: impl BufRead, mut each: impl FnMut(Entry)) -> Result<Self, LedgerError> {
        let mut ledger = Self { head: START, bytes: 0, entries: 0 };
        let mut line = Vec::new();
        loop {
            line.clear();
            input.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') && line.len() < MAX_LINE_BYTES {
                return Ok(ledger);
            }
            let damaged = LedgerError::Damaged { line: ledger.entries + 1 };
            each(entry(&line, ledger.head).ok_or(damaged)?);
            ledger.add(&line);
        }
    }

    /// The next line, to be appended behind [`Ledger::bytes`].
    pub fn line(&self, entry: &Entry) -> String {
        let mut manifest = Vec::new();
        base64::encode(&entry.manifest.to_bytes(), &mut manifest);
        let manifest = String::from_utf8_lossy(&manifest).into_owned();
        format!("{} {} {} {manifest}\n", entry.way.name(), entry.at, lines::digits(&self.head))
    }

    fn add(&mut self, line: &[u8]) {
        self.head = sha256(line);
        self.bytes += line.len() as u64;
        self.entries += 1;
    }
}

fn entry(line: &[u8], head: [u8; 32]) -> Option<Entry> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let mut words = text.split(' ');
    let way = words.next().and_then(Way::of)?;
    let at = words.next()?.parse().ok()?;
    if words.next().and_then(lines::bytes) != Some(head) {
        return None;
    }
    let manifest = words.next().and_then(|word| base64::decode(word.as_bytes()))?;
    let manifest = Manifest::from_bytes(&manifest).ok()?;
    words.next().is_none().then_some(Entry { way, at, manifest })
}

/// The digest of the last manifest that `issuer` gave, for the next one's `previous`.
pub fn previous(
    input: impl BufRead,
    issuer: Fingerprint,
) -> Result<(Ledger, Option<[u8; 32]>), LedgerError> {
    let mut last = None;
    let ledger = Ledger::read(input, |entry| {
        if entry.way == Way::Given && entry.manifest.issuer == issuer {
            last = Some(entry.manifest.digest());
        }
    })?;
    Ok((ledger, last))
}

impl From<LedgerError> for ShareError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Io(error) => Self::Io(error),
            damaged @ LedgerError::Damaged { .. } => Self::Ledger(damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::{ShareId, Terms};

    fn entry(way: Way, number: u8) -> Entry {
        let moment = "2026-11-23T02:10:00Z".parse().unwrap();
        let terms = Terms {
            created: moment,
            until: None,
            purpose: "p".to_owned(),
            basis: "b".to_owned(),
            content: "c".to_owned(),
            previous: None,
        };
        let manifest = Manifest {
            share: ShareId([number; 16]),
            issuer: Fingerprint::from_bytes([1; 32]),
            terms,
            salt: [0; 16],
            recipients: vec![[0; 16]],
            payload_bytes: 1,
            root: [0; 32],
        };
        Entry { way, at: moment, manifest }
    }

    fn written(count: u8) -> String {
        let mut text = String::new();
        for number in 0..count {
            let ledger = Ledger::read(text.as_bytes(), |_| {}).unwrap();
            let way = if number % 2 == 0 { Way::Given } else { Way::Received };
            text.push_str(&ledger.line(&entry(way, number)));
        }
        text
    }

    #[test]
    fn lines_come_back_in_order_and_name_the_last_one_given() {
        let text = written(4);
        let mut read = Vec::new();
        let ledger = Ledger::read(text.as_bytes(), |entry| read.push(entry)).unwrap();
        assert_eq!((ledger.entries, ledger.bytes), (4, text.len() as u64));
        assert_eq!(read[3], entry(Way::Received, 3));
        let issuer = Fingerprint::from_bytes([1; 32]);
        let (_, last) = previous(text.as_bytes(), issuer).unwrap();
        assert_eq!(last, Some(read[2].manifest.digest()));
        let other = Fingerprint::from_bytes([2; 32]);
        assert_eq!(previous(text.as_bytes(), other).unwrap().1, None);
    }

    #[test]
    fn a_changed_removed_or_moved_line_is_seen() {
        let text = written(3);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for damaged in [
            lines[1..].concat(),
            [lines[0], lines[2]].concat(),
            [lines[0], lines[2], lines[1]].concat(),
            text.replacen("received", "given", 1),
            text.replacen('\n', " x\n", 1),
            "x".repeat(MAX_LINE_BYTES + 1),
        ] {
            let read = Ledger::read(damaged.as_bytes(), |_| {});
            assert!(matches!(read, Err(LedgerError::Damaged { .. })), "{damaged}");
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_line() {
        let text = written(2);
        let first = text.find('\n').unwrap() + 1;
        for end in first..text.len() {
            let ledger = Ledger::read(&text.as_bytes()[..end], |_| {}).unwrap();
            assert_eq!((ledger.entries, ledger.bytes), (1, first as u64));
        }
    }
}

//! Files of many messages: splitting on MSH, and the batch envelopes FHS, BHS, BTS and FTS.

#[cfg(test)]
mod tests;

use crate::{SegmentName, header};
use std::ops::Range;

/// Most messages taken from one file.
pub const MAX_MESSAGES: usize = 1_000_000;

/// The parts of a file, as byte ranges into it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// One range for each message, envelope lines not included.
    pub messages: Vec<Range<usize>>,
    /// The envelope lines in order.
    pub envelopes: Vec<(SegmentName, Range<usize>)>,
    /// Bytes that belong to no message and no envelope, blank ones left out.
    pub stray: Vec<Range<usize>>,
    /// What does not fit together.
    pub faults: Vec<BatchFault>,
}

/// A contradiction in a batch envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchFault {
    /// BTS-1 differs from the number of messages since BHS.
    MessageCount {
        /// What BTS-1 says.
        stated: u64,
        /// What is there.
        found: u64,
        /// Offset of the BTS line.
        offset: usize,
    },
    /// FTS-1 differs from the number of batches since FHS.
    BatchCount {
        /// What FTS-1 says.
        stated: u64,
        /// What is there.
        found: u64,
        /// Offset of the FTS line.
        offset: usize,
    },
    /// FHS or BHS without its trailer: the file may be cut.
    TrailerMissing {
        /// FHS or BHS.
        header: SegmentName,
    },
    /// There are more messages than [`MAX_MESSAGES`]; the rest is stray.
    TooManyMessages,
}

/// Splits a file into its messages. A message begins where a line begins with MSH and ends at the
/// next MSH, envelope line or the end of the file (HL7 v2 2.10.3).
#[must_use]
pub fn split(file: &[u8]) -> Batch {
    let mut batch = Batch::default();
    let mut open: Option<(SegmentName, usize)> = None;
    for start in envelope_lines(file) {
        let line = file.get(start..).unwrap_or_default();
        let Some(name) = header::envelope(line) else { continue };
        batch.close(file, open.take(), start);
        open = Some((name, start));
    }
    batch.close(file, open, file.len());
    batch.check_trailers();
    if let Some(first) = batch.first_offset() {
        batch.add_stray(file, 0..first);
    } else {
        batch.add_stray(file, 0..file.len());
    }
    batch
}

impl Batch {
    fn first_offset(&self) -> Option<usize> {
        let message = self.messages.first().map(|r| r.start);
        let envelope = self.envelopes.first().map(|(_, r)| r.start);
        message.into_iter().chain(envelope).min()
    }

    fn close(&mut self, file: &[u8], open: Option<(SegmentName, usize)>, end: usize) {
        let Some((name, start)) = open else { return };
        if name == SegmentName::MSH {
            if self.messages.len() < MAX_MESSAGES {
                self.messages.push(start..end);
            } else {
                if self.messages.len() == MAX_MESSAGES && self.faults.is_empty() {
                    self.faults.push(BatchFault::TooManyMessages);
                }
                self.add_stray(file, start..end);
            }
            return;
        }
        let bytes = file.get(start..end).unwrap_or_default();
        let line = bytes.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
        let line_end = start + line;
        self.check_count(name, file.get(start..line_end).unwrap_or_default(), start);
        self.envelopes.push((name, start..line_end));
        self.add_stray(file, line_end..end);
    }

    fn check_count(&mut self, trailer: SegmentName, line: &[u8], offset: usize) {
        let header = match trailer.as_str() {
            "BTS" => "BHS",
            "FTS" => "FHS",
            _ => return,
        };
        let from = self.envelopes.iter().rev().find(|(n, _)| n.as_str() == header);
        let from = from.map_or(0, |(_, range)| range.start);
        let separator = line.get(3).copied().unwrap_or(b'|');
        let first = line.get(4..).unwrap_or_default().split(|b| *b == separator).next();
        let stated =
            first.and_then(|f| std::str::from_utf8(f).ok()).and_then(|t| t.trim().parse().ok());
        let Some(stated) = stated else { return };
        if trailer.as_str() == "BTS" {
            let found = self.messages.iter().rev().take_while(|r| r.start >= from).count() as u64;
            if found != stated {
                self.faults.push(BatchFault::MessageCount { stated, found, offset });
            }
        } else {
            let batches =
                self.envelopes.iter().filter(|(n, r)| n.as_str() == "BHS" && r.start >= from);
            let found = batches.count() as u64;
            if found != stated {
                self.faults.push(BatchFault::BatchCount { stated, found, offset });
            }
        }
    }

    fn check_trailers(&mut self) {
        for (header, trailer) in [("FHS", "FTS"), ("BHS", "BTS")] {
            let count =
                |name: &str| self.envelopes.iter().filter(|(n, _)| n.as_str() == name).count();
            if count(header) > count(trailer)
                && let Some(header) = SegmentName::from_text(header)
            {
                self.faults.push(BatchFault::TrailerMissing { header });
            }
        }
    }

    fn add_stray(&mut self, file: &[u8], range: Range<usize>) {
        let bytes = file.get(range.clone()).unwrap_or_default();
        let bytes_mark = range.start == 0 && bytes.starts_with(b"\xEF\xBB\xBF");
        let skipped = if bytes_mark { 3 } else { 0 };
        let content = bytes.get(skipped..).unwrap_or_default();
        if !content.iter().all(|b| header::is_filler(*b)) {
            self.stray.push(range);
        }
    }
}

/// Offsets of lines that may begin with an envelope name: the start of the file (behind blanks)
/// and everything behind a line end or a start block.
fn envelope_lines(file: &[u8]) -> impl Iterator<Item = usize> {
    let mark = if file.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let rest = file.get(mark..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| header::is_filler(**b)).count();
    let first = mark + blank;
    let later = file.iter().enumerate().skip(first);
    let later = later.filter(|(_, b)| matches!(b, b'\r' | b'\n' | 0x0B)).map(|(i, _)| i + 1);
    std::iter::once(first).chain(later)
}

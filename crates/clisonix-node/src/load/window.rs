//! A bounded window of lines, in which those about one record are brought together.
//!
//! A file whose lines speak of many records in turn would have each record loaded and stored again
//! for a few lines at a time. Lines of one record keep their order; a line that speaks of several
//! records keeps every line of its window in its place.

use std::collections::BTreeMap;

use clisonix_ingest::fhir::lines::{Lines, PIECE_BYTES, Piece};
use clisonix_ingest::identity::Known;
use clisonix_ingest::{Hint, Outcome, RecordKey};

/// A window takes no further piece once it holds this many bytes.
pub(super) const WINDOW_BYTES: usize = 32 << 20;
/// A piece in which each record has this many bytes on average gains nothing by waiting.
const ENOUGH_BYTES: usize = 64 << 10;

/// Lines and their outcomes, ready to be applied.
pub(super) struct Group {
    pub(super) bytes: Vec<u8>,
    pub(super) outcomes: Vec<Outcome>,
}

#[derive(Default)]
pub(super) struct Window {
    pieces: Vec<Piece>,
    bytes: usize,
    /// The records of the lines, numbered in order of appearance.
    records: BTreeMap<RecordKey, usize>,
    /// Of each line in order: its record's number.
    of: Vec<usize>,
    /// A line speaks of several records.
    is_bound: bool,
}

impl Window {
    /// Puts a piece in. It comes out again at once, with its outcomes, if nothing waits and it gains
    /// nothing by waiting either.
    pub(super) fn put(&mut self, piece: Piece, known: &Known, hint: &Hint) -> Option<Group> {
        let outcomes = piece.take_in(known, hint);
        let mut records: Vec<Option<&RecordKey>> = outcomes.iter().map(record).collect();
        records.sort_unstable();
        records.dedup();
        let gains = records.len() * ENOUGH_BYTES > piece.bytes.len() && !piece.too_long;
        if self.pieces.is_empty() && !gains {
            return Some(Group { bytes: piece.bytes, outcomes });
        }
        for outcome in &outcomes {
            let next = self.records.len() + 1;
            // What belongs to no record comes first.
            let number = record(outcome).map_or(0, |record| match self.records.get(record) {
                Some(number) => *number,
                None => *self.records.entry(record.clone()).or_insert(next),
            });
            self.of.push(number);
            self.is_bound |= outcome.taken().is_some_and(|intake| intake.statements.len() > 1);
        }
        self.bytes += piece.bytes.len();
        self.pieces.push(piece);
        None
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= WINDOW_BYTES
    }

    /// Empties the window: the lines of each record together, in groups of about a piece. Ends early,
    /// and says so, when `each` does not want more.
    pub(super) fn drain(
        self,
        known: &Known,
        hint: &Hint,
        each: &mut dyn FnMut(Group) -> bool,
    ) -> bool {
        let all = self.pieces.iter().flat_map(Piece::lines);
        let mut order: Vec<(usize, (u32, &[u8]))> = self.of.iter().copied().zip(all).collect();
        if !self.is_bound {
            order.sort_by_key(|(record, _)| *record);
        }
        let mut lines = Lines::default();
        for (_, (number, line)) in order {
            lines.push(number, line);
            if lines.bytes().len() >= PIECE_BYTES
                && !each(Group::of(std::mem::take(&mut lines), known, hint))
            {
                return false;
            }
        }
        lines.bytes().is_empty() || each(Group::of(lines, known, hint))
    }
}

impl Group {
    fn of(lines: Lines, known: &Known, hint: &Hint) -> Self {
        let outcomes = lines.take_in(known, hint);
        Self { bytes: lines.into_bytes(), outcomes }
    }
}

/// The record that a line speaks of, or the first of them.
fn record(outcome: &Outcome) -> Option<&RecordKey> {
    Some(&outcome.taken()?.statements.first()?.record)
}

#[cfg(test)]
mod tests;

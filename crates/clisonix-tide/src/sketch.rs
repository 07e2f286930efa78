//! Sketches: the coded symbols of a set of entries, kept current at every write.
//!
//! A rateless invertible Bloom lookup table (Yang, Gilad and Alizadeh, "Practical Rateless Set
//! Reconciliation", SIGCOMM 2024, arXiv 2402.02668). A set has an endless row of symbols; entry `e`
//! is in symbol `i` with probability `2 / (i + 2)`, by a walk that `e` itself determines. The first
//! `m` symbols of two sets, subtracted, give the `d` entries that only one of them has as soon as `m`
//! is about `1.36 d` (`1.7 d` for few), whatever the size of the sets.
//!
//! Normative: `docs/formats/sketch.md`.

mod decoder;
mod walk;

pub use decoder::{Decoder, Side, SketchError};

use clisonix_crdt::DecodeError;
use clisonix_crdt::wire::Reader;

use crate::entry::{Entry, SetHash};
use walk::{Walk, check};

/// How many symbols the first message of a session carries.
pub const HELLO_SYMBOLS: usize = 64;
/// How many symbols a sketch keeps current at most, unless it is asked for more.
pub const KEPT_SYMBOLS: usize = 1 << 15;
/// Most symbols of one sketch; where they do not suffice the plain list of entries is sent.
pub const MAX_SYMBOLS: usize = 1 << 20;
/// Bytes of a symbol on its way.
pub const SYMBOL_BYTES: usize = 13;
/// Bytes of an entry in a plain list.
pub const LISTED_BYTES: usize = 8;

/// The sum of the entries that fall into one place of the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// Exclusive or of the entries' ids.
    sum: u64,
    /// Exclusive or of their checks.
    check: u32,
    /// How many there are, modulo 256: of a difference only 1, -1 and 0 must be told from the rest,
    /// so that one byte serves sets of any size.
    count: u8,
}

/// The first symbols of a set's row, its size and its hash.
///
/// The set itself is not in it. A write costs a walk over the kept symbols: about `2 ln(kept)` of
/// them change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    symbols: Vec<Symbol>,
    count: u64,
    hash: SetHash,
}

impl Symbol {
    fn toggle(&mut self, entry: u64, check: u32, count: u8) {
        self.sum ^= entry;
        self.check ^= check;
        self.count = self.count.wrapping_add(count);
    }

    fn minus(self, other: Self) -> Self {
        Self {
            sum: self.sum ^ other.sum,
            check: self.check ^ other.check,
            count: self.count.wrapping_sub(other.count),
        }
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Appends [`SYMBOL_BYTES`] bytes.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sum.to_be_bytes());
        out.extend_from_slice(&self.check.to_be_bytes());
        out.push(self.count);
    }

    /// Reads what [`Self::write`] wrote.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            sum: u64::from_be_bytes(reader.array()?),
            check: u32::from_be_bytes(reader.array()?),
            count: reader.byte()?,
        })
    }
}

impl Sketch {
    /// The sketch of the empty set, which keeps so many symbols ([`MAX_SYMBOLS`] at most).
    pub fn new(kept: usize) -> Self {
        Self { symbols: vec![Symbol::default(); kept.min(MAX_SYMBOLS)], ..Self::default() }
    }

    /// How many symbols serve a set of this size: as many as cost no more than a plain list.
    pub fn kept_for(count: usize) -> usize {
        let useful = (count * LISTED_BYTES / SYMBOL_BYTES).next_multiple_of(HELLO_SYMBOLS);
        useful.clamp(HELLO_SYMBOLS, KEPT_SYMBOLS)
    }

    /// Puts an entry in. That it is not there yet is the caller's knowledge.
    pub fn insert(&mut self, entry: Entry) {
        self.count += 1;
        self.hash.insert(entry);
        self.toggle(entry.id(), 0, 1);
    }

    /// Takes an entry out. That it is there is the caller's knowledge.
    pub fn remove(&mut self, entry: Entry) {
        self.count = self.count.saturating_sub(1);
        self.hash.remove(entry);
        self.toggle(entry.id(), 0, 1_u8.wrapping_neg());
    }

    /// Takes one entry out and puts another one in. Cheaper than one after the other: the long
    /// divisions and roots of the two walks overlap.
    pub fn replace(&mut self, old: Entry, new: Entry) {
        self.hash.remove(old);
        self.hash.insert(new);
        let walk = |entry: Entry, count: u8| (Walk::new(entry.id()), check(entry.id()), count);
        let mut walks = [walk(old, 1_u8.wrapping_neg()), walk(new, 1)];
        while walks.iter().any(|(walk, ..)| walk.place() < self.symbols.len()) {
            for (walk, check, count) in &mut walks {
                if let Some(symbol) = self.symbols.get_mut(walk.place()) {
                    symbol.toggle(walk.entry(), *check, *count);
                    walk.advance();
                }
            }
        }
    }

    /// Keeps more symbols from now on; `entries` are all that are in the set. Fewer are never kept.
    pub fn grow(&mut self, kept: usize, entries: impl IntoIterator<Item = Entry>) {
        let first = self.symbols.len();
        if kept > first {
            self.symbols.resize(kept.min(MAX_SYMBOLS), Symbol::default());
            entries.into_iter().for_each(|entry| self.toggle(entry.id(), first, 1));
        }
    }

    /// Adds `count` of an entry to its symbols from `first` on.
    fn toggle(&mut self, entry: u64, first: usize, count: u8) {
        let (mut walk, check) = (Walk::new(entry), check(entry));
        while let Some(symbol) = self.symbols.get_mut(walk.place()) {
            if walk.place() >= first {
                symbol.toggle(entry, check, count);
            }
            walk.advance();
        }
    }

    /// The kept symbols, from the row's start.
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// How many entries are in the set.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The hash of the set.
    pub fn hash(&self) -> SetHash {
        self.hash
    }
}

/// Whether a plain list of `listed` entries is shorter than the symbols that find `differing` ones.
pub fn is_list_shorter(differing: u64, listed: u64) -> bool {
    let symbols = differing.saturating_mul(136) / 100 * SYMBOL_BYTES as u64;
    symbols > listed.saturating_mul(LISTED_BYTES as u64)
}

#[cfg(test)]
mod tests;

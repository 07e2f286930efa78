//! Finding the entries that only one of two sets has, from symbols as they come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use thiserror::Error;

use super::walk::{Walk, chance, check};
use super::{MAX_SYMBOLS, Symbol};

/// Which of the two sets has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Only this one.
    Ours,
    /// Only the other.
    Theirs,
}

/// Why symbols could not be taken. The decoder gives no further answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SketchError {
    /// As many symbols of the one set as of the other are needed.
    #[error("the two sets' symbols are not equally many")]
    Uneven,
    /// More than [`MAX_SYMBOLS`]; the plain list serves better.
    #[error("more than {MAX_SYMBOLS} symbols")]
    TooMany,
    /// The symbols belong to no set: forged, damaged, of another key, or of a set that changed
    /// meanwhile. With honest symbols the chance is about 2^-32 for each of them.
    #[error("the symbols contradict each other")]
    Contradiction,
}

/// Takes the symbols of two sets, from the start of the row, and finds the differing entries.
///
/// Its work is bounded by the symbols it took, whoever made them: every found entry uses one symbol
/// up, and a used symbol that is touched again is a contradiction.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// Their symbols minus ours, minus what was found.
    rest: Vec<Symbol>,
    /// The symbols that gave an entry.
    used: Vec<bool>,
    /// The walks of found entries, standing at their first place beyond `rest`.
    ahead: BinaryHeap<Reverse<(Walk, Side)>>,
    found: Vec<(u64, Side)>,
}

impl Decoder {
    /// A decoder that took nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many symbols it took of each side.
    pub fn taken(&self) -> usize {
        self.rest.len()
    }

    /// Takes the next symbols of both sides and finds what they tell.
    ///
    /// # Errors
    /// [`SketchError`].
    pub fn take(&mut self, theirs: &[Symbol], ours: &[Symbol]) -> Result<(), SketchError> {
        if theirs.len() != ours.len() {
            return Err(SketchError::Uneven);
        }
        let first = self.rest.len();
        if first + theirs.len() > MAX_SYMBOLS {
            return Err(SketchError::TooMany);
        }
        self.rest.extend(theirs.iter().zip(ours).map(|(theirs, ours)| theirs.minus(*ours)));
        self.used.resize(self.rest.len(), false);
        self.take_out_found();
        let mut ready: Vec<usize> = (first..self.rest.len()).collect();
        while let Some(place) = ready.pop() {
            self.peel(place, &mut ready)?;
        }
        // Every entry is in the first symbol: if that is empty, all are found and all are empty.
        if self.is_complete() && !self.rest.iter().all(|symbol| symbol.is_empty()) {
            return Err(SketchError::Contradiction);
        }
        Ok(())
    }

    /// Whether all differing entries are found.
    pub fn is_complete(&self) -> bool {
        self.rest.first().is_some_and(|symbol| symbol.is_empty())
    }

    /// The differing entries found so far, by id.
    pub fn found(&self) -> &[(u64, Side)] {
        &self.found
    }

    /// About how many entries differ, found ones included, if they have `more` entries than we
    /// (negative: fewer). After 64 symbols the standard error is 18 %, after 1000 it is 5 %.
    pub fn estimate(&self, more: i64) -> u64 {
        let surplus: i64 =
            self.found.iter().map(|(_, side)| if *side == Side::Theirs { 1 } else { -1 }).sum();
        let more = more.saturating_sub(surplus);
        // A count's variance, in a symbol with chance p, is p (1 - p) for each entry that is left.
        let (mut entries, mut symbols) = (0.0, 0.0_f64);
        for (place, symbol) in (0_u32..).zip(&self.rest).skip(1) {
            let chance = chance(place);
            #[expect(clippy::cast_precision_loss)] // an estimate
            let expected = (more as f64 * chance).round() as i64;
            let off = i64::from(symbol.count).wrapping_sub(expected) as i8;
            entries += f64::from(off).powi(2) / (chance * (1.0 - chance));
            symbols += 1.0;
        }
        #[expect(clippy::cast_sign_loss)] // squares only
        let mean = (entries / symbols.max(1.0)) as u64;
        mean.max(more.unsigned_abs()).saturating_add(self.found.len() as u64)
    }

    /// How many symbols in all will probably do, if they have `more` entries than we; always more
    /// than were taken.
    ///
    /// While there are few, the estimate is coarse and 70 % of it are asked for: too many cost bytes,
    /// too few a round trip, which is needed in most cases anyhow.
    pub fn wanted(&self, more: i64) -> usize {
        #[expect(clippy::cast_precision_loss)] // an estimate
        let differing = self.estimate(more) as f64;
        // The mean of the symbols for each entry comes down to 1.35; the second term is about three
        // standard deviations of it.
        let goal = 1.355 * differing + 2.0 * differing.sqrt() + 4.0;
        #[expect(clippy::cast_sign_loss)] // no term is negative
        let goal = goal as usize;
        let goal = if self.taken() < goal / 2 { goal / 10 * 7 } else { goal };
        goal.max(self.taken() + self.taken() / 16 + 4).min(MAX_SYMBOLS)
    }

    /// Takes what was found earlier out of the symbols that came now.
    fn take_out_found(&mut self) {
        let end = self.rest.len();
        while let Some(Reverse((mut walk, side))) = self.ahead.pop() {
            if walk.place() >= end {
                self.ahead.push(Reverse((walk, side)));
                return;
            }
            let check = check(walk.entry());
            while let Some(symbol) = self.rest.get_mut(walk.place()) {
                symbol.toggle(walk.entry(), check, side.count_out());
                walk.advance();
            }
            self.ahead.push(Reverse((walk, side)));
        }
    }

    /// If a symbol holds a single entry, takes that out of all its symbols; those that may be ready
    /// now are added to `ready`.
    fn peel(&mut self, place: usize, ready: &mut Vec<usize>) -> Result<(), SketchError> {
        let Some((entry, side)) = self.rest.get(place).and_then(|symbol| symbol.single()) else {
            return Ok(());
        };
        let (mut walk, check) = (Walk::new(entry), check(entry));
        let mut met = false;
        while let Some(symbol) = self.rest.get_mut(walk.place()) {
            if self.used.get(walk.place()).is_none_or(|used| *used) {
                return Err(SketchError::Contradiction);
            }
            met |= walk.place() == place;
            symbol.toggle(entry, check, side.count_out());
            if symbol.looks_single() {
                ready.push(walk.place());
            }
            walk.advance();
        }
        match self.used.get_mut(place) {
            Some(used) if met => *used = true,
            _ => return Err(SketchError::Contradiction),
        }
        self.found.push((entry, side));
        self.ahead.push(Reverse((walk, side)));
        Ok(())
    }
}

impl Side {
    /// What taking an entry of this side out adds to a count.
    fn count_out(self) -> u8 {
        match self {
            Self::Ours => 1,
            Self::Theirs => u8::MAX,
        }
    }
}

impl Symbol {
    fn looks_single(self) -> bool {
        self.count == 1 || self.count == u8::MAX
    }

    /// The entry, if there is one only.
    fn single(self) -> Option<(u64, Side)> {
        let side = if self.count == 1 { Side::Theirs } else { Side::Ours };
        (self.looks_single() && self.check == check(self.sum)).then_some((self.sum, side))
    }
}

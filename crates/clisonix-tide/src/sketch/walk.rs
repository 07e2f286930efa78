//! The walk of an entry over the row of symbols: which ones it is in.

/// The increment of the generator `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014).
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Goes through the places of an entry's symbols in ascending order; the first is always 0.
///
/// After place `i`, the next one is `j` with the probability that follows from independent
/// membership with `2 / (k + 2)` in every symbol `k`: the product of `k / (k + 2)` from `i + 1` to `j`
/// is `(i + 1)(i + 2) / ((j + 1)(j + 2))`, whose inverse needs one root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Walk {
    place: u32,
    state: u64,
    entry: u64,
}

impl Walk {
    pub(super) fn new(entry: u64) -> Self {
        Self { place: 0, state: entry, entry }
    }

    pub(super) fn place(&self) -> usize {
        self.place as usize
    }

    pub(super) fn entry(&self) -> u64 {
        self.entry
    }

    /// To the next place. Binary64 addition, division and root are correctly rounded everywhere
    /// (IEEE 754-2019), so that all sites walk alike.
    pub(super) fn advance(&mut self) {
        self.state = self.state.wrapping_add(GAMMA);
        let draw = f64::from((mix(self.state) >> 32) as u32) + 1.0;
        let place = f64::from(self.place);
        let reach = (place + 1.0) * (place + 2.0) * (4_294_967_296.0 / draw);
        let next = (reach + 0.25).sqrt() - 1.5;
        // Rounded up; without an instruction for it this is quicker than a call. The cast saturates; a
        // rounded root never leads back.
        #[expect(clippy::cast_sign_loss)]
        let whole = next as u32;
        let next = whole.saturating_add(u32::from(f64::from(whole) < next));
        self.place = next.max(self.place.saturating_add(1));
    }
}

/// The probability with which an entry is in the symbol of this place.
pub(super) fn chance(place: u32) -> f64 {
    2.0 / (f64::from(place) + 2.0)
}

/// The 32 bits that tell a single entry from a sum of several.
pub(super) fn check(entry: u64) -> u32 {
    (mix(entry) >> 32) as u32
}

/// The output function of `SplitMix64`.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_met_as_often_as_the_paper_wants() {
        const ENTRIES: u32 = 40_000;
        let mut met = [0_u32; 300];
        for entry in 0..ENTRIES {
            let mut walk = Walk::new(mix(u64::from(entry).wrapping_mul(GAMMA)));
            while let Some(count) = met.get_mut(walk.place()) {
                *count += 1;
                walk.advance();
            }
        }
        for (place, count) in (0..).zip(met) {
            let chance = chance(place);
            let expected = f64::from(ENTRIES) * chance;
            let deviation = (expected * (1.0 - chance)).sqrt().max(1.0);
            let away = (f64::from(count) - expected).abs() / deviation;
            assert!(away < 4.5, "place {place}: {count}, expected {expected:.0}");
        }
    }

    #[test]
    fn a_walk_always_goes_on() {
        for entry in [0, 1, u64::MAX, GAMMA.wrapping_neg()] {
            let mut walk = Walk::new(entry);
            while walk.place < u32::MAX {
                let before = walk.place;
                walk.advance();
                assert!(walk.place > before);
            }
        }
    }
}

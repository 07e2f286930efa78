//! The simulator's only source of chance: everything follows from the seed.

/// `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to `end`, without it.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(super) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// How wrong a wall clock is: up to a day either way.
    pub(super) fn skew_ms(&mut self) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        i64::try_from(self.below(2 * 86_400_000)).map_or(0, |ms| ms - DAY_MS)
    }

    pub(super) fn pick<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        let place = self.below(among.len().max(1));
        among.get(place).copied()
    }
}

/// The output function of `SplitMix64`.
pub(super) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number that stands for bytes.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0x5851_f42d_4c95_7f2d, |hash, byte| mix(hash ^ u64::from(*byte)))
}

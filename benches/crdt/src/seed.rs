//! A small seeded source of choices (SplitMix64), so that every run and every
//! engine sees the same documents and edits.

/// The source.
pub struct Seed(u64);

impl Seed {
    /// Starts at a number.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.bits() % limit
    }

    /// One of several.
    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// So many decimal digits, the first not zero.
    pub fn digits(&mut self, count: usize) -> String {
        let first = 1 + self.below(9);
        (1..count).fold(first.to_string(), |text, _| format!("{text}{}", self.below(10)))
    }

    /// A version-4-like UUID.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 52) & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }
}

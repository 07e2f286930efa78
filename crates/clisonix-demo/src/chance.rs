//! A small seeded generator of numbers, so that one seed always makes the same files.
//!
//! The algorithm is `SplitMix64` (G. Steele, D. Lea, C. Flood: "Fast splittable pseudorandom
//! number generators", OOPSLA 2014). It is not for secrets.

/// A seeded stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    /// A stream that is wholly determined by `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent stream for one `purpose`, so that a change in how one part draws leaves
    /// the others as they were.
    pub(crate) fn child(seed: u64, purpose: &str, number: u64) -> Self {
        let mut mixed = Self::new(seed);
        let mut state = mixed.draw();
        for byte in purpose.bytes() {
            state = Self::new(state ^ u64::from(byte)).draw();
        }
        Self::new(Self::new(state ^ number).draw())
    }

    /// The next 64 bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `low..high` (`low` when the range is empty).
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.saturating_sub(low);
        match u64::try_from(span) {
            Ok(span) if span > 0 => {
                low.saturating_add(i64::try_from(self.draw() % span).unwrap_or(0))
            }
            _ => low,
        }
    }

    /// A place in a list of `length` elements (0 for an empty list).
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.between(0, i64::try_from(length).unwrap_or(0))).unwrap_or(0)
    }

    /// True in `percent` of a hundred draws.
    pub(crate) fn percent(&mut self, percent: i64) -> bool {
        self.between(0, 100) < percent
    }

    /// One element of a table.
    pub(crate) fn pick<'a, T>(&mut self, table: &'a [T]) -> Option<&'a T> {
        table.get(self.place(table.len()))
    }

    /// `count` different elements of a table, in drawn order.
    pub(crate) fn several<'a, T>(&mut self, table: &'a [T], count: usize) -> Vec<&'a T> {
        let mut left: Vec<&T> = table.iter().collect();
        let mut drawn = Vec::new();
        while drawn.len() < count && !left.is_empty() {
            let place = self.place(left.len());
            drawn.push(left.swap_remove(place));
        }
        drawn
    }
}

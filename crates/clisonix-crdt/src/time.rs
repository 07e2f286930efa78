//! Hybrid logical time: wall-clock milliseconds with a counter, always handed in, never read here.

use std::fmt;

/// A hybrid logical timestamp (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014):
/// 48 bits of milliseconds since 1970-01-01T00:00:00Z, then a 16-bit counter.
///
/// It orders what is *displayed*; correctness never depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HybridTime(pub u64);

impl HybridTime {
    /// The time at `ms` milliseconds since the Unix epoch, counter zero.
    pub fn from_millis(ms: u64) -> Self {
        Self(ms.min((1 << 48) - 1) << 16)
    }

    /// Milliseconds since the Unix epoch.
    pub fn millis(self) -> u64 {
        self.0 >> 16
    }

    /// The next stamp of a writer whose wall clock shows `now_ms` and who has seen `self`.
    #[must_use]
    pub fn tick(self, now_ms: u64) -> Self {
        Self::from_millis(now_ms).max(Self(self.0.saturating_add(1)))
    }
}

impl fmt::Display for HybridTime {
    /// RFC 3339 in UTC with milliseconds, as a FHIR `instant`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.millis();
        let (year, month, day) = civil_date(ms / 86_400_000);
        let second = ms / 1000 % 86_400;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            ms % 1000
        )
    }
}

/// Year, month and day of a day number since 1970-01-01 in the proleptic Gregorian calendar
/// (Neri and Schneider, "Euclidean affine functions and applications to calendar algorithms", 2021).
fn civil_date(days: u64) -> (u64, u64, u64) {
    let n = 4 * (days + 719_468) + 3;
    let century = n / 146_097;
    let n2 = (n % 146_097) | 3;
    let year_of_century = n2 / 1461;
    let n3 = 2141 * (n2 % 1461 / 4) + 197_913;
    let (month, day) = (n3 / 65_536, n3 % 65_536 / 2141 + 1);
    let year = 100 * century + year_of_century;
    if month > 12 { (year + 1, month - 12, day) } else { (year, month, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_printed_in_utc() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_102_444_800_001, "2100-01-01T00:00:00.001Z"),
        ] {
            assert_eq!(HybridTime::from_millis(ms).to_string(), text);
        }
    }

    #[test]
    fn a_tick_never_goes_back() {
        let seen = HybridTime::from_millis(1000);
        assert!(seen.tick(10) > seen);
        assert_eq!(seen.tick(2000).millis(), 2000);
    }
}

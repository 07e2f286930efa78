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

/// Milliseconds since the Unix epoch of a FHIR `dateTime` or `instant` with a time of day and an
/// offset; `None` for anything else.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let (clock, offset_minutes) = if let Some(clock) = time.strip_suffix('Z') {
        (clock, 0)
    } else {
        let (clock, offset) = time.split_at_checked(time.len().checked_sub(6)?)?;
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        let minutes = digits(hours, 2)? * 60 + digits(minutes, 2)?;
        match offset.as_bytes().first()? {
            b'+' => (clock, minutes),
            b'-' => (clock, -minutes),
            _ => return None,
        }
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':');
    let (hour, minute, second) =
        (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let millis = match fraction.get(..3.min(fraction.len()))? {
        "" => 0,
        digits_of => digits(digits_of, digits_of.len())? * 10_i64.pow(3 - digits_of.len() as u32),
    };
    let seconds = day_number(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - offset_minutes * 60) * 1000 + millis)
}

fn digits(text: &str, len: usize) -> Option<i64> {
    let fits = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, by the same source.
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month < 3 { (year - 1, month + 12) } else { (year, month) };
    let century = year.div_euclid(100);
    let years = year * 1461 / 4 - century + century / 4;
    Some(years + (979 * month - 2919) / 32 + day - 1 - 719_468)
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
    fn instants_are_read_as_they_are_printed() {
        for ms in [0, 951_782_400_000, 1_709_251_199_999, 4_102_444_800_001, 1_732_300_000_123] {
            assert_eq!(instant(&HybridTime::from_millis(ms).to_string()), Some(ms.cast_signed()));
        }
        assert_eq!(instant("2024-01-01T03:00:00-07:00"), instant("2024-01-01T10:00:00.0Z"));
        for text in ["2024-01-01", "2024-13-01T00:00:00Z", "T", "2024-01-01T00:00:00", "x"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_tick_never_goes_back() {
        let seen = HybridTime::from_millis(1000);
        assert!(seen.tick(10) > seen);
        assert_eq!(seen.tick(2000).millis(), 2000);
    }
}

//! Seconds of universal time, as texts that people read.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
/// The first and the last second of the years 1970 to 9999.
const RANGE: std::ops::RangeInclusive<i64> = 0..=253_402_300_799;

/// A second between the years 1970 and 9999, in universal time: `2026-11-23T02:10:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

/// Not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a moment is written like 2026-11-23T02:10:00Z, or a day like 2026-11-23")]
pub struct NotAMoment;

impl Moment {
    /// From seconds since 1970; `None` beyond the year 9999.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        RANGE.contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// The last second of a day such as `2026-11-23`, or a moment.
    pub fn last_of_day(text: &str) -> Result<Self, NotAMoment> {
        if text.len() == 10 { format!("{text}T23:59:59Z").parse() } else { text.parse() }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match EPOCH.checked_add(SignedDuration::from_secs(self.0)) {
            Ok(date_time) => write!(f, "{date_time}Z"),
            Err(_) => unreachable!("a moment is before the year 10000"),
        }
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let date_time = text.strip_suffix('Z').and_then(|text| text.parse::<DateTime>().ok());
        let date_time = date_time.ok_or(NotAMoment)?;
        let moment = Self::from_seconds(date_time.duration_since(EPOCH).as_secs());
        // Whatever has another text, such as one with fractions, is none.
        moment.filter(|moment| moment.to_string() == text).ok_or(NotAMoment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS_A_DAY: i64 = 86_400;

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_399_800, "2026-11-23T02:10:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Moment(seconds).to_string(), text);
            assert_eq!(text.parse(), Ok(Moment(seconds)));
        }
    }

    #[test]
    fn every_day_has_one_text() {
        for day in 0..200_000 {
            let moment = Moment(day * SECONDS_A_DAY + day % SECONDS_A_DAY);
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }

    #[test]
    fn what_is_no_moment() {
        for text in [
            "",
            "2026",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T02:10:60Z",
            "2026-11-23 02:10:00Z",
            "2026-11-23T02:10:00",
            "1969-12-31T00:00:00Z",
            "2026-11-23T02:10:00Zä",
            "+026-11-23T02:10:00Z",
            "ä026-11-23T02:10:00Z",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(NotAMoment), "{text}");
        }
        assert_eq!(Moment::last_of_day("2026-11-23"), "2026-11-23T23:59:59Z".parse());
    }
}

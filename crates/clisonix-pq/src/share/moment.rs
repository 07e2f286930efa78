//! Seconds of universal time, as texts that people read.

use std::fmt;
use std::str::FromStr;

const SECONDS_A_DAY: i64 = 86_400;
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
        let (days, second) = (self.0 / SECONDS_A_DAY, self.0 % SECONDS_A_DAY);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<i64>().ok()).ok_or(NotAMoment)
        };
        let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let second = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
        let moment = Self::from_seconds(days * SECONDS_A_DAY + second).ok_or(NotAMoment)?;
        // Whatever has another text, such as February 30, is none.
        if moment.to_string() == text { Ok(moment) } else { Err(NotAMoment) }
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. Years are counted from March, so that
/// the leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let since_march = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (since_march * 153 + 2) / 5 + day - 1 - 719_468
}

/// The date of a day since 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (year * 365 + year / 4 - year / 100);
    let since_march = (day * 5 + 2) / 153;
    let month = (since_march + 2) % 12 + 1;
    (era * 400 + year + i64::from(month <= 2), month, day - (since_march * 153 + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! Units of the calendar and the clock, and the days of the Gregorian calendar.

use super::Date;

pub(super) const NANOS_PER_SECOND: i128 = 1_000_000_000;
pub(super) const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;

/// A unit of the calendar or the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::fhirpath) enum Step {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Step {
    /// The calendar's word for it, in the singular.
    pub(in crate::fhirpath) fn word(self) -> &'static str {
        match self {
            Self::Millisecond => "millisecond",
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// `day` or `days`, ...
    pub(in crate::fhirpath) fn of_word(word: &str) -> Option<Self> {
        let singular = word.strip_suffix('s').unwrap_or(word);
        ALL_STEPS.iter().copied().find(|step| step.word() == singular)
    }

    /// The UCUM code of the same length; months and years of the calendar have none.
    pub(in crate::fhirpath) fn code(self) -> Option<&'static str> {
        match self {
            Self::Millisecond => Some("ms"),
            Self::Second => Some("s"),
            Self::Minute => Some("min"),
            Self::Hour => Some("h"),
            Self::Day => Some("d"),
            Self::Week => Some("wk"),
            Self::Month | Self::Year => None,
        }
    }

    /// Its length in nanoseconds, for what the clock measures.
    pub(in crate::fhirpath) fn nanos(self) -> i128 {
        match self {
            Self::Millisecond => 1_000_000,
            Self::Second => NANOS_PER_SECOND,
            Self::Minute => 60 * NANOS_PER_SECOND,
            Self::Hour => 3_600 * NANOS_PER_SECOND,
            Self::Day => NANOS_PER_DAY,
            Self::Week => 7 * NANOS_PER_DAY,
            Self::Month => 30 * NANOS_PER_DAY,
            Self::Year => 365 * NANOS_PER_DAY,
        }
    }
}

const ALL_STEPS: [Step; 8] = [
    Step::Millisecond,
    Step::Second,
    Step::Minute,
    Step::Hour,
    Step::Day,
    Step::Week,
    Step::Month,
    Step::Year,
];

/// N1 6.6.7: units finer than the date is told become whole coarser ones; 30 days are a month, 365
/// a year.
pub(super) fn coarsened(count: i64, unit: Step, finest: Step) -> (i64, Step) {
    let (mut count, mut unit) = (count, unit);
    if unit == Step::Week {
        (count, unit) = (count.saturating_mul(7), Step::Day);
    }
    if finest == Step::Year && unit == Step::Day {
        return (count / 365, Step::Year);
    }
    while unit < finest {
        (count, unit) = match unit {
            Step::Millisecond => (count / 1_000, Step::Second),
            Step::Second => (count / 60, Step::Minute),
            Step::Minute => (count / 60, Step::Hour),
            Step::Hour => (count / 24, Step::Day),
            Step::Day => (count / 30, Step::Month),
            _ => (count / 12, Step::Year),
        };
    }
    (count, unit)
}

/// The part of a time that whole steps of the precision make up.
pub(super) fn whole_steps(nanos: i128, finest: Step) -> i128 {
    nanos - nanos % finest.nanos()
}

pub(in crate::fhirpath) fn days_in(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, by counting leap years from March on.
pub(super) fn day_number(year: i32, month: u8, day: u8) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The day of that number, by the years and months whose first day is not after it.
pub(super) fn date_of(number: i64) -> Option<Date> {
    if !(day_number(1, 1, 1)..day_number(10_000, 1, 1)).contains(&number) {
        return None;
    }
    // The mean year is 365.2425 days: the guess is off by one year at most.
    let guess = i32::try_from((number + 719_528) * 10_000 / 3_652_425).ok()?;
    let year =
        [guess + 1, guess, guess - 1].into_iter().find(|&y| day_number(y, 1, 1) <= number)?;
    let month = (1..=12).rev().find(|&month| day_number(year, month, 1) <= number)?;
    let day = u8::try_from(number - day_number(year, month, 1) + 1).ok()?;
    Some(Date { year, month: Some(month), day: Some(day) })
}

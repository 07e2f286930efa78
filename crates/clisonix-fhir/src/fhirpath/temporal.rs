//! Dates, times and date-times that know how precisely they are told.
//!
//! A partial date stands for a stretch of time. Two are equal, before or after one another only
//! where that holds for every time in both stretches; else nothing is known (`FHIRPath` N1 6.1, 6.2).

mod calendar;

use std::cmp::Ordering;
use std::fmt;

use calendar::{NANOS_PER_DAY, NANOS_PER_SECOND, coarsened, date_of, day_number, whole_steps};

pub(super) use calendar::{Step, days_in};

/// How far from UTC the time of a place can be, in minutes: what a date-time without an offset may
/// mean (FHIR R4 2.24.0.1 allows up to `+14:00`).
const MAX_OFFSET_MINUTES: i16 = 14 * 60;
const MIN_OFFSET_MINUTES: i16 = -12 * 60;

/// A year, a month or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// 1 to 9999.
    pub year: i32,
    /// 1 to 12.
    pub month: Option<u8>,
    /// 1 to 31; only with a month.
    pub day: Option<u8>,
}

/// An hour, a minute, a second or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// 0 to 24.
    pub hour: u8,
    /// 0 to 59.
    pub minute: Option<u8>,
    /// 0 to 60, for leap seconds; only with a minute.
    pub second: Option<u8>,
    /// The part of a second, in nanoseconds.
    pub nanos: u32,
    /// How many digits of the second's part are told.
    pub digits: u8,
}

/// A date, with a time where the date is a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// The date.
    pub date: Date,
    /// The time, if it is told.
    pub time: Option<Time>,
    /// Minutes east of UTC, if they are told.
    pub offset_minutes: Option<i16>,
}

impl Date {
    /// `2014`, `2014-01` or `2014-01-25`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let month = parts.next().map(|part| number(part, 2)).map_or(Some(None), |n| n.map(Some))?;
        let day = parts.next().map(|part| number(part, 2)).map_or(Some(None), |n| n.map(Some))?;
        let date = Self {
            year: i32::try_from(year).ok()?,
            month: month.map(u8::try_from).transpose().ok()?,
            day: day.map(u8::try_from).transpose().ok()?,
        };
        (parts.next().is_none() && date.is_real()).then_some(date)
    }

    fn is_real(self) -> bool {
        let month = self.month.unwrap_or(1);
        (1..=9999).contains(&self.year)
            && (1..=12).contains(&month)
            && self.day.is_none_or(|day| (1..=days_in(self.year, month)).contains(&day))
    }

    /// The number of the first day and of the day after the last.
    fn days(self) -> (i64, i64) {
        let month = self.month.unwrap_or(1);
        let first = day_number(self.year, month, self.day.unwrap_or(1));
        let next = match (self.month, self.day) {
            (_, Some(_)) => first + 1,
            (None | Some(12), None) => day_number(self.year + 1, 1, 1),
            (Some(month), None) => day_number(self.year, month + 1, 1),
        };
        (first, next)
    }

    /// Later by `count` units; a unit finer than the date is told counts in whole coarser ones.
    pub(super) fn plus(self, count: i64, unit: Step) -> Option<Self> {
        let finest = match (self.month, self.day) {
            (None, _) => Step::Year,
            (_, None) => Step::Month,
            _ => Step::Day,
        };
        let (count, unit) = coarsened(count, unit, finest);
        let moved = match unit {
            Step::Year => self.plus_months(count.checked_mul(12)?)?,
            Step::Month => self.plus_months(count)?,
            _ => date_of(self.days().0.checked_add(count)?)?,
        };
        moved.is_real().then_some(moved)
    }

    fn plus_months(self, count: i64) -> Option<Self> {
        let month = i64::from(self.month.unwrap_or(1)) - 1;
        let months =
            i64::from(self.year).checked_mul(12)?.checked_add(month)?.checked_add(count)?;
        let year = i32::try_from(months.div_euclid(12)).ok()?;
        let month = u8::try_from(months.rem_euclid(12)).ok()? + 1;
        // N1 6.6.7: the last day of the month where the day does not exist.
        let day = self.day.map(|day| day.min(days_in(year, month)));
        Some(Self { year, month: self.month.map(|_| month), day })
    }
}

impl Time {
    /// `10`, `10:30`, `10:30:00` or `10:30:00.000`.
    pub fn parse(text: &str) -> Option<Self> {
        let (clock, fraction) =
            text.split_once('.').map_or((text, None), |(clock, rest)| (clock, Some(rest)));
        let mut parts = clock.split(':');
        let mut part = || parts.next().map(|part| number(part, 2));
        let hour = u8::try_from(part()??).ok()?;
        let minute = part().map_or(Some(None), |n| n.map(Some))?.map(|n| n as u8);
        let second = part().map_or(Some(None), |n| n.map(Some))?.map(|n| n as u8);
        let (nanos, digits) = match fraction {
            None => (0, 0),
            Some(text) if second.is_some() => fraction_nanos(text)?,
            Some(_) => return None,
        };
        let fits = parts.next().is_none()
            && hour < 24
            && minute.is_none_or(|minute| minute < 60)
            // A leap second is a second of UTC (FHIR R4 2.24.0.1, `time`).
            && second.is_none_or(|second| second <= 60);
        fits.then_some(Self { hour, minute, second, nanos, digits })
    }

    /// Nanoseconds of the day: the first, and the one after the last.
    fn nanos(self) -> (i128, i128) {
        let minute = i128::from(self.minute.unwrap_or(0));
        let second = i128::from(self.second.unwrap_or(0));
        let seconds = (i128::from(self.hour) * 60 + minute) * 60 + second;
        let first = seconds * NANOS_PER_SECOND + i128::from(self.nanos);
        // Seconds and their parts are one precision (N1 6.1.1): a moment.
        let length = match (self.minute, self.second) {
            (None, _) => 3_600 * NANOS_PER_SECOND,
            (_, None) => 60 * NANOS_PER_SECOND,
            _ => 1,
        };
        (first, first + length)
    }

    fn finest(self) -> Step {
        match (self.minute, self.second) {
            (None, _) => Step::Hour,
            (_, None) => Step::Minute,
            _ => Step::Millisecond,
        }
    }

    /// The time of the same precision at that nanosecond of the day.
    fn at(self, nanos: i128) -> Option<Self> {
        let seconds = nanos / NANOS_PER_SECOND;
        let rest = u32::try_from(nanos % NANOS_PER_SECOND).ok()?;
        let part = |value: i128| u8::try_from(value).ok();
        let needed = (0_u8..=9).find(|&digits| rest % 10_u32.pow(9 - u32::from(digits)) == 0);
        let digits = self.digits.max(needed.unwrap_or(9));
        Some(Self {
            hour: part(seconds / 3_600)?,
            minute: if self.minute.is_some() { part(seconds / 60 % 60) } else { None },
            second: if self.second.is_some() { part(seconds % 60) } else { None },
            nanos: rest,
            digits,
        })
    }

    /// Later by so much, around midnight.
    pub(super) fn plus(self, nanos: i128, unit: Step) -> Option<Self> {
        if unit > Step::Hour {
            return None;
        }
        self.at(self
            .nanos()
            .0
            .checked_add(whole_steps(nanos, self.finest()))?
            .rem_euclid(NANOS_PER_DAY))
    }

    /// Before, the same or after, where that is known.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        ordered(self.nanos(), other.nanos(), self.finest() == other.finest())
    }
}

impl DateTime {
    /// `2014`, `2014-01-25`, `2014-01-25T14:30`, `2014-01-25T14:30:00.000+10:00`, ...
    pub fn parse(text: &str) -> Option<Self> {
        let Some((date, time)) = text.split_once('T') else {
            return Some(Self { date: Date::parse(text)?, time: None, offset_minutes: None });
        };
        let date = Date::parse(date)?;
        let (clock, zone) = match time.find(['Z', '+', '-']) {
            Some(at) => (time.get(..at)?, time.get(at..)),
            None => (time, None),
        };
        let offset_minutes = match zone {
            Some(zone) => Some(offset(zone)?),
            None => None,
        };
        if clock.is_empty() {
            return zone.is_none().then_some(Self { date, time: None, offset_minutes });
        }
        date.day?;
        Some(Self { date, time: Some(Time::parse(clock)?), offset_minutes })
    }

    /// Nanoseconds since 1970 in its own time: the first, and the one after the last.
    fn local_nanos(self) -> (i128, i128) {
        let (first, next) = self.date.days();
        let midnight = i128::from(first) * NANOS_PER_DAY;
        match self.time.map(Time::nanos) {
            Some((from, to)) => (midnight + from, midnight + to),
            None => (midnight, i128::from(next) * NANOS_PER_DAY),
        }
    }

    fn finest(self) -> Step {
        match (self.date.month, self.date.day, self.time) {
            (None, ..) => Step::Year,
            (_, None, _) => Step::Month,
            (.., None) => Step::Day,
            (.., Some(time)) => time.finest(),
        }
    }

    /// Before, the same or after, where that is known.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        let same_precision = self.finest() == other.finest();
        let (mine, theirs) = (self.local_nanos(), other.local_nanos());
        match (self.offset_minutes, other.offset_minutes) {
            (None, None) => ordered(mine, theirs, same_precision),
            (Some(a), Some(b)) => {
                ordered(shifted(mine, a, a), shifted(theirs, b, b), same_precision)
            }
            (a, b) => {
                let widened = |span, zone: Option<i16>| {
                    shifted(
                        span,
                        zone.unwrap_or(MAX_OFFSET_MINUTES),
                        zone.unwrap_or(MIN_OFFSET_MINUTES),
                    )
                };
                ordered(widened(mine, a), widened(theirs, b), false)
            }
        }
    }

    /// Later by so many units: of the calendar as [`Date::plus`], of the clock in nanoseconds.
    pub(super) fn plus(self, count: i64, nanos: i128, unit: Step) -> Option<Self> {
        let Some(time) = self.time else {
            return Some(Self { date: self.date.plus(count, unit)?, ..self });
        };
        if unit >= Step::Day {
            return Some(Self { date: self.date.plus(count, unit)?, ..self });
        }
        let at = self.local_nanos().0.checked_add(whole_steps(nanos, time.finest()))?;
        let day = i64::try_from(at.div_euclid(NANOS_PER_DAY)).ok()?;
        let date = date_of(day)?;
        let time = time.at(at.rem_euclid(NANOS_PER_DAY))?;
        date.is_real().then_some(Self { date, time: Some(time), ..self })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        self.month.map_or(Ok(()), |month| write!(f, "-{month:02}"))?;
        self.day.map_or(Ok(()), |day| write!(f, "-{day:02}"))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.hour)?;
        self.minute.map_or(Ok(()), |minute| write!(f, ":{minute:02}"))?;
        self.second.map_or(Ok(()), |second| write!(f, ":{second:02}"))?;
        if self.digits > 0 {
            let nanos = format!("{:09}", self.nanos);
            let shown = nanos.get(..usize::from(self.digits)).unwrap_or(&nanos);
            write!(f, ".{shown}")?;
        }
        Ok(())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date)?;
        let Some(time) = self.time else { return Ok(()) };
        write!(f, "T{time}")?;
        match self.offset_minutes {
            None => Ok(()),
            Some(0) => write!(f, "Z"),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.unsigned_abs();
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// Order of two stretches, each with its first moment and the one after its last.
fn ordered(a: (i128, i128), b: (i128, i128), same_precision: bool) -> Option<Ordering> {
    if a.1 <= b.0 {
        Some(Ordering::Less)
    } else if b.1 <= a.0 {
        Some(Ordering::Greater)
    } else {
        (same_precision && a == b).then_some(Ordering::Equal)
    }
}

/// A stretch of local time in UTC, where the place may lie between two offsets.
fn shifted((first, next): (i128, i128), east: i16, west: i16) -> (i128, i128) {
    let nanos = |minutes: i16| i128::from(minutes) * 60 * NANOS_PER_SECOND;
    (first - nanos(east), next - nanos(west))
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn fraction_nanos(text: &str) -> Option<(u32, u8)> {
    let plain = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    if !plain {
        // Digits beyond the nanosecond are cut off.
        return text
            .get(..9)
            .filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(fraction_nanos);
    }
    let digits = text.len() as u8;
    let value: u32 = text.parse().ok()?;
    Some((value * 10_u32.pow(9 - u32::from(digits)), digits))
}

fn offset(zone: &str) -> Option<i16> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = zone.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    let total = i16::try_from(hours * 60 + minutes).ok().filter(|_| minutes < 60)?;
    (total <= MAX_OFFSET_MINUTES).then_some(if sign == "-" { -total } else { total })
}

//! CDA points in time and intervals into FHIR dates, without inventing precision.
//!
//! HL7 v3 data types R1, TS: `YYYY[MM[DD[HH[MM[SS[.f]]]]]][±ZZzz]`. FHIR R4 2.24.0.1 (`dateTime`)
//! wants a time to have hours, minutes and an offset; seconds may then be filled with zero.

use std::fmt::Write;

use clisonix_fhir::json::{Object, Value};

use super::source::Elem;

/// A point in time as far as its text says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point<'a> {
    year: u16,
    month: Option<u8>,
    day: Option<u8>,
    /// Hour and minute; only with an offset, as FHIR wants it.
    clock: Option<(u8, u8)>,
    second: u8,
    fraction: &'a str,
    /// Minutes east of UTC.
    offset: i16,
    /// Whether the text says more than the point can: a time without offset or minutes.
    is_cut: bool,
}

impl<'a> Point<'a> {
    /// Reads a TS value; `None` when it is no date.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let sign = text.find(['+', '-']);
        let (stamp, zone) = text.split_at_checked(sign.unwrap_or(text.len()))?;
        let (digits, fraction) = stamp.split_once('.').unwrap_or((stamp, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(digits) || !plain(fraction) || fraction.len() > 9 {
            return None;
        }
        if !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14) {
            return None;
        }
        let part = |from: usize| digits.get(from..from + 2).and_then(|two| two.parse::<u8>().ok());
        let year = digits.get(..4)?.parse().ok().filter(|year| *year > 0)?;
        let (month, day) = (part(4), part(6));
        let (hour, minute, second) = (part(8), part(10), part(12));
        let is_real = month.is_none_or(|month| (1..=12).contains(&month))
            && day.is_none_or(|day| day >= 1 && day <= days_in(year, month.unwrap_or(1)))
            && hour.is_none_or(|hour| hour < 24)
            && minute.is_none_or(|minute| minute < 60)
            && second.is_none_or(|second| second <= 60);
        let offset = parse_offset(zone);
        if !is_real || (offset.is_none() && !zone.is_empty()) {
            return None;
        }
        let clock = offset.and(hour.zip(minute));
        let is_cut = clock.is_none() && (hour.is_some() || offset.is_some());
        // A leap second has no place in `instant` arithmetic; FHIR allows it in text.
        let second = second.filter(|_| clock.is_some()).unwrap_or(0);
        let fraction = if clock.is_some() { fraction } else { "" };
        let offset = offset.unwrap_or(0);
        Some(Self { year, month, day, clock, second, fraction, offset, is_cut })
    }

    /// As FHIR `date`: never finer than a day.
    pub(crate) fn date(&self) -> String {
        match (self.month, self.day) {
            (Some(month), Some(day)) => format!("{:04}-{month:02}-{day:02}", self.year),
            (Some(month), None) => format!("{:04}-{month:02}", self.year),
            _ => format!("{:04}", self.year),
        }
    }

    /// As FHIR `dateTime`, as precise as the text.
    pub(crate) fn date_time(&self) -> String {
        let mut out = self.date();
        if let Some((hour, minute)) = self.clock {
            let _ = write!(out, "T{hour:02}:{minute:02}:{:02}", self.second);
            if !self.fraction.is_empty() {
                out.push('.');
                out.push_str(self.fraction);
            }
            let sign = if self.offset < 0 { '-' } else { '+' };
            let minutes = self.offset.unsigned_abs();
            let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
        out
    }

    /// Whether it is precise enough for FHIR `instant`.
    pub(crate) fn is_instant(&self) -> bool {
        self.clock.is_some()
    }

    /// Milliseconds since 1970-01-01T00:00:00Z of the earliest moment it can mean; a date without
    /// offset is taken in UTC, which is good enough to order documents.
    pub(crate) fn epoch_ms(&self) -> i64 {
        let days = days_from_epoch(
            i64::from(self.year),
            i64::from(self.month.unwrap_or(1)),
            i64::from(self.day.unwrap_or(1)),
        );
        let (hour, minute) = self.clock.unwrap_or((0, 0));
        let minutes = i64::from(hour) * 60 + i64::from(minute) - i64::from(self.offset);
        let mut millis = self.fraction.chars().chain("000".chars()).take(3);
        let millis =
            millis.try_fold(0i64, |sum, digit| Some(sum * 10 + i64::from(digit.to_digit(10)?)));
        let seconds = days * 86_400 + minutes * 60 + i64::from(self.second);
        seconds * 1000 + millis.unwrap_or(0)
    }
}

/// The point in an element's `value`. It is marked as used only if nothing of it is lost.
pub(crate) fn point(element: Elem<'_>) -> Option<Point<'_>> {
    let point = Point::parse(element.peek("value")?)?;
    if !point.is_cut {
        element.mark_attribute("value");
    }
    Some(point)
}

/// A FHIR `dateTime` from a TS element.
pub(crate) fn date_time(element: Elem<'_>) -> Option<String> {
    point(element).map(|point| point.date_time())
}

/// A FHIR `date` from a TS element; a time of day is lost, so the leaf then stays kept.
pub(crate) fn date(element: Elem<'_>) -> Option<String> {
    let point = Point::parse(element.peek("value")?)?;
    if !point.is_cut && !point.is_instant() {
        element.mark_attribute("value");
    }
    Some(point.date())
}

/// An interval: its own point, or its ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interval<'a> {
    /// `@value` or `center`: one moment.
    at: Option<Point<'a>>,
    low: Option<Point<'a>>,
    high: Option<Point<'a>>,
    /// Whether `high` is there without a value: it ended, nobody knows when.
    pub(crate) ended_unknown: bool,
    /// Whether the ends stand in the wrong order, so that the high end was left aside.
    pub(crate) is_reversed: bool,
}

impl<'a> Interval<'a> {
    /// Reads an `IVL_TS` (or TS) element.
    pub(crate) fn read(element: Elem<'a>) -> Self {
        element.visit();
        let end = |name: &'static str| element.child(name).and_then(point);
        let high = element.child("high");
        // NA says that there is no end yet; the others say that it is not known.
        let ended_unknown = high.is_some_and(|high| {
            matches!(high.peek("nullFlavor"), Some("UNK" | "ASKU" | "NAV" | "NASK"))
        });
        if let Some(high) = high.filter(|_| ended_unknown) {
            high.mark_attribute("nullFlavor");
        }
        let low = end("low");
        let at = point(element).or_else(|| end("center"));
        // FHIR per-1: the end is not before the start.
        let last = high.and_then(|high| Point::parse(high.peek("value")?));
        let first = low.or(at);
        let is_reversed =
            first.zip(last).is_some_and(|(low, high)| high.latest_ms() < low.epoch_ms());
        let high = if is_reversed { None } else { end("high") };
        Self { at, low, high, ended_unknown, is_reversed }
    }

    /// The start, or the one moment, as `dateTime`.
    pub(crate) fn start(&self) -> Option<String> {
        self.low.or(self.at).map(|point| point.date_time())
    }

    /// The end as `dateTime`.
    pub(crate) fn end(&self) -> Option<String> {
        self.high.map(|point| point.date_time())
    }

    /// A FHIR `Period`; a moment becomes a period that starts there.
    pub(crate) fn period(&self) -> Option<Value> {
        let mut period = Object::new();
        if let Some(start) = self.start() {
            period.insert("start", start);
        }
        if let Some(end) = self.end() {
            period.insert("end", end);
        }
        (!period.is_empty()).then_some(Value::Object(period))
    }

    /// Writes `name` with `DateTime` or `Period` behind it, whichever says the interval.
    pub(crate) fn write_choice(&self, name: &str, into: &mut Object) {
        if let (Some(at), None, None) = (self.at, self.low, self.high) {
            into.insert(format!("{name}DateTime"), at.date_time());
        } else if let Some(period) = self.period() {
            into.insert(format!("{name}Period"), period);
        }
    }
}

impl Point<'_> {
    /// The latest moment it can mean, roughly: a whole year, month or day later than the earliest.
    fn latest_ms(&self) -> i64 {
        let days = match (self.month, self.day, self.clock) {
            (None, ..) => 366,
            (_, None, _) => 31,
            // A day in any offset that FHIR allows.
            (_, _, None) => 2,
            _ => 0,
        };
        self.epoch_ms() + days * 86_400_000
    }
}

/// Minutes east of UTC from `±ZZzz`, or `±ZZ`; FHIR allows up to 14 hours.
fn parse_offset(zone: &str) -> Option<i16> {
    let (sign, digits) = zone.split_at_checked(1)?;
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i16 = digits.get(..2)?.parse().ok()?;
    let minutes: i16 =
        digits.get(2..).filter(|two| !two.is_empty()).unwrap_or("00").parse().ok()?;
    let total = hours * 60 + minutes;
    if minutes > 59 || total > 14 * 60 {
        return None;
    }
    Some(if sign == "-" { -total } else { total })
}

fn days_in(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that
/// the leap day is the last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests;

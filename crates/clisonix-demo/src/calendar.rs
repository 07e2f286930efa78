//! Days, instants and the three spellings of them that the systems use.

use jiff::civil::{Date, DateTime, date};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60_000;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The zone that all three systems stand in: Arizona, seven hours behind UTC all the year.
const LOCAL: Offset = Offset::constant(-7);
const EPOCH: Date = date(1970, 1, 1);

/// A calendar day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Day {
    /// The day of a year, month (1–12) and day of the month; beyond the years that the calendar
    /// has (−9999 to 9999) its last day.
    pub fn of(year: i64, month: i64, day: i64) -> Self {
        // From the first of January no step meets a day that its month does not have.
        let found = i16::try_from(year).ok().and_then(|year| {
            let span = Span::new().try_months(month - 1).ok()?.try_days(day - 1).ok()?;
            Date::new(year, 1, 1).ok()?.checked_add(span).ok()
        });
        found.unwrap_or(Date::MAX).into()
    }

    /// Year, month and day of the month.
    pub fn civil(self) -> (i64, i64, i64) {
        let date = self.date();
        (date.year().into(), date.month().into(), date.day().into())
    }

    /// `2024-03-05`, a FHIR `date`.
    pub fn fhir(self) -> String {
        self.date().strftime("%Y-%m-%d").to_string()
    }

    /// `20240305`, an HL7 v2 `DT` and a CDA `TS`.
    pub fn compact(self) -> String {
        self.date().strftime("%Y%m%d").to_string()
    }

    /// The instant of an hour and minute of this day in the local zone.
    pub fn at(self, hour: i64, minute: i64) -> Instant {
        let local_ms = self.0 * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS;
        Instant(local_ms - i64::from(LOCAL.seconds()) * 1000)
    }

    fn date(self) -> Date {
        EPOCH.saturating_add(SignedDuration::from_secs(self.0.saturating_mul(DAY_MS / 1000)))
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Self(date.duration_since(EPOCH).as_hours() / 24)
    }
}

impl Instant {
    /// This instant moved by `ms` milliseconds.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0 + ms)
    }

    /// The local calendar day.
    pub fn local_day(self) -> Day {
        self.at(LOCAL).date().into()
    }

    /// `20240305084500-0700`, as HL7 v2 `DTM` and CDA `TS` write it.
    pub fn compact(self) -> String {
        self.at(LOCAL).strftime("%Y%m%d%H%M%S-0700").to_string()
    }

    /// `2024-03-05T15:45:00Z`, a FHIR `dateTime`.
    pub fn fhir_utc(self) -> String {
        self.at(Offset::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// `2024-03-05T08:45:00-07:00`, a FHIR `dateTime` in the local zone.
    pub fn fhir_local(self) -> String {
        self.at(LOCAL).strftime("%Y-%m-%dT%H:%M:%S-07:00").to_string()
    }

    fn at(self, zone: Offset) -> DateTime {
        let beyond = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        zone.to_datetime(Timestamp::from_millisecond(self.0).unwrap_or(beyond))
    }
}

/// When something happened, as precisely as a text says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// A whole day.
    Day(Day),
    /// A point in time.
    Instant(Instant),
}

impl Moment {
    /// Reads a FHIR `date`, `dateTime` or `instant` of at least day precision.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() == 10 {
            return Some(Self::Day(text.parse::<Date>().ok()?.into()));
        }
        // Of the forms that the parser reads FHIR has this one only.
        let timestamp: Timestamp =
            text.get(10..)?.starts_with('T').then(|| text.parse().ok())??;
        Some(Self::Instant(Instant(timestamp.as_millisecond())))
    }

    /// The local calendar day.
    pub fn local_day(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Instant(instant) => instant.local_day(),
        }
    }
}

#[cfg(test)]
mod tests;

//! Days, instants and the three spellings of them that the systems use.
//!
//! Day arithmetic is the proleptic Gregorian calendar in the era form described by Howard
//! Hinnant ("chrono-compatible low-level date algorithms").

/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60_000;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The zone that all three systems stand in: Arizona, seven hours behind UTC all the year.
pub const LOCAL_OFFSET_MIN: i64 = -7 * 60;

/// A calendar day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Day {
    /// The day of a year, month (1–12) and day of the month.
    pub fn of(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * 146_097 + day_of_era - 719_468)
    }

    /// Year, month and day of the month.
    pub fn civil(self) -> (i64, i64, i64) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day)
    }

    /// `2024-03-05`, a FHIR `date`.
    pub fn fhir(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `20240305`, an HL7 v2 `DT` and a CDA `TS`.
    pub fn compact(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}{month:02}{day:02}")
    }

    /// The instant of an hour and minute of this day in the local zone.
    pub fn at(self, hour: i64, minute: i64) -> Instant {
        Instant(self.0 * DAY_MS + (hour * 60 + minute - LOCAL_OFFSET_MIN) * MINUTE_MS)
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
        Day((self.0 + LOCAL_OFFSET_MIN * MINUTE_MS).div_euclid(DAY_MS))
    }

    /// `20240305084500-0700`, as HL7 v2 `DTM` and CDA `TS` write it.
    pub fn compact(self) -> String {
        let local = self.0 + LOCAL_OFFSET_MIN * MINUTE_MS;
        let (hour, minute, second) = clock(local);
        format!("{}{hour:02}{minute:02}{second:02}-0700", self.local_day().compact())
    }

    /// `2024-03-05T15:45:00Z`, a FHIR `dateTime`.
    pub fn fhir_utc(self) -> String {
        let (hour, minute, second) = clock(self.0);
        let day = Day(self.0.div_euclid(DAY_MS));
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", day.fhir())
    }

    /// `2024-03-05T08:45:00-07:00`, a FHIR `dateTime` in the local zone.
    pub fn fhir_local(self) -> String {
        let (hour, minute, second) = clock(self.0 + LOCAL_OFFSET_MIN * MINUTE_MS);
        format!("{}T{hour:02}:{minute:02}:{second:02}-07:00", self.local_day().fhir())
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
        let mut parts = text.get(0..10)?.split('-').map(str::parse::<i64>);
        let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        let date = Day::of(year, month, day);
        let Some(rest) = text.get(10..).and_then(|rest| rest.strip_prefix('T')) else {
            return (text.len() == 10).then_some(Self::Day(date));
        };
        let mut clock = rest.get(0..8).or(rest.get(0..5))?.split(':').map(str::parse::<i64>);
        let hour = clock.next()?.ok()?;
        let minute = clock.next()?.ok()?;
        let second = clock.next().and_then(Result::ok).unwrap_or(0);
        let zone_at = rest.find(['Z', '+', '-'])?;
        let offset_min = zone(rest.get(zone_at..)?)?;
        let ms = ((hour * 60 + minute - offset_min) * 60 + second) * 1000;
        Some(Self::Instant(Instant(date.0 * DAY_MS + ms)))
    }

    /// The local calendar day.
    pub fn local_day(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Instant(instant) => instant.local_day(),
        }
    }
}

fn zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?))
}

fn clock(ms: i64) -> (i64, i64, i64) {
    let seconds = ms.rem_euclid(DAY_MS) / 1000;
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests;

//! Dates and times of HL7 v2 with the precision and offset they were given in.

/// A point in time as far as it was stated (HL7 v2 2.A.22 DTM:
/// `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp<'a> {
    /// Year, 1 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: Option<u8>,
    /// Day, valid in its month.
    pub day: Option<u8>,
    /// Hour, 0 to 23.
    pub hour: Option<u8>,
    /// Minute, 0 to 59.
    pub minute: Option<u8>,
    /// Second, 0 to 59.
    pub second: Option<u8>,
    /// Digits of the fraction of a second as stated.
    pub fraction: &'a str,
    /// Minutes east of UTC.
    pub offset_minutes: Option<i16>,
}

impl<'a> Timestamp<'a> {
    /// Reads a DT, DTM or TS value; `None` if it is none.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (local, offset_minutes) = split_offset(text.trim())?;
        let (digits, fraction) = local.split_once('.').unwrap_or((local, ""));
        let plain = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let cut = local.contains('.') && (digits.len() != 14 || fraction.is_empty());
        if !plain(digits) || !plain(fraction) || fraction.len() > 9 || cut {
            return None;
        }
        if !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14) {
            return None;
        }
        let part = |at: usize, low: u8, high: u8| -> Option<Option<u8>> {
            let Some(two) = digits.get(at..at + 2) else { return Some(None) };
            two.parse().ok().filter(|n| (low..=high).contains(n)).map(Some)
        };
        let year = digits.get(..4)?.parse().ok().filter(|y| *y > 0)?;
        let month = part(4, 1, 12)?;
        let last = month.map_or(31, |m| days_in_month(year, m));
        Some(Self {
            year,
            month,
            day: part(6, 1, last)?,
            hour: part(8, 0, 23)?,
            minute: part(10, 0, 59)?,
            second: part(12, 0, 59)?,
            fraction,
            offset_minutes,
        })
    }

    /// Milliseconds since 1970-01-01T00:00Z, the stated part's first instant; a missing offset is
    /// taken as UTC.
    #[must_use]
    pub fn epoch_ms(&self) -> i64 {
        let days = days_from_civil(
            i64::from(self.year),
            i64::from(self.month.unwrap_or(1)),
            i64::from(self.day.unwrap_or(1)),
        );
        let number = |part: Option<u8>| i64::from(part.unwrap_or(0));
        let seconds = (days * 24 + number(self.hour)) * 3_600
            + number(self.minute) * 60
            + number(self.second);
        let millis = self.fraction.bytes().chain(*b"000").take(3);
        let millis = millis.fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
        (seconds - i64::from(self.offset_minutes.unwrap_or(0)) * 60) * 1_000 + millis
    }
}

fn split_offset(text: &str) -> Option<(&str, Option<i16>)> {
    let Some(at) = text.find(['+', '-']) else { return Some((text, None)) };
    let (local, zone) = (text.get(..at)?, text.get(at + 1..)?);
    if zone.len() != 4 || !zone.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i16 = zone.get(..2)?.parse().ok().filter(|h| *h <= 14)?;
    let minutes: i16 = zone.get(2..)?.parse().ok().filter(|m| *m < 60)?;
    let offset = hours * 60 + minutes;
    Some((local, Some(if text.as_bytes().get(at) == Some(&b'-') { -offset } else { offset })))
}

fn days_in_month(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; years begin in March so that the
/// leap day is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = if month <= 2 { month + 9 } else { month - 3 };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_and_offset_are_kept() {
        let t = Timestamp::parse("20230501102531.25-0430").unwrap();
        assert_eq!((t.fraction, t.offset_minutes), ("25", Some(-270)));
        assert_eq!(t.epoch_ms(), 1_682_952_931_250);
        assert_eq!(Timestamp::parse("1970").unwrap().epoch_ms(), 0);
        assert_eq!(Timestamp::parse("200002291").map(|t| t.year), None);
        assert_eq!(Timestamp::parse("2024").unwrap().month, None);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "99",
            "20231301",
            "20230229",
            "202305011",
            "2023-05-01",
            "20230501+9900",
            "20230501102531.",
            "00000101",
            "2023050124",
            "é",
            "2023+é1",
        ] {
            assert!(Timestamp::parse(text).is_none(), "{text}");
        }
    }
}

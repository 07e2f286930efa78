//! Dates as FHIR writes them: reduced to the year, shifted, compared.

use jiff::Span;
use jiff::civil::Date;

/// From how many years before the release on a date tells an age over 89.
const OLD_YEARS: i16 = 90;

/// How much of a date is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Year,
    Month,
    Day,
}

/// A FHIR `date`, `dateTime` or `instant`, with the text of its time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    first: Date,
    precision: Precision,
    time: &'a str,
}

impl<'a> Moment<'a> {
    /// `None` if the text is no date of FHIR R4 2.24.0.1; the time of day is not looked into.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (date, time) = text.find('T').map_or((text, ""), |at| text.split_at(at));
        let mut parts = date.split('-');
        let year = digits(parts.next()?, 4)?;
        let (month, day) = (parts.next(), parts.next());
        let precision = match (month, day) {
            (None, _) => Precision::Year,
            (Some(_), None) => Precision::Month,
            (Some(_), Some(_)) => Precision::Day,
        };
        let part = |part: Option<&str>| part.map_or(Some(1), |part| digits(part, 2));
        let first = Date::new(year, part(month)? as i8, part(day)? as i8).ok()?;
        let whole = parts.next().is_none() && (time.is_empty() || precision == Precision::Day);
        whole.then_some(Self { first, precision, time })
    }

    /// `2024`.
    pub(crate) fn year(&self) -> String {
        format!("{:04}", self.first.year())
    }

    /// Whether it tells of somebody alive then that they are over 89 at the release.
    pub(crate) fn is_old(&self, release_year: i16) -> bool {
        release_year.saturating_sub(self.first.year()) >= OLD_YEARS
    }

    /// The same moment some days later, as precise as before: of a month or year its middle moves.
    /// `None` beyond the years that there are.
    pub(crate) fn shifted(&self, days: i32) -> Option<String> {
        let middle = match self.precision {
            Precision::Year => Span::new().days(182),
            Precision::Month => Span::new().days(14),
            Precision::Day => Span::new(),
        };
        let moved = self.first.checked_add(middle).ok()?;
        let moved = moved.checked_add(Span::new().try_days(days).ok()?).ok()?;
        if moved.year() < 1 {
            return None;
        }
        let form = match self.precision {
            Precision::Year => "%Y",
            Precision::Month => "%Y-%m",
            Precision::Day => "%Y-%m-%d",
        };
        Some(format!("{}{}", moved.strftime(form), self.time))
    }

    /// The first and the last day that it may mean.
    pub(crate) fn days(&self) -> (Date, Date) {
        let last = match self.precision {
            Precision::Year => self.first.last_of_year(),
            Precision::Month => self.first.last_of_month(),
            Precision::Day => self.first,
        };
        (self.first, last)
    }
}

/// Exactly `len` digits.
fn digits(text: &str, len: usize) -> Option<i16> {
    let all = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shifted(text: &str, days: i32) -> Option<String> {
        Moment::read(text)?.shifted(days)
    }

    #[test]
    fn years_are_told_and_what_is_no_date_is_refused() {
        let year = |text| Moment::read(text).map(|moment| moment.year());
        assert_eq!(year("1974-12-25"), Some("1974".into()));
        assert_eq!(year("1974-12-25T14:35:45-05:00"), Some("1974".into()));
        assert_eq!(year("0974-12"), Some("0974".into()));
        for text in ["", "74", "1974-13", "1974-02-30", "25.12.1974", "1974-12T10:00:00Z", "Smith"]
        {
            assert_eq!(year(text), None, "{text}");
        }
    }

    #[test]
    fn shifting_keeps_precision_time_and_distances() {
        assert_eq!(shifted("2024-02-28", 2), Some("2024-03-01".into()));
        assert_eq!(shifted("2023-02-28T09:00:00Z", 1), Some("2023-03-01T09:00:00Z".into()));
        assert_eq!(shifted("2024-01", -20), Some("2023-12".into()));
        assert_eq!(shifted("2024", 200), Some("2025".into()));
        assert_eq!(shifted("9999-12-31", 1), None);
        assert_eq!(shifted("0001-01-01", -1), None);
    }

    #[test]
    fn an_age_over_89_shows_from_ninety_years_on() {
        let old = |text| Moment::read(text).unwrap().is_old(2026);
        assert!(old("1936-12-31") && old("1900"));
        assert!(!old("1937-01-01") && !old("2027"));
    }
}

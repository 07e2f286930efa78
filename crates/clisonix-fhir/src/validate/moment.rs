//! Order of dates and times that are not equally precise.

/// One second, in microseconds.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// How far a clock without a zone may be from UTC (FHIR R4 2.24.0.1 allows up to `+14:00`).
const ZONE_SLACK: i64 = 14 * 3_600 * SECOND;

/// The time that a FHIR `date`, `dateTime` or `instant` covers, in microseconds since 1970 UTC.
#[derive(Clone, Copy)]
struct Moment {
    first: i64,
    last: i64,
    zoned: bool,
}

/// Whether `earlier` is surely not after `later`, or cannot be told to be: a whole day, month or
/// year counts as any time in it.
pub(super) fn in_order(earlier: &str, later: &str) -> bool {
    let (Some(earlier), Some(later)) = (moment(earlier), moment(later)) else { return true };
    let slack = if earlier.zoned == later.zoned { 0 } else { ZONE_SLACK };
    earlier.first <= later.last.saturating_add(slack)
}

/// `None` for a text that is not of the form, which is another rule's fault.
fn moment(text: &str) -> Option<Moment> {
    let (date, time) = text.split_once('T').map_or((text, None), |(d, t)| (d, Some(t)));
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok().filter(|n| *n < 10_000));
    let year = parts.next()??;
    let (month, day) = match (parts.next(), parts.next()) {
        (None, _) => (None, None),
        (Some(month), None) => (Some(month?), None),
        (Some(month), Some(day)) => (Some(month?), Some(day?)),
    };
    let first = days(year, month.unwrap_or(1), day.unwrap_or(1)) * DAY;
    let next = match (month, day) {
        (None | Some(12), None) => days(year + 1, 1, 1) * DAY,
        (Some(month), None) => days(year, month + 1, 1) * DAY,
        (_, Some(_)) => first + DAY,
    };
    let Some(time) = time else { return Some(Moment { first, last: next - 1, zoned: false }) };
    let (clock, zone) = time.split_at(time.find(['Z', '+', '-'])?);
    let at = first + clock_us(clock)? - zone_us(zone)?;
    Some(Moment { first: at, last: at, zoned: true })
}

/// Days since 1970-01-01 in the Gregorian calendar, by counting leap years from March on.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

fn clock_us(clock: &str) -> Option<i64> {
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':').map(|part| part.parse::<i64>().ok().filter(|n| *n < 100));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    let fraction = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit.wrapping_sub(b'0') % 10));
    Some((hours * 3_600 + minutes * 60 + seconds) * SECOND + fraction)
}

fn zone_us(zone: &str) -> Option<i64> {
    let Some((sign, zone)) = zone.split_at_checked(1).filter(|(sign, _)| *sign != "Z") else {
        return Some(0);
    };
    let (hours, minutes) = zone.split_once(':')?;
    let part = |text: &str| text.parse::<i64>().ok().filter(|n| (0..100).contains(n));
    let offset = (part(hours)? * 3_600 + part(minutes)? * 60) * SECOND;
    Some(if sign == "-" { -offset } else { offset })
}

#[cfg(test)]
mod tests;

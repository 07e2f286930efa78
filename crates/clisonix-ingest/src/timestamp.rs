//! Points in time: HL7 time stamps to FHIR's form, and FHIR's form to instants and days.
//!
//! Sources: HL7 v2.9 2A.3.22 (DTM) and HL7 v3 data types R1 (TS), which share one form; FHIR R4
//! 2.24.0.1 (`date`, `dateTime`, `instant`).

/// An HL7 time stamp as a FHIR `date` or `dateTime` of the same precision.
///
/// A time of day without a zone is read at `zone_minutes` east of UTC, since FHIR asks for a zone;
/// missing minutes and seconds of a time of day become `00`. `None` for anything else.
pub fn fhir_of_hl7(text: &str, zone_minutes: i32) -> Option<String> {
    let text = text.trim();
    let zone_at = text.find(['+', '-', 'Z']).unwrap_or(text.len());
    let (stamp, zone) = text.split_at_checked(zone_at)?;
    let (digits, fraction) = stamp.split_once('.').unwrap_or((stamp, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(digits) || !all_digits(fraction) || (!fraction.is_empty() && digits.len() != 14)
    {
        return None;
    }
    let part = |from: usize| digits.get(from..from + 2);
    let year = digits.get(..4)?;
    let date = match digits.len() {
        4 => year.to_owned(),
        6 => format!("{year}-{}", part(4)?),
        8 | 10 | 12 | 14 => format!("{year}-{}-{}", part(4)?, part(6)?),
        _ => return None,
    };
    if digits.len() <= 8 {
        return is_date(&date).then_some(date);
    }
    let (hour, minute) = (part(8)?, part(10).unwrap_or("00"));
    let second = part(12).unwrap_or("00");
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let zone = zone_of_hl7(zone, zone_minutes)?;
    let full = format!("{date}T{hour}:{minute}:{second}{fraction}{zone}");
    epoch_ms(&full).map(|_| full)
}

/// The offset from UTC that an HL7 time stamp names, in minutes; `None` when it names none.
pub fn offset_minutes_of_hl7(text: &str) -> Option<i32> {
    let text = text.trim();
    let (_, zone) = text.split_at_checked(text.find(['+', '-', 'Z'])?)?;
    i32::try_from(zone_minutes(&zone_of_hl7(zone, 0)?)?).ok()
}

fn zone_of_hl7(zone: &str, zone_minutes: i32) -> Option<String> {
    let zone = zone.trim();
    if zone == "Z" {
        return Some("Z".to_owned());
    }
    if zone.is_empty() {
        return Some(zone_text(zone_minutes));
    }
    let digits: String = zone.get(1..)?.chars().filter(|c| *c != ':').collect();
    let digits = match digits.len() {
        2 => format!("{digits}00"),
        4 => digits,
        _ => return None,
    };
    Some(format!("{}{}:{}", zone.get(..1)?, digits.get(..2)?, digits.get(2..)?))
}

fn zone_text(minutes: i32) -> String {
    if minutes == 0 {
        return "Z".to_owned();
    }
    let (sign, size) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
    format!("{sign}{:02}:{:02}", size / 60, size % 60)
}

/// Whether the text is a FHIR `date`: a year, month or day that exists.
pub fn is_date(text: &str) -> bool {
    matches!(text.len(), 4 | 7 | 10) && date_parts(text).is_some()
}

/// Milliseconds since 1970-01-01T00:00:00Z of a FHIR `dateTime` or `instant` with a time of day.
///
/// `None` when there is no time of day or zone, or the text is neither. A leap second counts as
/// the last millisecond of its minute.
pub fn epoch_ms(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    if date.len() != 10 {
        return None;
    }
    let (year, month, day) = date_parts(date)?;
    let zone_at = time.find(['+', '-', 'Z'])?;
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let in_day = clock_ms(clock)?;
    let zone = zone_minutes(zone)?;
    Some(days_from_epoch(year, month, day) * 86_400_000 + in_day - zone * 60_000)
}

/// The same point in time as every other writing of it: `2020-01-01T10:00Z` for a time of day
/// (UTC, to the minute), the text itself for a date.
pub fn minute(text: &str) -> Option<String> {
    if is_date(text) {
        return Some(text.to_owned());
    }
    let minutes = epoch_ms(text)?.div_euclid(60_000);
    let (year, month, day) = date_of_days(minutes.div_euclid(1440));
    let in_day = minutes.rem_euclid(1440);
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}Z", in_day / 60, in_day % 60))
}

/// The day as the text states it, in the writer's own zone: the first ten characters.
pub fn day(text: &str) -> Option<String> {
    let date = text.split_once('T').map_or(text, |(date, _)| date);
    is_date(date).then(|| date.to_owned())
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn date_parts(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.split('-');
    let year = number(parts.next()?.get(..4)?)?;
    let month = parts.next().map_or(Some(1), number)?;
    let day = parts.next().map_or(Some(1), number)?;
    let exists = parts.next().is_none()
        && year > 0
        && (1..=12).contains(&month)
        && (1..=month_days(year, month)).contains(&day);
    exists.then_some((year, month, day))
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn clock_ms(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let (second, fraction) = match parts.next() {
        Some(seconds) => seconds.split_once('.').unwrap_or((seconds, "")),
        None => ("0", ""),
    };
    let second = number(second)?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let ms = if second == 60 { 59_999 } else { second * 1000 + number(&digits)? };
    Some((hour * 60 + minute) * 60_000 + ms)
}

fn zone_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 14 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that
/// the leap day is the last of its year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, in_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month + 9) % 12;
    let in_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468
}

fn date_of_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, in_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;

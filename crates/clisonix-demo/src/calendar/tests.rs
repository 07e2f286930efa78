//! The three spellings of one instant, and back.

use super::{Day, Instant, Moment};

#[test]
fn days_and_dates_agree_both_ways() {
    for number in -30_000..30_000 {
        let day = Day(number);
        let (year, month, date) = day.civil();
        assert_eq!(Day::of(year, month, date), day);
    }
    assert_eq!(Day(0).fhir(), "1970-01-01");
    assert_eq!(Day::of(2024, 2, 29).fhir(), "2024-02-29");
}

#[test]
fn the_three_systems_write_one_instant() {
    let instant = Day::of(2024, 3, 5).at(20, 45);
    assert_eq!(instant.compact(), "20240305204500-0700");
    assert_eq!(instant.fhir_utc(), "2024-03-06T03:45:00Z");
    assert_eq!(instant.fhir_local(), "2024-03-05T20:45:00-07:00");
    for text in ["2024-03-06T03:45:00Z", "2024-03-05T20:45:00-07:00", "2024-03-06T03:45:00.000Z"] {
        assert_eq!(Moment::read(text), Some(Moment::Instant(instant)), "{text}");
    }
    assert_eq!(Moment::read("2024-03-05"), Some(Moment::Day(instant.local_day())));
}

#[test]
fn what_is_no_date_is_none() {
    for text in ["", "2024", "2024-03", "2024-03-05T10:00:00", "abcdefghij", "2024-03-05T1"] {
        assert_eq!(Moment::read(text), None, "{text}");
    }
    let _ = Instant(i64::from(i32::MIN)).fhir_utc();
}

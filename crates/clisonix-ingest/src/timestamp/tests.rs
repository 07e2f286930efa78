//! Time stamps of many forms, and one instant in many writings.

use proptest::prelude::*;

use super::{day, epoch_ms, fhir_of_hl7, is_date, minute};

#[test]
fn hl7_time_stamps_keep_their_precision() {
    let pairs = [
        ("2020", "2020"),
        ("202002", "2020-02"),
        ("20200229", "2020-02-29"),
        ("2020022913", "2020-02-29T13:00:00Z"),
        ("202002291330+0100", "2020-02-29T13:30:00+01:00"),
        ("20200229133045.1234-0500", "2020-02-29T13:30:45.1234-05:00"),
        ("20210229", ""),
        ("202013", ""),
        ("2020022925", ""),
        ("20200229.5", ""),
        ("yesterday", ""),
        ("", ""),
        ("２０２０", ""),
    ];
    for (hl7, fhir) in pairs {
        assert_eq!(fhir_of_hl7(hl7, 0).unwrap_or_default(), fhir, "{hl7}");
    }
    assert_eq!(fhir_of_hl7("202002291330", -330).unwrap(), "2020-02-29T13:30:00-05:30");
}

#[test]
fn one_instant_has_one_minute() {
    for text in
        ["2020-02-29T23:30:45-05:00", "2020-03-01T04:30:00Z", "2020-03-01T05:30:59.999+01:00"]
    {
        assert_eq!(minute(text).unwrap(), "2020-03-01T04:30Z");
    }
    assert_eq!(minute("2020-03").unwrap(), "2020-03");
    assert_eq!(minute("2020-03-01T05:30:00"), None);
    assert_eq!(day("2020-02-29T23:30:45-05:00").unwrap(), "2020-02-29");
    assert_eq!(epoch_ms("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(epoch_ms("1969-12-31T23:59:59.5Z"), Some(-500));
    assert!(!is_date("2020-00") && !is_date("2020-1-1") && is_date("2020"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,30}") {
        let _ = (fhir_of_hl7(&text, 60), minute(&text), day(&text), epoch_ms(&text));
    }

    #[test]
    fn days_come_back(ms in -60_000_000_000_000i64..200_000_000_000_000) {
        let whole = ms.div_euclid(60_000) * 60_000;
        let days = whole.div_euclid(86_400_000);
        let (y, m, d) = super::date_of_days(days);
        prop_assert_eq!(super::days_from_epoch(y, m, d), days);
    }
}

//! Tests of dates, precision and intervals.

use super::*;
use crate::ccda::source::Source;

fn said(text: &str) -> Option<String> {
    Point::parse(text).map(|point| point.date_time())
}

#[test]
fn precision_is_kept_and_never_invented() {
    for (text, fhir) in [
        ("2015", Some("2015")),
        ("201507", Some("2015-07")),
        ("20150722", Some("2015-07-22")),
        ("20150722230000-0500", Some("2015-07-22T23:00:00-05:00")),
        ("201507222300-0500", Some("2015-07-22T23:00:00-05:00")),
        ("20150722230000.123+0000", Some("2015-07-22T23:00:00.123+00:00")),
        // Without an offset, or without minutes, FHIR has no time of day.
        ("20150722230000", Some("2015-07-22")),
        ("2015072223-0500", Some("2015-07-22")),
        ("20150230", None),
        ("20151301", None),
        ("2015-07-22", None),
        ("0000", None),
        ("20150722230000+9900", None),
        ("", None),
        ("é015", None),
    ] {
        assert_eq!(said(text).as_deref(), fhir, "{text}");
    }
}

#[test]
fn epoch_counts_from_1970() {
    let ms = |text| Point::parse(text).unwrap().epoch_ms();
    assert_eq!(ms("19700101"), 0);
    assert_eq!(ms("20000229120000+0100"), 951_822_000_000);
    assert_eq!(ms("19691231235959.5-0000"), -500);
}

#[test]
fn an_end_before_the_start_is_left_aside() {
    let xml = r#"<t><low value="20200102"/><high value="2018"/></t>"#;
    let source = Source::parse(xml).unwrap();
    let interval = Interval::read(source.root());
    assert!(interval.is_reversed);
    assert_eq!(interval.end(), None);
    assert_eq!(source.kept().len(), 1);
    assert_eq!(source.kept()[0].address, "/t/high/@value");
}

//! Pairs in and out of order.

use super::{days, in_order};

#[test]
fn days_are_counted_from_1970() {
    for (date, expected) in
        [((1970, 1, 1), 0), ((2000, 3, 1), 11_017), ((2024, 2, 29), 19_782), ((1969, 12, 31), -1)]
    {
        assert_eq!(days(date.0, date.1, date.2), expected, "{date:?}");
    }
}

#[test]
fn only_what_is_surely_later_is_out_of_order() {
    for (earlier, later, expected) in [
        ("2020", "2020-01-01", true),
        ("2020-12", "2020", true),
        ("2021", "2020-12-31", false),
        ("2020-02-02", "2020-02-01", false),
        ("2020-02-01T10:00:00Z", "2020-02-01T09:59:59.999Z", false),
        ("2020-02-01T10:00:00+02:00", "2020-02-01T09:00:00Z", true),
        ("2020-02-01T10:00:00-02:00", "2020-02-01T11:00:00Z", false),
        ("2020-02-02T10:00:00+14:00", "2020-02-01", true),
        ("2020-02-03T00:00:00Z", "2020-02-01", false),
        ("no date", "2020", true),
        ("9999-12-31", "9999", true),
    ] {
        assert_eq!(in_order(earlier, later), expected, "{earlier} {later}");
    }
}

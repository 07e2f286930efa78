//! Tests of the functions that tables call.

use super::*;

#[test]
fn times_are_compared_as_far_as_both_are_precise() {
    for (end, start, before) in [
        ("2018", "2020-01-02", true),
        ("2020", "2020-01-02", false),
        ("2020-01-01", "2020-01-02T00:00:00Z", true),
        ("2020-01-02", "2020-01-02T23:00:00Z", false),
        ("2020-01-02T10:00:00+02:00", "2020-01-02T09:00:00Z", true),
    ] {
        assert_eq!(is_before(end, start), before, "{end} {start}");
    }
}

#[test]
fn words_are_the_elements_own_or_those_it_points_to() {
    let xml = r##"<a><td ID="r1">one <b>two</b></td><x>own<reference value="#r1"/></x>
        <y><reference value="#r1"/></y><z><reference value="#none"/></z></a>"##;
    let source = Source::parse(xml).unwrap();
    let view = View::new(&source, 0);
    let words = |name: &str| view.words(source.root().child(name).unwrap());
    let (own, places) = words("x").unwrap();
    assert_eq!((own.as_str(), places.len()), ("own", 2));
    assert_eq!(words("y").unwrap().0, "one two");
    assert_eq!(words("z"), None);
}

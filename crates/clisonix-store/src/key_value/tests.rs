//! Spans and table numbers.

use std::ops::Bound;

use super::{Span, Table};

#[test]
fn a_tables_number_leads_back_to_it() {
    for table in Table::ALL {
        assert_eq!(Table::numbered(table.number()), Some(table));
    }
    assert_eq!(Table::numbered(10), None);
}

#[test]
fn a_prefix_ends_at_the_next_sibling() {
    let cases: [(&[u8], Bound<Vec<u8>>); 4] = [
        (b"ab", Bound::Excluded(b"ac".to_vec())),
        (&[1, 0xff], Bound::Excluded(vec![2])),
        (&[0xff, 0xff], Bound::Unbounded),
        (b"", Bound::Unbounded),
    ];
    for (prefix, end) in cases {
        assert_eq!(Span::prefix(prefix).end, end, "{prefix:?}");
    }
}

#[test]
fn an_inverted_span_is_empty() {
    assert!(Span::from(b"b").before(b"a").is_empty());
    assert!(Span::from(b"a").before(b"a").is_empty());
    assert!(Span::all().after(b"a").before(b"a").is_empty());
    assert!(!Span::from(b"a").before(b"b").is_empty());
}

//! Tests of encodings.

use super::*;

#[test]
fn the_declaration_decides() {
    let latin = b"<?xml version=\"1.0\" encoding='ISO-8859-1'?><a>\xE9</a>";
    let (text, warning) = decode(latin).unwrap();
    assert!(text.contains('\u{e9}') && warning.is_none());
    let wrong = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>\xE9</a>";
    let (text, warning) = decode(wrong).unwrap();
    assert!(text.contains('\u{e9}') && warning.is_some());
    assert!(decode(b"<?xml version=\"1.0\" encoding=\"klingon\"?><a/>").is_err());
    let marked = decode(b"\xEF\xBB\xBF<a/>").unwrap().0;
    assert_eq!(marked, "<a/>");
}

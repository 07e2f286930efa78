//! Small messages with one peculiarity each.

use super::*;

fn kinds(message: &Message<'_>) -> Vec<ReportKind> {
    message.reports().iter().map(|r| r.kind).collect()
}

fn at(message: &Message<'_>, address: &str) -> Option<String> {
    message.text_at(address).unwrap().map(Cow::into_owned)
}

#[test]
fn addresses_reach_every_level() {
    let m =
        Message::parse(b"MSH|^~\\&|A\rPID|1||1^^^X&1.2&ISO^MR~2^^^Y\rOBX|1\rOBX|2||c\r").unwrap();
    assert_eq!(at(&m, "PID-3.4.2").as_deref(), Some("1.2"));
    assert_eq!(at(&m, "PID-3[2].4").as_deref(), Some("Y"));
    assert_eq!(at(&m, "OBX[2]-3").as_deref(), Some("c"));
    assert_eq!(at(&m, "MSH-1").as_deref(), Some("|"));
    assert_eq!(at(&m, "MSH-2").as_deref(), Some("^~\\&"));
    assert_eq!(at(&m, "PID-4"), None);
    assert!(m.reports().is_empty());
    let leaf = m.at(&"PID-3[2].4".parse().unwrap()).unwrap();
    assert_eq!(m.address(leaf).to_string(), "PID-3[2].4");
}

#[test]
fn line_ends_are_decided_for_each_message() {
    let m = Message::parse(b"MSH|^~\\&|A\rOBX|1|TX|||one\ntwo\nEND|x\r").unwrap();
    assert_eq!(at(&m, "OBX-5").as_deref(), Some("one\ntwo\nEND"));
    assert!(m.reports().is_empty());
    for end in ["\r", "\n", "\r\n"] {
        let text = format!("MSH|^~\\&|A{end}PID|1{end}{end}PV1|1{end}");
        let m = Message::parse(text.as_bytes()).unwrap();
        assert_eq!((m.segments().len(), m.reports().len()), (3, 0));
    }
    let m = Message::parse(b"MSH|^~\\&|A\nPID|1\rORC|RE\r").unwrap();
    assert_eq!(m.segments().len(), 3);
    assert_eq!(kinds(&m), [ReportKind::LineEndsMixed]);
}

#[test]
fn a_line_without_a_name_joins_the_field_before() {
    let m = Message::parse(b"MSH|^~\\&|A\nOBR|1|a^b\npanel^c||x\nOBX|1\n").unwrap();
    assert_eq!(at(&m, "OBR-2.2").as_deref(), Some("b\npanel"));
    assert_eq!(at(&m, "OBR-2.3").as_deref(), Some("c"));
    assert_eq!(at(&m, "OBR-4").as_deref(), Some("x"));
    assert!(m.is_repaired() && m.segments().len() == 3);
}

#[test]
fn delimiters_are_read_and_repaired() {
    let m = Message::parse(b"MSH*:+%$*A\rPID*1**a:b$c+d\r").unwrap();
    assert_eq!(at(&m, "PID-3[1].2.2").as_deref(), Some("c"));
    let m = Message::parse(b"MSH||A\rPID|a^b\r").unwrap();
    assert_eq!(at(&m, "PID-1.2").as_deref(), Some("b"));
    assert!(kinds(&m).contains(&ReportKind::DelimiterDefaulted));
    let m = Message::parse(b"MSH|^~\\&#|A\r").unwrap();
    assert_eq!((m.delimiters().truncation, m.reports().len()), (Some(b'#'), 0));
    let m = Message::parse(b"MSH|^~\\\\&|A\\\\T\\\\B\rPID|a&b\r").unwrap();
    assert_eq!(at(&m, "MSH-3").as_deref(), Some("A&B"));
    assert_eq!(at(&m, "PID-1.1.2").as_deref(), Some("b"));
    let m = Message::parse(b"MSH|^~&|A\rPID|a&b\r").unwrap();
    assert_eq!(at(&m, "PID-1.1.2").as_deref(), Some("b"));
}

#[test]
fn what_is_no_message_is_refused() {
    let error = |bytes: &[u8]| Message::parse(bytes).unwrap_err();
    assert_eq!(error(b""), ParseError::NoHeader { offset: 0 });
    assert_eq!(error(b"\r\nAAA|^~\\&"), ParseError::NoHeader { offset: 2 });
    assert_eq!(error(b"MSHx"), ParseError::FieldSeparator { offset: 3 });
    assert_eq!(error(b"MSH|^a\\&|"), ParseError::EncodingCharacter { offset: 5 });
    assert_eq!(error(b"M\0S\0H\0|\0"), ParseError::WideCharacters);
    assert!(matches!(
        error(&[b"MSH|^~\\&|A\rPID|".as_slice(), &b"|".repeat(70_000)].concat()),
        ParseError::PositionTooHigh { .. }
    ));
    assert!(matches!(
        error(&[b"MSH|^~\\&|A\r".as_slice(), &b"NTE|\r".repeat(70_000)].concat()),
        ParseError::TooManySegments { .. }
    ));
}

#[test]
fn character_sets_are_strict_when_declared() {
    let with = |set: &str, value: &[u8]| {
        [
            format!("MSH|^~\\&|||||||||||||||| {set}\rPID|1||").replace("| ", "|").as_bytes(),
            value,
            b"\r",
        ]
        .concat()
    };
    let latin = with("8859/1", b"M\xFCller");
    assert_eq!(at(&Message::parse(&latin).unwrap(), "PID-3").as_deref(), Some("Müller"));
    let bad = with("UNICODE UTF-8", b"M\xFCller");
    let error = Message::parse(&bad).unwrap_err();
    assert!(
        matches!(error, ParseError::Characters { field: 3, segment, .. } if segment.as_str() == "PID")
    );
    let ascii = with("ASCII", "Müller".as_bytes());
    assert!(matches!(Message::parse(&ascii), Err(ParseError::Characters { field: 3, .. })));
    let none = with("", b"M\xFCller");
    let m = Message::parse(&none).unwrap();
    assert_eq!(at(&m, "PID-3").as_deref(), Some("Müller"));
    assert_eq!(kinds(&m), [ReportKind::CharsetGuessed]);
    let odd = with("KLINGON", b"x");
    assert_eq!(kinds(&Message::parse(&odd).unwrap()), [ReportKind::CharsetUnknown]);
    let options = Options { charset: Some(Charset::Utf8) };
    assert!(Message::parse_with(&with("ASCII", "Müller".as_bytes()), options).is_ok());
}

#[test]
fn bytes_that_look_like_delimiters_within_wide_characters() {
    // 0x815C is one character in GB 18030 whose second byte is the backslash, 0x817C the bar.
    let bytes = b"MSH|^~\\&||||||||||||||||GB 18030-2000\rPID|1||\x81\x5C\x81\x7C|x\r";
    let m = Message::parse(bytes).unwrap();
    assert_eq!(at(&m, "PID-3").unwrap().chars().count(), 2);
    assert_eq!(at(&m, "PID-4").as_deref(), Some("x"));
}

#[test]
fn broken_off_messages_are_seen() {
    for text in ["MSH|^~\\&|A|B", "MSH|^~\\&|A\rOBX|1|\\.b", "MSH|^~\\&|A\rPID|1\rOB", "MSH|"] {
        assert!(Message::parse(text.as_bytes()).unwrap().is_truncated(), "{text}");
    }
    let m = Message::parse(b"MSH|^~\\&|A\rPID|1|x").unwrap();
    assert_eq!(kinds(&m), [ReportKind::Unterminated]);
}

#[test]
fn local_names_and_lower_case() {
    let m = Message::parse(b"MSH|^~\\&|A\nZPD|1\nZABC|2\npid|3\nend|4\n").unwrap();
    let names: Vec<String> = m.segments().iter().map(|s| s.name.to_string()).collect();
    assert_eq!(names, ["MSH", "ZPD", "ZABC", "PID"]);
    assert_eq!(at(&m, "PID-2").as_deref(), Some("4"));
}

#[test]
fn delete_is_not_empty() {
    let m = Message::parse(b"MSH|^~\\&|A\rPID|1|\"\"||x\r").unwrap();
    assert!(m.is_delete(m.at(&"PID-2".parse().unwrap()).unwrap()));
    assert!(!m.is_delete(m.at(&"PID-4".parse().unwrap()).unwrap()));
    assert!(m.at(&"PID-3".parse().unwrap()).is_none());
}

#[test]
fn texts_that_are_no_address() {
    for text in [
        "",
        "PID",
        "PID-",
        "PID-0",
        "PID-3.",
        "PID-3.1.1.1",
        "PID[]-3",
        "PID-3[0]",
        "P-3",
        "PID-+3",
    ] {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
}

//! Answers to good, odd and unreadable messages.

use super::*;
use crate::Message;

fn answer(errors: &[AckError]) -> Answer<'_> {
    let code = if errors.is_empty() { AckCode::Accept } else { AckCode::Error };
    Answer { code, control_id: "R1", time: "20260102030405+0000", errors }
}

#[test]
fn places_are_swapped_and_the_id_comes_back() {
    let ack = acknowledge(
        b"MSH|^~\\&|LAB|NORTH|EHR|MAIN|2026||ORU^R01^ORU_R01|M\x1C\x0B42|T|2.4\rPID|1\r",
        &answer(&[]),
    );
    let text = String::from_utf8(ack).unwrap();
    assert_eq!(
        text,
        "MSH|^~\\&|EHR|MAIN|LAB|NORTH|20260102030405+0000||ACK^R01^ACK|R1|T|2.4\rMSA|AA|M42\r"
    );
}

#[test]
fn own_delimiters_are_answered_in_kind() {
    let ack = acknowledge(b"MSH*:+%$*A:1*B***2026**ADT:A01*7*P*2.3\r", &answer(&[]));
    let ack = Message::parse(&ack).unwrap();
    assert_eq!(ack.text_at("MSH-5").unwrap().as_deref(), Some("A"));
    assert_eq!(ack.text_at("MSH-5.2").unwrap().as_deref(), Some("1"));
    assert_eq!(ack.text_at("MSA-2").unwrap().as_deref(), Some("7"));
}

#[test]
fn errors_say_where() {
    let errors = [AckError {
        at: "PID-3[2].4.1".parse().ok(),
        code: "101",
        severity: 'E',
        text: "required | field missing".into(),
    }];
    let bytes = acknowledge(b"MSH|^~\\&|A|B|||1||ADT^A01|9|P|2.5\r", &answer(&errors));
    let ack = Message::parse(&bytes).unwrap();
    assert_eq!(ack.text_at("MSA-1").unwrap().as_deref(), Some("AE"));
    assert_eq!(ack.text_at("ERR-2.4").unwrap().as_deref(), Some("2"));
    assert_eq!(ack.text_at("ERR-3").unwrap().as_deref(), Some("101"));
    assert_eq!(ack.text_at("ERR-8").unwrap().as_deref(), Some("required | field missing"));
}

#[test]
fn garbage_is_answered_too() {
    for bytes in [&b""[..], b"MSH", b"MSH|", b"\xFF\xFE", b"AAA|^~\\&", b"MSHABC"] {
        let ack = acknowledge(bytes, &answer(&[]));
        assert!(Message::parse(&ack).is_ok());
    }
    assert!(is_acknowledgement(b"MSH|^~\\&|A|B|||1||ACK^A01|9|P|2.5\r"));
    assert!(!is_acknowledgement(b"MSH|^~\\&|A|B|||1||ADT^A01|9|P|2.5\r"));
}

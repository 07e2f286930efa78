//! Bytes from outside: batches, saved records, messages of a link.

use std::sync::OnceLock;

use clisonix_crdt::{Link, Record};
use flate2::Crc;

use super::bytes::Bytes;
use super::sample::{self, NAME};

/// Number of ways in which [`run`] reads its bytes.
const MODES: usize = 6;

/// The first byte says as what the rest is read.
pub(crate) fn run(data: &[u8]) {
    let mut data = Bytes::new(data);
    match data.below(MODES) {
        0 => batch(data.rest()),
        1 => {
            let flags = data.byte();
            let mut bytes = b"CXB".to_vec();
            bytes.extend([3 + (flags >> 7), flags & 0x7f]);
            bytes.push(NAME.len() as u8);
            bytes.extend_from_slice(NAME.as_bytes());
            bytes.extend_from_slice(data.rest());
            batch(&bytes);
        }
        2 => saved(data.rest()),
        3 => saved(&forged(data.rest())),
        4 => saved(&assembled(&mut data)),
        _ => link(&mut data),
    }
}

fn replica() -> Record {
    static SAMPLE: OnceLock<Vec<u8>> = OnceLock::new();
    Record::load(SAMPLE.get_or_init(|| sample::site().record.save())).expect("the sample is read")
}

fn batch(bytes: &[u8]) {
    for mut record in [Record::new(NAME), replica()] {
        let before = record.state_bytes();
        match record.receive(bytes) {
            Ok(received) => {
                assert_eq!(received.waiting, record.waiting_count());
                if received.applied == 0 {
                    assert_eq!(record.state_bytes(), before);
                }
                let after = record.state_bytes();
                let again = record.receive(bytes).expect("what was read once is read again");
                assert_eq!(again.applied, 0);
                assert_eq!(record.state_bytes(), after);
                sample::check(&record);
            }
            Err(_) => assert_eq!(record.state_bytes(), before),
        }
    }
}

/// Whoever can forge a file can make it say anything; but nothing may panic.
fn saved(bytes: &[u8]) {
    let Ok(mut record) = Record::load(bytes) else { return };
    let _ = record.view().bundle_text();
    let _ = record.view().conflicts();
    let _ = record.history(None);
    let _ = record.is_sound();
    let heads = record.view().heads();
    let _ = record.at(&heads);
    let _ = record.receive(&replica().changes_since(&[]));
    let _ = record.changes_since(&heads);
    let _ = record.view().bundle_text();
    let _ = Record::load(&record.save());
}

/// A saved record's head and checksum before `body`.
fn forged(body: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(body);
    let mut bytes = b"CXR\x04".to_vec();
    bytes.extend_from_slice(&crc.sum().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A saved record of a count of changes, the length of its state, the state and the log; unpacked.
fn assembled(data: &mut Bytes<'_>) -> Vec<u8> {
    let count = data.byte();
    let len = usize::from(data.u16());
    let (state, log) = (data.take(len), data.rest());
    let mut body = Vec::new();
    number(state.len(), &mut body);
    packed(state, &mut body);
    number(usize::from(count), &mut body);
    number(log.len(), &mut body);
    packed(log, &mut body);
    number(0, &mut body);
    forged(&body)
}

/// RFC 1951 3.2.4: one block that is stored as it is.
fn packed(bytes: &[u8], out: &mut Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
    let len = bytes.len() as u16;
    number(bytes.len() + 5, out);
    out.push(1);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&(!len).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn number(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Messages one after another, each after its length in two bytes.
fn link(data: &mut Bytes<'_>) {
    let (mut link, mut record, mut broken) = (Link::new(), Record::new(NAME), false);
    while !data.is_empty() {
        let len = usize::from(data.u16());
        let message = link.read(data.take(len));
        assert!(!broken || message.is_err(), "a broken link stays broken");
        broken = message.is_err();
        let before = record.state_bytes();
        if let Ok(message) = message
            && record.receive_message(message).is_err()
        {
            assert_eq!(record.state_bytes(), before);
        }
    }
    sample::check(&record);
}

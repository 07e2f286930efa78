//! What holds for any bytes.

use clisonix_hl7v2::{Message, escape, split};
use proptest::prelude::*;

/// Bytes that look like a message more often than chance would have it.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"|".to_vec()),
        Just(b"^".to_vec()),
        Just(b"~".to_vec()),
        Just(b"&".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\rPID|".to_vec()),
        Just(b"\nOBX|".to_vec()),
        Just(b"\rZZ9|".to_vec()),
        Just(b"\rMSH|^~\\&".to_vec()),
        Just(b"\\T\\".to_vec()),
        Just(b"\\.sp3\\".to_vec()),
        Just(b" ".to_vec()),
        Just(b"text".to_vec()),
        Just("é".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..3),
    ];
    let head = prop_oneof![
        4 => Just(b"MSH|^~\\&|A|B".to_vec()), 1 => Just(b"MSH*:+%$*".to_vec()),
        1 => Just(b"MSH||".to_vec()), 1 => Just(b"\xEF\xBB\xBF\rMSH|^~\\\\&|".to_vec()),
        1 => Just(b"".to_vec()),
    ];
    (head, prop::collection::vec(piece, 0..80))
        .prop_map(|(head, pieces)| [head, pieces.concat()].concat())
}

/// Checks that leaves are sorted and disjoint, and that nothing but delimiters, names and line
/// ends lies between them.
fn assert_covered(message: &Message<'_>) {
    let d = message.delimiters();
    let bytes = message.bytes();
    let is_mark = |b: u8| {
        b == d.field || b == d.component || Some(b) == d.repetition || Some(b) == d.subcomponent
    };
    let mut covered = vec![false; bytes.len()];
    for segment in message.segments() {
        let name = segment.bytes.start..segment.bytes.start + segment.name.as_str().len();
        assert!(bytes[name.clone()].eq_ignore_ascii_case(segment.name.as_str().as_bytes()));
        covered[name].fill(true);
    }
    for pair in message.leaves().windows(2) {
        assert!(pair[0] < pair[1] && pair[0].end <= pair[1].start);
    }
    for leaf in message.leaves() {
        for seen in &mut covered[leaf.range()] {
            assert!(!*seen);
            *seen = true;
        }
    }
    let start = message.segments()[0].bytes.start;
    for (offset, byte) in bytes.iter().enumerate().skip(start).filter(|(i, _)| !covered[*i]) {
        let filler = matches!(byte, b'\r' | b'\n' | b' ' | b'\t' | 0 | 0x1C);
        assert!(is_mark(*byte) || filler, "byte {offset} is lost");
    }
}

/// Writes the message anew from its leaves alone, with carriage returns.
fn rebuild(message: &Message<'_>) -> Vec<u8> {
    let d = message.delimiters();
    let mut out = Vec::new();
    for (index, segment) in message.segments().iter().enumerate() {
        out.extend_from_slice(segment.name.as_str().as_bytes());
        let mut at = (u16::from(segment.name.is_header()), 1, 1, 1);
        for leaf in message.segment_leaves(index) {
            if leaf.field == 1 && segment.name.is_header() {
                out.extend_from_slice(message.raw(leaf));
                continue;
            }
            if leaf.field == 2 && segment.name.is_header() {
                at.0 = 2;
            }
            let to = (leaf.field, leaf.repetition, leaf.component, leaf.subcomponent);
            let steps = [
                (to.0 - at.0, Some(d.field)),
                (to.1 - if to.0 == at.0 { at.1 } else { 1 }, d.repetition),
                (to.2 - if (to.0, to.1) == (at.0, at.1) { at.2 } else { 1 }, Some(d.component)),
                (
                    to.3 - if (to.0, to.1, to.2) == (at.0, at.1, at.2) { at.3 } else { 1 },
                    d.subcomponent,
                ),
            ];
            for (count, mark) in steps {
                out.extend(std::iter::repeat_n(mark.unwrap_or_default(), usize::from(count)));
            }
            out.extend_from_slice(message.raw(leaf));
            at = to;
        }
        out.push(b'\r');
    }
    out
}

fn values(message: &Message<'_>) -> Vec<(String, Vec<u8>)> {
    let leaves = message.leaves().iter();
    leaves.map(|l| (message.address(l).to_string(), message.raw(l).to_vec())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes_are_read_without_panic_and_without_loss(bytes in messages()) {
        let _ = split(&bytes);
        if let Ok(message) = Message::parse(&bytes) {
            assert_covered(&message);
            for leaf in message.leaves() {
                let found = message.at(&message.address(leaf)).copied();
                prop_assert_eq!(found, Some(*leaf));
                let _ = message.text(leaf);
            }
        }
    }

    #[test]
    fn splitting_loses_no_byte(bytes in messages()) {
        let batch = split(&bytes);
        let mut covered = vec![false; bytes.len()];
        let envelopes = batch.envelopes.iter().map(|(_, range)| range);
        for range in batch.messages.iter().chain(envelopes).chain(&batch.stray) {
            covered[range.clone()].fill(true);
        }
        for (byte, covered) in bytes.iter().zip(covered) {
            prop_assert!(covered || matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0 | 0x0B | 0x1C | 0xEF | 0xBB | 0xBF));
        }
    }

    #[test]
    fn a_message_written_anew_has_the_same_values(
        fields in prop::collection::vec("[a-z0-9|^~&]{0,12}", 0..20)
    ) {
        let text = format!("MSH|^~\\&|A\rPID|{}\rOBX|1|{}\r", fields.join("|"), fields.join("^"));
        let message = Message::parse(text.as_bytes()).unwrap();
        let anew = rebuild(&message);
        let again = Message::parse(&anew).unwrap();
        prop_assert_eq!(values(&message), values(&again));
    }

    #[test]
    fn text_comes_back_from_its_escaped_form(text in "[ -~é\n\t\u{7}]{0,40}") {
        let head = b"MSH|^~\\&#|A\rOBX|1|TX|||x";
        let header = Message::parse(head).unwrap();
        let value = escape::encode(&text, header.delimiters());
        let message = format!("MSH|^~\\&#|A\rOBX|1|TX|||{value}\r");
        let message = Message::parse(message.as_bytes()).unwrap();
        let found = message.text_at("OBX-5").unwrap().unwrap_or_default();
        prop_assert_eq!(found.as_ref(), text.as_str());
    }
}

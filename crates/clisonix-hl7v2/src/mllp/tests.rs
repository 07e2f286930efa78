//! Frames split, merged, damaged and too long.

use super::*;
use proptest::prelude::*;

fn decode(pieces: &[&[u8]], limit: usize) -> Vec<Event> {
    let mut decoder = Decoder::new(limit);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece, |e| events.push(e));
    }
    decoder.close(|e| events.push(e));
    events
}

fn message(text: &str) -> Event {
    Event::Message(text.as_bytes().to_vec())
}

#[test]
fn several_frames_in_one_read() {
    let events = decode(&[b"\x0BMSH|a\x1C\r\x0BMSH|b\x1C\r\r\n\x0BMSH|c\x1C\x0D"], 100);
    assert_eq!(events, [message("MSH|a"), message("MSH|b"), message("MSH|c")]);
}

#[test]
fn damaged_frames() {
    let cases: [(&[u8], Vec<Event>); 8] = [
        (b"\x0B\x0BMSH|a\x1C\r", vec![message("MSH|a")]),
        (b"\x0BMSH|a\x1C\x0BMSH|b\x1C\r", vec![message("MSH|a"), message("MSH|b")]),
        (b"\x0BMSH|a\x1C", vec![message("MSH|a")]),
        (b"\x0BMSH|a\r\x0BMSH|b\x1C\r", vec![Event::Broken(b"MSH|a\r".to_vec()), message("MSH|b")]),
        (b"\x0BMSH|a", vec![Event::Broken(b"MSH|a".to_vec())]),
        (b"\x0BMSH|a\x1Cb\x1C\r", vec![Event::Message(b"MSH|a\x1Cb".to_vec())]),
        (b"\x0BMSH|\x0Ba\x1C\r", vec![Event::Message(b"MSH|\x0Ba".to_vec())]),
        (
            b"GET / HTTP/1.1\r\n\x0BMSH|a\x1C\r",
            vec![
                Event::Noise { head: b"GET / HTTP/1.1\r\n".to_vec(), length: 16, foreign: true },
                message("MSH|a"),
            ],
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode(&[bytes], 100), expected);
    }
}

#[test]
fn a_lone_end_block_settles() {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.push(b"\x0BMSH|a\x1C", |e| events.push(e));
    assert!(events.is_empty() && decoder.is_ending());
    decoder.settle(|e| events.push(e));
    decoder.push(b"\r\x0BMSH|b\x1C\r", |e| events.push(e));
    assert_eq!(events, [message("MSH|a"), message("MSH|b")]);
}

#[test]
fn beyond_the_limit_only_the_head_is_kept() {
    let mut frame = vec![START_BLOCK];
    frame.extend(std::iter::repeat_n(b'x', 20_000));
    frame.extend([END_BLOCK, CARRIAGE_RETURN]);
    frame.extend(encode(b"MSH|next"));
    let events = decode(&[&frame], 10_000);
    assert!(matches!(&events[0], Event::TooLong(head) if head.len() == HEAD_BYTES));
    assert_eq!(events[1], message("MSH|next"));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        bytes in prop::collection::vec(prop_oneof![
            Just(START_BLOCK), Just(END_BLOCK), Just(CARRIAGE_RETURN), Just(b'M'), Just(b'S'),
            Just(b'H'), any::<u8>()
        ], 0..200),
        cuts in prop::collection::vec(0usize..200, 0..10),
    ) {
        let whole = decode(&[&bytes], 60);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        prop_assert_eq!(decode(&pieces, 60), whole);
    }

    #[test]
    fn frames_come_back(messages in prop::collection::vec("MSH[ -~\r]{0,40}", 0..8)) {
        let stream: Vec<u8> = messages.iter().flat_map(|m| encode(m.as_bytes())).collect();
        let expected: Vec<Event> = messages.iter().map(|m| message(m)).collect();
        prop_assert_eq!(decode(&[&stream], 1_000), expected);
    }
}

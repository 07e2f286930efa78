//! Stored texts, edits and messages of text cells.

use clisonix_crdt::ActorId;
use clisonix_crdt::text::{EventId, EventRun, Text, TextEdits, TextError, TextVersion};

use super::bytes::Bytes;

/// Number of ways in which [`run`] reads its bytes.
const MODES: usize = 6;
/// Steps of one history.
const MAX_ACTS: usize = 60;
const CONTENTS: [&str; 6] = ["a", "bc", "ä", "😀x", "long enough to be one run", "\n"];

/// The first byte says as what the rest is read.
pub(crate) fn run(data: &[u8]) {
    let mut data = Bytes::new(data);
    match data.below(MODES) {
        0 => stored(data.rest()),
        1 => stored(&[b"CLXT\x01", data.rest()].concat()),
        2 => edits(&mut data),
        3 => message(data.rest()),
        4 => message(&[b"\x01", data.rest()].concat()),
        _ => history(&mut data),
    }
}

fn agent(number: usize) -> ActorId {
    ActorId([number as u8 + 1; 16])
}

/// Two agents wrote at the same time.
pub(crate) fn sample() -> Text {
    let mut text = Text::new();
    text.insert(agent(0), 0, "Penicillin: no").expect("there is room");
    let mut other = text.clone();
    text.delete(agent(0), 12, 2).expect("it is there");
    text.insert(agent(0), 12, "yes ä").expect("there is room");
    other.insert(agent(1), 0, "😀 ").expect("there is room");
    other.delete(agent(1), 4, 3).expect("it is there");
    text.receive(&other.events_since(&text.version())).expect("an honest message is read");
    text
}

fn stored(bytes: &[u8]) {
    let Ok(text) = Text::decode(bytes) else { return };
    let _ = text.authors(0..text.len());
    let _ = text.at(&text.version());
    let sound = text.verify().is_ok();
    let again = Text::decode(&text.encode()).expect("what was written is read");
    assert_eq!(again.to_string(), text.to_string());
    assert_eq!(again.version(), text.version());
    assert_eq!(again.verify().is_ok(), sound);
    let mut text = text;
    let _ = text.insert(agent(8), text.len(), "end");
    let _ = text.delete(agent(8), 0, 1);
    let _ = text.receive(&sample().events_since(&TextVersion::default()));
    if sound {
        text.verify().expect("a sound text stays sound");
    }
}

fn edits(data: &mut Bytes<'_>) {
    let mut text = sample();
    let parents: Vec<EventId> = match data.below(3) {
        0 => text.version().heads().to_vec(),
        1 => vec![EventId { agent: agent(data.below(3)), seq: u32::from(data.byte()) % 24 }],
        _ => Vec::new(),
    };
    let Ok(edits) = TextEdits::decode(data.rest()) else { return };
    let again = TextEdits::decode(&edits.encode()).expect("what was written is read");
    assert_eq!(again.len(), edits.len());
    unchanged_or_sound(&mut text, |text| text.apply(agent(2), &parents, &edits).is_ok());
}

fn message(bytes: &[u8]) {
    for mut text in [Text::new(), sample()] {
        let done = unchanged_or_sound(&mut text, |text| text.receive(bytes).is_ok());
        if done {
            let (before, version) = (text.to_string(), text.version());
            let again = text.receive(bytes).expect("what was read once is read again");
            assert_eq!(again.applied, 0);
            assert_eq!((text.to_string(), text.version()), (before, version));
        }
    }
}

/// Runs what may be refused; then the text is as it was. In any case it is sound and can be stored.
fn unchanged_or_sound(text: &mut Text, run: impl FnOnce(&mut Text) -> bool) -> bool {
    let before = (text.to_string(), text.version(), text.events(), text.waiting());
    let done = run(text);
    if !done {
        let after = (text.to_string(), text.version(), text.events(), text.waiting());
        assert!(after == before, "a refused message changed the text");
    }
    text.verify().expect("the text is what its log leads to");
    let stored = Text::decode(&text.encode()).expect("what was written is read");
    assert_eq!(stored.to_string(), text.to_string());
    assert_eq!(stored.version(), text.version());
    // What was found to be false while it waited is not kept.
    assert!(stored.waiting() <= text.waiting());
    done
}

/// Some edits at once, which come to the same as edits that have seen the text's version.
fn edit(
    text: &mut Text,
    at: usize,
    place: usize,
    data: &mut Bytes<'_>,
) -> Result<EventRun, TextError> {
    let (mut edits, mut len) = (TextEdits::new(), text.len());
    for _ in 0..=data.below(3) {
        let place = place.min(len);
        let (count, content) = ((data.below(4)).min(len - place), data.one_of(&CONTENTS));
        edits.delete(place, count).expect("there is room");
        edits.insert(place, content).expect("there is room");
        len = len - count + content.chars().count();
    }
    assert_eq!(edits.length_after(text.len()), Some(len));
    let mut other = text.clone();
    let seen = other.version();
    other.apply(agent(at), seen.heads(), &edits).expect("the place is there");
    let run = text.edit(agent(at), &edits);
    assert!(text.to_string() == other.to_string() && text.encode() == other.encode());
    run
}

/// Three replicas write, and send in any order, twice, damaged.
fn history(data: &mut Bytes<'_>) {
    let mut texts = vec![Text::new(); 3];
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for _ in 0..MAX_ACTS {
        if data.is_empty() {
            break;
        }
        let (act, at) = (data.below(8), data.below(3));
        let text = &mut texts[at];
        let place = usize::from(data.byte());
        let run = match act {
            0 | 1 => text.insert(agent(at), place.min(text.len()), data.one_of(&CONTENTS)),
            2 | 3 => {
                let place = place.min(text.len());
                let count = (1 + data.below(5)).min(text.len() - place);
                text.delete(agent(at), place, count)
            }
            4 => {
                if let Some(bytes) = sent.get(place % sent.len().max(1)) {
                    text.receive(bytes).expect("an honest message is read");
                }
                continue;
            }
            5 => {
                let mut bytes = texts[data.below(3)].events_since(&TextVersion::default());
                let index = usize::from(data.u16()) % bytes.len();
                bytes[index] ^= place as u8;
                unchanged_or_sound(&mut texts[at].clone(), |text| text.receive(&bytes).is_ok());
                continue;
            }
            6 => {
                *text = Text::decode(&text.encode()).expect("what was written is read");
                continue;
            }
            _ => edit(text, at, place, data),
        };
        let run = run.expect("the place is there");
        sent.push(text.message(run).expect("the events are here"));
    }
    let all: Vec<_> = texts.iter().map(|text| text.events_since(&TextVersion::default())).collect();
    for text in &mut texts {
        for bytes in &all {
            assert!(text.receive(bytes).is_ok_and(|received| received.refused == 0));
        }
        text.verify().expect("the text is what its log leads to");
        let _ = text.authors(0..text.len());
    }
    for text in &texts {
        assert_eq!(text.to_string(), texts[0].to_string());
        assert_eq!(text.version(), texts[0].version());
        assert_eq!(text.waiting(), 0);
    }
}

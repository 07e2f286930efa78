//! Seed inputs that are real bytes: batches, saved records, messages, stored texts, keys.

use clisonix_crdt::text::{TextEdits, TextVersion};
use clisonix_crdt::{Link, Record};
use flate2::{Decompress, FlushDecompress};

use crate::site::Site;

const DICTIONARY: &[u8] = include_bytes!("../../crates/clisonix-crdt/src/deflate/dictionary.txt");
/// What stands before a batch's run: magic, version, flags, the record's name.
const BATCH_HEAD: usize = 4 + 1 + 1 + crate::sample::NAME.len();

/// Target, name, bytes.
pub(crate) fn all() -> Vec<(&'static str, String, Vec<u8>)> {
    let (small, typed) = (decode(&small().record, ""), decode(&typed().record, "typed-"));
    let fixed = |(target, name, input): (&'static str, &str, _)| (target, name.to_owned(), input);
    let mut seeds: Vec<_> = small.into_iter().chain(typed).collect();
    seeds.extend(text().into_iter().map(fixed));
    seeds.extend(
        crate::key::samples().into_iter().map(|(name, input)| ("key", name.to_owned(), input)),
    );
    seeds
}

/// Few changes of sites that the sample does not know: short enough that no run is compressed.
fn small() -> Site {
    let mut a = Site::new(b'P');
    a.put(r#"{"resourceType":"Patient","id":"p","gender":"male","name":[{"family":"X"}]}"#);
    let mut b = a.fork(b'Q');
    a.set("Patient/p", "gender", Some(r#""female""#));
    b.set("Patient/p", "gender", Some(r#""other""#));
    b.set("Patient/p", "name", Some(r#"[{"family":"Y"},{"family":"X"}]"#));
    a.pull(&b);
    a
}

/// A note that two sites typed in, of which something was erased; short enough as well.
fn typed() -> Site {
    let mut a = Site::new(b'R');
    a.put(
        r#"{"resourceType":"Observation","id":"o","status":"final","note":[{"text":"slept well"},{"text":"second"}]}"#,
    );
    let mut b = a.fork(b'S');
    crate::sample::write_and_erase(&mut a, &mut b, "Observation/o");
    a
}

fn decode(record: &Record, prefix: &str) -> Vec<(&'static str, String, Vec<u8>)> {
    let whole = record.changes_since(&[]);
    let saved = record.save();
    let ids: Vec<_> = record.history(None).iter().map(|change| change.id).collect();
    let one = record.change(&ids[0]).expect("the change is here");
    let mut link = Link::new();
    let mut messages = vec![5];
    for first in 0..record.change_count() {
        let message = link.write(record, first);
        messages.extend_from_slice(&(message.len() as u16).to_le_bytes());
        messages.extend_from_slice(&message);
    }
    let flags = one[4];
    let run = &whole[BATCH_HEAD..];
    let in_columns = if whole[4] & 2 == 0 { run.to_vec() } else { unpacked(run) };
    let in_columns = [&[1, 1][..], &in_columns].concat();
    let single = match flags {
        0 => [&[1, 0][..], &one[BATCH_HEAD..]].concat(),
        _ => [&[1, 0][..], &unpacked(&one[BATCH_HEAD..])].concat(),
    };
    let seeds = [
        ("batch", [&[0][..], &whole].concat()),
        ("run-in-columns", in_columns),
        ("run-of-one", single),
        ("saved", [&[2][..], &saved].concat()),
        ("saved-behind-the-checksum", [&[3][..], &saved[8..]].concat()),
        ("saved-in-parts", parts(&saved)),
        ("link", messages),
    ];
    seeds.into_iter().map(|(name, bytes)| ("decode", [prefix, name].concat(), bytes)).collect()
}

/// A compressed run with its length before it.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let (len, rest) = number(bytes);
    inflate(rest, len, DICTIONARY)
}

/// The unpacked state and log of a saved record, as the decode target puts them together again.
fn parts(saved: &[u8]) -> Vec<u8> {
    let (state_len, rest) = number(&saved[8..]);
    let (len, rest) = number(rest);
    let state = inflate(&rest[..len], state_len, DICTIONARY);
    let (count, rest) = number(&rest[len..]);
    let (log_len, rest) = number(rest);
    let (len, rest) = number(rest);
    let log = inflate(&rest[..len], log_len, &state);
    let mut seed = vec![4, count as u8];
    seed.extend_from_slice(&(state.len() as u16).to_le_bytes());
    seed.extend_from_slice(&state);
    seed.extend_from_slice(&log);
    seed
}

fn number(bytes: &[u8]) -> (usize, &[u8]) {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return (value, &bytes[index + 1..]);
        }
    }
    (value, &[])
}

fn inflate(bytes: &[u8], len: usize, dictionary: &[u8]) -> Vec<u8> {
    let mut decompress = Decompress::new(false);
    decompress.set_dictionary(dictionary).expect("the stream has not begun");
    let mut out = Vec::with_capacity(len);
    decompress
        .decompress_vec(bytes, &mut out, FlushDecompress::Finish)
        .expect("the bytes are whole");
    out
}

fn text() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let text = crate::text::sample();
    let mut edits = TextEdits::new();
    edits.insert(3, "new ").expect("there is room");
    edits.delete(0, 2).expect("there is room");
    let message = text.events_since(&TextVersion::default());
    vec![
        ("text", "stored", [&[0][..], &text.encode()].concat()),
        ("text", "edits", [&[2, 0][..], &edits.encode()].concat()),
        ("text", "edits-of-an-old-version", [&[2, 1, 1, 3][..], &edits.encode()].concat()),
        ("text", "message", [&[3][..], &message].concat()),
    ]
}

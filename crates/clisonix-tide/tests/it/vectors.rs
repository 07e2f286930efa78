//! The committed vectors of the formats. A second implementation, written from the documents alone,
//! makes the same in `crates/clisonix-python/tests/`.

use clisonix_crdt::wire::Reader;
use clisonix_fhir::json::{self, Value};
use clisonix_tide::{
    Decoder, Entry, SYMBOL_BYTES, SetHash, Side, Sketch, SketchKey, Symbol, Version,
};

fn vectors() -> Value {
    json::parse(include_bytes!("../vectors/sketch.json")).expect("the file is JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).expect("the member is a text")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).expect("the member is a list")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().expect("the right length")
}

fn entry(hex: &str) -> Entry {
    Entry(u128::from_le_bytes(array(hex)))
}

fn hex(symbols: &[Symbol]) -> String {
    use std::fmt::Write as _;
    let mut out = Vec::new();
    for symbol in symbols {
        symbol.write(&mut out);
    }
    out.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn symbols(hex: &str) -> Vec<Symbol> {
    let bytes = bytes(hex);
    let mut reader = Reader::new(&bytes);
    let read = |_| Symbol::read(&mut reader).expect("whole symbols");
    (0..bytes.len() / SYMBOL_BYTES).map(read).collect()
}

#[test]
fn entries_and_their_places() {
    let vectors = vectors();
    let epoch = text(&vectors, "epoch").parse().expect("a number");
    let key = SketchKey::of_epoch(&array(text(&vectors, "secret")), epoch);
    let mut hash = SetHash::default();
    for record in list(&vectors, "records") {
        let version = Version(array(text(record, "version")));
        let made = key.entry(text(record, "record"), &version);
        assert_eq!(made, entry(text(record, "entry")));
        let check = format!("{:08x}", key.name_check(text(record, "record")));
        assert_eq!(check, text(record, "name_check"));
        hash.insert(made);
        // A set of one shows the entry's places.
        let mut alone = Sketch::new(2000);
        alone.insert(made);
        let met = alone.symbols().iter().enumerate().filter(|(_, s)| **s != Symbol::default());
        let met: Vec<String> = met.map(|(place, _)| place.to_string()).collect();
        let places = list(record, "places").iter().filter_map(Value::as_number);
        assert_eq!(met, places.map(|place| place.as_str().to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(format!("{hash:?}"), text(&vectors, "set_hash"));
}

#[test]
fn symbols_and_their_difference() {
    let vectors = vectors();
    let entries: Vec<Entry> =
        list(&vectors, "records").iter().map(|record| entry(text(record, "entry"))).collect();
    let mut ours = Sketch::new(24);
    for &entry in &entries {
        ours.insert(entry);
    }
    assert_eq!(hex(ours.symbols()), text(&vectors, "symbols"));

    let theirs = symbols(text(&vectors, "theirs_symbols"));
    let mut decoder = Decoder::new();
    decoder.take(&theirs, ours.symbols()).expect("honest symbols");
    assert!(decoder.is_complete());
    let others = list(&vectors, "others").iter().filter_map(Value::as_str).map(entry);
    let mut expected: Vec<(u64, Side)> =
        entries[..3].iter().map(|entry| (entry.id(), Side::Ours)).collect();
    expected.extend(others.map(|other| (other.id(), Side::Theirs)));
    expected.sort_unstable();
    let mut found = decoder.found().to_vec();
    found.sort_unstable();
    assert_eq!(found, expected);
}

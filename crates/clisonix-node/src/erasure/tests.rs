//! After an erasure nothing of the content is in any row that the store keeps of the record.

use clisonix_crdt::{ActorId, ActorSecret, Base, EntryId, Erasure, HybridTime, Origin, Record};
use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::resource_named;
use clisonix_store::{Span, Table};

use crate::load::tests::{BY, bundle, node, read};
use crate::{By, Node, ReadVersion};

/// In the identifier, in the name of the entry and in its content.
const PLANTED: &str = "planted";
const CONDITION: &str = "Condition/planted-1";

fn number(bytes: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
        shift += 7;
    }
}

fn inflate(bytes: &[u8], len: usize) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../clisonix-crdt/src/deflate/dictionary.txt");
    let dictionary = std::fs::read(path).unwrap();
    let mut inflater = flate2::Decompress::new(false);
    inflater.set_dictionary(&dictionary[dictionary.len().saturating_sub(1 << 15)..]).unwrap();
    let mut out = Vec::with_capacity(len + 64);
    inflater.decompress_vec(bytes, &mut out, flate2::FlushDecompress::Finish).unwrap();
    assert_eq!(out.len(), len);
    out
}

/// A state or a segment as it is before it is compressed (`docs/formats`).
fn unpacked(row: &[u8]) -> Vec<u8> {
    let mut at = if row.starts_with(b"CXR") { 8 } else { 5 };
    if row.starts_with(b"CXR") {
        let (len, packed) = (number(row, &mut at), number(row, &mut at));
        return inflate(&row[at..at + packed], len);
    }
    let name = number(row, &mut at);
    at += name;
    if row[4] & 2 == 0 {
        return row[at..].to_vec();
    }
    let len = number(row, &mut at);
    inflate(&row[at..], len)
}

/// The tables with a row that holds the text.
fn tables_with(node: &Node, text: &str) -> Vec<Table> {
    let snapshot = node.store.snapshot().unwrap();
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let all = [
        Table::States,
        Table::Changes,
        Table::Records,
        Table::Aliases,
        Table::Index,
        Table::Quarantine,
        Table::Meta,
    ];
    let has = |table: &Table| {
        snapshot.rows(*table, &Span::all()).unwrap().map(Result::unwrap).any(|row| {
            let is_packed = matches!(table, Table::States | Table::Changes);
            holds(&row.key) || holds(&row.value) || is_packed && holds(&unpacked(&row.value))
        })
    };
    all.into_iter().filter(has).collect()
}

fn write(node: &Node, record: &str, resource: &Value) {
    let edited = node.edit(record, resource, ReadVersion::Current, BY).unwrap();
    assert!(edited.change.is_some());
}

fn patient(node: &Node, record: &str) -> Value {
    let text = node.record_text(record, BY).unwrap().bundle;
    let bundle = json::parse(text.as_bytes()).unwrap();
    let entries = bundle.get("entry").unwrap().as_array().unwrap();
    let resources = entries.iter().map(|entry| entry.get("resource").unwrap());
    let is_patient =
        |one: &&Value| one.get("resourceType").and_then(Value::as_str) == Some("Patient");
    resources.into_iter().find(is_patient).unwrap().clone()
}

fn age(node: &Node, record: &str, edits: std::ops::Range<usize>) {
    for number in edits {
        let mut patient = patient(node, record);
        let date = format!("{:04}-{:02}-01", 1000 + number / 12, 1 + number % 12);
        patient.as_object_mut().unwrap().insert("birthDate", date);
        write(node, record, &patient);
    }
}

/// A record with a long history, in the middle of which a planted identifier and entry come in.
fn planted(node: &Node) -> String {
    let mut load = node.load(BY);
    load.take(&read("one.json", &bundle(1))).unwrap();
    load.finish().unwrap();
    let record = node.find_record("N-0").unwrap();
    age(node, &record, 0..60);
    let mut named = patient(node, &record);
    let identifier = json::parse(br#"{"system":"urn:test:card","value":"planted-4711"}"#).unwrap();
    let identifiers = named.as_object_mut().unwrap().get_mut("identifier").unwrap();
    identifiers.as_array_mut().unwrap().push(identifier);
    write(node, &record, &named);
    let id = named.get("id").unwrap().as_str().unwrap();
    let condition = format!(
        r#"{{"resourceType":"Condition","id":"planted-1","subject":{{"reference":"Patient/{id}"}},"code":{{"text":"planted illness"}}}}"#
    );
    write(node, &record, &json::parse(condition.as_bytes()).unwrap());
    age(node, &record, 60..120);
    record
}

/// Another replica's orders to erase what was planted, for a node with these heads.
fn orders(node: &Node, record: &str) -> (Vec<u8>, Vec<u8>) {
    let (key, changes) = node.changes_since(record, &[], BY).unwrap();
    let mut other = Record::new(record);
    other.receive(&changes).unwrap();
    let heads = other.view().heads();
    let shown = patient(node, record);
    let identifiers = shown.get("identifier").unwrap().as_array().unwrap();
    let index = identifiers.iter().position(|one| one.to_text().contains(PLANTED)).unwrap();
    let named = |ty: &str, id: &str| EntryId { ty: resource_named(ty).unwrap(), id: id.into() };
    let person = named("Patient", shown.get("id").unwrap().as_str().unwrap());
    let condition = named("Condition", "planted-1");
    let pointer = format!("/identifier/{index}");
    let whats = [Erasure::Value { entry: &person, pointer: &pointer }, Erasure::Entry(&condition)];
    let mut next = 100;
    let mut actors = move || {
        next += 1;
        (ActorId([next; 16]), ActorSecret([next; 32]))
    };
    for what in whats {
        let time = HybridTime::from_millis(1_800_000_000_000);
        let origin = Origin { author: "somebody", time, source: None };
        other.erase(&what, &Base::Current, "wrong person", &origin, &mut actors).unwrap();
    }
    (key, other.changes_since(&heads))
}

#[test]
fn nothing_of_what_was_erased_stays_in_the_rows_of_its_record() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let first = node(&directory, 1);
    let record = planted(&first);
    let all = [Table::States, Table::Changes, Table::Aliases, Table::Index];
    assert_eq!(tables_with(&first, PLANTED), all, "the search finds what is there");
    let before = first.history(&record, None, BY).unwrap();
    let (key, changes) = orders(&first, &record);
    drop(first);
    // The log is read from the store, and what it had is destroyed there.
    let second = node(&directory, 2);
    let received = second.receive(&record, &key, &changes, BY).unwrap();
    assert_eq!((received.applied, received.refused.len(), received.waiting), (2, 0, 0));
    assert_eq!(received.erased.len(), 2);
    assert_eq!(tables_with(&second, PLANTED), []);
    let (digest, shown) = (second.digest().unwrap(), patient(&second, &record));
    drop(second);

    let third = node(&directory, 3);
    assert_eq!(third.digest().unwrap(), digest);
    assert_eq!(patient(&third, &record), shown);
    let history = third.history(&record, None, BY).unwrap();
    let ids: Vec<_> = history.iter().map(|change| change.id).collect();
    assert!(before.iter().map(|change| change.id).eq(ids[..before.len()].iter().copied()));
    for id in ids.iter().step_by(10) {
        assert!(!third.record_at(&record, &[*id], BY).unwrap().contains(PLANTED));
    }
    assert!(third.record_of(CONDITION).unwrap().is_none());
    assert!(third.find_record("planted-4711").is_err());
    assert_eq!(third.find_record("N-0").unwrap(), record);
    third.verify().unwrap();
    // What was sealed before is sealed on.
    age(&third, &record, 120..220);
    assert_eq!(tables_with(&third, PLANTED), []);
    third.verify().unwrap();
}

#[test]
fn what_overwrites_erased_content_is_refused_by_name_and_taken_whole() {
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (node(&home.path().join("a"), 1), node(&home.path().join("b"), 2));
    let record = planted(&a);
    let (key, changes) = a.changes_since(&record, &[], BY).unwrap();
    assert_eq!(b.receive(&record, &key, &changes, BY).unwrap().refused, []);
    let (key, changes) = orders(&a, &record);
    a.receive(&record, &key, &changes, BY).unwrap();
    let heads = a.heads(&record).unwrap();
    let mut condition = b.entry(CONDITION, BY).unwrap().unwrap();
    condition.as_object_mut().unwrap().insert("code", code("late illness"));
    let late = By { author: "late", purpose: "" };
    b.edit(&record, &condition, ReadVersion::Current, late).unwrap();
    let (key, short) = b.changes_since(&record, &heads, BY).unwrap();
    let refused = a.receive(&record, &key, &short, BY).unwrap().refused;
    assert!(refused.iter().any(|one| one.reason == crate::RefusalReason::Base), "{refused:?}");
    let (key, whole) = b.whole_changes_since(&record, &heads, BY).unwrap();
    assert_eq!(a.receive(&record, &key, &whole, BY).unwrap().refused, []);
    let (key, changes) = a.changes_since(&record, &b.heads(&record).unwrap(), BY).unwrap();
    assert_eq!(b.receive(&record, &key, &changes, BY).unwrap().refused, []);
    assert_eq!(a.digest().unwrap(), b.digest().unwrap());
    assert_eq!(tables_with(&b, "planted illness"), []);
    a.verify().unwrap();
    b.verify().unwrap();
}

fn code(text: &str) -> Value {
    json::parse(format!(r#"{{"text":"{text}"}}"#).as_bytes()).unwrap()
}

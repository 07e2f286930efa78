//! Inputs that are kept in parts, and what becomes of the quarantine when it is tried again.

use std::io::Cursor;

use clisonix_node::{MAX_WHOLE_BYTES, Node, TakenIn, is_large};
use clisonix_store::{Batch, Quarantined, Store, StoreOptions};

use crate::{BY, Counting, node};

const PATIENT: &str = r#"{"resourceType":"Patient","id":"12","identifier":[{"system":"urn:test:mrn","value":"MRN-1"}],"gender":"unknown"}"#;

/// NDJSON: observations, then the patient they are about, then a line that cannot be read.
fn lines(observations: usize) -> String {
    let lines = (0..observations).map(|number| {
        format!(
            r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"made {number}"}},"subject":{{"reference":"Patient/12"}},"valueInteger":{number}}}"#
        ) + "\n"
    });
    let lines: String = lines.collect();
    format!("{lines}{PATIENT}\n{{\"resourceType\":\n")
}

fn take_large(node: &Node, bytes: &[u8]) -> TakenIn {
    let mut total = TakenIn::default();
    let mut load = node.load(BY);
    let mut told = |taken: &TakenIn| {
        total.messages += taken.messages;
        total.unchanged += taken.unchanged;
        total.rejected += taken.rejected;
        total.issues.extend(taken.issues.iter().cloned());
    };
    load.take_large("many.ndjson", None, &mut Cursor::new(bytes), &mut told).expect("taken in");
    load.finish().expect("durable");
    total
}

#[test]
fn lines_are_read_in_pieces_from_what_the_store_keeps() {
    const OBSERVATIONS: usize = 400;
    let home = tempfile::tempdir().unwrap();
    let one = node(&home.path().join("data"), 1);
    let text = lines(OBSERVATIONS);
    let taken = take_large(&one, text.as_bytes());
    assert_eq!((taken.messages, taken.rejected), (OBSERVATIONS as u64 + 1, 1), "{taken:?}");
    assert_eq!(taken.issues[0].at.as_ref().unwrap().line as usize, OBSERVATIONS + 2);
    assert_eq!(one.record_ids().unwrap().len(), 1, "the observations founded no record");
    let again = take_large(&one, text.as_bytes());
    assert_eq!((again.messages, again.unchanged), (0, OBSERVATIONS as u64 + 1));
    assert_eq!(one.quarantine().unwrap().len(), 1, "one line, kept once");
    one.verify().unwrap();

    one.backup(&home.path().join("backup"), BY).unwrap();
    let mut outside = Counting { now: 0, seed: 9 };
    let restored = home.path().join("restored");
    Node::restore(&home.path().join("backup"), &restored, None, &mut outside).unwrap();
    let store = Store::open(&restored, &StoreOptions::default()).unwrap();
    assert!(holds(&store, text.as_bytes()), "the backup has the input as received");
}

/// Whether one of the raw inputs is these bytes.
fn holds(store: &Store, bytes: &[u8]) -> bool {
    let snapshot = store.snapshot().unwrap();
    let raw = snapshot.arrivals(0).unwrap().filter_map(|arrival| match arrival.unwrap() {
        (_, clisonix_store::Arrival::Raw(message)) => Some(message),
        _ => None,
    });
    let mut contents = raw.map(|message| {
        let mut content = Vec::new();
        let mut reader = store.raw_content(message).unwrap().unwrap();
        std::io::Read::read_to_end(&mut reader, &mut content).unwrap();
        content
    });
    contents.any(|content| content == bytes)
}

#[test]
fn a_vast_document_is_kept_whole_and_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let node = node(&home.path().join("data"), 1);
    let mut vast = br#"{"resourceType":"Bundle","entry":["#.to_vec();
    vast.resize(MAX_WHOLE_BYTES as usize + 1, b' ');
    assert!(is_large(vast.len() as u64, &mut &vast[..100]).unwrap());
    for attempts in 1..=2 {
        let taken = if attempts == 1 {
            take_large(&node, &vast)
        } else {
            node.retry_quarantine(BY).unwrap()
        };
        assert_eq!((taken.messages, taken.rejected), (0, 1));
        assert!(
            taken.issues[0].message.contains("60 MiB") && taken.issues[0].message.contains("split")
        );
        let held = node.quarantine().unwrap();
        assert_eq!(
            (held.len(), held[0].attempts, held[0].size_bytes),
            (1, attempts, vast.len() as u64)
        );
    }
    node.backup(&home.path().join("backup"), BY).unwrap();
    assert!(std::fs::metadata(home.path().join("backup")).unwrap().len() > MAX_WHOLE_BYTES);
}

#[test]
fn only_lines_and_vast_inputs_are_read_in_pieces() {
    let two = format!("{PATIENT}\n{PATIENT}\n");
    let large = |size, text: &str| is_large(size, &mut text.as_bytes()).unwrap();
    assert!(large(2 << 20, &two) && !large(1000, &two));
    assert!(!large(2 << 20, PATIENT) && large(MAX_WHOLE_BYTES + 1, PATIENT));
    assert!(!large(2 << 20, "\u{1f}\u{8b}damaged"));
}

/// Puts a message aside as a program did that could not read it.
fn quarantine(directory: &std::path::Path, id: u8, bytes: &[u8]) {
    let store = Store::open(directory, &StoreOptions::default()).unwrap();
    let mut batch = Batch::new();
    let message = Quarantined {
        message: [id; 16],
        feed: "lab".into(),
        file: Some("old.json".into()),
        received_ms: 0,
        attempts: 1,
        reason: "not understood then".into(),
        issues: b"[]".to_vec(),
        bytes: bytes.to_vec(),
    };
    batch.quarantine(&message).unwrap();
    store.write(batch).unwrap();
}

#[test]
fn a_quarantined_message_that_can_be_read_now_is_taken_in_and_released() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    drop(node(&directory, 1));
    quarantine(&directory, 1, PATIENT.as_bytes());
    quarantine(&directory, 2, b"{\"resourceType\":");
    let node = node(&directory, 2);
    let retried = node.retry_quarantine(BY).unwrap();
    assert_eq!((retried.messages, retried.resources, retried.rejected), (1, 1, 1));
    assert!(node.find_record("MRN-1").is_ok());
    let held = node.quarantine().unwrap();
    assert_eq!((held.len(), held[0].id, held[0].attempts), (1, [2; 16], 2));
    assert!(!held[0].issues.as_array().unwrap().is_empty(), "its issues are those of now");
    assert_eq!(node.retry_quarantine(BY).unwrap().messages, 0);
}

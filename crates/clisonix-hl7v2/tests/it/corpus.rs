//! Every public message: parsed, and compared with a naive splitter.

use clisonix_hl7v2::{Message, ReportKind, split};
use std::path::{Path, PathBuf};

pub(crate) fn folder() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/hl7v2");
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "test data is missing");
    eprintln!("SKIPPED: no test data at {}", path.display());
    None
}

pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "hl7") {
                found.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_message_parses_to_the_leaves_of_a_naive_splitter() {
    let Some(folder) = folder() else { return };
    let (mut messages, mut leaves, mut repaired) = (0, 0, 0);
    for (path, bytes) in files(&folder) {
        let batch = split(&bytes);
        let name = path.display();
        assert!(batch.messages.len() + batch.stray.len() > 0 || bytes.is_empty(), "{name}");
        for range in batch.messages {
            let raw = &bytes[range];
            let message = Message::parse(raw).unwrap_or_else(|e| panic!("{name}: {e}"));
            messages += 1;
            leaves += message.leaves().len();
            if message.reports().iter().any(|r| r.kind == ReportKind::LineJoined) {
                repaired += 1;
                continue;
            }
            let ours: Vec<(String, String)> = message
                .leaves()
                .iter()
                .map(|leaf| {
                    let raw = String::from_utf8_lossy(message.raw(leaf)).into_owned();
                    (message.address(leaf).to_string(), raw)
                })
                .collect();
            assert_eq!(ours, naive(raw), "{name}");
        }
    }
    assert_eq!((messages, repaired), (458, 1));
    assert!(leaves > 40_000, "{leaves}");
}

#[test]
fn every_value_decodes() {
    let Some(folder) = folder() else { return };
    for (path, bytes) in files(&folder) {
        for range in split(&bytes).messages {
            let message = Message::parse(&bytes[range]).unwrap();
            for leaf in message.leaves() {
                message.text(leaf).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            }
        }
    }
}

/// Splits by `str::split` alone: one address and raw value for each non-empty value.
fn naive(raw: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(raw);
    let mut counts = std::collections::BTreeMap::new();
    let mut out = Vec::new();
    for line in text.split(['\r', '\n']).filter(|l| !l.trim().is_empty()) {
        let fields: Vec<&str> = line.split('|').collect();
        let count = counts.entry(fields[0].to_owned()).or_insert(0);
        *count += 1;
        let name = if *count == 1 { fields[0].into() } else { format!("{}[{count}]", fields[0]) };
        let header = name == "MSH";
        for (index, field) in fields.iter().enumerate().skip(1) {
            let number = if header { index + 1 } else { index };
            if header && index == 1 {
                out.push(("MSH-1".to_owned(), "|".to_owned()));
                if !field.is_empty() {
                    out.push(("MSH-2".to_owned(), (*field).to_owned()));
                }
                continue;
            }
            for (r, repetition) in field.split('~').enumerate() {
                for (c, component) in repetition.split('^').enumerate() {
                    for (s, value) in component.split('&').enumerate() {
                        if !value.is_empty() {
                            out.push((address(&name, number, r + 1, c + 1, s + 1), value.into()));
                        }
                    }
                }
            }
        }
    }
    out
}

fn address(name: &str, field: usize, r: usize, c: usize, s: usize) -> String {
    let repetition = if r > 1 { format!("[{r}]") } else { String::new() };
    let rest = match (c, s) {
        (1, 1) => String::new(),
        (c, 1) => format!(".{c}"),
        (c, s) => format!(".{c}.{s}"),
    };
    format!("{name}-{field}{repetition}{rest}")
}

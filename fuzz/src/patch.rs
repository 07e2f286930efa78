//! Patches and pointers from outside, on a sample record.

use std::sync::OnceLock;

use clisonix_crdt::{Base, EditError, Patch, Record};
use clisonix_fhir::json::{self, Object, Value};

use super::bytes::Bytes;
use super::sample;
use crate::site::{Site, entry_id};

/// Number of ways in which [`run`] reads its bytes.
const MODES: usize = 6;

const ENTRIES: [&str; 2] = ["Patient/patient-123", "Observation/o1"];

/// The first byte says as what the rest is read, the second on which entry it is tried.
pub(crate) fn run(data: &[u8]) {
    let mut data = Bytes::new(data);
    let mode = data.below(MODES);
    let entry = entry_id(data.one_of(&ENTRIES));
    let rest = data.rest();
    match mode {
        0..=2 => {
            let Ok(value) = json::parse(rest) else { return };
            let patch = match mode {
                0 => Patch::Json(&value),
                1 => Patch::FhirPath(&value),
                _ => Patch::Merge(&value),
            };
            edit(|record, origin, actors| {
                record.patch(&entry, patch, &Base::Current, origin, actors).map(drop)
            });
        }
        3 => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            let value = operations(text);
            edit(|record, origin, actors| {
                let patch = Patch::Json(&value);
                record.patch(&entry, patch, &Base::Current, origin, actors).map(drop)
            });
        }
        4 => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            let value = parameters(text);
            edit(|record, origin, actors| {
                let patch = Patch::FhirPath(&value);
                record.patch(&entry, patch, &Base::Current, origin, actors).map(drop)
            });
        }
        _ => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            let (pointer, value) = text.split_once('\n').unwrap_or((text, "null"));
            let Ok(value) = json::parse(value.as_bytes()) else { return };
            edit(|record, origin, actors| {
                record.set(&entry, pointer, &value, origin, actors).map(drop)
            });
        }
    }
}

/// An edit that may be refused; then the record is as it was.
fn edit(
    run: impl FnOnce(
        &mut Record,
        &clisonix_crdt::Origin<'_>,
        &mut dyn clisonix_crdt::ActorSource,
    ) -> Result<(), EditError>,
) {
    static SAMPLE: OnceLock<Vec<u8>> = OnceLock::new();
    let stored = SAMPLE.get_or_init(|| sample::site().record.save());
    let mut site = Site::new(b'S');
    site.now += 1_000_000;
    site.record = Record::load(stored).expect("the sample is read");
    let before = (site.record.state_bytes(), site.record.change_count());
    match site.with(None, run) {
        Ok(()) => sample::check(&site.record),
        Err(error) => {
            let after = (site.record.state_bytes(), site.record.change_count());
            assert!(after == before, "a refused edit changed the record: {error}");
        }
    }
}

/// A JSON Patch of lines `op;path;from or value`.
fn operations(text: &str) -> Value {
    let operation = |line: &str| {
        let mut parts = line.splitn(3, ';');
        let mut object = Object::new();
        object.insert("op", parts.next().unwrap_or_default());
        object.insert("path", parts.next().unwrap_or_default());
        let last = parts.next().unwrap_or_default();
        object.insert("from", last);
        object.insert("value", json::parse(last.as_bytes()).unwrap_or(Value::Null));
        Value::from(object)
    };
    Value::from(text.lines().take(16).map(operation).collect::<Vec<_>>())
}

/// A `Parameters` resource of lines `type;path;name;index;value`, the value with its member's name:
/// `valueCode "x"`.
fn parameters(text: &str) -> Value {
    let operation = |line: &str| {
        let mut parts = line.splitn(5, ';');
        let mut all = Vec::new();
        for (name, member) in
            [("type", "valueCode"), ("path", "valueString"), ("name", "valueString")]
        {
            if let Some(part) = parts.next().filter(|part| !part.is_empty()) {
                all.push(part_of(name, member, Value::from(part)));
            }
        }
        let whole = |part: &str| part.parse::<i64>().ok().map(Value::from);
        if let Some(index) = parts.next().and_then(whole) {
            for name in ["index", "source", "destination"] {
                all.push(part_of(name, "valueInteger", index.clone()));
            }
        }
        if let Some((member, value)) = parts.next().and_then(|part| part.split_once(' ')) {
            all.push(part_of(
                "value",
                member,
                json::parse(value.as_bytes()).unwrap_or(Value::Null),
            ));
        }
        let mut object = Object::new();
        object.insert("name", "operation");
        object.insert("part", all);
        Value::from(object)
    };
    let mut object = Object::new();
    object.insert("resourceType", "Parameters");
    object.insert("parameter", text.lines().take(16).map(operation).collect::<Vec<_>>());
    Value::from(object)
}

fn part_of(name: &str, member: &str, value: Value) -> Value {
    let mut object = Object::new();
    object.insert("name", name);
    object.insert(member, value);
    Value::from(object)
}

//! Valid + valid = valid: merges of random valid edits of the official examples.

use std::io::Read;
use std::path::Path;

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::validate::validate;

use crate::site::{Site, entry_id, exchange};

/// The official R4 examples, or `None` (said aloud) where the data is not at hand.
fn examples() -> Option<Vec<Value>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let path = root.join("shared/data/fhir/r4-examples/r4-examples-instances.tar.xz");
    let Ok(packed) = std::fs::read(&path) else {
        assert!(std::env::var_os("CI").is_none(), "the official examples are missing");
        println!("SKIPPED: the official examples are not at hand");
        return None;
    };
    let mut unpacked = Vec::new();
    lzma_rs::xz_decompress(&mut packed.as_slice(), &mut unpacked).expect("an xz file");
    let mut archive = tar::Archive::new(unpacked.as_slice());
    let mut found = Vec::new();
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("an entry");
        if entry.path().expect("a path").extension().is_some_and(|kind| kind == "json") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("readable");
            found.push(json::parse(&bytes).expect("JSON"));
        }
    }
    Some(found)
}

struct Chance(u64);

impl Chance {
    /// `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

fn is_valid(resource: &Value) -> bool {
    !validate(resource).iter().any(clisonix_fhir::issue::Issue::is_error)
}

/// A random valid edit: drops a member, takes one from another example of the type, or shortens,
/// doubles or turns a list; deep inside as often as at the top.
fn edited(resource: &Value, donors: &[&Value], chance: &mut Chance) -> Option<Value> {
    for _ in 0..12 {
        let mut new = resource.clone();
        let target = descend(&mut new, chance);
        let names: Vec<String> = target.keys().map(str::to_owned).collect();
        let name = &names.get(chance.below(names.len()))?.clone();
        if matches!(name.as_str(), "resourceType" | "id" | "meta") {
            continue;
        }
        match chance.below(4) {
            0 => {
                target.remove(name);
            }
            1 => {
                if let Some(list) = target.get_mut(name).and_then(Value::as_array_mut) {
                    match chance.below(3) {
                        0 => drop(list.pop()),
                        1 => list.reverse(),
                        _ => list.extend(list.first().cloned()),
                    }
                }
            }
            _ => {
                let donor = donors[chance.below(donors.len())].as_object()?;
                let names: Vec<&str> = donor
                    .keys()
                    .filter(|n| !matches!(*n, "resourceType" | "id" | "meta"))
                    .collect();
                let name = (*names.get(chance.below(names.len()))?).to_owned();
                let value = donor.get(&name)?.clone();
                new.as_object_mut()?.insert(name, value);
            }
        }
        if new != *resource && is_valid(&new) {
            return Some(new);
        }
    }
    None
}

fn descend<'v>(value: &'v mut Value, chance: &mut Chance) -> &'v mut json::Object {
    let object = value.as_object_mut().expect("an object");
    let inner: Vec<String> = object
        .iter()
        .filter(|(_, v)| {
            v.as_object().is_some() || v.at(0).is_some_and(|v| v.as_object().is_some())
        })
        .map(|(name, _)| name.to_owned())
        .collect();
    if inner.is_empty() || chance.below(2) == 0 {
        return object;
    }
    let name = &inner[chance.below(inner.len())];
    match object.get_mut(name).expect("a member") {
        Value::Array(items) => {
            let index = chance.below(items.len());
            match &mut items[index] {
                item @ Value::Object(_) => descend(item, chance),
                _ => unreachable!("lists of objects hold objects"),
            }
        }
        nested => descend(nested, chance),
    }
}

#[test]
fn valid_and_valid_merge_to_valid() {
    let Some(examples) = examples() else { return };
    assert_eq!(examples.len(), 724);
    let rounds: u64 =
        std::env::var("CLISONIX_VALID_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let (mut count, mut conflicts) = (0, 0);
    for round in 0..rounds {
        for (index, example) in examples.iter().enumerate() {
            let ty = example.resource_type().expect("a type");
            let Some(id) = example.get("id").and_then(Value::as_str) else { continue };
            if !is_valid(example) {
                continue;
            }
            let donors: Vec<&Value> =
                examples.iter().filter(|other| other.resource_type() == Some(ty)).collect();
            let mut chance = Chance(round << 32 | index as u64);
            let entry = format!("{ty}/{id}");
            let mut a = Site::new(b'A');
            a.put(&example.to_text());
            assert_eq!(
                a.content(&entry).map(comparable).as_ref(),
                Some(&comparable(example.clone())),
                "{entry} comes out as it went in"
            );
            let mut b = a.fork(b'B');
            let mut c = a.fork(b'C');
            for site in [&mut a, &mut b, &mut c] {
                for _ in 0..=chance.below(3) {
                    let now = site.content(&entry).expect("there");
                    if let Some(new) = edited(&now, &donors, &mut chance) {
                        site.put(&new.to_text());
                        assert_eq!(
                            site.content(&entry),
                            Some(new),
                            "{entry}: an edit is what was wanted"
                        );
                    }
                }
            }
            exchange(&mut a, &mut b);
            exchange(&mut b, &mut c);
            exchange(&mut a, &mut b);
            let merged = a.record.view().resource(&entry_id(&entry)).expect("there");
            let faults: Vec<String> = validate(&merged)
                .into_iter()
                .filter(clisonix_fhir::issue::Issue::is_error)
                .map(|issue| format!("{}: {}", issue.path, issue.message))
                .collect();
            assert!(faults.is_empty(), "round {round}, {entry}: {faults:?}");
            count += 1;
            conflicts += a.conflicts().len();
        }
    }
    println!("{count} merges, {conflicts} conflicts");
    assert!(count > 700 && conflicts > 100, "the edits do meet");
}

/// Without what a site sets anew.
fn comparable(resource: Value) -> Value {
    crate::site::without_version(resource)
}

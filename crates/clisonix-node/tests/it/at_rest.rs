//! What encryption costs: Synthea bundles taken in by a plain and by an encrypted node, by turns, in
//! processor time of the whole process.

use std::fs;
use std::path::{Path, PathBuf};

use clisonix_node::{Input, Keys, Node, Read};
use clisonix_pq::Secret;
use clisonix_pq::at_rest::StoreKey;

use crate::{BY, Counting};

/// Bundles of patients that are taken in, beside those that all refer to.
const PATIENTS: usize = 6;
const ROUNDS: usize = 3;
/// The goal is 1.15; the rest is for a noisy machine and an unoptimised build.
const MOST: f64 = 1.3;

#[test]
fn an_encrypted_import_costs_little_more_than_a_plain_one() {
    let Some(inputs) = inputs() else { return };
    let mut best = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (is_encrypted, best) in [false, true].into_iter().zip(&mut best) {
            *best = best.min(import(&inputs, is_encrypted));
        }
    }
    let [plain, encrypted] = best;
    let ratio = encrypted / plain;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let bytes: usize = inputs.iter().map(|input| input.bytes.len()).sum();
    println!(
        "{} files, {bytes} bytes packed: plain {plain:.2} s CPU, encrypted {encrypted:.2} s CPU, \
         ratio {ratio:.3}; load {}",
        inputs.len(),
        load.trim()
    );
    assert!(ratio < MOST, "{ratio}");
}

fn inputs() -> Option<Vec<Input>> {
    let folder =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/fhir/synthea"));
    let Ok(entries) = fs::read_dir(folder) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no {}", folder.display());
        println!("SKIPPED: no {}", folder.display());
        return None;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "bz2"));
    paths.sort();
    let all = std::env::var("CLISONIX_REST_FILES").ok().and_then(|text| text.parse().ok());
    let read = |path: PathBuf| Input {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        feed: None,
        bytes: fs::read(&path).unwrap(),
    };
    Some(paths.into_iter().take(all.unwrap_or(2 + PATIENTS)).map(read).collect())
}

/// Processor seconds of one import, reading and closing included.
fn import(inputs: &[Input], is_encrypted: bool) -> f64 {
    let home = tempfile::tempdir().unwrap();
    let outside = || Box::new(Counting { now: 1_700_000_000_000, seed: 5 });
    let data = home.path().join("data");
    let begun = cpu_seconds();
    let node = if is_encrypted {
        let keys = Keys {
            store: [1; 16],
            key: StoreKey::from_secret(Secret::filled(|own| own.fill(7))),
            others: Vec::new(),
            vault: home.path().join("vault"),
            random,
        };
        Node::open_encrypted(&data, keys, outside()).unwrap()
    } else {
        Node::open(&data, outside()).unwrap()
    };
    let mut load = node.load(BY);
    for input in inputs {
        load.take(&Read::new(input.clone())).unwrap();
    }
    load.finish().unwrap();
    assert_eq!(node.is_encrypted(), is_encrypted);
    drop(node);
    cpu_seconds() - begun
}

fn random(bytes: &mut [u8]) {
    let mut source = fs::File::open("/dev/urandom").unwrap();
    std::io::Read::read_exact(&mut source, bytes).unwrap();
}

/// User and system time of the process (proc(5): fields 14 and 15, in ticks of 1/100 s).
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

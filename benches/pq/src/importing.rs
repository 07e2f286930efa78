//! What encryption at rest costs: Synthea bundles taken in by a plain and by an encrypted node, by
//! turns, in processor time of the whole process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use clisonix_node::{By, Input, Keys, Node, Outside, Read};
use clisonix_pq::Secret;
use clisonix_pq::at_rest::StoreKey;
use cpu_time::ProcessTime;

use crate::operations::random;
use crate::report::{Report, Row};

/// Where the bundles lie, seen from the project's folder, in which benches run.
const BUNDLES: &str = "../shared/data/fhir/synthea";
/// Bundles of patients, beside those that all refer to.
const PATIENTS: usize = 6;
const ROUNDS: usize = 5;
const BY: By<'static> = By { author: "bench", purpose: "measurement" };

/// The rows.
pub fn rows() -> Vec<Row> {
    vec![
        Row::new("import_cpu_s", "import, CPU s", "s", "lower"),
        Row::new("import_of_plain", "import, CPU s to that without encryption", "ratio", "lower"),
    ]
}

/// Measures both kinds of node. Without the bundles there are no rows, which is told.
pub fn run(report: &mut Report) -> Result<()> {
    if !Path::new(BUNDLES).is_dir() {
        eprintln!("encryption at rest has no row: there is no {BUNDLES}");
        return Ok(());
    }
    let inputs = inputs()?;
    let mut best = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (is_encrypted, best) in [false, true].into_iter().zip(&mut best) {
            *best = best.min(import(&inputs, is_encrypted)?);
        }
    }
    let [plain, encrypted] = best;
    report.value("plain", "import_cpu_s", plain);
    report.value("encrypted", "import_cpu_s", encrypted);
    report.value("encrypted", "import_of_plain", encrypted / plain);
    Ok(())
}

fn inputs() -> Result<Vec<Input>> {
    let paths = fs::read_dir(BUNDLES)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "bz2"));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().context("no file")?.to_string_lossy().into_owned();
        Ok(Input { name, feed: None, bytes: fs::read(&path)? })
    };
    paths.into_iter().take(2 + PATIENTS).map(read).collect()
}

/// Processor seconds of one import, reading and closing included.
fn import(inputs: &[Input], is_encrypted: bool) -> Result<f64> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let begun = ProcessTime::now();
    let node = if is_encrypted {
        let keys = Keys {
            store: [1; 16],
            key: StoreKey::from_secret(Secret::filled(|own| own.fill(7))),
            others: Vec::new(),
            vault: home.path().join("vault"),
            random,
        };
        Node::open_encrypted(&data, keys, Box::new(Machine))?
    } else {
        Node::open(&data, Box::new(Machine))?
    };
    let mut load = node.load(BY);
    for input in inputs {
        load.take(&Read::new(input.clone()))?;
    }
    load.finish()?;
    ensure!(node.is_encrypted() == is_encrypted, "the node is not of the kind asked for");
    drop(node);
    Ok(begun.elapsed().as_secs_f64())
}

struct Machine;

impl Outside for Machine {
    fn now_ms(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        random(bytes);
    }
}

//! What post-quantum keys and sealed shares cost: operations a second of the two profiles beside the
//! classical algorithms that they replace, in CPU time of one thread; and one large file sealed and
//! opened beside its cipher alone, the Rust `age` crate and typage; and what a store costs that is
//! encrypted, all in one run.

mod changes;
mod importing;
mod links;
mod operations;
#[path = "../../crdt/src/report.rs"]
mod report;
mod sharing;

use std::time::Duration;

use anyhow::{Result, bail};

use report::{Report, Row};

fn main() -> Result<()> {
    let (mut json, mut full) = (false, false);
    for argument in std::env::args().skip(1) {
        match &*argument {
            "--json" => json = true,
            "--full" => full = true,
            other => bail!("unknown argument `{other}`; known: --json --full"),
        }
    }
    let spell = Duration::from_millis(if full { 2_000 } else { 200 });
    let mib = if full { 1024 } else { 128 };
    let about = serde_json::json!({
        "time": "CPU time of the thread, best of 5 spells",
        "spell_ms": spell.as_millis(),
        "hybrid": "id-MLDSA65-Ed25519-SHA512, X-Wing",
        "cnsa2": "ML-DSA-87, ML-KEM-1024",
        "classical": "Ed25519, X25519",
        "links": "TLS 1.3 with raw public keys; hybrid and cnsa2 with a second proof by the identity",
        "message_bytes": operations::MESSAGE_BYTES,
        "file_mib": mib,
        "file": "wall time, best of 3; typage in memory and once; the age crate to an X25519 recipient",
    });
    let heading = "Operations a second on one core, CPU time; a file, wall time";
    let mut report = Report::new("pq", json, rows(), about, heading);
    sharing::run(mib, &mut report)?;
    operations::run(spell, &mut report)?;
    links::run(spell, &mut report)?;
    changes::run(spell, &mut report)?;
    importing::run(&mut report)?;
    report.close();
    Ok(())
}

fn rows() -> Vec<Row> {
    let rates = [
        ("key_per_s", "new signing keys"),
        ("sign_per_s", "sign"),
        ("verify_per_s", "verify"),
        ("recipient_per_s", "new recipient keys"),
        ("encapsulate_per_s", "encapsulate"),
        ("decapsulate_per_s", "decapsulate"),
        ("link_per_s", "links opened, both ends"),
    ];
    let sizes = [
        ("public_bytes", "public signing key, B"),
        ("signature_bytes", "signature, B"),
        ("recipient_bytes", "public recipient key, B"),
        ("encapsulated_bytes", "encapsulated key, B"),
        ("link_bytes", "opening a link, both directions, B"),
        ("checkpoint_bytes", "checkpoint of 64 changes, each, B"),
        ("live_bytes", "one change signed provisionally, B"),
    ];
    let costs = [
        ("checkpoint_sign_us", "sign a checkpoint of 64 changes, each"),
        ("checkpoint_verify_us", "verify a checkpoint of 64 changes, each"),
        ("live_sign_us", "sign one change provisionally"),
        ("live_verify_us", "verify one change provisionally"),
    ];
    let rates = rates.map(|(name, title)| Row::new(name, title, "1/s", "higher"));
    let costs = costs.map(|(name, title)| Row::new(name, title, "us", "lower"));
    rates
        .into_iter()
        .chain(costs)
        .chain(sizes.map(|(name, title)| Row::new(name, title, "B", "lower")))
        .chain(sharing::rows())
        .chain(importing::rows())
        .collect()
}

//! `cargo xtask conformance`: suites of public vectors, judged by the tests of the crate they are
//! for.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::project;

/// What the command line says.
#[derive(Args)]
pub(crate) struct Options {
    /// Which suites.
    name: Name,
    /// A folder of vectors, laid out like the shared one; without it the shared one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Encryption and signatures: Wycheproof, ACVP, CCTV, HPKE, X-Wing, composite signatures.
    Pq,
}

/// Runs the suites; `false` means that a vector failed or was skipped without a reason.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let Name::Pq = options.name;
    let report = project::target().join("conformance-pq.jsonl");
    if report.exists() {
        std::fs::remove_file(&report)?;
    }
    let mut cargo = project::cargo(&["test", "--quiet", "--package", "clisonix-pq"]);
    cargo.args(["--test", "it", "--", "conformance::"]);
    cargo.env("CLISONIX_PQ_REPORT", &report);
    if let Some(data) = &options.data {
        // The tests run in their crate's folder; a relative path is meant from here.
        cargo.env("CLISONIX_PQ_DATA", std::path::absolute(data)?);
    }
    let output = cargo.output().context("cargo does not start")?;
    let Ok(text) = std::fs::read_to_string(&report) else {
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("no vectors were judged");
    };
    print(&text, options.json)?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(output.status.success())
}

fn print(report: &str, json: bool) -> Result<()> {
    if json {
        print!("{report}");
        return Ok(());
    }
    let mut totals = [0; 3];
    println!("{:<52} {:>7} {:>7} {:>7}", "suite", "passed", "failed", "skipped");
    for line in report.lines() {
        let suite: Value = serde_json::from_str(line).context("the report is not JSON")?;
        let count = |name| suite.get(name).and_then(Value::as_u64).unwrap_or_default();
        let counts = ["passed", "failed", "skipped"].map(count);
        totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        let name = suite.get("suite").and_then(Value::as_str).unwrap_or_default();
        println!("{name:<52} {:>7} {:>7} {:>7}", counts[0], counts[1], counts[2]);
    }
    println!("{:<52} {:>7} {:>7} {:>7}", "all", totals[0], totals[1], totals[2]);
    Ok(())
}

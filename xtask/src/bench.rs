//! `cargo xtask bench`: the comparisons under `benches/`, built apart from the product.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::python::{Build, Environment};
use crate::{npm, project};

/// What the command line says.
#[derive(Args)]
pub(crate) struct Options {
    /// Which one; without a name, all of them.
    name: Option<String>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// The full size; without it each ends within five minutes.
    #[arg(long)]
    full: bool,
    /// A folder of editing traces, for `traces`; without it the shared ones.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Only name them.
    #[arg(long)]
    list: bool,
}

/// One crate under `benches/`.
struct Bench {
    name: String,
    description: String,
}

/// Lists or runs the benches.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut benches = benches()?;
    if let Some(name) = &options.name {
        benches.retain(|bench| bench.name == *name);
        if benches.is_empty() {
            bail!("there is no bench `{name}`; `cargo xtask bench --list` names them");
        }
    }
    for bench in &benches {
        if options.list {
            println!("{:<8} {}", bench.name, bench.description);
        } else {
            bench.run(options)?;
        }
    }
    Ok(())
}

impl Bench {
    fn run(&self, options: &Options) -> Result<()> {
        let crate_name = format!("bench-{}", self.name);
        let mut cargo = project::cargo(&["run", "--quiet", "--release", "--manifest-path"]);
        cargo.arg(folder().join("Cargo.toml")).arg("--target-dir").arg(target());
        cargo.args(["--package", &crate_name, "--"]);
        pass_options(&mut cargo, options);
        if let Some(data) = options.data.as_ref().filter(|_| self.name == "traces") {
            // The bench runs in the project's folder; a relative path is meant from here.
            cargo.arg("--data").arg(std::path::absolute(data)?);
        }
        if self.name == "pq" {
            cargo.env("CLISONIX_TYPAGE", npm::typage()?);
            // The other rows do not wait for the peer, but its absence is told.
            match age_peer() {
                Ok(peer) => drop(cargo.env("CLISONIX_AGE_PEER", peer)),
                Err(fault) => eprintln!("the age crate has no row: {fault:#}"),
            }
        }
        project::execute(&mut cargo)?;
        self.run_python(options)
    }

    /// The rows that are measured from Python, where the bench has them.
    fn run_python(&self, options: &Options) -> Result<()> {
        let script = folder().join("python").join(format!("{}.py", self.name));
        if !script.exists() {
            return Ok(());
        }
        let packages = ["maturin", "pycrdt", "loro"];
        let environment = Environment::open(target().join("python"), &packages)?;
        // The peers' rows do not wait for our wheel, but its absence is told.
        if let Err(fault) = environment.install_wheel(Build::Release) {
            eprintln!("clisonix has no Python row: {fault:#}");
        }
        let mut python = environment.command("python");
        project::execute(pass_options(python.arg(script), options))
    }
}

/// Builds the program that seals with the Rust `age` crate, apart from the benches: it has versions of
/// its own of the crates below it.
fn age_peer() -> Result<PathBuf> {
    let manifest = folder().join("pq/peer/Cargo.toml");
    let mut cargo =
        project::cargo(&["build", "--quiet", "--release", "--locked", "--manifest-path"]);
    project::execute(cargo.arg(manifest).arg("--target-dir").arg(target()))?;
    Ok(target().join("release/bench-pq-peer"))
}

fn pass_options<'a>(command: &'a mut Command, options: &Options) -> &'a mut Command {
    command.args(options.json.then_some("--json")).args(options.full.then_some("--full"))
}

fn folder() -> PathBuf {
    project::root().join("benches")
}

fn target() -> PathBuf {
    folder().join("target")
}

/// All benches, by name.
fn benches() -> Result<Vec<Bench>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let manifest = entry?.path().join("Cargo.toml");
        if !manifest.exists() {
            continue;
        }
        let text = std::fs::read_to_string(&manifest)?;
        let member = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} = ")));
            line.and_then(|line| line.split('"').nth(1))
                .with_context(|| format!("{} has no {name}", manifest.display()))
        };
        let name = member("name")?.trim_start_matches("bench-").to_owned();
        found.push(Bench { name, description: member("description")?.to_owned() });
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

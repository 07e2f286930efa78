//! The project's own tasks: `cargo xtask test`, `conformance`, `codegen`, `deps`, `sbom` and `bench`.

#![allow(clippy::print_stdout, reason = "a command-line tool; its output is its purpose")]

mod bench;
mod codegen;
mod conformance;
mod dependencies;
mod documents;
mod metadata;
mod project;
mod python;
mod sbom;
mod suite;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Tasks of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build and run every check and every test; set up what they need.
    Test,
    /// Judge suites of public vectors, one line a suite.
    Conformance(conformance::Options),
    /// Generate the static FHIR tables of `clisonix-fhir` from the R4 definitions.
    Codegen {
        /// Only check that the committed tables are current.
        #[arg(long)]
        check: bool,
    },
    /// Check which crate uses which against the table.
    Deps,
    /// Write a bill of materials (`CycloneDX` 1.6 JSON) of what is shipped.
    Sbom {
        /// Where to write it; `-` is standard output. Default: `target/sbom.json`.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Measure this project beside others.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one task; `false` means that it ran to its end and something failed.
fn run(task: Task) -> Result<bool> {
    match task {
        Task::Test => Ok(suite::run()),
        Task::Conformance(options) => conformance::run(&options),
        Task::Codegen { check } => codegen::run(check).map(|()| true),
        Task::Deps => dependencies::run().map(|()| true),
        Task::Sbom { out } => sbom::run(out).map(|()| true),
        Task::Bench(options) => bench::run(&options).map(|()| true),
    }
}

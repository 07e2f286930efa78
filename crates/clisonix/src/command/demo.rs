//! `demo`: the main job on made data, graded by an oracle that knows the truth.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clisonix_demo::population::MAX_PEOPLE;
use clisonix_demo::runner::{self, DEFAULT_PATIENTS, Lent, Options};
use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::Value;
use clisonix_fhir::validate::validate;

use crate::context::Context;
use crate::exit::Exit;
use crate::progress::tell;
use crate::replica::Replica;
use crate::scratch::Scratch;
use crate::sites;

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// People in the population
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PATIENTS,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PEOPLE)))]
    patients: u32,
    /// Seed of the population and of the clinicians' edits
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Keep the three systems' files, both sites' data and their keys (`store-keys`) in this
    /// directory, empty or new
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Show sites that are often apart instead: three processes with stores of their own, one of
    /// which is cut off while all edit; then one consent is withdrawn and one patient erased
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(3..=3),
          conflicts_with_all = ["patients", "seed"])]
    sites: Option<u8>,
}

impl Demo {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let scratch = Scratch::new(self.keep.as_deref())?;
        let begun = Instant::now();
        if self.sites.is_some() {
            return sites(&scratch, begun, context);
        }
        let files = scratch.path().join("files");
        let keys = scratch.path().join("store-keys");
        let mut a = Replica::new(&scratch.path().join("site-a"), &keys)?;
        let mut b = Replica::new(&scratch.path().join("site-b"), &keys)?;
        let options = Options { patients: self.patients, seed: self.seed, directory: &files };
        let mut lent = Lent {
            elapsed_s: &|| begun.elapsed().as_secs_f64(),
            valid: &is_valid,
            step: &mut |step| tell(&format!("[{:5.1} s] {step}", begun.elapsed().as_secs_f64())),
        };
        let report = runner::run(options, &mut a, &mut b, &mut lent)?;
        let mut results = context.results();
        results.either(|| report.to_json(), |results| results.line(&report))?;
        results.finish()?;
        Ok(if report.passed() { Exit::Done } else { Exit::Failed })
    }
}

fn sites(scratch: &Scratch, begun: Instant, context: &Context) -> Result<Exit> {
    let mut step = |step: &str| tell(&format!("[{:5.1} s] {step}", begun.elapsed().as_secs_f64()));
    let report = sites::run(scratch.path(), &mut step)?;
    let mut results = context.results();
    results.either(|| report.to_json(), |results| results.line(&report))?;
    results.finish()?;
    Ok(if report.passed() { Exit::Done } else { Exit::Failed })
}

fn is_valid(resource: &Value) -> bool {
    !validate(resource).iter().any(Issue::is_error)
}

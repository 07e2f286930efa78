//! The whole demo: make, send, take in, replicate, edit apart, exchange, grade.

use std::path::Path;

use clisonix_fhir::json::Value;

use crate::baseline::{self, Contention, ServerError};
use crate::edits::script;
use crate::export::{self, ExportError};
use crate::oracle::{Output, grade};
use crate::play::{Apart, play};
use crate::population::Population;
use crate::report::Report;
use crate::site::Site;

/// The size at which the demo runs when nothing else is asked for.
pub const DEFAULT_PATIENTS: u32 = 40;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// People, at most [`crate::population::MAX_PEOPLE`].
    pub patients: u32,
    /// Seed of everything.
    pub seed: u64,
    /// Where the three systems' files are written; it should be empty.
    pub directory: &'a Path,
}

/// What the outer world lends to a run.
pub struct Lent<'a> {
    /// Seconds since some fixed moment.
    pub elapsed_s: &'a dyn Fn() -> f64,
    /// Whether a resource is valid FHIR R4.
    pub valid: &'a dyn Fn(&Value) -> bool,
    /// Told what begins now, in a few words.
    pub step: &'a mut dyn FnMut(&str),
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError<E: std::error::Error + 'static> {
    /// The files could not be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A replica failed.
    #[error("a replica failed")]
    Site(#[source] E),
    /// The model of today's server failed.
    #[error("the model of today's server failed")]
    Baseline(#[from] ServerError),
}

/// Runs the demo on two empty replicas and grades what they show.
pub fn run<S: Site>(
    options: Options<'_>,
    a: &mut S,
    b: &mut S,
    lent: &mut Lent<'_>,
) -> Result<Report, RunError<S::Error>> {
    let begun = (lent.elapsed_s)();
    (lent.step)("making the population and the three systems' files");
    let population = Population::generate(options.patients, options.seed);
    let ledger = export::write(&population, options.directory)?;
    let edits = script(&population, options.seed);

    (lent.step)("taking in the files at site A");
    let before_import = (lent.elapsed_s)();
    let imported = a.import(options.directory).map_err(RunError::Site)?;
    let import_s = (lent.elapsed_s)() - before_import;
    (lent.step)("replicating to site B");
    a.exchange(b).map_err(RunError::Site)?;
    let start = Output::of(a).map_err(RunError::Site)?;

    (lent.step)("clinicians edit at A and B, apart");
    let played = play(&population, &edits, &mut Apart { a, b }).map_err(RunError::Site)?;
    (lent.step)("exchanging");
    a.exchange(b).map_err(RunError::Site)?;

    (lent.step)("grading");
    let output = Output::of(a).map_err(RunError::Site)?;
    let same_output = Output::of(b).map_err(RunError::Site)? == output;
    let same_digest = a.digest().map_err(RunError::Site)? == b.digest().map_err(RunError::Site)?;
    let grades = grade(&population, &ledger, &played, &output, lent.valid);
    let today = |how| baseline::grade(&population, &start.records, &edits, how);
    let (overwrite, refuse) = (today(Contention::Overwrite)?, today(Contention::Refuse)?);
    Ok(Report {
        seed: options.seed,
        grades,
        imported,
        replicas_equal: same_output && same_digest,
        overwrite,
        refuse,
        import_s,
        wall_s: (lent.elapsed_s)() - begun,
    })
}

//! The suites of public vectors: which file is judged by what, and the count of each.

mod acvp;
mod aead;
mod cctv;
mod composite;
mod edwards;
mod expanded;
mod hpke;
mod lattice;
mod wycheproof;
mod x_wing;

use std::collections::BTreeMap;
use std::path::Path;

use crate::vectors;

/// What an implementation made of a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(&'static str),
    /// Not supported; the word stands with its reason in `skipped.tsv`.
    Skipped(&'static str),
}

impl Outcome {
    /// Passed if `fine`, else failed with these words.
    pub(crate) fn when(fine: bool, words: &'static str) -> Self {
        if fine { Self::Passed } else { Self::Failed(words) }
    }
}

/// The vectors of one file, judged.
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// What failed, once for each implementation.
    pub(crate) failures: Vec<String>,
    pub(crate) skipped: BTreeMap<&'static str, usize>,
    pub(crate) by: BTreeMap<&'static str, Count>,
}

/// What one implementation made of a suite.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    /// By the class of the reason.
    pub(crate) skipped: BTreeMap<&'static str, usize>,
}

/// The libraries that are held against each other.
pub(crate) const AWS_LC: &str = "aws-lc";
pub(crate) const RUST_CRYPTO: &str = "rustcrypto";

impl Suite {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            passed: 0,
            failed: 0,
            failures: Vec::new(),
            skipped: BTreeMap::new(),
            by: BTreeMap::new(),
        }
    }

    /// Counts a vector: failed if any implementation failed, passed if at least one passed, else
    /// skipped for the first one's reason.
    pub(crate) fn judge(
        &mut self,
        id: impl std::fmt::Display,
        outcomes: &[(&'static str, Outcome)],
    ) {
        let mut passed = false;
        let mut failed = false;
        let mut skipped = None;
        for (implementation, outcome) in outcomes {
            let count = self.by.entry(implementation).or_default();
            match outcome {
                Outcome::Passed => {
                    count.passed += 1;
                    passed = true;
                }
                Outcome::Failed(words) => {
                    failed = true;
                    self.failures.push(format!("{} {id} ({implementation}): {words}", self.name));
                }
                Outcome::Skipped(class) => {
                    *count.skipped.entry(class).or_default() += 1;
                    skipped = skipped.or(Some(*class));
                }
            }
        }
        match skipped {
            _ if failed => self.failed += 1,
            _ if passed => self.passed += 1,
            Some(class) => *self.skipped.entry(class).or_default() += 1,
            None => panic!("{} {id}: nobody tried it", self.name),
        }
    }

    pub(crate) fn skipped(&self) -> usize {
        self.skipped.values().sum()
    }

    pub(crate) fn total(&self) -> usize {
        self.passed + self.failed + self.skipped()
    }
}

/// All suites of a folder that is laid out like the shared one.
pub(crate) fn all(folder: &Path) -> Vec<Suite> {
    let mut suites = Vec::new();
    for (name, judge) in FOLDERS {
        for file in vectors::files(&folder.join(name)) {
            let inside = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
            suites.push(judge(&inside, &file));
        }
    }
    suites
}

/// What judges a file: its name inside the folder of vectors, and where it is.
type Judge = fn(&str, &Path) -> Suite;

const FOLDERS: &[(&str, Judge)] = &[
    ("wycheproof", wycheproof::judge),
    ("acvp", acvp::judge),
    ("cctv/ML-KEM", cctv::judge),
    ("cctv/ed25519vectors.json", edwards::judge_cctv),
    ("hpke-pq", hpke::judge),
    ("x-wing", x_wing::judge),
    ("composite-sigs", composite::judge),
];

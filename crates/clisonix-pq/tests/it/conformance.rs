//! All suites of vectors: none fails, and none is skipped without a written reason.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::{suites, vectors};

/// Classes of skipped vectors, each with its reason.
const SKIPPED: &str = include_str!("skipped.tsv");

fn reasons() -> BTreeSet<&'static str> {
    let lines = SKIPPED.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').expect("a class, a tab and a reason").0).collect()
}

#[test]
fn every_public_vector_is_judged_by_every_implementation_that_supports_it() {
    let Some(folder) = vectors::folder() else { return };
    let suites = suites::all(&folder);
    report(&suites);
    let failures: Vec<&String> = suites.iter().flat_map(|suite| &suite.failures).collect();
    assert!(failures.is_empty(), "{} failures:\n{failures:#?}", failures.len());
    let classes = suites.iter().flat_map(|suite| suite.skipped.keys().copied());
    let unexplained: BTreeSet<&str> = classes.filter(|class| !reasons().contains(class)).collect();
    assert!(unexplained.is_empty(), "skipped without a reason in skipped.tsv: {unexplained:?}");
    let judged: usize = suites.iter().map(suites::Suite::total).sum();
    assert!(judged > 0, "no vectors in {}", folder.display());
}

/// Writes a line a suite to the file that is asked for.
fn report(suites: &[suites::Suite]) {
    let Some(path) = std::env::var_os("CLISONIX_PQ_REPORT").map(PathBuf::from) else { return };
    let mut text = String::new();
    for suite in suites {
        let _ = write!(
            text,
            "{}\t{}\t{}\t{}",
            suite.name,
            suite.passed,
            suite.failures.len(),
            suite.skipped()
        );
        for (implementation, (passed, skipped)) in &suite.by {
            let _ = write!(text, "\t{implementation}={passed}/{}", passed + skipped);
        }
        for (class, count) in &suite.skipped {
            let _ = write!(text, "\t{class}={count}");
        }
        text.push('\n');
    }
    std::fs::write(path, text).expect("the report is written");
}

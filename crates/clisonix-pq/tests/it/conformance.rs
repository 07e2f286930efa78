//! All suites of vectors: none fails, and none is skipped without a written reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clisonix_fhir::json::{Object, Value};

use crate::{suites, vectors};

/// Why an implementation skips vectors: classes, each with its reason.
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
    let counts = suites.iter().flat_map(|suite| suite.by.values());
    let classes = counts.flat_map(|count| count.skipped.keys().copied());
    let unexplained: BTreeSet<&str> = classes.filter(|class| !reasons().contains(class)).collect();
    assert!(unexplained.is_empty(), "skipped without a reason in skipped.tsv: {unexplained:?}");
    let judged: usize = suites.iter().map(suites::Suite::total).sum();
    assert!(judged > 0, "no vectors in {}", folder.display());
}

/// Writes a JSON object a suite to the file that is asked for.
fn report(suites: &[suites::Suite]) {
    let Some(path) = std::env::var_os("CLISONIX_PQ_REPORT").map(PathBuf::from) else { return };
    let lines = suites.iter().map(|suite| line(suite).to_text() + "\n");
    std::fs::write(path, lines.collect::<String>()).expect("the report is written");
}

fn line(suite: &suites::Suite) -> Value {
    let by = suite.by.iter().map(|(name, own)| {
        let counts = [("passed", count(own.passed)), ("skipped", reasons_of(&own.skipped))];
        (*name, Value::from(Object::from_iter(counts)))
    });
    let failures = suite.failures.iter().map(|words| Value::from(words.as_str()));
    Value::from(Object::from_iter([
        ("suite", suite.name.as_str().into()),
        ("passed", count(suite.passed)),
        ("failed", count(suite.failed)),
        ("skipped", count(suite.skipped())),
        ("by", by.collect::<Object>().into()),
        ("reasons", reasons_of(&suite.skipped)),
        ("failures", Value::Array(failures.collect())),
    ]))
}

fn reasons_of(skipped: &BTreeMap<&'static str, usize>) -> Value {
    let members = skipped.iter().map(|(class, number)| (*class, count(*number)));
    members.collect::<Object>().into()
}

fn count(count: usize) -> Value {
    Value::from(i64::try_from(count).expect("a small count"))
}

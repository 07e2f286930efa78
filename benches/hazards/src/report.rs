//! Counts of unsafe cases, as a table for people or as one JSON object a line.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::suite::kind::Kind;
use crate::suite::{Case, Fault, Problem, Selection};

/// What is wrong however conflicts are shown.
const CONTENT: &[Problem] =
    &[Problem::Invalid, Problem::Mixed, Problem::Doubled, Problem::Retraction, Problem::Diverged];

/// Collects counts and prints them.
pub struct Report {
    json: bool,
    cases: usize,
    subjects: Vec<&'static str>,
    /// By row and subject.
    counts: BTreeMap<(String, &'static str), usize>,
    kinds: BTreeMap<Kind, usize>,
}

impl Report {
    /// Prints what is played.
    pub fn new(json: bool, selection: &Selection) -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|text| text.parse::<f64>().ok());
        let cases = selection.cases.len();
        let types = selection.cases.iter().map(|case| case.ty).collect::<BTreeSet<_>>().len();
        if json {
            let about = json!({
                "versions": versions(), "load_1min": load, "cases": cases, "types": types,
                "left_out_invalid": selection.invalid, "left_out_vacuous": selection.vacuous,
                "orders": "two of the actors, two of arrival; a case counts once",
            });
            println!("{}", json!({ "bench": "hazards", "about": about }));
        } else {
            println!(
                "{cases} pairs of concurrent edits of {types} types, each in both orders of actors and of arrival; \
                 {} left out because a branch is not valid by itself",
                selection.invalid
            );
            println!("{}", Value::Object(versions()));
        }
        let mut kinds = BTreeMap::new();
        for case in &selection.cases {
            *kinds.entry(case.kind).or_default() += 1;
        }
        Self { json, cases, subjects: Vec::new(), counts: BTreeMap::new(), kinds }
    }

    /// Takes what is wrong with one case.
    pub fn count(&mut self, subject: &'static str, case: &Case, faults: &[Fault]) {
        let problems: BTreeSet<Problem> = faults.iter().map(|fault| fault.problem).collect();
        let mut add = |row: String| *self.counts.entry((row, subject)).or_default() += 1;
        let has = |of: &[Problem]| problems.iter().any(|problem| of.contains(problem));
        problems.iter().for_each(|problem| add(problem.name().to_owned()));
        if has(CONTENT) {
            add("wrong_content".to_owned());
        }
        if problems.iter().any(|problem| *problem != Problem::FalseAlarm) {
            add("unsafe".to_owned());
            add(format!("unsafe_{}", case.kind.name()));
        }
    }

    /// Tells the counts of a subject.
    pub fn finish(&mut self, subject: &'static str) {
        self.subjects.push(subject);
        if !self.json {
            return;
        }
        for (row, _, cases) in self.rows() {
            let value = self.counts.get(&(row.clone(), subject)).copied().unwrap_or(0);
            let line = json!({ "bench": "hazards", "row": row, "subject": subject, "value": value,
                               "unit": format!("of {cases}"), "better": "lower" });
            println!("{line}");
        }
    }

    /// Prints the table.
    pub fn close(&self) {
        if self.json {
            return;
        }
        print!("{:<48}{:>8}", "", "cases");
        self.subjects.iter().for_each(|subject| print!("{subject:>12}"));
        println!();
        for (row, title, cases) in self.rows() {
            print!("{title:<48}{cases:>8}");
            for &subject in &self.subjects {
                print!("{:>12}", self.counts.get(&(row.clone(), subject)).copied().unwrap_or(0));
            }
            println!();
        }
    }

    /// Name, title and number of cases of each row.
    fn rows(&self) -> Vec<(String, String, usize)> {
        let all = |row: &str, title: &str| (row.to_owned(), title.to_owned(), self.cases);
        let demands = Problem::ALL.iter().map(|&problem| all(problem.name(), title(problem)));
        let sums = [
            all("wrong_content", "1, 2, 4 or a retraction that does not stand"),
            all("unsafe", "1 to 4, in any way"),
        ];
        let kinds = Kind::ALL.iter().filter_map(|kind| {
            let name = kind.name();
            Some((format!("unsafe_{name}"), format!("  unsafe: {name}"), *self.kinds.get(kind)?))
        });
        demands.chain(sums).chain(kinds).collect()
    }
}

/// The demand on a merge that it breaks, and how.
fn title(problem: Problem) -> &'static str {
    match problem {
        Problem::Invalid => "1 the merged resource is not valid",
        Problem::Mixed => "2 a combination that nobody wrote",
        Problem::Doubled => "2 one thing stands there twice",
        Problem::Silent => "3 disagreement, and no conflict is shown",
        Problem::Lost => "3 a value neither merged nor shown",
        Problem::Retraction => "3 a retraction does not stand",
        Problem::Diverged => "4 replicas differ",
        Problem::FalseAlarm => "5 a conflict where nobody disagrees",
    }
}

/// What the lock file says was compiled in.
fn versions() -> Map<String, Value> {
    let lock = include_str!("../../Cargo.lock");
    let wanted = ["automerge", "clisonix-crdt", "loro", "yrs"];
    let sections = lock.split("[[package]]").filter_map(|section| {
        let member = |name: &str| {
            let line = section.lines().find(|line| line.starts_with(name))?;
            line.split('"').nth(1).map(ToOwned::to_owned)
        };
        Some((member("name = ")?, json!(member("version = ")?)))
    });
    sections.filter(|(name, _)| wanted.contains(&&**name)).collect()
}

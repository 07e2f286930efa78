//! The hazard suite on this merge layer: thousands of generated pairs of concurrent edits, in every
//! order of actors and arrival.
//!
//! `CLISONIX_HAZARD_CASES` says how many cases at most (`all` for every one),
//! `CLISONIX_HAZARD_SEED` which choice, `CLISONIX_HAZARD_ONLY` takes only cases whose name holds a
//! text and tells their resources, `CLISONIX_HAZARD_SHOWN` says how many unsafe cases are told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clisonix_crdt::{Base, ConflictKind};
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::validate::invariants;

use crate::site::{Site, entry_id};

mod known;
#[path = "hazards/suite.rs"]
mod suite;

use suite::{Case, Fault, Outcome, Problem, Selection, Shown, TYPES, judge};

/// Cases of a run that nobody asked more of.
const CASES: usize = 15_000;

/// Who is smaller as an actor and earlier by the clock.
const ORDERS: [(u8, u8); 2] = [(b'A', b'B'), (b'B', b'A')];

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn selection() -> Selection {
    let limit = match setting("CLISONIX_HAZARD_CASES").as_deref() {
        None => CASES,
        Some("all") => usize::MAX / 2,
        Some(text) => text.parse().expect("CLISONIX_HAZARD_CASES is a number or `all`"),
    };
    let seed = setting("CLISONIX_HAZARD_SEED").and_then(|text| text.parse().ok()).unwrap_or(1);
    Selection::new(limit, seed, &setting("CLISONIX_HAZARD_ONLY").unwrap_or_default())
}

/// What the author writes to get from one record to another.
fn write(site: &mut Site, from: &[Value], to: &[Value]) {
    let name = |resource: &Value| {
        let text = |name| resource.get(name).and_then(Value::as_str).expect("type and id");
        format!("{}/{}", text("resourceType"), text("id"))
    };
    let changed: Vec<&Object> = to
        .iter()
        .filter(|resource| !from.contains(resource))
        .map(|resource| resource.as_object().expect("an object"))
        .collect();
    if !changed.is_empty() {
        site.with(None, |record, origin, actors| {
            record.edit(&changed, &Base::Current, origin, actors)
        })
        .expect("the edit is accepted");
    }
    for gone in from.iter().filter(|old| !to.iter().any(|new| name(new) == name(old))) {
        site.remove(&name(gone));
    }
}

/// Plays a case with both branches arriving in either order, and reads what came of it.
fn play(case: &Case, names: (u8, u8), tie: bool) -> Outcome {
    let mut origin = Site::new(b'0');
    write(&mut origin, &[], &case.base);
    let (mut a, mut b) = (origin.fork(names.0), origin.fork(names.1));
    if !tie {
        let later = if names.0 < names.1 { &mut b } else { &mut a };
        later.now += 60_000;
    }
    write(&mut a, &case.base, &case.a);
    write(&mut b, &case.base, &case.b);
    let (mut early, mut late) = (origin.fork(b'X'), origin.fork(b'Y'));
    early.pull(&a);
    early.pull(&b);
    late.pull(&b);
    late.pull(&a);
    a.pull(&b);
    b.pull(&a);
    let sites = [&a, &b, &early, &late];
    let states = sites.map(|site| site.record.state_bytes());
    let texts = sites.map(|site| site.record.view().bundle_text());
    let is_same = states.windows(2).all(|pair| pair[0] == pair[1])
        && texts.windows(2).all(|pair| pair[0] == pair[1])
        && a.conflicts() == late.conflicts();
    let view = early.record.view();
    let resources = view.entries().filter_map(|id| view.resource(id)).collect();
    let shown = early.conflicts().into_iter().map(|conflict| Shown {
        entry: conflict.entry.to_string(),
        sides: conflict
            .sides
            .into_iter()
            .map(|side| side.value.filter(|_| !side.removed))
            .collect(),
    });
    Outcome { is_same, resources, shown: shown.collect() }
}

/// What is wrong with a case in either order of actors.
fn faults(case: &Case) -> Vec<Fault> {
    // Every third case is written at the same moment, so that the actors decide.
    let tie = case.name.len().is_multiple_of(3);
    let mut faults = Vec::new();
    for names in ORDERS {
        let outcome = play(case, names, tie);
        for fault in judge(case, &outcome) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    faults
}

/// How many cases, and how many of them have each problem.
type Counts = (usize, BTreeMap<Problem, usize>);

/// Cases and faults by type and kind.
#[derive(Default)]
struct Table(BTreeMap<(&'static str, &'static str), Counts>);

impl Table {
    fn count(&mut self, case: &Case, faults: &[Fault]) {
        let problems: std::collections::BTreeSet<Problem> =
            faults.iter().map(|fault| fault.problem).collect();
        for row in [(case.ty, ""), ("", case.kind.name()), (case.ty, case.kind.name())] {
            let (cases, counts) = self.0.entry(row).or_default();
            *cases += 1;
            for &problem in &problems {
                *counts.entry(problem).or_default() += 1;
            }
        }
    }

    /// The sums, and of types and kinds together those with faults only.
    fn text(&self) -> String {
        let mut text = format!("{:<28}{:<26}{:>7}", "type", "kind", "cases");
        for problem in Problem::ALL {
            let _ = write!(text, "{:>12}", problem.name());
        }
        for ((ty, kind), (cases, counts)) in &self.0 {
            let is_sum = ty.is_empty() || kind.is_empty();
            if is_sum || !counts.is_empty() {
                let _ = write!(text, "\n{ty:<28}{kind:<26}{cases:>7}");
                for problem in Problem::ALL {
                    let _ = write!(text, "{:>12}", counts.get(&problem).copied().unwrap_or(0));
                }
            }
        }
        text
    }
}

#[test]
fn no_pair_of_concurrent_edits_is_merged_unsafely() {
    let selection = selection();
    let mut table = Table::default();
    let mut unsafe_cases = Vec::new();
    // How many cases of each known failure were played, and how many of them failed.
    let mut known = vec![(0, 0); known::FAILURES.len()];
    for case in &selection.cases {
        let faults = faults(case);
        let mut is_known = false;
        for (failure, (played, failed)) in known::FAILURES.iter().zip(&mut known) {
            *played += usize::from(failure.is_about(case));
            let covers = !faults.is_empty() && failure.covers(case, &faults);
            *failed += usize::from(covers);
            is_known |= covers;
        }
        table.count(case, if is_known { &[] } else { &faults });
        if !faults.is_empty() && !is_known {
            unsafe_cases.push((case, faults));
        }
    }
    println!(
        "{} cases; {} pairs not taken because a branch is not valid, {} because an edit is none",
        selection.cases.len(),
        selection.invalid,
        selection.vacuous
    );
    for (failure, (played, failed)) in known::FAILURES.iter().zip(&known) {
        let known::Known { ty, part, reason, .. } = failure;
        println!("known: {ty} `{part}`: {failed} of {played}: {reason}");
    }
    assert!(unsafe_cases.is_empty(), "{}\n{}", table.text(), told(&unsafe_cases));
    let settings = ["CLISONIX_HAZARD_CASES", "CLISONIX_HAZARD_SEED", "CLISONIX_HAZARD_ONLY"];
    if settings.iter().all(|name| setting(name).is_none()) {
        assert!(selection.cases.len() > 5_000, "the generator makes cases");
        for (failure, (played, failed)) in known::FAILURES.iter().zip(known) {
            let known::Known { ty, part, .. } = failure;
            assert!(
                played == 0 || failed > 0,
                "no longer fails, take it off the list: {ty} {part}"
            );
        }
    }
}

/// The first of the unsafe cases, each with what is wrong.
fn told(cases: &[(&Case, Vec<Fault>)]) -> String {
    let shown = setting("CLISONIX_HAZARD_SHOWN").and_then(|text| text.parse().ok()).unwrap_or(40);
    let mut text = format!("{} unsafe; CLISONIX_HAZARD_ONLY=<name> plays one again\n", cases.len());
    for (case, faults) in cases.iter().take(shown) {
        let _ = writeln!(text, "{}", case.name);
        for fault in faults {
            let _ = writeln!(text, "    {}: {}", fault.problem.name(), fault.place);
        }
        if setting("CLISONIX_HAZARD_ONLY").is_some() {
            let merged = play(case, ORDERS[0], false).resources;
            for (name, record) in
                [("base", &case.base), ("A", &case.a), ("B", &case.b), ("merged", &merged)]
            {
                let record: Vec<String> = record.iter().map(Value::to_text).collect();
                let _ = writeln!(text, "    {name}: {}", record.join(" "));
            }
        }
    }
    text
}

#[test]
fn the_oracle_knows_every_invariant_of_the_covered_types() {
    let covered = |at: &str| TYPES.contains(&at.split('.').next().unwrap_or_default());
    for (key, at) in invariants().filter(|(_, at)| covered(at)) {
        // org-2 and org-3 look into one list each.
        let is_of_one_element = matches!(key, "org-2" | "org-3");
        assert!(
            is_of_one_element || suite::rules::rules_at(at).any(|rule| rule.key == key),
            "{key} at {at}"
        );
    }
}

/// The suite finds what a merge by members does wrong, or it would prove nothing.
#[test]
fn the_oracle_finds_fault_with_a_merge_by_members() {
    let selection = Selection::new(20_000, 1, "Observation/");
    let mut found = BTreeMap::new();
    for case in selection.cases.iter().filter(|case| case.base.len() == 1) {
        let ([base], [a], [b]) = (&case.base[..], &case.a[..], &case.b[..]) else { continue };
        let merged = by_members(base, a, b);
        let outcome = Outcome { is_same: true, resources: vec![merged], shown: vec![] };
        for fault in judge(case, &outcome) {
            *found.entry(fault.problem).or_insert(0) += 1;
        }
    }
    for problem in [Problem::Invalid, Problem::Mixed, Problem::Silent, Problem::Lost] {
        assert!(found.get(&problem).is_some_and(|count| *count > 5), "{problem:?}: {found:?}");
    }
}

/// Three-way merge of JSON trees, the second author's member where both changed it.
fn by_members(base: &Value, a: &Value, b: &Value) -> Value {
    let (Value::Object(old), Value::Object(one), Value::Object(other)) = (base, a, b) else {
        return if b == base { a.clone() } else { b.clone() };
    };
    let mut merged = Object::new();
    for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(name))) {
        let value = match (old.get(name), one.get(name), other.get(name)) {
            (Some(old), Some(one), Some(other)) => Some(by_members(old, one, other)),
            (old, one, other) if other == old => one.cloned(),
            (_, _, other) => other.cloned(),
        };
        if let Some(value) = value {
            merged.insert(name, value);
        }
    }
    Value::Object(merged)
}

/// Removals are shown as such, so that the suite may look for them.
#[test]
fn a_removal_that_met_an_edit_is_shown() {
    let mut a = Site::new(b'A');
    a.put(r#"{"resourceType":"Basic","id":"b","code":{"text":"one"}}"#);
    let mut b = a.fork(b'B');
    a.remove("Basic/b");
    b.set("Basic/b", "created", Some(r#""2024-01-01""#));
    a.pull(&b);
    let conflicts = a.record.view().conflicts_of(&entry_id("Basic/b"));
    assert!(conflicts.iter().any(|conflict| conflict.kind == ConflictKind::Removal));
}

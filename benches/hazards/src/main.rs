//! The hazard suite of the merge layer's own tests, played on this engine and on its peers, and
//! judged by the same oracle.
//!
//! A peer holds the record as one JSON object with the resources by `Type/id`, nested maps and
//! lists inside, and takes the difference of two trees as edits: one operation for each changed
//! member or list element. Its result is read kindly: empty lists and objects that a merge left
//! behind are dropped before it is judged.

mod difference;
mod own;
mod peer;
mod report;
#[path = "../../../crates/clisonix-crdt/tests/it/hazards/suite.rs"]
mod suite;

use anyhow::{Context, Result, bail};
use bench_crdt::engine::{automerge::Automerge, loro::Loro, yrs::Yrs};

use report::Report;
use suite::{Case, Fault, Outcome, Selection, judge};

/// Both orders of the actors' ids.
const ORDERS: [(u8, u8); 2] = [(1, 2), (2, 1)];
/// Cases of a run that ends within five minutes, of a full one, and of one that shows that
/// everything works.
const LIMITS: [usize; 3] = [20_000, 200_000, 1_000];

fn main() -> Result<()> {
    let (mut limit, mut json) = (LIMITS[0], false);
    for argument in std::env::args().skip(1) {
        match &*argument {
            "--json" => json = true,
            "--full" => limit = LIMITS[1],
            "--quick" => limit = LIMITS[2],
            other => bail!("unknown argument `{other}`; known: --json --full --quick"),
        }
    }
    let selection = Selection::new(limit, 1, "");
    let mut report = Report::new(json, &selection);
    subject(&mut report, "clisonix", &selection, own::play)?;
    subject(&mut report, "automerge", &selection, peer::play::<Automerge>)?;
    subject(&mut report, "loro", &selection, peer::play::<Loro>)?;
    subject(&mut report, "yrs", &selection, peer::play::<Yrs>)?;
    report.close();
    Ok(())
}

/// What an engine makes of a case with these two actors.
type Play = fn(&Case, (u8, u8)) -> Result<Outcome>;

fn subject(
    report: &mut Report,
    name: &'static str,
    selection: &Selection,
    play: Play,
) -> Result<()> {
    for case in &selection.cases {
        let faults = faults(case, play).with_context(|| format!("{name}: {}", case.name))?;
        report.count(name, case, &faults);
    }
    report.finish(name);
    Ok(())
}

/// What is wrong in either order.
fn faults(case: &Case, play: Play) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for actors in ORDERS {
        faults.extend(judge(case, &play(case, actors)?));
    }
    Ok(faults)
}

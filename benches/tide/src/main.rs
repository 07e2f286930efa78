//! Finding the difference: two sites hold `n` records, `d` of which were changed at one of them.
//! What it costs until one site knows which ones, in bytes, round trips and CPU time.

mod bloom;
mod first;
mod json;
mod live;
mod negentropy;
mod nodes;
mod own;
mod parts;
#[path = "../../crdt/src/report.rs"]
mod report;
mod session;
mod sites;
mod slow;

use anyhow::{Context as _, Result, bail};
use parts::Part;
use report::{Report, Row};
use sites::Sites;

/// What one reconciliation cost.
#[derive(Clone, Copy, Default)]
struct Cost {
    bytes: usize,
    round_trips: usize,
    /// CPU time of both sites, in milliseconds, of what one session needs.
    session_ms: f64,
    /// CPU time of one site before the first session, in milliseconds.
    prepare_ms: f64,
}

const RECORDS: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Records of whole sessions.
const SESSION_RECORDS: usize = 1_000_000;
/// How a session comes to know what is lacking, whether the sites know their arrivals, and which of
/// them changed: 0 greets, 1 is greeted.
const WAYS: [(&str, bool, usize); 3] =
    [("sketched", false, 0), ("sketched_greeted", false, 1), ("fed", true, 0)];
const CHANGED: [usize; 4] = [0, 1, 100, 10_000];

fn main() -> Result<()> {
    let (mut json, mut full, mut parts) = (false, false, Part::ALL.to_vec());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--json" => json = true,
            "--full" => full = true,
            "--part" => {
                let name = arguments.next().unwrap_or_default();
                parts = vec![Part::named(&name).context("no such part")?];
            }
            other => bail!("unknown argument `{other}`; known: --json --full --part NAME"),
        }
    }
    let seeds = if full { 10_000 } else { 1000 };
    let mut rows = Vec::new();
    for part in &parts {
        match part {
            Part::Difference => rows.extend(difference_rows(seeds)),
            other => rows.extend(other.rows(full)),
        }
    }
    let mut report = report(json, rows, seeds);
    for part in parts {
        match part {
            Part::Difference => difference(&mut report, seeds)?,
            other => other.run(&mut report, full)?,
        }
    }
    report.close();
    Ok(())
}

/// Finding the difference, with the peers; whole sessions.
fn difference(report: &mut Report, seeds: usize) -> Result<()> {
    for records in RECORDS {
        for changed in CHANGED {
            let sites = Sites::new(records, changed);
            let mut tell = |subject, cost: Cost| {
                let mut value = |what: &str, value| {
                    report.value(subject, &format!("{what}_{records}_{changed}"), value);
                };
                value("bytes", cost.bytes as f64);
                value("round_trips", cost.round_trips as f64);
                value("session_ms", cost.session_ms);
                value("prepare_ms", cost.prepare_ms);
            };
            tell("clisonix", own::reconcile(&sites)?);
            tell("negentropy", negentropy::reconcile(&sites)?);
            tell("bloom", bloom::reconcile(&sites));
        }
        report.value("clisonix", &format!("upkeep_ns_{records}"), own::upkeep_ns(records));
    }
    sessions(report)?;
    for (changed, row) in [(1, "p99_bytes_1"), (100, "p99_bytes_100")] {
        report.value("clisonix", row, own::p99_bytes(changed, seeds)?);
    }
    Ok(())
}

/// Whole sessions: what is found by sketches, and what is pushed from where the peer stood.
fn sessions(report: &mut Report) -> Result<()> {
    for (way, knows_arrivals, at) in WAYS {
        let mut pair = session::Pair::new(SESSION_RECORDS, knows_arrivals);
        // They agree, and exchange receipts.
        pair.meet()?;
        for changed in CHANGED {
            pair.change(at, changed);
            let cost = pair.meet()?;
            let mut value = |what: &str, value| {
                report.value("clisonix", &format!("{way}_{what}_{changed}"), value);
            };
            value("bytes", cost.bytes as f64);
            value("beside", cost.beside as f64);
            value("finding", cost.finding as f64);
            value("heads", cost.heads as f64);
            value("rest", cost.beside.saturating_sub(cost.finding + cost.heads) as f64);
            value("messages", cost.messages as f64);
            value("round_trips", cost.round_trips);
            value("known_round_trips", cost.known_round_trips);
            value("ms", cost.ms);
        }
        if knows_arrivals {
            report.value("clisonix", "session_upkeep_ns", pair.upkeep_ns(SESSION_RECORDS / 5));
        }
    }
    Ok(())
}

fn difference_rows(seeds: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |name: String, title: String, unit| {
        rows.push(Row::new(&name, &title, unit, "lower"));
    };
    for (what, title, unit) in [
        ("bytes", "bytes", "B"),
        ("round_trips", "round trips", "count"),
        ("session_ms", "CPU of a session, both sites, ms", "ms"),
        ("prepare_ms", "CPU to prepare, one site, ms", "ms"),
    ] {
        for records in RECORDS {
            for changed in CHANGED {
                let title = format!("n {records} d {changed}: {title}");
                row(format!("{what}_{records}_{changed}"), title, unit);
            }
        }
    }
    for records in RECORDS {
        let title = format!("n {records}: upkeep, ns/change and peer");
        row(format!("upkeep_ns_{records}"), title, "ns");
    }
    for (way, ..) in WAYS {
        for (what, title, unit) in [
            ("bytes", "bytes of both but receipts", "B"),
            ("beside", "of them besides changes", "B"),
            ("finding", "of that, to find the difference", "B"),
            ("heads", "of that, what both have", "B"),
            ("rest", "of that, entries, names and numbers", "B"),
            ("messages", "messages of both", "count"),
            ("round_trips", "round trips until equal", "count"),
            ("known_round_trips", "round trips until both know it", "count"),
            ("ms", "CPU of both sites, ms", "ms"),
        ] {
            for changed in CHANGED {
                let title =
                    format!("session, {}, d {changed}: {title}", way.replace('_', ", at the "));
                row(format!("{way}_{what}_{changed}"), title, unit);
            }
        }
    }
    let title = "session: upkeep with catalogue, ns/change and peer".to_owned();
    row("session_upkeep_ns".to_owned(), title, "ns");
    for changed in [1, 100] {
        let title = format!("d {changed}: bytes, p99 of {seeds} seeds");
        row(format!("p99_bytes_{changed}"), title, "B");
    }
    rows
}

fn report(json: bool, rows: Vec<Row>, seeds: usize) -> Report {
    let about = serde_json::json!({
        "records": RECORDS, "changed": CHANGED, "seeds": seeds, "time": "CPU time of the thread",
    });
    Report::new("tide", json, rows, about, "d of n records differ at two sites; CPU time")
}

/// Runs and measures, in milliseconds of CPU time.
fn timed<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let start = cpu_time::ThreadTime::now();
    let result = run();
    (result, start.elapsed().as_secs_f64() * 1000.0)
}

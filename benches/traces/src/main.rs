//! Recorded editing sessions of plain text: what typing, loading and merging them costs in this
//! engine and in its peers. The text at the end is checked against the recorded one.

mod engine;
mod replay;
#[path = "../../crdt/src/report.rs"]
mod report;
mod trace;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use engine::{
    automerge::Automerge, clisonix::Clisonix, diamond::Diamond, loro::Loro, record::Noted, yrs::Yrs,
};
use report::{Report, Row};
use trace::Trace;

/// What the command line says.
struct Arguments {
    data: PathBuf,
    json: bool,
    full: bool,
    only: Option<String>,
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let traces = Trace::load_all(&arguments.data)?;
    ensure!(!traces.is_empty(), "no traces (*.json, *.json.gz) in {}", arguments.data.display());
    let runs = if arguments.full { 15 } else { 5 };
    let about = serde_json::json!({
        "traces": traces.iter().map(|trace| trace.name.as_str()).collect::<Vec<_>>(),
        "runs": runs,
        "time": "CPU time of the thread, median of runs",
    });
    let heading = format!("{} editing traces, median of {runs} runs, CPU time", traces.len());
    let rows = traces.iter().flat_map(rows).collect();
    let mut report = Report::new("traces", arguments.json, rows, about, &heading);
    let wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| only == name);
    for trace in &traces {
        if wanted("clisonix") {
            replay::run::<Clisonix>(trace, runs, &mut report)?;
        }
        // One change for every few letters: fewer repetitions.
        if wanted("record cell") {
            replay::run::<Noted>(trace, runs.div_ceil(5), &mut report)?;
        }
        if wanted("diamond-types") {
            replay::run::<Diamond>(trace, runs, &mut report)?;
        }
        if wanted("loro") {
            replay::run::<Loro>(trace, runs, &mut report)?;
        }
        // Seconds for each replay: fewer repetitions.
        if wanted("yrs") {
            replay::run::<Yrs>(trace, runs.div_ceil(5), &mut report)?;
        }
        if wanted("automerge") {
            replay::run::<Automerge>(trace, runs.div_ceil(5), &mut report)?;
        }
    }
    report.close();
    Ok(())
}

fn arguments() -> Result<Arguments> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces");
    let mut found = Arguments { data, json: false, full: false, only: None };
    let mut rest = std::env::args().skip(1);
    while let Some(argument) = rest.next() {
        match &*argument {
            "--json" => found.json = true,
            "--full" => found.full = true,
            "--data" => found.data = rest.next().context("--data needs a folder")?.into(),
            "--only" => found.only = Some(rest.next().context("--only needs an engine")?),
            other => bail!("unknown argument `{other}`; known: --json --full --data --only"),
        }
    }
    Ok(found)
}

/// The rows of one trace.
fn rows(trace: &Trace) -> Vec<Row> {
    let merges = [
        ("merge_each_ms", "merge, message by message, ms", "ms"),
        ("merge_batch_ms", "merge, one batch, ms", "ms"),
        ("message_bytes", "message, B/edit", "B"),
        ("batch_bytes", "batch, B", "B"),
    ];
    let single = [("local_ms", "local edits, ms", "ms")];
    let both = [("load_ms", "load + read, ms", "ms"), ("stored_bytes", "stored, B", "B")];
    let own = if trace.concurrent { &merges[..] } else { &single[..] };
    let list = own.iter().chain(&both);
    let row = |&(name, title, unit): &(&str, &str, &'static str)| {
        let title = format!("{}: {title}", trace.name);
        Row::new(&format!("{}.{name}", trace.name), &title, unit, "lower")
    };
    list.map(row).collect()
}

//! The driver: one engine through one trace.

use std::hint::black_box;

use anyhow::{Result, ensure};
use cpu_time::ThreadTime;

use crate::engine::Engine;
use crate::report::Report;
use crate::trace::{Patch, Trace};

/// Measures every row of one trace for one engine.
pub fn run<E: Engine>(trace: &Trace, runs: usize, report: &mut Report) -> Result<()> {
    let mut put =
        |name: &str, value| report.value(E::NAME, &format!("{}.{name}", trace.name), value);
    let mut doc = if trace.concurrent {
        let messages = messages::<E>(trace)?;
        let bytes: usize = messages.iter().map(Vec::len).sum();
        put("message_bytes", bytes as f64 / trace.patches() as f64);
        let (mut merged, time) = repeat(runs, || take_in::<E>(&messages))?;
        check::<E>(&mut merged, trace)?;
        put("merge_each_ms", time);
        let batch = E::batch(&mut merged)?;
        put("batch_bytes", batch.len() as f64);
        let (mut merged, time) = repeat(runs, || take_in::<E>(std::slice::from_ref(&batch)))?;
        check::<E>(&mut merged, trace)?;
        put("merge_batch_ms", time);
        merged
    } else {
        let (doc, time) = repeat(runs, || type_in::<E>(trace))?;
        put("local_ms", time);
        doc
    };
    check::<E>(&mut doc, trace)?;
    let stored = E::save(&mut doc)?;
    put("stored_bytes", stored.len() as f64);
    drop(doc);
    let (_, time) = repeat(runs.max(5), || {
        let mut loaded = E::load(&stored)?;
        black_box(E::read(&mut loaded)?);
        Ok(loaded)
    })?;
    put("load_ms", time);
    check::<E>(&mut E::load(&stored)?, trace)
}

fn check<E: Engine>(doc: &mut E::Doc, trace: &Trace) -> Result<()> {
    ensure!(E::read(doc)? == trace.end, "{}: {} has another text", trace.name, E::NAME);
    Ok(())
}

/// All edits at one replica, each a change of its own.
fn type_in<E: Engine>(trace: &Trace) -> Result<E::Doc> {
    let mut doc = E::create(0)?;
    if !trace.start.is_empty() {
        E::edit(&mut doc, &start(trace))?;
    }
    for step in &trace.steps {
        E::edit(&mut doc, &step.patches)?;
    }
    Ok(doc)
}

fn take_in<E: Engine>(messages: &[Vec<u8>]) -> Result<E::Doc> {
    let mut doc = E::create(90)?;
    for message in messages {
        E::merge(&mut doc, message)?;
    }
    // Some engines put work off until somebody reads.
    black_box(E::read(&mut doc)?);
    Ok(doc)
}

/// The messages of the trace's edits, each made at its agent's replica, which has exactly what the
/// agent had seen.
fn messages<E: Engine>(trace: &Trace) -> Result<Vec<Vec<u8>>> {
    let mut messages: Vec<Vec<u8>> = Vec::with_capacity(trace.steps.len() + 1);
    let first = usize::from(!trace.start.is_empty());
    if first > 0 {
        messages.push(E::send(&mut E::create(89)?, &start(trace))?);
    }
    let mut sites = (0..trace.agents).map(E::create).collect::<Result<Vec<_>>>()?;
    for site in &mut sites {
        messages.iter().try_for_each(|message| E::merge(site, message))?;
    }
    let mut have = vec![vec![false; trace.steps.len()]; trace.agents];
    for (at, step) in trace.steps.iter().enumerate() {
        let (site, have) = (&mut sites[step.agent], &mut have[step.agent]);
        let mut missing = Vec::new();
        let mut todo = step.parents.clone();
        while let Some(parent) = todo.pop() {
            if !std::mem::replace(&mut have[parent], true) {
                missing.push(parent);
                todo.extend(&trace.steps[parent].parents);
            }
        }
        missing.sort_unstable();
        for parent in missing {
            E::merge(site, &messages[first + parent])?;
        }
        messages.push(E::send(site, &step.patches)?);
        have[at] = true;
    }
    Ok(messages)
}

fn start(trace: &Trace) -> [Patch; 1] {
    [Patch { position: 0, deleted: 0, inserted: trace.start.clone() }]
}

/// The result of the last run and the median of their times in milliseconds.
fn repeat<T>(runs: usize, mut run: impl FnMut() -> Result<T>) -> Result<(T, f64)> {
    let mut times = Vec::new();
    loop {
        let start = ThreadTime::now();
        let result = run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        if times.len() >= runs {
            times.sort_by(f64::total_cmp);
            return Ok((result, times[times.len() / 2]));
        }
    }
}

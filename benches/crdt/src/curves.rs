//! What is measured of this engine alone: a record whose log a store keeps apart, and how the cost of
//! a merge grows with the entries of a record, with the replicas that write at once, and with the
//! edits that were made before.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use cpu_time::ThreadTime;

use crate::engine::{Engine, clisonix::Clisonix};
use crate::heap;
use crate::patient::{self, Editor};
use crate::report::Report;
use crate::seed::Seed;
use crate::size::Size;

type Replica = <Clisonix as Engine>::Doc;

/// Edits that one mean is taken over.
const EDITS: usize = 1_000;
const ENTRIES: [usize; 3] = [10, 1_000, 20_000];
const REPLICAS: [usize; 3] = [2, 10, 100];

/// Measures all curves of this engine.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let (load_ms, heap_kib) = log_apart(size)?;
    report.value(Clisonix::NAME, "apart_load_ms", load_ms);
    report.value(Clisonix::NAME, "apart_heap_kib", heap_kib);
    for entries in ENTRIES {
        let name = format!("merge_{entries}_entries_us");
        report.value(Clisonix::NAME, &name, among_entries(entries)?);
    }
    for replicas in REPLICAS {
        let name = format!("merge_{replicas}_replicas_us");
        report.value(Clisonix::NAME, &name, among_replicas(replicas)?);
    }
    let (first, last) = after_edits(size.curve_edits)?;
    report.value(Clisonix::NAME, "merge_first_edits_us", first);
    report.value(Clisonix::NAME, "merge_last_edits_us", last);
    Ok(())
}

/// One document edited for years, as a store keeps it: milliseconds to load it, KiB it then holds.
fn log_apart(size: &Size) -> Result<(f64, f64)> {
    let mut seed = Seed::new(20_000);
    let text = patient::text(&mut seed);
    let mut editor = Editor::new(&text)?;
    let mut doc = Clisonix::create(&text, 1)?;
    edits(&mut doc, &mut editor, &mut seed, size.long_edits)?;
    let (shown, (state, log)) = (Clisonix::read(&mut doc)?, doc.store()?);
    drop(doc);
    let before = heap::live();
    let start = ThreadTime::now();
    let mut loaded = Replica::of_store(&state, log)?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let heap_kib = heap::live().saturating_sub(before) as f64 / 1_024.0;
    ensure!(Clisonix::read(&mut loaded)? == shown, "the loaded record shows something else");
    Ok((load_ms, heap_kib))
}

/// Two replicas of a record of so many entries, of which one is edited: µs to merge an edit.
fn among_entries(entries: usize) -> Result<f64> {
    let mut seed = Seed::new(entries as u64);
    let text = patient::text(&mut seed);
    let mut editor = Editor::new(&text)?;
    let mut writer = Clisonix::create(&bundle(&text, entries), 1)?;
    let mut reader = Clisonix::load(&Clisonix::save(&mut writer)?, 2)?;
    // A loaded record's log is unpacked once, at the first merge; that is not the cost of an edit.
    let first = edits(&mut writer, &mut editor, &mut seed, 1)?;
    merge(&mut reader, &first)?;
    let messages = edits(&mut writer, &mut editor, &mut seed, EDITS)?;
    merge(&mut reader, &messages)
}

/// So many replicas edit one Patient offline, then one takes in what the others wrote.
fn among_replicas(replicas: usize) -> Result<f64> {
    let mut seed = Seed::new(replicas as u64);
    let text = patient::text(&mut seed);
    let mut reader = Clisonix::create(&text, 1)?;
    let stored = Clisonix::save(&mut reader)?;
    let mut messages = Vec::new();
    for site in 2..=replicas as u64 {
        let mut writer = Clisonix::load(&stored, site)?;
        let share = EDITS.div_ceil(replicas - 1);
        messages.extend(edits(&mut writer, &mut Editor::new(&text)?, &mut seed, share)?);
    }
    merge(&mut reader, &messages)
}

/// One replica follows another for many edits: µs to merge one of the first, and one of the last.
fn after_edits(count: usize) -> Result<(f64, f64)> {
    let mut seed = Seed::new(count as u64);
    let text = patient::text(&mut seed);
    let mut editor = Editor::new(&text)?;
    let mut writer = Clisonix::create(&text, 1)?;
    let mut reader = Clisonix::load(&Clisonix::save(&mut writer)?, 2)?;
    let mut means = Vec::new();
    for _ in 0..count / EDITS {
        let messages = edits(&mut writer, &mut editor, &mut seed, EDITS)?;
        means.push(merge(&mut reader, &messages)?);
    }
    let mean = |at: Option<&f64>| at.copied().unwrap_or_default();
    Ok((mean(means.first()), mean(means.last())))
}

fn edits(
    writer: &mut Replica,
    editor: &mut Editor,
    seed: &mut Seed,
    count: usize,
) -> Result<Vec<Vec<u8>>> {
    (0..count).map(|_| Clisonix::apply(writer, &[editor.next(seed)?])).collect()
}

/// µs to merge a message.
fn merge(reader: &mut Replica, messages: &[Vec<u8>]) -> Result<f64> {
    let start = ThreadTime::now();
    for message in messages {
        Clisonix::merge(reader, message)?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / messages.len() as f64)
}

/// A Patient and Observations, so many resources in all.
fn bundle(patient: &str, entries: usize) -> String {
    let mut text = format!("{{\"resourceType\":\"Bundle\",\"entry\":[{{\"resource\":{patient}}}");
    for number in 1..entries {
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            ",{{\"resource\":{{\"resourceType\":\"Observation\",\"id\":\"o{number}\",\
             \"status\":\"final\",\"code\":{{\"text\":\"count\"}},\"valueInteger\":{number}}}}}"
        );
    }
    text.push_str("]}");
    text
}

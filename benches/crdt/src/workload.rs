//! The driver: one engine through all rows.

use std::hint::black_box;

use anyhow::{Result, ensure};
use cpu_time::ThreadTime;

use crate::cases;
use crate::engine::Engine;
use crate::heap;
use crate::op::Op;
use crate::patient::{self, Editor};
use crate::report::Report;
use crate::seed::Seed;
use crate::size::Size;

/// Sites that edit each document.
const SITES: u64 = 3;
/// Documents held at once while their heap is measured.
const HELD: usize = 50;

/// Sums of one run over all documents.
#[derive(Default)]
struct Sums {
    create_us: f64,
    edit_us: f64,
    message_bytes: f64,
    batch_bytes: f64,
    merge_us: f64,
    encoded_bytes: f64,
    load_read_us: f64,
    heap_kib: f64,
}

/// Measures every row for one engine.
pub fn run<E: Engine>(size: &Size, report: &mut Report) -> Result<()> {
    let mut runs = Vec::new();
    for _ in 0..size.runs {
        runs.push(documents::<E>(size)?);
    }
    let mut put = |name, pick: fn(&Sums) -> f64| {
        report.value(E::NAME, name, median(runs.iter().map(pick).collect()));
    };
    put("create_us", |run| run.create_us);
    put("edit_us", |run| run.edit_us);
    if E::MERGES {
        put("message_bytes", |run| run.message_bytes);
        put("batch_bytes", |run| run.batch_bytes);
        put("merge_us", |run| run.merge_us);
    }
    put("encoded_bytes", |run| run.encoded_bytes);
    put("load_read_us", |run| run.load_read_us);
    put("heap_kib", |run| run.heap_kib);
    if !E::MERGES {
        return Ok(());
    }
    let (load_ms, heap_kib) = long_lived::<E>(size)?;
    report.value(E::NAME, "long_load_ms", load_ms);
    report.value(E::NAME, "long_heap_kib", heap_kib);
    report.value(E::NAME, "safe_cases", f64::from(cases::safe::<E>()?));
    report.value(E::NAME, "erasable", f64::from(u8::from(E::erases()?)));
    Ok(())
}

/// One run over all documents; the sums come back as means.
fn documents<E: Engine>(size: &Size) -> Result<Sums> {
    let mut seed = Seed::new(2_212);
    let mut sums = Sums::default();
    let mut stored = Vec::new();
    for _ in 0..size.documents {
        let bytes = document::<E>(&mut seed, size, &mut sums)?;
        if stored.len() < HELD {
            stored.push(bytes);
        }
    }
    sums.heap_kib = heap_of::<E>(&stored)?;
    let documents = size.documents as f64;
    let edits = documents * size.edits as f64;
    // Each edit is merged at every other site.
    let merges = edits * (SITES - 1) as f64;
    sums.create_us /= documents;
    sums.edit_us /= edits;
    sums.message_bytes /= edits;
    sums.batch_bytes /= edits;
    sums.merge_us /= merges;
    sums.encoded_bytes /= documents;
    sums.load_read_us /= documents;
    Ok(sums)
}

/// One document's life: created, copied, edited at three sites, brought together.
fn document<E: Engine>(seed: &mut Seed, size: &Size, sums: &mut Sums) -> Result<Vec<u8>> {
    let text = patient::text(seed);
    let mut editors = Vec::new();
    for _ in 0..SITES {
        editors.push(Editor::new(&text)?);
    }
    let mut edits: Vec<Op> = Vec::with_capacity(size.edits);
    for editor in (0..SITES as usize).cycle().take(size.edits) {
        edits.push(editors[editor].next(seed)?);
    }

    let start = ThreadTime::now();
    let mut first = E::create(&text, 1)?;
    sums.create_us += micros(start);

    let copy = E::save(&mut first)?;
    let mut replicas = vec![first];
    let others = if E::MERGES { 2..=SITES } else { 1..=0 };
    for site in others {
        replicas.push(E::load(&copy, site)?);
    }

    let mut messages: Vec<Vec<Vec<u8>>> = Vec::new();
    let sites = replicas.len();
    for (site, replica) in replicas.iter_mut().enumerate() {
        let mark = E::mark(replica);
        let mine: Vec<&Op> = edits.iter().skip(site).step_by(sites).collect();
        let mut sent = Vec::with_capacity(mine.len());
        let start = ThreadTime::now();
        for edit in mine {
            sent.push(E::apply(replica, std::slice::from_ref(edit))?);
        }
        sums.edit_us += micros(start);
        sums.message_bytes += sent.iter().map(Vec::len).sum::<usize>() as f64;
        sums.batch_bytes += E::batch(replica, &mark)?.len() as f64;
        messages.push(sent);
    }

    for (site, replica) in replicas.iter_mut().enumerate() {
        let start = ThreadTime::now();
        for (_, sent) in messages.iter().enumerate().filter(|(from, _)| *from != site) {
            for message in sent {
                E::merge(replica, message)?;
            }
        }
        sums.merge_us += micros(start);
    }
    ensure_equal::<E>(&mut replicas)?;

    let stored = E::save(&mut replicas[0])?;
    sums.encoded_bytes += stored.len() as f64;
    let start = ThreadTime::now();
    let mut loaded = E::load(&stored, 9)?;
    black_box(E::read(&mut loaded)?);
    sums.load_read_us += micros(start);
    Ok(stored)
}

/// A comparison of engines that do not converge would compare nothing.
fn ensure_equal<E: Engine>(replicas: &mut [E::Doc]) -> Result<()> {
    let mut contents = Vec::new();
    for replica in replicas {
        contents.push(serde_json::from_str::<serde_json::Value>(&E::read(replica)?)?);
    }
    ensure!(contents.windows(2).all(|pair| pair[0] == pair[1]), "{} did not converge", E::NAME);
    Ok(())
}

fn heap_of<E: Engine>(stored: &[Vec<u8>]) -> Result<f64> {
    let mut held = Vec::with_capacity(stored.len());
    let before = heap::live();
    for bytes in stored {
        held.push(E::load(bytes, 9)?);
    }
    let used = heap::live().saturating_sub(before);
    drop(held);
    Ok(used as f64 / 1_024.0 / stored.len() as f64)
}

/// One document edited for years: milliseconds to load it, KiB it then holds.
fn long_lived<E: Engine>(size: &Size) -> Result<(f64, f64)> {
    let mut seed = Seed::new(20_000);
    let text = patient::text(&mut seed);
    let mut editor = Editor::new(&text)?;
    let mut doc = E::create(&text, 1)?;
    for _ in 0..size.long_edits {
        E::apply(&mut doc, &[editor.next(&mut seed)?])?;
    }
    let stored = E::save(&mut doc)?;
    drop(doc);
    let mut times = Vec::new();
    let mut sizes = Vec::new();
    for _ in 0..size.runs.max(3) {
        let before = heap::live();
        let start = ThreadTime::now();
        let loaded = E::load(&stored, 9)?;
        times.push(micros(start) / 1_000.0);
        sizes.push(heap::live().saturating_sub(before) as f64 / 1_024.0);
        drop(loaded);
    }
    Ok((median(times), median(sizes)))
}

fn micros(since: ThreadTime) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

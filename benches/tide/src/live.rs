//! Changes as people make them, from one whole node to others: how long after an edit was
//! acknowledged it is durable there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clisonix_node::{Node, ReadVersion};
use clisonix_pq::Fingerprint;
use cpu_time::ProcessTime;

use crate::json;
use crate::nodes::{BY, Folder, Site, percentile_ms, thread_ms, threads};

/// How many people write at once, each in a record of their own.
const WRITERS: usize = 64;
/// How often it is looked what is durable there.
const LOOK: Duration = Duration::from_micros(250);

/// How edits came along.
pub struct Live {
    pub edits_per_s: f64,
    /// From the beginning of an edit to its acknowledgement.
    pub edit_p50_ms: f64,
    pub edit_p99_ms: f64,
    /// From there to its durable arrival.
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Processor time of both nodes for each edit.
    pub cpu_ms: f64,
    /// What commits take on this disk without nodes, before and after.
    pub disk_p50_ms: f64,
    pub disk_p99_ms: f64,
}

/// Two nodes on a disk, and so many edits a second for so long.
pub fn two_nodes(per_second: usize, seconds: usize) -> Result<Live> {
    let folder = Folder::new()?;
    let mut disk = folder.commits(seconds as f64 / 4.0)?;
    let mut one = Site::encrypted(&folder, "one")?;
    let mut two = Site::encrypted(&folder, "two")?;
    one.fill(WRITERS)?;
    meet(&mut one, std::slice::from_mut(&mut two))?;
    let cpu = ProcessTime::now();
    let mut run = write(&one, &[&two.node], per_second, seconds)?;
    let cpu_ms = cpu.elapsed().as_secs_f64() * 1e3 / run.edits as f64;
    disk.extend(folder.commits(seconds as f64 / 4.0)?);
    Ok(Live {
        edits_per_s: run.edits as f64 / run.took.as_secs_f64(),
        edit_p50_ms: percentile_ms(&mut run.own, 50),
        edit_p99_ms: percentile_ms(&mut run.own, 99),
        p50_ms: percentile_ms(&mut run.waits, 50),
        p99_ms: percentile_ms(&mut run.waits, 99),
        cpu_ms,
        disk_p50_ms: percentile_ms(&mut disk, 50),
        disk_p99_ms: percentile_ms(&mut disk, 99),
    })
}

/// What edits cost a node with so many peers, all of which get them.
pub struct Hub {
    /// Processor time of its engine and its committing thread for each edit.
    pub cpu_ms: f64,
    /// Until the last peer has it.
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// A node on a disk and its peers in memory.
pub fn hub(peers: usize, per_second: usize, seconds: usize) -> Result<Hub> {
    let (folder, shared) = (Folder::new()?, Folder::in_memory()?);
    let mut hub = Site::encrypted(&folder, "hub")?;
    hub.fill(WRITERS)?;
    hub.serve()?;
    let own = threads(HUB_THREADS);
    let mut others = Vec::new();
    for number in 0..peers {
        others.push(Site::encrypted(&shared, &number.to_string())?);
    }
    meet(&mut hub, &mut others)?;
    let nodes: Vec<&Node> = others.iter().map(|other| &*other.node).collect();
    let cpu_ms = thread_ms(&own);
    let mut run = write(&hub, &nodes, per_second, seconds)?;
    Ok(Hub {
        cpu_ms: (thread_ms(&own) - cpu_ms) / run.edits as f64,
        p50_ms: percentile_ms(&mut run.waits, 50),
        p99_ms: percentile_ms(&mut run.waits, 99),
    })
}

const HUB_THREADS: &[&str] = &["engine", "clisonix-commit"];

/// Has one site dial the others, and waits until each holds the same.
fn meet(one: &mut Site, others: &mut [Site]) -> Result<()> {
    if !one.is_serving() {
        one.serve()?;
    }
    let mut addresses = Vec::new();
    for other in &mut *others {
        addresses.push(Some(other.serve()?));
        other.admit(&[(one, None)])?;
    }
    let all: Vec<_> = others.iter().zip(addresses).collect();
    one.admit(&all)?;
    for other in others {
        other.wait_for_sync(one.name, WRITERS)?;
        one.wait_for_sync(other.name, WRITERS)?;
    }
    Ok(())
}

struct Written {
    edits: usize,
    took: Duration,
    own: Vec<Duration>,
    waits: Vec<Duration>,
}

/// An edit: when it was acknowledged, how long that took, and the latest arrival then.
type Told = (Instant, Duration, u64);

/// Writes so often, whatever each edit takes; waits until all have everything.
fn write(one: &Site, others: &[&Node], per_second: usize, seconds: usize) -> Result<Written> {
    let records = one.records()?;
    let (edits, is_over) = (per_second * seconds, AtomicBool::new(false));
    let begun = Instant::now();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|at| {
                let record = &records[at % records.len()];
                let due = move |turn: usize| {
                    let number = turn * WRITERS + at;
                    let after = Duration::from_secs_f64(number as f64 / per_second as f64);
                    (number < edits).then_some(begun + after)
                };
                scope.spawn(move || edit(&one.node, record, due))
            })
            .collect();
        let watcher = scope.spawn(|| watch(others, one.name, &one.node, &is_over));
        let mut told: Vec<Told> = Vec::new();
        for writer in writers {
            told.extend(writer.join().expect("a writer ended")?);
        }
        let took = begun.elapsed();
        is_over.store(true, Ordering::Release);
        let marks = watcher.join().expect("the watcher ended")?;
        let wait = |(at, _, arrival): &Told| {
            let here = marks.partition_point(|(reached, _)| reached < arrival);
            Some(marks.get(here)?.1.saturating_duration_since(*at))
        };
        let waits = told.iter().map(wait).collect::<Option<Vec<_>>>();
        let own = told.iter().map(|(_, own, _)| *own).collect();
        Ok(Written { edits: told.len(), took, own, waits: waits.context("an edit is lost")? })
    })
}

/// Edits one record at its times.
fn edit(node: &Node, record: &str, due: impl Fn(usize) -> Option<Instant>) -> Result<Vec<Told>> {
    let mut patient = json::patient(&node.record_text(record, BY)?.bundle)?;
    let mut told = Vec::new();
    for turn in 0.. {
        let Some(at) = due(turn) else { break };
        thread::sleep(at.saturating_duration_since(Instant::now()));
        json::set_active(&mut patient, turn % 2 == 0);
        let begun = Instant::now();
        node.edit(record, &patient, ReadVersion::Current, BY)?;
        let done = Instant::now();
        told.push((done, done - begun, node.arrival()?));
    }
    Ok(told)
}

/// Notes up to which arrival of `of` all others have everything, and since when, until the end.
fn watch(
    others: &[&Node],
    of: Fingerprint,
    node: &Node,
    is_over: &AtomicBool,
) -> Result<Vec<(u64, Instant)>> {
    let mut marks: Vec<(u64, Instant)> = Vec::new();
    loop {
        let is_over = is_over.load(Ordering::Acquire);
        let end = node.arrival()?;
        let mut least = u64::MAX;
        for other in others {
            least = least.min(other.peer_state(of)?.seen.arrival);
        }
        if marks.last().is_none_or(|(reached, _)| *reached < least) {
            marks.push((least, Instant::now()));
        }
        if is_over && least >= end {
            return Ok(marks);
        }
        thread::sleep(LOOK.max(LOOK * others.len() as u32 / 8));
    }
}

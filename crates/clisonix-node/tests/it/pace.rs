//! How fast changes reach another node, with many writers; a longer run that prints its figures with
//! `CLISONIX_MEASURE=1`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use clisonix_fhir::json::Value;
use clisonix_node::{Node, ReadVersion};
use clisonix_tide::{NodeId, Outcome, Replica};

use crate::tide::Site;
use crate::{BY, bundle, entry, take};

const WRITERS: usize = 8;

/// Edits of eight writers on as many records, pushed as they arrive; the latencies from the
/// acknowledgement of an edit to its durable arrival at the other node.
fn propagate(one: &Site, two: &mut Site, edits: usize, pause: Duration) -> Vec<Duration> {
    let records = one.node.record_ids().expect("reads");
    let (wake, woken) = channel();
    let wake = std::sync::Mutex::new(wake);
    one.node.on_arrival(Box::new(move || {
        if let Ok(wake) = wake.lock() {
            let _ = wake.send(());
        }
    }));
    one.node.sign_at_once(true);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|at| {
                let (node, record) = (Arc::clone(&one.node), records[at % records.len()].clone());
                scope.spawn(move || write(&node, &record, edits / WRITERS, pause))
            })
            .collect();
        let (replica, is_over) = (&one.replica, &is_over);
        scope.spawn(move || {
            while !is_over.load(Ordering::Acquire) {
                if one.node.is_checkpoint_due() {
                    one.node.checkpoint().expect("signs");
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        let pusher = scope.spawn(move || {
            let (mut cursor, mut marks) = (0, Vec::new());
            while !is_over.load(Ordering::Acquire) || cursor < replica.arrival() {
                if cursor >= replica.arrival() {
                    match woken.recv_timeout(Duration::from_millis(20)) {
                        Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                    continue;
                }
                let pushed = replica.arrived(cursor, 64 << 10, &mut |_| true).expect("known");
                let runs: Vec<(&str, &[u8])> =
                    pushed.runs.iter().map(|(record, run)| (&**record, &**run)).collect();
                for taken in two.replica.receive(&runs, &NodeId::default()) {
                    assert_eq!(taken.outcome, Outcome::Taken);
                }
                cursor = pushed.upto;
                marks.push((cursor, Instant::now()));
            }
            marks
        });
        let acknowledged: Vec<(u64, Instant)> =
            writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect();
        is_over.store(true, Ordering::Release);
        let marks = pusher.join().expect("the pusher");
        let reached = |(arrival, at): &(u64, Instant)| {
            let mark = marks.iter().find(|(upto, _)| upto >= arrival).expect("it arrived");
            mark.1.saturating_duration_since(*at)
        };
        let mut waits: Vec<Duration> = acknowledged.iter().map(reached).collect();
        waits.sort_unstable();
        waits
    })
}

fn write(node: &Node, record: &str, edits: usize, pause: Duration) -> Vec<(u64, Instant)> {
    let mut told = Vec::with_capacity(edits);
    let mut patient = entry(&bundle(node, record), "Patient").clone();
    for turn in 0..edits {
        let start = Instant::now();
        let object = patient.as_object_mut().expect("an object");
        object.insert("active", Value::Bool(turn % 2 == 0));
        node.edit(record, &patient, ReadVersion::Current, BY).expect("edits");
        told.push((node.arrival().expect("reads"), Instant::now()));
        thread::sleep(pause.saturating_sub(start.elapsed()));
    }
    told
}

#[test]
fn edits_of_many_writers_reach_another_node_in_groups() {
    let is_measured = std::env::var_os("CLISONIX_MEASURE").is_some();
    let home = tempfile::tempdir().unwrap();
    let (one, mut two) = (Site::new(home.path(), 1), Site::new(home.path(), 2));
    for number in 0..WRITERS {
        let text = crate::BUNDLE.replace("\"77\"", &format!("\"{number}\""));
        take(&one.node, &format!("{number}.json"), &text);
    }
    let (edits, pause) = if is_measured { (4_000, 16) } else { (80, 0) };
    let start = Instant::now();
    let waits = propagate(&one, &mut two, edits, Duration::from_millis(pause));
    // A checkpoint may have come after the last push.
    crate::tide::fetch(&one, &mut two, usize::MAX);
    crate::tide::same(&one, &two);
    if is_measured {
        let at = |part: usize| waits[(waits.len() - 1) * part / 100].as_secs_f64() * 1e3;
        let rate = edits as u128 * 1_000 / start.elapsed().as_millis().max(1);
        println!("{rate} edits/s; to the other node p50 {:.1} ms, p99 {:.1} ms", at(50), at(99));
    }
}

/// Everything of one node to another that has nothing, as sessions do it: many records in one answer.
#[test]
fn a_first_exchange_of_many_records_goes_in_groups() {
    let is_measured = std::env::var_os("CLISONIX_MEASURE").is_some();
    let count = if is_measured { 10_000 } else { 200 };
    let home = tempfile::tempdir().unwrap();
    let (one, mut two) = (Site::new(home.path(), 1), Site::new(home.path(), 2));
    let patients: Vec<String> = (0..count).map(crate::tide::patient).collect();
    for (number, part) in patients.chunks(1_000).enumerate() {
        let text = format!(
            r#"{{"resourceType":"Bundle","type":"collection","timestamp":"2024-01-01T00:00:00Z","entry":[{}]}}"#,
            part.join(",")
        );
        take(&one.node, &format!("{number}.json"), &text);
    }
    while one.node.is_checkpoint_due() {
        one.node.checkpoint().unwrap();
    }
    let (start, mut bytes) = (Instant::now(), 0);
    let records: Vec<String> = one.versions().into_keys().collect();
    for part in records.chunks(256) {
        let answer = |record: &String| {
            let have = two.replica.have(record);
            one.replica.beyond(record, &have, 1 << 20).expect("reads").bytes
        };
        let runs: Vec<Vec<u8>> = part.iter().map(answer).collect();
        bytes += runs.iter().map(Vec::len).sum::<usize>();
        let runs: Vec<(&str, &[u8])> =
            part.iter().zip(&runs).map(|(record, run)| (&**record, &**run)).collect();
        for taken in two.replica.receive(&runs, &NodeId::default()) {
            assert_eq!(taken.outcome, Outcome::Taken);
        }
    }
    assert_eq!(one.versions(), two.versions());
    if is_measured {
        let ms = start.elapsed().as_millis().max(1);
        println!(
            "{} records/s, {} kB/s, {} B each",
            count as u128 * 1_000 / ms,
            bytes as u128 / ms,
            bytes / count
        );
    }
}

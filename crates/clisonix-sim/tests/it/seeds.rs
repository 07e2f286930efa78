//! Seeds, played one after the other.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use clisonix_sim::{Tally, World};

use crate::{cpu_seconds, range};

/// The seeds that run where none are named.
const SEEDS: Range<u64> = 0..100;
/// Those of continuous integration, and how many more of them there are that no other day has.
const CI_SEEDS: Range<u64> = 0..2_000;
const OF_A_DAY: u64 = 200;
/// After how many it is told how far it came, where seeds are named.
const TOLD: usize = 100;

/// The seeds to play.
fn seeds() -> Vec<u64> {
    if let Some(named) = range("CLISONIX_SEEDS") {
        return named.collect();
    }
    if std::env::var("CI").as_deref() != Ok("true") {
        return SEEDS.collect();
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let first = 1_000_000 + since.as_secs() / 86_400 * OF_A_DAY;
    println!("seeds {CI_SEEDS:?} and, of today, {:?}", first..first + OF_A_DAY);
    CI_SEEDS.chain(first..first + OF_A_DAY).collect()
}

#[test]
fn whole_nodes_come_to_hold_the_same_and_lose_nothing_that_was_acknowledged() {
    let is_told = range("CLISONIX_SEEDS").is_some();
    let (seeds, next) = (seeds(), AtomicUsize::new(0));
    let played = Mutex::new((Tally::default(), Vec::new()));
    let play = || {
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = catch_unwind(AssertUnwindSafe(|| World::new(seed, None).run()));
            let mut played = played.lock().expect("no panic inside");
            match outcome {
                Ok(tally) => played.0.add(&tally),
                Err(_) => played.1.push(seed),
            }
            let count = played.0.seeds as usize + played.1.len();
            if is_told && count.is_multiple_of(TOLD) {
                println!("played {count} of {}, failed {:?}", seeds.len(), played.1);
            }
        }
    };
    let begun = cpu_seconds();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(play);
        }
    });
    let seconds = cpu_seconds() - begun;
    let (all, mut failed) = played.into_inner().expect("no panic inside");
    failed.sort_unstable();
    let count = f64::from(u32::try_from(all.seeds.max(1)).unwrap_or(u32::MAX));
    println!("{all:#?}\n{seconds:.1} CPU s, {:.3} a seed", seconds / count);
    assert!(failed.is_empty(), "failing seeds: {failed:?}");
}

/// A disk that fails while a record is looked up for a run: no fault of who sent the run.
const FAILING_LOOK_UP: u64 = 663;

#[test]
fn a_run_that_meets_a_failing_disk_comes_again() {
    World::new(FAILING_LOOK_UP, None).run();
}

/// A patient opts out while a node that may have had the record lacks, after its store was put back,
/// a statement that this one was sent before.
const LACKING_OUTSIDE: u64 = 5_157_473;

#[test]
fn a_run_that_lacks_a_statement_comes_again_also_of_a_record_that_its_peer_may_not_hold() {
    World::new(LACKING_OUTSIDE, None).run();
}

#[test]
fn a_seed_plays_the_same_each_time() {
    // One with copies, one with backups, one with a malicious machine among them.
    for seed in 0..8 {
        let [one, two] = [0; 2].map(|_| World::new(seed, None).run());
        assert_eq!(one, two, "seed {seed}");
    }
}

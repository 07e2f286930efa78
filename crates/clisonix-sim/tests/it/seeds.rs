//! Seeds, played one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use clisonix_sim::{Tally, World};

use crate::{cpu_seconds, range};

/// How many seeds run where none are named.
const SEEDS: std::ops::Range<u64> = 0..100;
/// After how many it is told how far it came, where seeds are named.
const TOLD: u64 = 100;

#[test]
fn whole_nodes_come_to_hold_the_same_and_lose_nothing_that_was_acknowledged() {
    let named = range("CLISONIX_SEEDS");
    let seeds = named.clone().unwrap_or(SEEDS);
    let (mut all, mut failed) = (Tally::default(), Vec::new());
    let begun = cpu_seconds();
    for seed in seeds.clone() {
        match catch_unwind(AssertUnwindSafe(|| World::new(seed, None).run())) {
            Ok(tally) => all.add(&tally),
            Err(_) => failed.push(seed),
        }
        if named.is_some() && (seed + 1 - seeds.start).is_multiple_of(TOLD) {
            println!("played {}..{}, failed {failed:?}", seeds.start, seed + 1);
        }
    }
    let seconds = cpu_seconds() - begun;
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

#[test]
fn a_seed_plays_the_same_each_time() {
    // One with copies, one with backups, one with a malicious machine among them.
    for seed in 0..8 {
        let [one, two] = [0; 2].map(|_| World::new(seed, None).run());
        assert_eq!(one, two, "seed {seed}");
    }
}

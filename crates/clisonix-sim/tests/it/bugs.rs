//! Deliberate bugs: a simulator that does not find them is of no use.

use std::panic::{self, AssertUnwindSafe, catch_unwind};

use clisonix_sim::{Bug, World};

/// In how many seeds a bug is found at the latest.
const SEEDS: u64 = 200;

#[test]
fn deliberate_bugs_are_found() {
    // What these bugs lead to is kept silent.
    let hook = panic::take_hook();
    let this = std::thread::current().id();
    panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() != this {
            hook(info);
        }
    }));
    let found = |bug| {
        (0..SEEDS).find(|seed| {
            catch_unwind(AssertUnwindSafe(|| World::new(*seed, Some(bug)).run())).is_err()
        })
    };
    let all: Vec<(Bug, Option<u64>)> = Bug::ALL.into_iter().map(|bug| (bug, found(bug))).collect();
    println!("bugs and the seeds that find them: {all:?}");
    assert!(all.iter().all(|(_, seed)| seed.is_some()), "{all:?}");
}

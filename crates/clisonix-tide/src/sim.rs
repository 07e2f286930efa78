//! A seeded simulator: nodes with real sessions and model replicas in a network that loses, repeats,
//! reorders and cuts in one direction, with crashes, restored backups, a cloned node, wrong clocks,
//! consent withdrawn and nodes revoked on the way, full disks, and a malicious node. A failure prints
//! its seed; `CLISONIX_SEEDS=from..to` runs others.

// clippy's allowances for tests do not reach the functions beside them.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod chance;
mod check;
pub(crate) mod model;
mod mutants;
mod node;
mod world;

use world::World;

/// How many seeds run where none are named.
const SEEDS: std::ops::Range<u64> = 0..2000;

#[test]
fn sites_that_can_reach_each_other_come_to_hold_the_same() {
    let seeds = std::env::var("CLISONIX_SEEDS").ok().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    for seed in seeds.unwrap_or(SEEDS) {
        World::new(seed).run();
    }
}

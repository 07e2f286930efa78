//! Seeds of whole nodes under faults, and deliberate bugs that they find.

// clippy's allowances for tests do not reach the functions beside them.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

mod bugs;
mod cuts;
mod seeds;

use std::ops::Range;

/// A range from the environment.
fn range(name: &str) -> Option<Range<u64>> {
    let text = std::env::var(name).ok()?;
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

/// User and system time of this thread and its like (proc(5): fields 14 and 15, in ticks of 1/100 s).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |at| rest.split_whitespace().nth(at).and_then(|field| field.parse::<f64>().ok());
    (ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default()) / 100.0
}

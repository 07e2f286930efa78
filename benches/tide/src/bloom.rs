//! Bloom filters over all heads, as Automerge's sync protocol has them (Kleppmann and Howard, arXiv
//! 2012.00472; 10 bits an entry, 7 probes): each side sends the other what its filter lacks, until
//! both are equal. The ids that are sent are not counted.

use std::collections::HashSet;

use clisonix_tide::Version;

use crate::sites::Sites;
use crate::{Cost, timed};

const BITS: usize = 10;
const PROBES: u32 = 7;

/// A filter over entries; `seed` differs between tries, or the same entries would be missed again.
struct Filter {
    bits: Vec<u64>,
    len: u64,
    seed: u64,
}

impl Filter {
    fn of(entries: &[Version], seed: u64) -> Self {
        let len = (entries.len() * BITS).max(64) as u64;
        let mut filter = Self { bits: vec![0; len.div_ceil(64) as usize], len, seed };
        for entry in entries {
            for at in filter.probes(entry) {
                filter.bits[(at / 64) as usize] |= 1 << (at % 64);
            }
        }
        filter
    }

    fn has(&self, entry: &Version) -> bool {
        self.probes(entry).all(|at| self.bits[(at / 64) as usize] >> (at % 64) & 1 == 1)
    }

    /// Double hashing (Kirsch and Mitzenmacher, 2006) on parts of the hash that the id is.
    fn probes(&self, entry: &Version) -> impl Iterator<Item = u64> + use<> {
        let part = |at: usize| u64::from_le_bytes(entry.0[at..at + 8].try_into().unwrap_or([0; 8]));
        let (first, step, len) = (part(0) ^ self.seed, part(8) | 1, self.len);
        (0..u64::from(PROBES)).map(move |n| first.wrapping_add(n.wrapping_mul(step)) % len)
    }

    fn bytes(&self) -> usize {
        self.len.div_ceil(8) as usize
    }
}

pub fn reconcile(sites: &Sites) -> Cost {
    let heads = |records: &[(String, Version)]| records.iter().map(|r| r.1).collect::<Vec<_>>();
    let (mut ours, mut theirs) = (heads(&sites.ours), heads(&sites.theirs));
    let (mut bytes, mut round_trips) = (0, 0);
    let target = ours.len() + sites.changed;
    let ((), session_ms) = timed(|| {
        loop {
            let seed = crate::sites::mix(round_trips as u64);
            let filter = Filter::of(&ours, seed);
            bytes += filter.bytes();
            round_trips += 1;
            if sites.changed == 0 {
                break;
            }
            let lacking: Vec<_> = theirs.iter().filter(|e| !filter.has(e)).copied().collect();
            let back = Filter::of(&theirs, seed);
            bytes += back.bytes();
            let answer: Vec<_> = ours.iter().filter(|e| !back.has(e)).copied().collect();
            merge(&mut ours, lacking);
            merge(&mut theirs, answer);
            if ours.len() == target && theirs.len() == target {
                break;
            }
        }
    });
    Cost { bytes, round_trips, session_ms, prepare_ms: 0.0 }
}

/// Adds what is not there; few are added.
fn merge(entries: &mut Vec<Version>, new: Vec<Version>) {
    let new: HashSet<Version> = new.into_iter().collect();
    entries.extend(new);
}

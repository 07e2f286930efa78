//! The two sites: what each holds of every record.

use clisonix_tide::Version;

/// Records by number, with the head that each site has.
pub struct Sites {
    /// The site that has the older heads.
    pub ours: Vec<(String, Version)>,
    /// The site where some records were changed.
    pub theirs: Vec<(String, Version)>,
    /// How many were changed.
    pub changed: usize,
}

impl Sites {
    /// `changed` of `records` were changed at one of the sites, spread evenly.
    pub fn new(records: usize, changed: usize) -> Self {
        let changed = changed.min(records);
        let ours: Vec<_> = (0..records).map(|n| (name(n), head(n, 0))).collect();
        let mut theirs = ours.clone();
        let step = records / changed.max(1);
        for n in (0..changed).map(|n| n * step) {
            theirs[n].1 = head(n, 1);
        }
        Self { ours, theirs, changed }
    }
}

/// A record's id, as long as real ones.
pub fn name(number: usize) -> String {
    format!("p-{:016x}{:016x}", mix(number as u64), mix(!number as u64))
}

/// A head; spread like a hash.
pub fn head(number: usize, edits: u64) -> Version {
    let mut id = [0; 32];
    for (part, bytes) in (0_u64..).zip(id.chunks_mut(8)) {
        bytes.copy_from_slice(&mix(mix(number as u64 ^ edits << 40) ^ part << 50).to_le_bytes());
    }
    Version(id)
}

/// The output function of `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014).
pub fn mix(bits: u64) -> u64 {
    let mut bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

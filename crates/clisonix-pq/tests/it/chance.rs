//! Random bytes that are the same in every run, and bytes that are given.

use clisonix_pq::{Random, digest};

/// SHA-256 in counter mode over a seed.
pub(crate) struct Seeded {
    seed: u64,
    block: u64,
}

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, block: 0 }
    }
}

impl Random for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.block += 1;
            let mut counter = self.seed.to_be_bytes().to_vec();
            counter.extend(self.block.to_be_bytes());
            chunk.copy_from_slice(&digest::sha256(&counter)[..chunk.len()]);
        }
    }
}

/// Exactly these bytes: what a vector says was random. Asking for more or less fails the test.
pub(crate) struct Given(Vec<u8>);

impl Given {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Random for Given {
    fn fill(&mut self, bytes: &mut [u8]) {
        let rest = self.0.split_off(bytes.len());
        bytes.copy_from_slice(&self.0);
        self.0 = rest;
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "randomness of the vector was left over");
        }
    }
}

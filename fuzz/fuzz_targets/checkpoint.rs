//! Statements about changes, and proofs of equivocation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clisonix_fuzz::checkpoint(data));

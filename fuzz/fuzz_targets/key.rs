//! Key files, public keys and statements.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clisonix_fuzz::key(data));

//! What stands beside an encrypted store.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clisonix_fuzz::rest(data));

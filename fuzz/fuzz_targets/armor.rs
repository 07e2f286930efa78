//! Armour of age files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clisonix_fuzz::armor(data));

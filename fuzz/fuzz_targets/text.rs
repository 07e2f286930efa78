//! Stored texts, edits and messages of text cells.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clisonix_fuzz::text(data));

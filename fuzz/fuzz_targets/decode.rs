//! Bytes from outside: batches, saved records, messages of a link.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clisonix_fuzz::decode(data));

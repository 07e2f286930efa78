//! Random histories over three replicas: they end with the same bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| clisonix_fuzz::apply(data));

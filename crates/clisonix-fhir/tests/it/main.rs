//! The crate against HL7's definitions and examples, synthetic patients and another JSON reader.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must fail, in its parts outside of `#[test]` too"
)]

mod coverage;
mod data;
mod examples;
mod fhirpath;
mod json;
mod other_reader;
mod patch;
mod second_opinion;
mod speed;
mod synthea;
mod xml;

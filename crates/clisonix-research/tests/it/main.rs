//! The crate against planted identifiers, HL7's examples and synthetic patients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must fail, in its parts outside of `#[test]` too"
)]

mod coded;
mod data;
mod generator;
mod leak;
mod mac;
mod plant;
mod release;
mod strange;
mod synthea;

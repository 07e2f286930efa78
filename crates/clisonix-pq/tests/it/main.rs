//! The crate from outside: public vectors with two implementations, and what holds for all inputs.

// A test that cannot go on panics; that is how it fails.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod chance;
mod conformance;
mod crashers;
mod files;
mod key_vectors;
mod keys;
#[cfg(feature = "link")]
mod link_vectors;
mod second;
mod share_vectors;
mod suites;
mod throughput;
mod typage;
mod vectors;

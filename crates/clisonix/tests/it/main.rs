//! The program from outside: what it prints, how it ends, and what is left after a crash.

// A test that cannot go on panics; that is how it fails.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod at_rest;
mod crash;
mod demo;
mod editing;
mod faults;
mod import;
mod keys;
mod network;
mod pairing;
mod parties;
mod reading;
mod research;
mod served;
mod shares;
mod site;
mod tide;

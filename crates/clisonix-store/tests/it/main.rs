//! The store from outside: life cycle, model, encryption, crashes, faults and kills.

// All of this is test code; small numbers are cast freely, and figures are printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss
)]

mod at_rest;
mod crash;
mod disk;
mod fault;
mod kill;
mod model;
mod store;
mod throughput;

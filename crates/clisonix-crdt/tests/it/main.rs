//! Tests of the merge layer through its public face.

// clippy's allowances for tests do not reach the functions beside them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod crashers;
mod erasure;
mod feeds;
mod guard;
mod hazards;
mod hostile;
mod laws;
mod lists;
mod notes;
mod policy;
mod policy_page;
mod removal;
mod saved;
mod site;
mod six_cases;
mod text;
mod valid;
mod vectors;
mod versions;

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

mod feeds;
mod guard;
mod hostile;
mod laws;
mod lists;
mod removal;
mod site;
mod six_cases;
mod text;
mod valid;
mod versions;

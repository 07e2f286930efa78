//! Integration tests of the Tide Engine.

// clippy's allowances for tests do not reach the functions beside them.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod vectors;

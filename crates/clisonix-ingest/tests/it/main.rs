//! Integration tests of ingest.

// clippy's allowances for tests do not reach the functions beside them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod ccda;
mod synthea;

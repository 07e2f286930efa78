//! The parser against public messages and against arbitrary bytes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod corpus;
mod properties;
mod speed;

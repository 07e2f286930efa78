//! The engines that the benches compare, and the edits that they take.

pub mod engine;
pub mod op;

//! Real sockets on loopback: the transport with a protocol that only counts and echoes, and the
//! engine with whole nodes.

// A test that cannot go on panics; that is how it fails.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod engine;
mod links;
mod node;
mod pairing;
mod strangers;

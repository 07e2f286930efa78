//! The transport between real sockets on loopback, with a protocol that only counts and echoes.

// A test that cannot go on panics; that is how it fails.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod links;
mod node;
mod pairing;
mod strangers;

//! Integration tests of the Tide Engine.

mod vectors;

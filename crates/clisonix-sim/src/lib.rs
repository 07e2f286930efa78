//! The simulator of whole nodes: real sessions, real records and real stores, on disks that lose power
//! at any write, tear what was not synced, fill up and flip bits, in a network that loses, repeats,
//! reorders and cuts in one direction, with wrong clocks, old backups put back, a copied machine,
//! members that come and are revoked, consents that are withdrawn, and a malicious peer. Everything
//! follows from one seed, and a failure names it.
//!
//! [`World`] plays one seed; [`Trace`] holds what one node's disk was told, and cuts it at every write. The
//! library holds the machinery and the tests play it, so that ranges of seeds can be played by
//! themselves: `CLISONIX_SEEDS=from..to cargo test -p clisonix-sim`.

// The whole crate is a test, of which clippy's allowances for tests know nothing.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used
)]

mod bug;
mod chance;
mod check;
mod disk;
mod machine;
mod mishap;
mod record;
mod site;
mod trace;
mod world;

pub use bug::Bug;
pub use chance::{Chance, digest};
pub use disk::{Disk, Plan, SECTOR_BYTES, Step};
pub use trace::{Played, Trace, WORK};
pub use world::{Tally, World};

//! A population with known truth, exported as three systems would, and its grading.
//!
//! The crate judges the product and therefore knows nothing of it: it makes people and facts
//! ([`population`]), writes what three systems would send ([`export`]), lets several clinicians
//! edit at two replicas ([`edits`], [`play`]), and compares the public output with the truth
//! ([`oracle`]). Beside it stands what servers do today ([`baseline`]). Whatever merges records
//! is handed in behind [`site::Site`]; [`runner::run`] is the whole way.

pub mod baseline;
pub mod calendar;
mod chance;
pub mod claim;
mod compose;
pub mod edits;
pub mod export;
pub mod oracle;
pub mod play;
pub mod population;
pub mod report;
pub mod runner;
mod sighting;
pub mod site;

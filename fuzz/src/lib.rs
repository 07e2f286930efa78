//! What the fuzz targets do with their bytes. A test of `clisonix-crdt`, for what is sealed one of
//! `clisonix-pq`, includes the same modules and replays every input kept here, so the modules use
//! nothing but what that test has.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod age;
mod apply;
mod armor;
mod bytes;
mod checkpoint;
mod decode;
mod fhirpath;
mod key;
mod patch;
mod rest;
mod sample;
mod seeds;
mod share;
#[allow(dead_code, reason = "the targets need only some of what the tests need")]
#[path = "../../crates/clisonix-crdt/tests/it/site.rs"]
mod site;
mod text;

/// age files.
pub fn age(data: &[u8]) {
    age::run(data);
}

/// Armour of age files.
pub fn armor(data: &[u8]) {
    armor::run(data);
}

/// Statements about changes, proofs of equivocation.
pub fn checkpoint(data: &[u8]) {
    checkpoint::run(data);
}

/// Key files, public keys and statements.
pub fn key(data: &[u8]) {
    key::run(data);
}

/// Manifests and shares.
pub fn share(data: &[u8]) {
    share::run(data);
}

/// What stands beside an encrypted store.
pub fn rest(data: &[u8]) {
    rest::run(data);
}

/// Histories over three replicas.
pub fn apply(data: &[u8]) {
    apply::run(data);
}

/// Batches, saved records, messages of a link.
pub fn decode(data: &[u8]) {
    decode::run(data);
}

/// Expressions.
pub fn fhirpath(data: &[u8]) {
    fhirpath::run(data);
}

/// Patches and pointers.
pub fn patch(data: &[u8]) {
    patch::run(data);
}

/// Text cells.
pub fn text(data: &[u8]) {
    text::run(data);
}

/// Seeds that are real bytes: target, name, input.
pub fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    seeds::all()
}

//! Statements about changes: whatever the bytes, what is taken was signed as it stands.

use clisonix_pq::PublicIdentity;
use clisonix_pq::checkpoint::{Equivocation, KnownAuthor, Statement};

const IDENTITY: &[u8] =
    include_bytes!("../../crates/clisonix-pq/tests/vectors/checkpoint/identity");
const LIVE: &[u8] = include_bytes!("../../crates/clisonix-pq/tests/vectors/checkpoint/live");

/// The whole input is a statement, or a proof of equivocation.
pub(crate) fn run(data: &[u8]) {
    let identity = PublicIdentity::from_bytes(IDENTITY).expect("a vector");
    let author = KnownAuthor::new(identity, Some(LIVE)).expect("a vector");
    if let Ok(statement) = Statement::read_of(data, &author) {
        assert_eq!(statement.to_bytes(), data, "two forms of one statement");
    }
    if let Ok(proof) = Equivocation::from_bytes(data, &author) {
        assert_eq!(proof.to_bytes(), data, "two forms of one proof");
    }
}

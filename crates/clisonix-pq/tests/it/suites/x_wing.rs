//! The vectors of the X-Wing draft.

use std::path::Path;

use clisonix_fhir::json::Value;
use clisonix_pq::primitive::Kem;
use clisonix_pq::x_wing::XWing;

use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite};
use crate::chance::Given;
use crate::second;
use crate::vectors::{self, Case};

pub(super) fn judge(name: &str, path: &Path) -> Suite {
    let mut suite = Suite::new(name.trim_end_matches(".json"));
    for (number, case) in vectors::json(path).as_array().unwrap_or_default().iter().enumerate() {
        suite.judge(number + 1, &[(RUST_CRYPTO, own(case)), (AWS_LC, other(case))]);
    }
    suite
}

fn own(case: &Value) -> Outcome {
    let Ok(key) = XWing::key(&case.bytes("sk")) else {
        return Outcome::Failed("the key is refused");
    };
    if XWing::public(&key) != case.bytes("pk") {
        return Outcome::Failed("another public key");
    }
    let made = XWing::encapsulate(&case.bytes("pk"), &mut Given::new(&case.bytes("eseed")));
    let made = made.map(|(encapsulated, shared)| (encapsulated, shared.expose().to_vec()));
    if made != Ok((case.bytes("ct"), case.bytes("ss"))) {
        return Outcome::Failed("encapsulated differently");
    }
    let shared = XWing::decapsulate(&key, &case.bytes("ct"));
    let same = shared.is_ok_and(|shared| shared.expose()[..] == case.bytes("ss"));
    Outcome::when(same, "another shared secret")
}

/// Encapsulation draws its own randomness there, so it is opened again instead of compared.
fn other(case: &Value) -> Outcome {
    let key = second::XWing::new(&case.bytes("sk"));
    if key.public != case.bytes("pk") {
        return Outcome::Failed("another public key");
    }
    let fresh =
        second::XWing::encapsulate(&key.public, &mut Given::new(&case.bytes("eseed")[..32]));
    let fresh = fresh.is_ok_and(|(text, shared)| key.decapsulate(&text) == Some(shared));
    let same = key.decapsulate(&case.bytes("ct")) == Some(case.bytes("ss"));
    Outcome::when(fresh && same, "another shared secret")
}

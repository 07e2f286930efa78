//! The vectors of the composite signatures draft: one message and one context for all algorithms.

use std::path::Path;

use clisonix_fhir::json::Value;
use clisonix_pq::composite::MlDsa65Ed25519;
use clisonix_pq::ml_dsa::{MlDsa65, MlDsa87};
use clisonix_pq::primitive::Signing;

use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite};
use crate::chance::Seeded;
use crate::second::{AwsMlDsa65, AwsMlDsa87};
use crate::vectors::{self, Case};

pub(super) fn judge(name: &str, path: &Path) -> Suite {
    let file = vectors::json(path);
    let mut suite = Suite::new(name.trim_end_matches(".json"));
    for case in file.list("tests") {
        let outcomes = match case.text("tcId") {
            "id-MLDSA65-Ed25519-SHA512" => {
                vec![(RUST_CRYPTO, check::<MlDsa65Ed25519>(&file, case))]
            }
            "id-ML-DSA-65" => vec![
                (RUST_CRYPTO, check::<MlDsa65>(&file, case)),
                (AWS_LC, check::<AwsMlDsa65>(&file, case)),
            ],
            "id-ML-DSA-87" => vec![
                (RUST_CRYPTO, check::<MlDsa87>(&file, case)),
                (AWS_LC, check::<AwsMlDsa87>(&file, case)),
            ],
            _ => vec![(RUST_CRYPTO, Outcome::Skipped("other-composite"))],
        };
        suite.judge(case.text("tcId"), &outcomes);
    }
    suite
}

/// Signing is randomised, so an own signature is verified instead of compared.
fn check<S: Signing>(file: &Value, case: &Value) -> Outcome {
    let (message, context) = (file.base64("m"), file.base64("ctx"));
    let public = case.base64("pk");
    let Ok(key) = S::key(&case.base64("sk")) else {
        return Outcome::Failed("the key is refused");
    };
    if S::public(&key) != public {
        return Outcome::Failed("another public key");
    }
    let contexts = [(&[][..], "s"), (&context[..], "sWithContext")];
    for (context, signature) in contexts {
        if context.len() > S::MAX_CONTEXT_BYTES {
            continue;
        }
        if S::verify(&public, context, &message, &case.base64(signature)).is_err() {
            return Outcome::Failed("a valid signature is refused");
        }
        let own = S::sign(&key, context, &message, &mut Seeded::new(1)).expect("a signature");
        if S::verify(&public, context, &message, &own).is_err() {
            return Outcome::Failed("the own signature is refused");
        }
        if S::verify(&public, b"another", &message, &own).is_ok() && S::MAX_CONTEXT_BYTES > 0 {
            return Outcome::Failed("another context is accepted");
        }
    }
    Outcome::Passed
}

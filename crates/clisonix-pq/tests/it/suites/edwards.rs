//! Ed25519 vectors of Wycheproof, and of CCTV, which tell edge cases apart.

use std::path::Path;

use clisonix_fhir::json::Value;
use clisonix_pq::ed25519::Ed25519;
use clisonix_pq::primitive::Signing;

use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite};
use crate::second::DalekEd25519;
use crate::vectors::{self, Case};

pub(super) fn judge_wycheproof(file: &Value, suite: &mut Suite) {
    super::wycheproof::each_test(file, |group, test| {
        let public = group.get("publicKey").map(|key| key.bytes("pk")).unwrap_or_default();
        let valid = test.text("result") == "valid";
        let (message, signature) = (test.bytes("msg"), test.bytes("sig"));
        suite.judge(
            test.number("tcId"),
            &[
                (AWS_LC, check::<Ed25519>(&public, &message, &signature, valid)),
                (RUST_CRYPTO, check::<DalekEd25519>(&public, &message, &signature, valid)),
            ],
        );
    });
}

/// The vectors give no verdict, they name what is odd. The verdict is that of RFC 8032 section 5.1.7
/// without the cofactor: the key must be canonical, the residue must vanish, R is compared as
/// bytes, so it must be canonical too, and the challenge is over the bytes as given.
pub(super) fn judge_cctv(name: &str, path: &Path) -> Suite {
    let mut suite = Suite::new(name.trim_end_matches(".json"));
    for case in vectors::json(path).as_array().unwrap_or_default() {
        let odd = ["low_order_residue", "non_canonical_A", "non_canonical_R", "reencoded_k"];
        let valid = !odd.into_iter().any(|flag| case.has("flags", flag));
        let (public, signature) = (case.bytes("key"), case.bytes("sig"));
        let message = case.text("msg").as_bytes();
        suite.judge(
            case.number("number"),
            &[
                (AWS_LC, check::<Ed25519>(&public, message, &signature, valid)),
                (RUST_CRYPTO, check::<DalekEd25519>(&public, message, &signature, valid)),
            ],
        );
    }
    suite
}

fn check<S: Signing>(public: &[u8], message: &[u8], signature: &[u8], valid: bool) -> Outcome {
    let verified = S::verify(public, &[], message, signature).is_ok();
    let words = if valid { "a valid signature is refused" } else { "an invalid one is accepted" };
    Outcome::when(verified == valid, words)
}

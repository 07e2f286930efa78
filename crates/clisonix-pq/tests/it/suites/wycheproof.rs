//! Wycheproof files, told apart by the schema they name.

use std::path::Path;

use clisonix_fhir::json::Value;
use clisonix_pq::digest::{self, Hash};
use clisonix_pq::{Secret, x25519};

use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite, aead, edwards, lattice};
use crate::vectors::{self, Case};

pub(super) fn judge(name: &str, path: &Path) -> Suite {
    let file = vectors::json(path);
    let mut suite = Suite::new(name.trim_end_matches(".json"));
    let algorithm = file.text("algorithm");
    match file.text("schema").trim_end_matches(".json").trim_end_matches("_v1") {
        "aead_test_schema" => aead::judge(algorithm, &file, &mut suite),
        "eddsa_verify_schema" => edwards::judge_wycheproof(&file, &mut suite),
        "hkdf_test_schema" => judge_hkdf(algorithm, &file, &mut suite),
        "xdh_comp_schema" => judge_agreement(&file, &mut suite),
        schema if schema.starts_with("mldsa_") || schema.starts_with("mlkem_") => {
            lattice::judge(schema, &file, &mut suite);
        }
        _ => each_test(&file, |_, test| {
            suite.judge(test.number("tcId"), &[(AWS_LC, Outcome::Skipped("other-algorithm"))]);
        }),
    }
    suite
}

/// Calls back with each group and each of its tests.
pub(super) fn each_test(file: &Value, mut each: impl FnMut(&Value, &Value)) {
    for group in file.list("testGroups") {
        group.list("tests").iter().for_each(|test| each(group, test));
    }
}

fn judge_hkdf(algorithm: &str, file: &Value, suite: &mut Suite) {
    each_test(file, |_, test| {
        let outcomes = match algorithm {
            "HKDF-SHA-256" => [
                (AWS_LC, own_hkdf(Hash::Sha256, test)),
                (RUST_CRYPTO, other_hkdf::<sha2::Sha256>(test)),
            ],
            "HKDF-SHA-384" => [
                (AWS_LC, own_hkdf(Hash::Sha384, test)),
                (RUST_CRYPTO, other_hkdf::<sha2::Sha384>(test)),
            ],
            _ => [
                (AWS_LC, Outcome::Skipped("other-algorithm")),
                (RUST_CRYPTO, Outcome::Skipped("other-algorithm")),
            ],
        };
        suite.judge(test.number("tcId"), &outcomes);
    });
}

fn own_hkdf(hash: Hash, test: &Value) -> Outcome {
    let secret = digest::extract(hash, &test.bytes("salt"), &[&test.bytes("ikm")]);
    let mut output = vec![0; usize::try_from(test.number("size")).expect("a size")];
    let derived = digest::expand(hash, &secret, &[&test.bytes("info")], &mut output);
    judge_derived(test, derived.is_ok(), &output)
}

fn other_hkdf<H: hmac::EagerHash>(test: &Value) -> Outcome {
    let key = hkdf::Hkdf::<H>::new(Some(&test.bytes("salt")), &test.bytes("ikm"));
    let mut output = vec![0; usize::try_from(test.number("size")).expect("a size")];
    let derived = key.expand(&test.bytes("info"), &mut output);
    judge_derived(test, derived.is_ok(), &output)
}

fn judge_derived(test: &Value, derived: bool, output: &[u8]) -> Outcome {
    if test.text("result") == "invalid" {
        return Outcome::when(!derived, "derives too much");
    }
    Outcome::when(derived && output == test.bytes("okm"), "derives another key")
}

/// `acceptable` leaves a choice: a shared value of zeros is refused by both, everything else is
/// computed.
fn judge_agreement(file: &Value, suite: &mut Suite) {
    each_test(file, |_, test| {
        let own: [u8; 32] = test.bytes("private").try_into().expect("32 bytes");
        let other: [u8; 32] = test.bytes("public").try_into().expect("32 bytes");
        let secret = Secret::from_slice(&own).expect("32 bytes");
        let first = x25519::agree(&secret, &other).ok().map(|shared| *shared.expose());
        let second = x25519_dalek::StaticSecret::from(own).diffie_hellman(&other.into());
        let second = second.was_contributory().then(|| second.to_bytes());
        let zero = test.has("flags", "ZeroSharedSecret");
        let check = |shared: Option<[u8; 32]>| match shared {
            None => Outcome::when(zero, "refused"),
            Some(shared) => {
                Outcome::when(!zero && shared[..] == test.bytes("shared"), "another shared value")
            }
        };
        suite.judge(test.number("tcId"), &[(AWS_LC, check(first)), (RUST_CRYPTO, check(second))]);
    });
}

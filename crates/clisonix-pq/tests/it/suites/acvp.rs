//! NIST's ACVP vectors for FIPS 203 and FIPS 204.

use std::path::Path;

use clisonix_fhir::json::Value;
use clisonix_pq::ml_dsa::{MlDsa65, MlDsa87};
use clisonix_pq::ml_kem::{MlKem768, MlKem1024};
use clisonix_pq::primitive::{Kem, Signing};

use super::wycheproof::each_test;
use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite, expanded};
use crate::chance::Given;
use crate::second::{AwsMlDsa65, AwsMlDsa87, Lattice};
use crate::vectors::{self, Case};

pub(super) fn judge(name: &str, path: &Path) -> Suite {
    let file = vectors::json(path);
    let mut suite = Suite::new(name.trim_end_matches(".json"));
    let kind = format!("{} {}", file.text("algorithm"), file.text("mode"));
    each_test(&file, |group, test| {
        let set = group.text("parameterSet");
        let outcomes = match (&*kind, set) {
            ("ML-KEM keyGen", "ML-KEM-768") => generate::<MlKem768>(set, test),
            ("ML-KEM keyGen", "ML-KEM-1024") => generate::<MlKem1024>(set, test),
            ("ML-KEM encapDecap", "ML-KEM-768") => encapsulate::<MlKem768>(set, group, test),
            ("ML-KEM encapDecap", "ML-KEM-1024") => encapsulate::<MlKem1024>(set, group, test),
            ("ML-DSA keyGen", "ML-DSA-65") => signing_key::<MlDsa65, AwsMlDsa65>(set, test),
            ("ML-DSA keyGen", "ML-DSA-87") => signing_key::<MlDsa87, AwsMlDsa87>(set, test),
            ("ML-DSA sigGen", "ML-DSA-65" | "ML-DSA-87") => sign(set, test),
            ("ML-DSA sigVer", "ML-DSA-65" | "ML-DSA-87") => verify(set, group, test),
            _ => vec![(RUST_CRYPTO, Outcome::Skipped("parameter-set"))],
        };
        suite.judge(test.number("tcId"), &outcomes);
    });
    suite
}

type Outcomes = Vec<(&'static str, Outcome)>;

fn generate<K: Kem>(set: &str, test: &Value) -> Outcomes {
    let seed = [test.bytes("d"), test.bytes("z")].concat();
    let public = K::key(&seed).map(|key| K::public(&key));
    let same =
        public == Ok(test.bytes("ek")) && expanded::key(set, &seed) == Some(test.bytes("dk"));
    let aws = Lattice::named(set).expect("a known set");
    let made = aws.encapsulate(&test.bytes("ek"));
    let opened = made
        .is_some_and(|(text, shared)| aws.decapsulate(&test.bytes("dk"), &text) == Some(shared));
    vec![
        (RUST_CRYPTO, Outcome::when(same, "another key")),
        (AWS_LC, Outcome::when(opened, "the keys do not belong together")),
    ]
}

fn encapsulate<K: Kem>(set: &str, group: &Value, test: &Value) -> Outcomes {
    let aws = Lattice::named(set).expect("a known set");
    let member = |name| if test.get(name).is_some() { test.bytes(name) } else { group.bytes(name) };
    let (encapsulated, shared) = (test.bytes("c"), test.bytes("k"));
    let mut same = true;
    let mut other = true;
    if group.text("function") == "encapsulation" {
        let made = K::encapsulate(&member("ek"), &mut Given::new(&test.bytes("m")));
        same = made.is_ok_and(|made| made.0 == encapsulated && made.1.expose()[..] == shared);
        let made = aws.encapsulate(&member("ek"));
        other = made.is_some_and(|made| aws.decapsulate(&member("dk"), &made.0) == Some(made.1));
    }
    same &= expanded::decapsulate(set, &member("dk"), &encapsulated).as_ref() == Some(&shared);
    other &= aws.decapsulate(&member("dk"), &encapsulated) == Some(shared);
    vec![
        (RUST_CRYPTO, Outcome::when(same, "another shared secret")),
        (AWS_LC, Outcome::when(other, "another shared secret")),
    ]
}

fn signing_key<A: Signing, B: Signing>(set: &str, test: &Value) -> Outcomes {
    let seed = test.bytes("seed");
    let first = A::key(&seed).map(|key| A::public(&key)) == Ok(test.bytes("pk"))
        && expanded::signing_key(set, &seed) == Some(test.bytes("sk"));
    let second = B::key(&seed).map(|key| B::public(&key)) == Ok(test.bytes("pk"));
    vec![
        (RUST_CRYPTO, Outcome::when(first, "another key")),
        (AWS_LC, Outcome::when(second, "another key")),
    ]
}

/// These vectors are of the internal function, below the context.
fn sign(set: &str, test: &Value) -> Outcomes {
    let random = <[u8; 32]>::try_from(test.bytes("rnd")).unwrap_or_default();
    let made = expanded::sign_internal(set, &test.bytes("sk"), &test.bytes("message"), &random);
    let same = made == Some(test.bytes("signature"));
    vec![
        (RUST_CRYPTO, Outcome::when(same, "signed differently")),
        (AWS_LC, Outcome::Skipped("no-internal")),
    ]
}

fn verify(set: &str, group: &Value, test: &Value) -> Outcomes {
    let valid = test.get("testPassed").and_then(Value::as_bool).unwrap_or_default();
    let public = if test.get("pk").is_some() { test.bytes("pk") } else { group.bytes("pk") };
    let (message, signature) = (test.bytes("message"), test.bytes("signature"));
    let verified = expanded::verify_internal(set, &public, &message, &signature);
    vec![
        (RUST_CRYPTO, Outcome::when(verified == Some(valid), "another verdict")),
        (AWS_LC, Outcome::Skipped("no-internal")),
    ]
}

//! ML-KEM and ML-DSA vectors of Wycheproof.

use clisonix_fhir::json::Value;
use clisonix_pq::ml_dsa::{MlDsa65, MlDsa87};
use clisonix_pq::ml_kem::{MlKem768, MlKem1024};
use clisonix_pq::primitive::{Kem, Signing};

use super::wycheproof::each_test;
use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite, expanded};
use crate::chance::Given;
use crate::second::{AwsMlDsa65, AwsMlDsa87, Lattice};
use crate::vectors::Case;

pub(super) fn judge(schema: &str, file: &Value, suite: &mut Suite) {
    each_test(file, |group, test| {
        let set = match group.text("parameterSet") {
            "" => file.text("algorithm"),
            set => set,
        };
        let outcomes = match (schema, set) {
            ("mldsa_verify_schema", "ML-DSA-65") => verify::<MlDsa65, AwsMlDsa65>(group, test),
            ("mldsa_verify_schema", "ML-DSA-87") => verify::<MlDsa87, AwsMlDsa87>(group, test),
            ("mldsa_sign_seed_schema", "ML-DSA-65") => sign::<MlDsa65, AwsMlDsa65>(group, test),
            ("mldsa_sign_seed_schema", "ML-DSA-87") => sign::<MlDsa87, AwsMlDsa87>(group, test),
            (_, "ML-KEM-768") => encapsulation::<MlKem768>(schema, set, test),
            (_, "ML-KEM-1024") => encapsulation::<MlKem1024>(schema, set, test),
            _ => both(Outcome::Skipped("parameter-set"), Outcome::Skipped("parameter-set")),
        };
        suite.judge(test.number("tcId"), &outcomes);
    });
}

type Both = [(&'static str, Outcome); 2];

fn both(rust_crypto: Outcome, aws_lc: Outcome) -> Both {
    [(RUST_CRYPTO, rust_crypto), (AWS_LC, aws_lc)]
}

fn verify<A: Signing, B: Signing>(group: &Value, test: &Value) -> Both {
    let public = group.bytes("publicKey");
    let valid = test.text("result") == "valid";
    let (context, message, signature) = (test.bytes("ctx"), test.bytes("msg"), test.bytes("sig"));
    let words = if valid { "a valid signature is refused" } else { "an invalid one is accepted" };
    let check = |verified: bool| Outcome::when(verified == valid, words);
    let first = check(A::verify(&public, &context, &message, &signature).is_ok());
    if !context.is_empty() {
        return both(first, Outcome::Skipped("no-context"));
    }
    both(first, check(B::verify(&public, &context, &message, &signature).is_ok()))
}

/// The vectors sign deterministically, which is signing with 32 zeros as randomness (FIPS 204
/// algorithm 2); aws-lc draws randomness, so its signature is verified.
fn sign<A: Signing, B: Signing>(group: &Value, test: &Value) -> Both {
    let seed = group.bytes("privateSeed");
    let (Ok(own), Ok(other)) = (A::key(&seed), B::key(&seed)) else {
        let refused = Outcome::when(test.text("result") == "invalid", "the seed is refused");
        return both(refused.clone(), refused);
    };
    let public = group.bytes("publicKey");
    if A::public(&own) != public || B::public(&other) != public {
        let words = Outcome::Failed("another public key");
        return both(words.clone(), words);
    }
    let expected = test.bytes("sig");
    if test.get("msg").is_none() {
        let signature = expanded::sign_mu(A::NAME, &seed, &test.bytes("mu"));
        let same = Outcome::when(signature == Some(expected), "signed differently");
        return both(same, Outcome::Skipped("no-mu"));
    }
    let (context, message) = (test.bytes("ctx"), test.bytes("msg"));
    let signature = A::sign(&own, &context, &message, &mut Given::new(&[0; 32]));
    let same = Outcome::when(signature == Ok(expected.clone()), "signed differently");
    if !context.is_empty() {
        return both(same, Outcome::Skipped("no-context"));
    }
    let fresh = B::sign(&other, &[], &message, &mut Given::new(&[])).expect("a signature");
    let verified =
        [fresh, expected].iter().all(|text| A::verify(&public, &[], &message, text).is_ok());
    both(same, Outcome::when(verified, "a signature is refused"))
}

fn encapsulation<K: Kem>(schema: &str, set: &str, test: &Value) -> Both {
    let valid = test.text("result") == "valid";
    let aws = Lattice::named(set).expect("a known set");
    match schema {
        "mlkem_encaps_test_schema" => encapsulate::<K>(aws, valid, test),
        "mlkem_keygen_seed_test_schema" => generate::<K>(set, aws, valid, test),
        "mlkem_semi_expanded_decaps_test_schema" => both(
            expanded::decapsulates(set, &test.bytes("dk"), test, valid),
            decapsulates(aws, &test.bytes("dk"), valid, test),
        ),
        "mlkem_test_schema" => decapsulate::<K>(set, aws, valid, test),
        _ => both(Outcome::Skipped("other-algorithm"), Outcome::Skipped("other-algorithm")),
    }
}

fn encapsulate<K: Kem>(aws: Lattice, valid: bool, test: &Value) -> Both {
    let public = test.bytes("ek");
    let Ok((encapsulated, shared)) = K::encapsulate(&public, &mut Lenient(&test.bytes("m"))) else {
        let refused = |done: bool| Outcome::when(done && !valid, "a valid key is refused");
        return both(refused(true), refused(aws.encapsulate(&public).is_none()));
    };
    let same = encapsulated == test.bytes("c") && shared.expose()[..] == test.bytes("K");
    let other = aws.encapsulate(&public).is_some();
    both(
        Outcome::when(valid && same, "encapsulated differently"),
        Outcome::when(valid == other, "an invalid key is accepted"),
    )
}

/// Randomness of a vector that may go unused, because the key is refused first.
struct Lenient<'a>(&'a [u8]);

impl clisonix_pq::Random for Lenient<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(self.0);
    }
}

fn generate<K: Kem>(set: &str, aws: Lattice, valid: bool, test: &Value) -> Both {
    let Ok(key) = K::key(&test.bytes("seed")) else {
        let refused = Outcome::when(!valid, "the seed is refused");
        return both(refused, Outcome::Skipped("no-seed"));
    };
    let public = K::public(&key) == test.bytes("ek");
    let whole = expanded::key(set, &test.bytes("seed")) == Some(test.bytes("dk"));
    // Without seeds there, the expanded key must open what was encapsulated for the public one.
    let made = aws.encapsulate(&test.bytes("ek"));
    let opened = made
        .is_some_and(|(text, shared)| aws.decapsulate(&test.bytes("dk"), &text) == Some(shared));
    both(
        Outcome::when(valid && public && whole, "another key"),
        Outcome::when(opened, "the keys do not belong together"),
    )
}

fn decapsulate<K: Kem>(set: &str, aws: Lattice, valid: bool, test: &Value) -> Both {
    let seed = test.bytes("seed");
    let Ok(key) = K::key(&seed) else {
        let refused = Outcome::when(!valid, "a valid seed is refused");
        return both(refused, Outcome::Skipped("no-seed"));
    };
    if test.get("ek").is_some() && K::public(&key) != test.bytes("ek") {
        return both(Outcome::Failed("another public key"), Outcome::Failed("another public key"));
    }
    let own = K::decapsulate(&key, &test.bytes("c"));
    let own = own.ok().map(|shared| shared.expose().to_vec());
    let expected = valid.then(|| test.bytes("K"));
    let expanded = expanded::key(set, &seed).expect("a known set");
    both(
        Outcome::when(own == expected, "another shared secret"),
        decapsulates(aws, &expanded, valid, test),
    )
}

fn decapsulates(aws: Lattice, expanded: &[u8], valid: bool, test: &Value) -> Outcome {
    let shared = aws.decapsulate(expanded, &test.bytes("c"));
    Outcome::when(shared == valid.then(|| test.bytes("K")), "another shared secret")
}

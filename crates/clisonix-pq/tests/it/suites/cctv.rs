//! CCTV's vectors for ML-KEM: rare paths of FIPS 203.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::digest::{SHA3_512, digest};
use clisonix_pq::ml_kem::{MlKem768, MlKem1024};
use clisonix_pq::primitive::Kem;

use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite, expanded};
use crate::chance::{Given, Seeded};
use crate::second::Lattice;
use crate::vectors::{self, hexadecimal};

pub(super) fn judge(name: &str, path: &Path) -> Suite {
    let mut suite = Suite::new(name.trim_end_matches(".gz").trim_end_matches(".txt"));
    let text = String::from_utf8(vectors::read(path)).expect("UTF-8");
    let judge = match suite.name.rsplit('/').next() {
        Some("ML-KEM-768") => judge_of::<MlKem768>,
        Some("ML-KEM-1024") => judge_of::<MlKem1024>,
        _ => {
            suite.judge("all", &[(RUST_CRYPTO, Outcome::Skipped("parameter-set"))]);
            return suite;
        }
    };
    judge(&text, &mut suite);
    suite
}

fn judge_of<K: Kem>(text: &str, suite: &mut Suite) {
    let aws = Lattice::named(K::NAME).expect("a known set");
    if suite.name.contains("/modulus/") {
        // Each line is a public key with a number that is not reduced (FIPS 203 section 7.2).
        for (number, line) in text.lines().enumerate() {
            let public = hexadecimal(line);
            let own =
                K::check(&public).is_err() && K::encapsulate(&public, &mut Seeded::new(1)).is_err();
            let other = aws.encapsulate(&public).is_none();
            suite.judge(
                number + 1,
                &[
                    (RUST_CRYPTO, Outcome::when(own, "an invalid key is accepted")),
                    (AWS_LC, Outcome::when(other, "an invalid key is accepted")),
                ],
            );
        }
        return;
    }
    // The files give some of: d, z, ek, dk, m, c, K; the last value of a name counts.
    let named = text.lines().filter_map(|line| line.split_once(" = "));
    let values: BTreeMap<&str, &str> = named.collect();
    let value = |name| values.get(name).map(|digits| hexadecimal(digits));
    let outcomes = [(RUST_CRYPTO, own::<K>(&value)), (AWS_LC, other(aws, &value))];
    suite.judge(1, &outcomes);
}

type Value<'a> = &'a dyn Fn(&'static str) -> Option<Vec<u8>>;

fn own<K: Kem>(value: Value<'_>) -> Outcome {
    let expanded = value("dk");
    if let (Some(d), Some(z), false) = (value("d"), value("z"), is_of_draft(value)) {
        let seed = [d, z].concat();
        let public = K::key(&seed).map(|key| K::public(&key)).ok();
        if public != value("ek") || expanded::key(K::NAME, &seed) != expanded {
            return Outcome::Failed("another key");
        }
    }
    if let (Some(public), Some(m)) = (value("ek"), value("m")) {
        let made = K::encapsulate(&public, &mut Given::new(&m)).ok();
        let made = made.map(|(text, shared)| (Some(text), Some(shared.expose().to_vec())));
        if made != Some((value("c"), value("K"))) {
            return Outcome::Failed("encapsulated differently");
        }
    }
    let (expanded, text) = (expanded.unwrap_or_default(), value("c").unwrap_or_default());
    let shared = expanded::decapsulate(K::NAME, &expanded, &text);
    Outcome::when(shared.is_some() && shared == value("K"), "another shared secret")
}

/// Two of the files expand `d` as the draft of FIPS 203 did, without the byte that names the size
/// of the matrix: the public key then ends in the first half of SHA3-512 over `d` alone. From their
/// keys on they are vectors of the standard.
fn is_of_draft(value: Value<'_>) -> bool {
    let (Some(d), Some(public)) = (value("d"), value("ek")) else { return false };
    public.ends_with(&digest(&SHA3_512, &d).as_ref()[..32])
}

fn other(aws: Lattice, value: Value<'_>) -> Outcome {
    let (expanded, text) = (value("dk").unwrap_or_default(), value("c").unwrap_or_default());
    let shared = aws.decapsulate(&expanded, &text);
    Outcome::when(shared.is_some() && shared == value("K"), "another shared secret")
}

//! AEAD vectors of Wycheproof.

use clisonix_fhir::json::Value;
use clisonix_pq::aead::{Aes256Gcm, ChaCha20Poly1305};
use clisonix_pq::primitive::Aead;

use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite};
use crate::second;
use crate::vectors::Case;

/// Judges all groups of a file of `algorithm`.
pub(super) fn judge(algorithm: &str, file: &Value, suite: &mut Suite) {
    for test in file.list("testGroups").iter().flat_map(|group| group.list("tests")) {
        let key = test.bytes("key");
        let outcomes = match algorithm {
            "AES-GCM" if key.len() != 32 => vec![
                (AWS_LC, Outcome::Skipped("aes-key-size")),
                (RUST_CRYPTO, check::<second::Aes>(test)),
            ],
            "AES-GCM" => {
                vec![(AWS_LC, check::<Aes256Gcm>(test)), (RUST_CRYPTO, check::<second::Aes>(test))]
            }
            "CHACHA20-POLY1305" => vec![
                (AWS_LC, check::<ChaCha20Poly1305>(test)),
                (RUST_CRYPTO, check::<second::ChaCha20Poly1305>(test)),
            ],
            "XCHACHA20-POLY1305" => vec![
                (AWS_LC, Outcome::Skipped("no-xchacha20")),
                (RUST_CRYPTO, check::<second::XChaCha20Poly1305>(test)),
            ],
            _ => vec![(AWS_LC, Outcome::Skipped("other-algorithm"))],
        };
        suite.judge(test.number("tcId"), &outcomes);
    }
}

fn check<A: Aead>(test: &Value) -> Outcome {
    let valid = test.text("result") != "invalid";
    let (nonce, aad) = (test.bytes("iv"), test.bytes("aad"));
    let Ok(key) = A::new(&test.bytes("key")) else {
        return Outcome::when(!valid, "the key is refused");
    };
    let mut sealed = test.bytes("msg");
    let Ok(own) = key.seal(&nonce, &aad, &mut sealed) else {
        return if valid { Outcome::Skipped("nonce-size") } else { Outcome::Passed };
    };
    let Ok(tag) = test.bytes("tag").try_into() else {
        return Outcome::Skipped("tag-size");
    };
    let mut opened = test.bytes("ct");
    let result = key.open(&nonce, &aad, &mut opened, &tag);
    if !valid {
        return Outcome::when(result.is_err(), "an invalid text opens");
    }
    if sealed != test.bytes("ct") || own != tag {
        return Outcome::Failed("sealed differently");
    }
    Outcome::when(result.is_ok() && opened == test.bytes("msg"), "does not open")
}

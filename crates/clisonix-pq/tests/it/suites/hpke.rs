//! The vectors of the HPKE draft: key schedules, ten messages each, and exported secrets.

use std::path::Path;

use clisonix_fhir::json::Value;
use clisonix_pq::hpke::Session;
use clisonix_pq::{Profile, RecipientKey, Secret};

use super::{AWS_LC, Outcome, RUST_CRYPTO, Suite};
use crate::chance::Given;
use crate::second;
use crate::vectors::{self, Case};

pub(super) fn judge(name: &str, path: &Path) -> Suite {
    let mut suite = Suite::new(name.trim_end_matches(".json"));
    for case in vectors::json(path).as_array().unwrap_or_default() {
        let numbers = ["mode", "kem_id", "kdf_id", "aead_id"].map(|name| case.number(name));
        let outcomes = match numbers {
            [0, 0x647a, 1, 3] => {
                vec![(RUST_CRYPTO, check(Profile::Hybrid, case)), (AWS_LC, other_x_wing(case))]
            }
            [0, 0x0042, 2, 2] => vec![(RUST_CRYPTO, check(Profile::Cnsa2, case))],
            _ => vec![(RUST_CRYPTO, Outcome::Skipped("other-hpke-suite"))],
        };
        let [mode, kem, kdf, aead] = numbers;
        suite.judge(format_args!("{mode}-{kem:04x}-{kdf:04x}-{aead:04x}"), &outcomes);
    }
    suite
}

fn check(profile: Profile, case: &Value) -> Outcome {
    let Ok(key) = RecipientKey::from_seed(profile, &case.bytes("skRm")) else {
        return Outcome::Failed("the key is refused");
    };
    if key.public().key() != case.bytes("pkRm") {
        return Outcome::Failed("another public key");
    }
    let made = key.public().encapsulate(&mut Given::new(&case.bytes("ikmE")));
    let (encapsulated, shared) = made.expect("a valid public key");
    if encapsulated != case.bytes("enc") || shared.expose()[..] != case.bytes("shared_secret") {
        return Outcome::Failed("encapsulated differently");
    }
    let shared = key.decapsulate(&case.bytes("enc")).expect("a valid encapsulation");
    if shared.expose()[..] != case.bytes("shared_secret") {
        return Outcome::Failed("another shared secret");
    }
    schedule(profile, case, &shared)
}

/// The same shared secret out of the other implementation's parts.
fn other_x_wing(case: &Value) -> Outcome {
    let key = second::XWing::new(&case.bytes("skRm"));
    let shared = key.decapsulate(&case.bytes("enc"));
    let same = shared == Some(case.bytes("shared_secret")) && key.public == case.bytes("pkRm");
    Outcome::when(same, "another shared secret")
}

fn schedule(profile: Profile, case: &Value, shared: &Secret<32>) -> Outcome {
    let session = || Session::new(profile, shared, &case.bytes("info")).expect("a session");
    let (mut sender, mut receiver) = (session(), session());
    for message in case.list("encryptions") {
        let (aad, text) = (message.bytes("aad"), message.bytes("pt"));
        if sender.seal(&aad, &text) != message.bytes("ct") {
            return Outcome::Failed("sealed differently");
        }
        if receiver.open(&aad, &message.bytes("ct")).ok().as_deref() != Some(&text) {
            return Outcome::Failed("does not open");
        }
    }
    for export in case.list("exports") {
        let mut output = vec![0; usize::try_from(export.number("L")).expect("a length")];
        sender.export(&export.bytes("exporter_context"), &mut output).expect("a short output");
        if output != export.bytes("exported_value") {
            return Outcome::Failed("exports another secret");
        }
    }
    Outcome::Passed
}

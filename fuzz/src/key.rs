//! Key files, public keys and statements about keys and shares.

use std::sync::OnceLock;

use clisonix_pq::key_file::{self, Cost};
use clisonix_pq::share::ShareId;
use clisonix_pq::{
    Keys, Profile, ProjectKey, PublicKeys, Reason, Revocation, Succession, Withdrawal,
};

const PASS_PHRASE: &[u8] = b"four words for tests";
/// The largest number that a file may ask for here: argon2id in earnest is another matter.
const MAX_COST: u64 = 64;

/// The first byte says what the rest is.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let identity = own().identity().public();
    let text = match kind % 6 {
        0 | 1 if !is_cheap(rest) => return,
        0 => key_file::unwrap(rest, PASS_PHRASE).map(|_| None),
        1 => ProjectKey::unwrap(rest, PASS_PHRASE).map(|_| None),
        2 => PublicKeys::from_text(rest).map(|it| Some(it.to_text().to_owned())),
        3 => Succession::from_text(rest, identity).map(|it| Some(it.to_text().to_owned())),
        4 => Revocation::from_text(rest, identity).map(|it| Some(it.to_text().to_owned())),
        _ => Withdrawal::from_text(rest, identity).map(|it| Some(it.to_text().to_owned())),
    };
    if let Ok(Some(text)) = text {
        assert_eq!(text.as_bytes(), rest, "two texts of one statement");
    }
}

/// One valid input of each kind, with its name.
#[allow(dead_code, reason = "only the seeds need them")]
pub(crate) fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let mut counter = 0_u8;
    let mut random = |bytes: &mut [u8]| {
        counter = counter.wrapping_add(1);
        bytes.fill(counter);
    };
    let random = &mut random;
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let keys = own();
    let public = keys.public(random);
    let project = ProjectKey::generate("study", 5, random).expect("a name");
    let succession = Succession::sign(keys.identity(), &public, 6, random).expect("one profile");
    let texts = [
        ("secret", key_file::wrap(keys, PASS_PHRASE, cost, random).expect("a file")),
        ("project", project.wrap(PASS_PHRASE, cost, random).expect("a file")),
        ("public", public.to_text().to_owned()),
        ("succession", succession.to_text().to_owned()),
        (
            "revocation",
            Revocation::sign(keys.identity(), Reason::Retired, 7, random).to_text().to_owned(),
        ),
        (
            "withdrawal",
            Withdrawal::sign(keys.identity(), ShareId([3; 16]), 8, random).to_text().to_owned(),
        ),
    ];
    let inputs = texts.into_iter().zip(0..);
    inputs.map(|((name, text), kind)| (name, [&[kind][..], text.as_bytes()].concat())).collect()
}

fn own() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let random = &mut |bytes: &mut [u8]| bytes.fill(7);
        Keys::generate(Profile::Hybrid, "own", 5, random).expect("keys")
    })
}

/// Whether a file asks for little work, or for none that a reader would do.
fn is_cheap(file: &[u8]) -> bool {
    let text = String::from_utf8_lossy(file);
    let costs = text.lines().filter_map(|line| line.strip_prefix("kdf: argon2id "));
    costs
        .flat_map(str::split_whitespace)
        .all(|number| number.parse::<u64>().is_ok_and(|number| number <= MAX_COST))
}

//! The byte vectors of shares: opened, and made again byte for byte.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use clisonix_pq::share::{Moment, Opening, Sealing, ShareError, Terms, Trust, seal, verify};
use clisonix_pq::{Identity, Keys, Profile, PublicKeys, RecipientKey, Withdrawal};

use crate::chance::Seeded;

const CONTENT: &[u8] = b"{\"resourceType\":\"Patient\",\"id\":\"made-up\"}\n";

fn path() -> PathBuf {
    vector("small.share")
}

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/share").join(name)
}

/// Holds made text to the file, or writes it.
fn hold(name: &str, made: &str) {
    if std::env::var_os("CLISONIX_WRITE_VECTORS").is_some() {
        fs::write(vector(name), made).expect("the vector is written");
    }
    assert!(fs::read_to_string(vector(name)).expect("the vector") == made, "another {name}");
}

fn keys() -> (Identity, RecipientKey) {
    let issuer = Identity::from_seed(Profile::Hybrid, &[1; 64]).expect("a seed");
    (issuer, RecipientKey::from_seed(Profile::Hybrid, &[2; 32]).expect("a seed"))
}

fn moment(text: &str) -> Moment {
    text.parse().expect("a moment")
}

#[test]
fn the_small_share_is_made_again_byte_for_byte() {
    let (issuer, reader) = keys();
    let sealing = Sealing {
        issuer: &issuer,
        recipients: &[reader.public().clone()],
        terms: Terms {
            created: moment("2026-11-23T02:10:00Z"),
            until: Some(moment("2036-12-31T23:59:59Z")),
            purpose: "a vector of the format".to_owned(),
            basis: "nobody is described".to_owned(),
            content: "one line of FHIR R4 as NDJSON".to_owned(),
            previous: None,
        },
        name: "made-up.ndjson",
        hide_recipients: false,
        hide_size: true,
    };
    let mut out = Cursor::new(Vec::new());
    let size = CONTENT.len() as u64;
    seal(&sealing, CONTENT, size, &mut out, &mut Seeded::new(8)).expect("a share");
    if std::env::var_os("CLISONIX_WRITE_VECTORS").is_some() {
        fs::write(path(), out.get_ref()).expect("the vector is written");
    }
    assert!(fs::read(path()).expect("the vector") == *out.get_ref(), "other bytes");
}

#[test]
fn the_small_share_opens() {
    let (issuer, reader) = keys();
    let mut trust = Trust::nobody();
    trust.accept(issuer.public().clone());
    let share = fs::read(path()).expect("the vector");
    let now = moment("2026-11-23T12:00:00Z");
    let manifest = verify(&*share, &trust, now).expect("a share");
    let opening = Opening::start(&*share, &trust, &reader, now).expect("a share");
    assert_eq!(opening.about().name, "made-up.ndjson");
    let mut text = Vec::new();
    assert_eq!(opening.copy_to(&mut text).expect("a share"), manifest);
    assert_eq!(text, CONTENT);
}

#[test]
fn the_small_share_is_taken_back() {
    let (issuer, _) = keys();
    let share = fs::read(path()).expect("the vector");
    let mut trust = Trust::nobody();
    trust.accept(issuer.public().clone());
    let now = moment("2026-11-23T12:00:00Z");
    let id = verify(&*share, &trust, now).expect("a share").share;
    let made = Withdrawal::sign(&issuer, id, 1_800_000_000_000, &mut Seeded::new(9));
    hold("small.withdrawal", made.to_text());
    let ones = &mut |bytes: &mut [u8]| bytes.fill(1);
    let keys = Keys::generate(Profile::Hybrid, "vector", 1_700_000_000_000, ones).expect("keys");
    hold("small.pub", keys.public(&mut Seeded::new(10)).to_text());
    let public = PublicKeys::from_text(&fs::read(vector("small.pub")).expect("the vector"));
    assert_eq!(public.expect("keys").identity(), issuer.public());
    trust.take(&fs::read(vector("small.withdrawal")).expect("the vector")).expect("a statement");
    let refused = verify(&*share, &trust, now);
    assert!(matches!(refused, Err(ShareError::Withdrawn { share }) if share == id));
}

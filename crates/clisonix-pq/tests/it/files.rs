//! Key files and statements: what was written reads, and nothing else does.

use clisonix_pq::key_file::{self, Cost};
use clisonix_pq::{
    FormError, Identity, Keys, Profile, PublicIdentity, PublicKeys, PublicRecipient, Reason,
    Revocation, Succession,
};

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, proptest};
use proptest::sample::Index;

use crate::chance::Seeded;

/// Cheap, so that many can be tried.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

fn keys(profile: Profile, seed: u64) -> Keys {
    Keys::generate(profile, "institute", 1_700_000_000_000, &mut Seeded::new(seed)).expect("keys")
}

#[test]
fn secret_keys_come_back_under_their_pass_phrase_only() {
    for profile in Profile::ALL {
        let keys = keys(profile, 1);
        let file = key_file::wrap(&keys, b"correct horse", CHEAP, &mut Seeded::new(2));
        let file = file.expect("a file");
        let back = key_file::unwrap(file.as_bytes(), b"correct horse").expect("keys");
        assert_eq!((back.name(), back.made_ms()), (keys.name(), keys.made_ms()));
        assert_eq!(back.identity().seed(), keys.identity().seed());
        assert_eq!(back.recipient().seed(), keys.recipient().seed());
        let wrong = key_file::unwrap(file.as_bytes(), b"correct hors");
        assert_eq!(wrong.err(), Some(FormError::PassPhrase));
    }
}

#[test]
fn a_secret_file_that_was_changed_anywhere_is_refused() {
    let file = key_file::wrap(&keys(Profile::Hybrid, 1), b"words", CHEAP, &mut Seeded::new(2));
    let file = file.expect("a file").into_bytes();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(key_file::unwrap(&changed, b"words").is_err(), "byte {at}");
        assert!(key_file::unwrap(&file[..at], b"words").is_err(), "cut at {at}");
    }
}

#[test]
fn a_secret_file_cannot_ask_for_more_work_than_is_allowed() {
    let file = key_file::wrap(&keys(Profile::Hybrid, 1), b"words", CHEAP, &mut Seeded::new(2));
    let file = file.expect("a file");
    for greedy in ["argon2id 1048577 1 1", "argon2id 8 11 1", "argon2id 128 1 9"] {
        let changed = file.replace("argon2id 8 1 1", greedy);
        let refused = key_file::unwrap(changed.as_bytes(), b"words").err();
        assert_eq!(refused, Some(FormError::Cost), "{greedy}");
    }
    for wrong in ["argon2id 8 1", "argon2id 8 1 1 1", "argon2id 08 1 1", "argon2i 8 1 1"] {
        let changed = file.replace("argon2id 8 1 1", wrong);
        let refused = key_file::unwrap(changed.as_bytes(), b"words").err();
        assert_eq!(refused, Some(FormError::Value("kdf")), "{wrong}");
    }
}

#[test]
fn a_public_file_binds_name_time_and_recipient_key_to_the_identity() {
    for profile in Profile::ALL {
        let public = keys(profile, 1).public(&mut Seeded::new(3));
        let text = public.to_text();
        assert_eq!(PublicKeys::from_text(text.as_bytes()).as_ref(), Ok(&public));
        let other = keys(profile, 4).public(&mut Seeded::new(3));
        let line = |text: &str, name: &str| -> String {
            text.lines().find(|line| line.starts_with(name)).expect("a line").to_owned()
        };
        let swaps = [
            (line(text, "open"), line(other.to_text(), "open")),
            (line(text, "sign: "), line(other.to_text(), "sign: ")),
            (line(text, "name"), "name: another".to_owned()),
            (line(text, "made"), "made: 1".to_owned()),
        ];
        for (from, to) in swaps {
            let changed = text.replace(&from, &to);
            assert!(PublicKeys::from_text(changed.as_bytes()).is_err(), "{from}");
        }
    }
}

#[test]
fn a_public_file_reads_in_one_spelling_only() {
    let public = keys(Profile::Hybrid, 1).public(&mut Seeded::new(3));
    let text = public.to_text();
    let error = |text: &str| PublicKeys::from_text(text.as_bytes()).expect_err("refused");
    assert_eq!(error(&text.replace("key 1", "key 2")), FormError::Newer("clisonix public key"));
    assert_eq!(error(&text.replace("public", "secret")), FormError::Kind("clisonix public key"));
    assert_eq!(error(&text.replace('\n', "\r\n")), FormError::Kind("clisonix public key"));
    assert_eq!(error(&format!("{text}\n")), FormError::Line(8));
    assert_eq!(error(text.trim_end()), FormError::Line(7));
    assert_eq!(error(&"x".repeat(20_000)), FormError::TooLong);
    assert_eq!(error(""), FormError::Kind("clisonix public key"));
}

#[test]
fn profiles_do_not_mix_in_one_file_or_one_succession() {
    let mut random = Seeded::new(5);
    let hybrid = keys(Profile::Hybrid, 1).public(&mut random);
    let changed = hybrid.to_text().replace("profile: hybrid", "profile: cnsa2");
    assert!(matches!(PublicKeys::from_text(changed.as_bytes()), Err(FormError::Key(_))));
    let other = keys(Profile::Cnsa2, 2);
    let made = Succession::sign(other.identity(), &hybrid, 1, &mut random);
    assert!(matches!(made, Err(FormError::Key(_))));
}

#[test]
fn a_succession_names_the_new_keys_and_is_believed_from_the_old_ones_only() {
    let mut random = Seeded::new(6);
    let (old, new) = (keys(Profile::Hybrid, 1), keys(Profile::Hybrid, 2).public(&mut random));
    let made = Succession::sign(old.identity(), &new, 7, &mut random).expect("a statement");
    let text = made.to_text().as_bytes();
    let read = Succession::from_text(text, old.identity().public()).expect("a statement");
    assert_eq!(read, made);
    assert!(read.names(&new));
    assert!(!read.names(&keys(Profile::Hybrid, 3).public(&mut random)));
    let other = Identity::generate(Profile::Hybrid, &mut random).expect("a key");
    assert_eq!(Succession::from_text(text, other.public()), Err(FormError::OtherKey));
    let moved = made.to_text().replace("made: 7", "made: 8");
    let moved = Succession::from_text(moved.as_bytes(), old.identity().public());
    assert!(matches!(moved, Err(FormError::Signature(_))));
}

#[test]
fn a_revocation_is_believed_from_the_revoked_key_only() {
    let mut random = Seeded::new(8);
    let keys = keys(Profile::Hybrid, 1);
    for reason in Reason::ALL {
        let made = Revocation::sign(keys.identity(), reason, 9, &mut random);
        let text = made.to_text().as_bytes();
        assert_eq!(Revocation::from_text(text, keys.identity().public()).as_ref(), Ok(&made));
        let other = Identity::generate(Profile::Hybrid, &mut random).expect("a key");
        assert!(Revocation::from_text(text, other.public()).is_err());
        let softer = made.to_text().replace(reason.name(), "retired ");
        assert!(Revocation::from_text(softer.as_bytes(), keys.identity().public()).is_err());
    }
}

/// Each parser on the same bytes; only that none of them panics or takes something else matters.
fn read_all(bytes: &[u8], identity: &PublicIdentity) -> bool {
    let read = [
        PublicKeys::from_text(bytes).is_ok(),
        key_file::unwrap(bytes, b"words").is_ok(),
        Succession::from_text(bytes, identity).is_ok(),
        Revocation::from_text(bytes, identity).is_ok(),
    ];
    let _ = PublicIdentity::from_bytes(bytes);
    let _ = PublicRecipient::from_bytes(bytes);
    read.contains(&true)
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in vec(any::<u8>(), 0..3_000)) {
        let keys = keys(Profile::Cnsa2, 1);
        prop_assert!(!read_all(&bytes, keys.identity().public()));
    }

    #[test]
    fn no_form_with_other_bytes_inside_is_taken(
        at in any::<Index>(),
        gone in 0..40_usize,
        put in "[ -~\n]{0,40}",
    ) {
        let keys = keys(Profile::Hybrid, 1);
        let mut random = Seeded::new(2);
        let forms = [
            keys.public(&mut random).to_text().to_owned(),
            key_file::wrap(&keys, b"words", CHEAP, &mut random).expect("a file"),
            Revocation::sign(keys.identity(), Reason::Retired, 1, &mut random).to_text().to_owned(),
        ];
        for form in forms {
            let start = at.index(form.len());
            let end = (start + gone).min(form.len());
            let changed = [&form[..start], &put, &form[end..]].concat();
            if changed != form {
                prop_assert!(!read_all(changed.as_bytes(), keys.identity().public()));
            }
        }
    }
}

//! Identities, recipients and what is sealed to them, for any input.

use clisonix_pq::{
    Context, Identity, Profile, PublicIdentity, PublicRecipient, RecipientKey, Signature,
    VerifyError, hpke,
};

use crate::chance::Seeded;

const STATEMENT: Context = Context::new("clisonix test statement");
const OTHER: Context = Context::new("clisonix test other");

#[test]
fn a_signature_verifies_for_its_key_its_message_and_its_purpose_only() {
    let mut random = Seeded::new(1);
    for profile in Profile::ALL {
        let identity = Identity::generate(profile, &mut random).expect("a key");
        let another = Identity::generate(profile, &mut random).expect("a key");
        let signature = identity.sign(STATEMENT, b"message", &mut random);
        assert_eq!(signature.to_bytes().len(), Signature::size_bytes(profile));
        let public = PublicIdentity::from_bytes(&identity.public().to_bytes()).expect("a key");
        assert_eq!(public.verify(STATEMENT, b"message", &signature), Ok(()));
        assert!(public.verify(OTHER, b"message", &signature).is_err());
        assert!(public.verify(STATEMENT, b"massage", &signature).is_err());
        assert!(another.public().verify(STATEMENT, b"message", &signature).is_err());
    }
}

#[test]
fn both_halves_of_a_hybrid_signature_must_verify() {
    let mut random = Seeded::new(2);
    let identity = Identity::generate(Profile::Hybrid, &mut random).expect("a key");
    let another = Identity::generate(Profile::Hybrid, &mut random).expect("a key");
    let signature = identity.sign(STATEMENT, b"message", &mut random);
    let foreign = another.sign(STATEMENT, b"message", &mut random);
    let (lattice, curve) = signature.to_bytes().split_at(3309);
    let (foreign_lattice, foreign_curve) = foreign.to_bytes().split_at(3309);
    for mixed in [[lattice, foreign_curve].concat(), [foreign_lattice, curve].concat()] {
        let mixed = Signature::from_bytes(&mixed);
        let verdict = identity.public().verify(STATEMENT, b"message", &mixed);
        assert_eq!(verdict, Err(VerifyError::Rejected));
    }
}

#[test]
fn every_damaged_signature_and_key_is_refused_and_nothing_panics() {
    let mut random = Seeded::new(3);
    for profile in Profile::ALL {
        let identity = Identity::generate(profile, &mut random).expect("a key");
        let signature = identity.sign(STATEMENT, b"message", &mut random);
        for at in (0..signature.to_bytes().len()).step_by(97) {
            let mut bytes = signature.to_bytes().to_vec();
            bytes[at] ^= 1;
            let damaged = Signature::from_bytes(&bytes);
            assert!(identity.public().verify(STATEMENT, b"message", &damaged).is_err());
            let cut = Signature::from_bytes(&signature.to_bytes()[..at]);
            assert!(identity.public().verify(STATEMENT, b"message", &cut).is_err());
        }
        let public = identity.public().to_bytes();
        for length in (0..public.len()).step_by(61) {
            assert!(PublicIdentity::from_bytes(&public[..length]).is_err());
        }
    }
}

#[test]
fn a_seed_gives_the_same_key_again() {
    let mut random = Seeded::new(4);
    for profile in Profile::ALL {
        let identity = Identity::generate(profile, &mut random).expect("a key");
        let again = Identity::from_seed(profile, identity.seed()).expect("a key");
        assert_eq!(identity.public(), again.public());
        let recipient = RecipientKey::generate(profile, &mut random).expect("a key");
        let again = RecipientKey::from_seed(profile, recipient.seed()).expect("a key");
        assert_eq!(recipient.public(), again.public());
    }
}

#[test]
fn what_is_sealed_opens_for_its_recipient_with_the_same_words_only() {
    let mut random = Seeded::new(5);
    for profile in Profile::ALL {
        let key = RecipientKey::generate(profile, &mut random).expect("a key");
        let another = RecipientKey::generate(profile, &mut random).expect("a key");
        let public = PublicRecipient::from_bytes(&key.public().to_bytes()).expect("a key");
        let sealed =
            hpke::seal(&public, b"info", b"aad", b"file key", &mut random).expect("sealed");
        let open = |key: &RecipientKey, info: &[u8], aad: &[u8], text: &[u8]| {
            hpke::open(key, &sealed.encapsulated, info, aad, text).map(|text| text.to_vec())
        };
        let text = &*sealed.ciphertext;
        assert_eq!(open(&key, b"info", b"aad", text), Ok(b"file key".to_vec()));
        assert!(open(&another, b"info", b"aad", text).is_err());
        assert!(open(&key, b"other", b"aad", text).is_err());
        assert!(open(&key, b"info", b"other", text).is_err());
        for at in 0..text.len() {
            let mut damaged = text.to_vec();
            damaged[at] ^= 0x80;
            assert!(open(&key, b"info", b"aad", &damaged).is_err());
            assert!(open(&key, b"info", b"aad", &text[..at]).is_err());
        }
    }
}

#[test]
fn fingerprints_differ_by_key_profile_and_purpose_and_read_as_digits() {
    let mut random = Seeded::new(6);
    let mut seen = std::collections::BTreeSet::new();
    for profile in Profile::ALL {
        for _ in 0..2 {
            let identity = Identity::generate(profile, &mut random).expect("a key");
            let recipient = RecipientKey::generate(profile, &mut random).expect("a key");
            seen.insert(identity.public().fingerprint().to_string());
            seen.insert(recipient.public().fingerprint().to_string());
        }
    }
    assert_eq!(seen.len(), 8);
    for text in seen {
        let groups: Vec<&str> = text.split(' ').collect();
        assert_eq!(groups.len(), 8);
        assert!(groups.iter().all(|group| group.len() == 5 && group.parse::<u32>().is_ok()));
    }
}

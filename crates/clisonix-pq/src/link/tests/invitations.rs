//! Invitations and admissions: read only as they were signed.

use crate::checkpoint::Author;
use crate::link::invitation::{About, Admission, Invitation, Membership};
use crate::{Keys, PublicKeys};

use super::*;

fn keys(profile: Profile, seed: u64) -> Keys {
    Keys::generate(profile, "site", 5, &mut seeded(seed)).unwrap()
}

fn copy(keys: &Keys) -> Identity {
    Identity::from_seed(keys.profile(), keys.identity().seed()).unwrap()
}

fn about() -> About {
    About {
        name: "Klinik am Süd-Ufer".into(),
        identifiers: vec!["urn:test:org|7".into()],
        addresses: vec!["10.0.0.1:4871".into(), "[::1]:4871".into()],
    }
}

fn invitation(keys: &Keys, about: &About) -> Result<Invitation, FormError> {
    let link = LinkKeys::new(copy(keys), 5, &mut seeded(2)).unwrap();
    let author = Author::new(copy(keys), 5, &mut seeded(3)).unwrap();
    Invitation::sign(keys, link.public(), author.live_key(), about, 6, &mut seeded(4))
}

#[test]
fn an_invitation_tells_everything_that_a_link_needs() {
    for profile in Profile::ALL {
        let keys = keys(profile, 1);
        let invitation = invitation(&keys, &about()).unwrap();
        let read = Invitation::from_text(invitation.to_text().as_bytes()).unwrap();
        assert_eq!(read, invitation);
        assert_eq!(read.about(), &about());
        assert_eq!(read.fingerprint(), keys.identity().public().fingerprint());
        assert_eq!(read.peer().fingerprint(), read.fingerprint());
        assert_eq!(read.author().fingerprint(), read.fingerprint());
        assert!(PublicKeys::from_text(read.keys().to_text().as_bytes()).is_ok());
    }
}

#[test]
fn an_invitation_is_read_only_as_it_was_signed() {
    let one = invitation(&keys(Profile::Hybrid, 1), &about()).unwrap();
    let two = invitation(&keys(Profile::Hybrid, 9), &about()).unwrap();
    let mut bytes = one.to_text().as_bytes().to_vec();
    let signed = one.to_text().find("signature: ").unwrap();
    for place in (0..signed).chain((signed..bytes.len()).step_by(997)) {
        bytes[place] ^= 1;
        assert!(Invitation::from_text(&bytes).is_err(), "byte {place}");
        bytes[place] ^= 1;
    }
    for length in (0..bytes.len()).step_by(301) {
        assert!(Invitation::from_text(&bytes[..length]).is_err(), "{length} bytes");
    }
    // A part of another node's.
    let parts =
        |text: &str| -> Vec<String> { text.split("\nclisonix ").map(ToOwned::to_owned).collect() };
    let (ours, theirs) = (parts(one.to_text()), parts(two.to_text()));
    assert_eq!(ours.len(), 4);
    for at in 0..4 {
        let mut mixed = ours.clone();
        mixed[at].clone_from(&theirs[at]);
        assert!(Invitation::from_text(mixed.join("\nclisonix ").as_bytes()).is_err(), "part {at}");
    }
}

#[test]
fn what_others_would_misread_is_not_signed() {
    let keys = keys(Profile::Hybrid, 1);
    let long = "x".repeat(300);
    let names = ["", " a", "two\nlines", "left\u{202e}right", long.as_str()];
    for name in names {
        let about = About { name: name.into(), ..about() };
        assert!(invitation(&keys, &about).is_err(), "{name:?}");
    }
    for address in ["nowhere", "a b:1", "", "a\n:1"] {
        let addresses = vec!["10.0.0.1:1".into(), address.into()];
        assert!(invitation(&keys, &About { addresses, ..about() }).is_err(), "{address:?}");
    }
    let addresses = vec!["a:1".to_owned(); super::super::MAX_PLACES + 1];
    assert!(invitation(&keys, &About { addresses, ..about() }).is_err());
}

#[test]
fn an_admission_is_the_own_word_about_a_peer() {
    let (own, other) = (keys(Profile::Hybrid, 1), keys(Profile::Hybrid, 9));
    let peer = invitation(&other, &about()).unwrap();
    let terms = ["basis=care".to_owned(), "use=TREAT".to_owned()];
    for membership in [Membership::Admitted, Membership::Revoked] {
        let admission =
            Admission::sign(own.identity(), peer.clone(), membership, &terms, 7, &mut seeded(1))
                .unwrap();
        let text = admission.to_text().as_bytes();
        let read = Admission::from_text(text, own.identity().public()).unwrap();
        assert_eq!(read, admission);
        assert_eq!((read.membership(), read.made_ms()), (membership, 7));
        assert_eq!((read.invitation(), read.terms()), (&peer, &terms[..]));
        // Nobody else's word counts, the peer's own least of all.
        let refused = Admission::from_text(text, other.identity().public());
        assert_eq!(refused, Err(FormError::OtherKey));
        let turned =
            admission.to_text().replace("admitted", "revoked").replace("made: 7", "made: 8");
        assert!(Admission::from_text(turned.as_bytes(), own.identity().public()).is_err());
    }
    let itself = invitation(&own, &about()).unwrap();
    let membership = Membership::Admitted;
    let refused = Admission::sign(own.identity(), itself, membership, &[], 7, &mut seeded(1));
    assert_eq!(refused, Err(FormError::OtherKey));
    let strong = keys(Profile::Cnsa2, 3);
    for terms in ["two words", "", "line\n"] {
        let (terms, peer) = ([terms.to_owned()], peer.clone());
        let refused = Admission::sign(own.identity(), peer, membership, &terms, 7, &mut seeded(1));
        assert_eq!(refused, Err(FormError::Value("terms")));
    }
    let refused = Admission::sign(strong.identity(), peer, membership, &[], 7, &mut seeded(1));
    assert!(matches!(refused, Err(FormError::Key(_))));
}

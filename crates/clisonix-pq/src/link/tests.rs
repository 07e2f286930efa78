//! Links: that they open, and every way in which they must not.

mod ends;
mod invitations;
mod proofs;
mod refusals;
mod transfer;

use std::sync::{Arc, OnceLock};

use super::tls::Suite;
use super::*;
use crate::age::tests::seeded;
use crate::{FormError, Identity, KeyError, Profile, Reason, Revocation};

use self::ends::{End, Ours, Raw, meet};

/// A node with its keys, made once.
struct Site {
    keys: Arc<LinkKeys>,
    peer: Peer,
}

fn site(profile: Profile, seed: u64) -> Site {
    let identity = Identity::generate(profile, &mut seeded(seed)).unwrap();
    let public = identity.public().clone();
    let keys = LinkKeys::new(identity, 1_700_000_000_000, &mut seeded(seed)).unwrap();
    let peer = Peer::new(public, keys.public().to_text().as_bytes()).unwrap();
    Site { keys: Arc::new(keys), peer }
}

/// Three nodes of the profile `hybrid`.
fn sites() -> &'static [Site; 3] {
    static SITES: OnceLock<[Site; 3]> = OnceLock::new();
    SITES.get_or_init(|| [11, 12, 13].map(|seed| site(Profile::Hybrid, seed)))
}

fn peers(of: &[&Peer]) -> Arc<Peers> {
    let mut peers = Peers::new();
    for peer in of {
        peers.add((*peer).clone()).unwrap();
    }
    Arc::new(peers)
}

fn connecting(own: &Site, peer: &Peer) -> Ours {
    let keys = Arc::clone(&own.keys);
    Ours::new(Opening::connect(keys, peers(&[peer]), peer.fingerprint(), 0).unwrap())
}

fn accepting(own: &Site, peer: &Peer) -> Ours {
    Ours::new(Opening::accept(Arc::clone(&own.keys), peers(&[peer]), 0).unwrap())
}

/// An open link between the first two nodes.
fn open() -> (Link, Link) {
    let [one, two, _] = sites();
    let (mut client, mut server) = (connecting(one, &two.peer), accepting(two, &one.peer));
    meet(&mut client, &mut server);
    (client.link().unwrap(), server.link().unwrap())
}

#[test]
fn a_link_opens_and_carries_data_in_both_profiles() {
    for profile in Profile::ALL {
        let (one, two) = (site(profile, 1), site(profile, 2));
        let (mut client, mut server) = (connecting(&one, &two.peer), accepting(&two, &one.peer));
        meet(&mut client, &mut server);
        let (mut client, mut server) = (client.link().unwrap(), server.link().unwrap());
        assert_eq!(client.peer(), two.peer.identity());
        assert_eq!(server.peer(), one.peer.identity());
        assert_eq!(client.session(), server.session());
        assert_eq!((client.role(), server.role()), (Role::Connecting, Role::Accepting));
        let group = match profile {
            Profile::Hybrid => rustls::NamedGroup::X25519MLKEM768,
            Profile::Cnsa2 => rustls::NamedGroup::MLKEM1024,
        };
        for link in [&client, &server] {
            assert_eq!(link.tls.negotiated_key_exchange_group().unwrap().name(), group);
            assert_eq!(link.tls.handshake_kind(), Some(rustls::HandshakeKind::Full));
        }
        assert_eq!(ends::pass(&mut client, &mut server, b"there"), b"there");
        assert_eq!(ends::pass(&mut server, &mut client, b"and back"), b"and back");
    }
}

#[test]
fn two_sessions_have_two_names() {
    let ((one, _), (two, _)) = (open(), open());
    assert_ne!(one.session(), two.session());
}

#[test]
fn nothing_is_remembered_for_another_session() {
    // The same configuration twice, and an accepting end that could hand out tickets does not.
    let [one, two, _] = sites();
    let (mut client, mut server) = (open().0, accepting(two, &one.peer));
    client.close();
    let mut raw = Raw::client(one, &two.peer, |config| {
        config.resumption = rustls::client::Resumption::in_memory_sessions(8);
        config.enable_early_data = true;
    });
    meet(&mut raw, &mut server);
    let rustls::Connection::Client(tls) = &mut raw.tls else { unreachable!("a client") };
    assert_eq!(tls.tls13_tickets_received(), 0);
    assert!(tls.early_data().is_none() && !tls.is_early_data_accepted());
}

#[test]
fn the_tls_key_is_neither_half_of_the_identity() {
    for profile in Profile::ALL {
        let site = site(profile, 5);
        let (key, identity) = (site.keys.public().key(), site.peer.identity().to_bytes());
        assert_eq!(key.len(), Suite::of(profile).public_bytes());
        assert!(!identity.windows(64).any(|part| part == &key[..64]));
        // The same identity has the same key after a restart.
        let again = Identity::from_seed(profile, site.keys.signer().seed()).unwrap();
        let again = LinkKeys::new(again, 1, &mut seeded(77)).unwrap();
        assert_eq!(again.public().key(), key);
    }
}

#[test]
fn a_statement_of_a_key_is_read_only_as_it_was_signed() {
    let [one, two, _] = sites();
    let (identity, text) = (one.peer.identity(), one.keys.public().to_text());
    let read = LinkKey::from_text(text.as_bytes(), identity).unwrap();
    assert_eq!(&read, one.keys.public());
    assert_eq!((read.made_ms(), read.profile()), (1_700_000_000_000, Profile::Hybrid));
    assert_eq!(read.identity(), identity.fingerprint());
    let other = LinkKey::from_text(text.as_bytes(), two.peer.identity());
    assert_eq!(other, Err(FormError::OtherKey));
    let mut bytes = text.as_bytes().to_vec();
    // Each byte of what is signed, and some of the signature.
    let signed = text.find("signature: ").unwrap() + 40;
    for place in (0..signed).step_by(7) {
        bytes[place] ^= 1 << (place % 7);
        assert!(LinkKey::from_text(&bytes, identity).is_err(), "byte {place}");
        bytes[place] ^= 1 << (place % 7);
    }
    for length in (0..text.len()).step_by(13) {
        assert!(LinkKey::from_text(&bytes[..length], identity).is_err(), "{length} bytes");
    }
}

#[test]
fn a_statement_with_a_key_of_another_length_is_refused() {
    let identity = Identity::generate(Profile::Hybrid, &mut seeded(6)).unwrap();
    let statement = super::keys::statement(&identity, &[7; 100], 0, &mut seeded(7));
    let read = LinkKey::from_text(statement.as_bytes(), identity.public());
    let error = KeyError::Length { what: "public TLS key", given: 100, expected: 1952 };
    assert_eq!(read, Err(FormError::Key(error)));
}

#[test]
fn peers_are_replaced_removed_and_revoked() {
    let [one, two, _] = sites();
    let mut peers = Peers::new();
    peers.add(one.peer.clone()).unwrap();
    peers.add(Peer::mixed(&one.peer, &two.peer)).unwrap();
    // The newer TLS key counts, the older one is nobody's any more.
    assert_eq!(peers.of_key(one.peer.spki()), Err(LinkError::UnknownKey));
    assert!(peers.of_key(two.peer.spki()).is_ok());
    peers.remove(one.peer.fingerprint());
    assert_eq!(peers.of_key(two.peer.spki()), Err(LinkError::UnknownKey));
    let signer = one.keys.signer();
    let revocation = Revocation::sign(signer, Reason::Compromised, 0, &mut seeded(1));
    peers.revoke(&revocation);
    // Adding it again does not help.
    peers.add(one.peer.clone()).unwrap();
    assert_eq!(peers.of_key(one.peer.spki()), Err(LinkError::Revoked));
}

#[test]
fn nobody_takes_the_place_of_a_peer_by_naming_its_tls_key() {
    let [one, two, _] = sites();
    let mut peers = Peers::new();
    peers.add(one.peer.clone()).unwrap();
    assert_eq!(peers.add(Peer::mixed(&two.peer, &one.peer)), Err(LinkError::TakenKey));
    let found = peers.of_key(one.peer.spki()).map(Peer::fingerprint);
    assert_eq!(found, Ok(one.peer.fingerprint()));
    assert_eq!(peers.peer(two.peer.fingerprint()), None);
    // With a key of its own it is listed.
    peers.add(two.peer.clone()).unwrap();
    assert!(peers.of_key(two.peer.spki()).is_ok());
}

#[test]
fn a_link_wears_out() {
    let (mut link, _) = open();
    assert!(!link.is_worn(MAX_LINK_MS));
    assert!(link.is_worn(MAX_LINK_MS + 1));
    link.moved = MAX_LINK_BYTES + 1;
    assert!(link.is_worn(0));
}

//! The proofs of identity: every one that is not exactly the peer's for this session is refused.

use super::super::proof::{self, Session};
use super::*;

/// A client that has come through TLS as `own` and has not proved itself; and the session as it
/// would sign it.
fn unproved(own: &Site, server: &mut Ours, to: &Site) -> (Raw, Session) {
    let mut client = Raw::client(own, &to.peer, |_| {});
    meet(&mut client, server);
    assert!(server.result.is_ok() && !server.opening.is_open());
    let session = Session {
        profile: Profile::Hybrid,
        role: Role::Connecting,
        own: own.peer.fingerprint(),
        peer: to.peer.identity().clone(),
        own_key: own.peer.spki().into(),
        peer_key: to.peer.spki().into(),
        exported: tls::exported(&client.tls, tls::LABEL).unwrap(),
    };
    (client, session)
}

/// What the accepting end makes of a proof that is changed by `change`.
fn answer(change: impl FnOnce(&mut Vec<u8>)) -> Result<(), LinkError> {
    let [one, two, _] = sites();
    let mut server = accepting(two, &one.peer);
    let (mut client, session) = unproved(one, &mut server, two);
    let mut proof = session.prove(one.keys.signer(), &mut seeded(1));
    change(&mut proof);
    client.say(&proof);
    client.tls.send_close_notify();
    meet(&mut client, &mut server);
    let open = server.opening.is_open();
    assert_eq!(open, server.result.is_ok());
    if !open {
        // Not even our own proof goes to who has not proved itself.
        assert!(client.data.is_empty());
    }
    server.result
}

#[test]
fn a_proof_is_taken_exactly_as_it_is_made() {
    assert_eq!(answer(|_| {}), Ok(()));
    assert_eq!(answer(Vec::clear), Err(LinkError::ProofMissing));
    for length in [1, 2, 3, 40, 70, 71, 100, 3000, 3440] {
        let cut = answer(|proof| proof.truncate(length));
        assert_eq!(cut, Err(LinkError::ProofTruncated), "{length} bytes");
    }
    assert_eq!(answer(|proof| proof[1] -= 1), Err(LinkError::ProofTruncated));
    assert_eq!(answer(|proof| proof[1] += 1), Err(LinkError::ProofTooLong));
    assert_eq!(answer(|proof| proof[0] = 0xff), Err(LinkError::ProofTooLong));
    assert_eq!(answer(|proof| proof[2] = 2), Err(LinkError::ProofVersion(2)));
    assert_eq!(answer(|proof| proof[4] = 2), Err(LinkError::ProofProfile));
    assert_eq!(answer(|proof| proof[5] = 2), Err(LinkError::Reflected));
    assert_eq!(answer(|proof| proof[5] = 3), Err(LinkError::Protocol));
    assert_eq!(answer(|proof| proof[6] ^= 1), Err(LinkError::OtherIdentity));
    assert_eq!(answer(|proof| proof[38] ^= 1), Err(LinkError::OtherSession));
    assert_eq!(answer(|proof| proof[70] ^= 1), Err(LinkError::ProofSignature));
}

#[test]
fn data_in_the_place_of_a_proof_is_no_data() {
    let [one, two, _] = sites();
    let mut server = accepting(two, &one.peer);
    let (mut client, _) = unproved(one, &mut server, two);
    client.say(b"\x00\x05hello, and a great deal more");
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::ProofTruncated));
}

#[test]
fn a_proof_of_another_session_is_refused() {
    let [one, two, _] = sites();
    let mut first = accepting(two, &one.peer);
    let (_, old) = unproved(one, &mut first, two);
    let old = old.prove(one.keys.signer(), &mut seeded(2));
    assert_eq!(answer(|proof| proof.copy_from_slice(&old)), Err(LinkError::OtherSession));
    // Nor does it help to name this session.
    let renamed = answer(|proof| {
        let name = proof[38..70].to_vec();
        proof.copy_from_slice(&old);
        proof[38..70].copy_from_slice(&name);
    });
    assert_eq!(renamed, Err(LinkError::ProofSignature));
}

#[test]
fn a_reflected_proof_is_refused() {
    // A server that has the TLS key of the second node, and not its identity, sends back what the
    // first one sent.
    let [one, two, _] = sites();
    for renamed in [false, true] {
        let mut server = Raw::server(two, &one.peer);
        let mut client = connecting(one, &two.peer);
        meet(&mut client, &mut server);
        let mut proof = server.data.clone();
        assert_eq!(proof.len(), 2 + proof::bytes(Profile::Hybrid));
        if renamed {
            proof[5] = 2;
            proof[6..38].copy_from_slice(&two.peer.fingerprint().to_bytes());
        }
        server.say(&proof);
        meet(&mut server, &mut client);
        let refusal = if renamed { LinkError::ProofSignature } else { LinkError::Reflected };
        assert_eq!(client.link().err(), Some(refusal));
    }
}

#[test]
fn a_server_without_a_proof_is_refused() {
    let [one, two, _] = sites();
    let mut server = Raw::server(two, &one.peer);
    let mut client = connecting(one, &two.peer);
    meet(&mut client, &mut server);
    assert!(!client.opening.is_open());
    server.has_hung_up = true;
    meet(&mut client, &mut server);
    assert_eq!(client.link().err(), Some(LinkError::ProofMissing));
}

#[test]
fn an_identity_that_is_not_the_pinned_one_is_refused() {
    // The TLS key is as pinned, the identity is another: the TLS key of the first node was stolen.
    let [one, two, three] = sites();
    let pinned = Peer::mixed(&three.peer, &one.peer);
    let (mut client, mut server) = (connecting(one, &two.peer), accepting(two, &pinned));
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::OtherIdentity));
    assert_eq!(client.link().err(), Some(LinkError::ProofMissing));
    let pinned = Peer::mixed(&three.peer, &two.peer);
    let (mut client, mut server) = (connecting(one, &pinned), accepting(two, &one.peer));
    meet(&mut client, &mut server);
    // The server sees that it was meant for somebody else.
    assert_eq!(server.link().err(), Some(LinkError::ProofSignature));
    assert_eq!(client.link().err(), Some(LinkError::ProofMissing));
}

#[test]
fn what_is_signed_names_keys_identities_and_roles() {
    let [one, two, three] = sites();
    let session = |role, own: &Site, peer: &Site| Session {
        profile: Profile::Hybrid,
        role,
        own: own.peer.fingerprint(),
        peer: peer.peer.identity().clone(),
        own_key: own.peer.spki().into(),
        peer_key: peer.peer.spki().into(),
        exported: [7; 32],
    };
    let made = session(Role::Connecting, one, two);
    let proof = made.prove(one.keys.signer(), &mut seeded(4));
    let proof = &proof[2..];
    let verify = |change: &dyn Fn(&mut Session)| {
        let mut session = session(Role::Accepting, two, one);
        change(&mut session);
        session.verify(proof)
    };
    assert_eq!(verify(&|_| {}), Ok(()));
    let wrong = Err(LinkError::ProofSignature);
    let other = three.peer.fingerprint();
    assert_eq!(verify(&|session| session.own = other), wrong);
    assert_eq!(verify(&|session| session.own_key[30] ^= 1), wrong);
    assert_eq!(verify(&|session| session.peer_key[30] ^= 1), wrong);
    assert_eq!(verify(&|session| session.exported[0] ^= 1), Err(LinkError::OtherSession));
    // By whom else: the name says the first node, the signature is of the third.
    let forged = made.prove(three.keys.signer(), &mut seeded(4));
    assert_eq!(session(Role::Accepting, two, one).verify(&forged[2..]), wrong);
}

#[test]
fn every_flipped_bit_of_a_proof_is_refused() {
    let [one, two, _] = sites();
    let session = |role, own: &Site, peer: &Site| Session {
        profile: Profile::Hybrid,
        role,
        own: own.peer.fingerprint(),
        peer: peer.peer.identity().clone(),
        own_key: own.peer.spki().into(),
        peer_key: peer.peer.spki().into(),
        exported: [8; 32],
    };
    let (made, verifier) =
        (session(Role::Connecting, one, two), session(Role::Accepting, two, one));
    let mut proof = made.prove(one.keys.signer(), &mut seeded(4)).split_off(2);
    let head = 1 + 2 + 1 + 32 + 32;
    for bit in 0..proof.len() * 8 {
        // All bits of the head; of the signature one bit of each byte, another in each.
        let (place, bit) = (bit / 8, bit % 8);
        if place >= head && bit != place % 8 {
            continue;
        }
        proof[place] ^= 1 << bit;
        assert!(verifier.verify(&proof).is_err(), "bit {bit} of byte {place}");
        proof[place] ^= 1 << bit;
    }
    for length in 0..proof.len() {
        if length < 80 || length % 61 == 0 {
            assert!(verifier.verify(&proof[..length]).is_err(), "{length} bytes");
        }
    }
    assert_eq!(verifier.verify(&proof), Ok(()));
}

/// `tests/vectors/link/proof.*`; `CLISONIX_WRITE_VECTORS` writes them again.
#[test]
fn the_vector_of_a_proof_is_what_the_format_page_says() {
    let [one, two, _] = sites();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/link");
    let made = [
        ("connected.identity", one.peer.identity().to_bytes()),
        ("connected.tls", one.peer.spki().to_vec()),
        ("accepted.identity", two.peer.identity().to_bytes()),
        ("accepted.tls", two.peer.spki().to_vec()),
        ("exported", vec![8; 32]),
    ];
    if std::env::var_os("CLISONIX_WRITE_VECTORS").is_some() {
        for (name, bytes) in &made {
            std::fs::write(folder.join(format!("proof.{name}")), bytes).unwrap();
        }
        let session = of_files(&folder, Role::Connecting);
        let proof = session.prove(one.keys.signer(), &mut seeded(14));
        std::fs::write(folder.join("proof.connected"), proof).unwrap();
    }
    let proof = std::fs::read(folder.join("proof.connected")).unwrap();
    assert_eq!(of_files(&folder, Role::Accepting).verify(&proof[2..]), Ok(()));
    let again = of_files(&folder, Role::Connecting).prove(one.keys.signer(), &mut seeded(14));
    assert_eq!(again, proof);
}

/// The session of the vector, at one end.
fn of_files(folder: &std::path::Path, role: Role) -> Session {
    let read = |name: &str| std::fs::read(folder.join(format!("proof.{name}"))).unwrap();
    let identity = |name: &str| crate::PublicIdentity::from_bytes(&read(name)).unwrap();
    let connected = (identity("connected.identity"), read("connected.tls"));
    let accepted = (identity("accepted.identity"), read("accepted.tls"));
    let (own, peer) = match role {
        Role::Connecting => (connected, accepted),
        Role::Accepting => (accepted, connected),
    };
    Session {
        profile: Profile::Hybrid,
        role,
        own: own.0.fingerprint(),
        peer: peer.0,
        own_key: own.1.into(),
        peer_key: peer.1.into(),
        exported: read("exported").try_into().unwrap(),
    }
}

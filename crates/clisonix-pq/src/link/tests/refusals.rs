//! What a peer must not offer.

use super::*;
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};

fn hybrid() -> rustls::crypto::CryptoProvider {
    Suite::of(Profile::Hybrid).provider()
}

/// What our accepting end says to a client with another provider.
fn refusal_of(change: impl FnOnce(&mut rustls::crypto::CryptoProvider)) -> LinkError {
    let [one, two, _] = sites();
    let mut provider = hybrid();
    change(&mut provider);
    let mut client = Raw::client_of(provider, true, |config| {
        let key = Arc::clone(one.keys.tls());
        let resolver = rustls::client::AlwaysResolvesClientRawPublicKeys::new(key);
        config.client_auth_cert_resolver = Arc::new(resolver);
    });
    let mut server = accepting(two, &one.peer);
    meet(&mut client, &mut server);
    assert!(client.data.is_empty());
    server.link().err().unwrap()
}

#[test]
fn no_other_key_exchange_is_taken() {
    for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP256R1MLKEM768] {
        let refusal = refusal_of(|provider| provider.kx_groups = vec![group]);
        assert_eq!(refusal, LinkError::KeyExchange, "{:?}", group.name());
    }
    // The lattice half alone is as little as the classical half alone.
    let refusal = refusal_of(|provider| provider.kx_groups = vec![kx_group::MLKEM768]);
    assert_eq!(refusal, LinkError::KeyExchange);
}

#[test]
fn a_client_that_would_rather_have_less_gets_no_less() {
    // It lists X25519 first and sends a share of that alone; it is asked for the other one.
    let [one, two, _] = sites();
    let mut provider = hybrid();
    provider.kx_groups = vec![kx_group::X25519, kx_group::X25519MLKEM768];
    let mut client = Raw::client_of(provider, true, |config| {
        let key = Arc::clone(one.keys.tls());
        let resolver = rustls::client::AlwaysResolvesClientRawPublicKeys::new(key);
        config.client_auth_cert_resolver = Arc::new(resolver);
    });
    let mut server = accepting(two, &one.peer);
    meet(&mut client, &mut server);
    let group = client.tls.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
}

#[test]
fn a_server_with_less_is_not_followed() {
    let [one, two, _] = sites();
    let mut provider = hybrid();
    provider.kx_groups = vec![kx_group::X25519];
    let mut server = Raw::server_of(provider, two);
    let mut client = connecting(one, &two.peer);
    meet(&mut client, &mut server);
    // handshake_failure
    assert_eq!(client.link().err(), Some(LinkError::RefusedByPeer(40)));
}

#[test]
fn a_server_that_picks_x25519_though_it_was_not_offered_is_refused() {
    // ServerHello of TLS 1.3 with a share of X25519 (RFC 8446 sections 4.1.3 and 4.2.8).
    let [one, two, _] = sites();
    let mut client = connecting(one, &two.peer);
    let hello = client.out();
    let session = &hello[5 + 4 + 2 + 32..][..33];
    let share = [&[0, 51, 0, 36, 0, 29, 0, 32][..], &[9; 32]].concat();
    let extensions = [&[0, 43, 0, 2, 3, 4][..], &share].concat();
    let told = server_hello(session, [0x13, 0x02], &extensions);
    meet(&mut client, &mut ends::Told(told));
    assert_eq!(client.link().err(), Some(LinkError::KeyExchange));
}

#[test]
fn tls_1_2_is_refused_by_both_ends() {
    let [one, two, _] = sites();
    let mut server = accepting(two, &one.peer);
    // A ClientHello without supported_versions: TLS 1.2 with one suite and one signature scheme.
    let extensions = [0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 29];
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0, 0, 16], &extensions].concat();
    meet(&mut ends::Told(record(1, &body)), &mut server);
    assert_eq!(server.link().err(), Some(LinkError::Version));
    let mut client = connecting(one, &two.peer);
    let hello = client.out();
    let session = &hello[5 + 4 + 2 + 32..][..33];
    let told = server_hello(session, [0xc0, 0x2f], &[]);
    meet(&mut client, &mut ends::Told(told));
    assert_eq!(client.link().err(), Some(LinkError::Version));
}

#[test]
fn no_other_cipher_suite_is_taken() {
    for suite in
        [cipher_suite::TLS13_AES_128_GCM_SHA256, cipher_suite::TLS13_CHACHA20_POLY1305_SHA256]
    {
        let refusal = refusal_of(|provider| provider.cipher_suites = vec![suite]);
        assert_eq!(refusal, LinkError::CipherSuite);
    }
}

#[test]
fn profiles_do_not_mix() {
    let [one, _, _] = sites();
    let other = site(Profile::Cnsa2, 3);
    let keys = || Arc::clone(&one.keys);
    let refused =
        Opening::connect(keys(), peers(&[&other.peer]), other.peer.fingerprint(), 0).err();
    assert_eq!(refused, Some(LinkError::Profile));
    // Nor if the other end tries.
    let mut server = accepting(&other, &one.peer);
    let mut client = Raw::client(one, &one.peer, |_| {});
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::KeyExchange));
    let mut server = accepting(one, &other.peer);
    let mut client = Raw::client(&other, &other.peer, |_| {});
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::KeyExchange));
}

#[test]
fn certificates_are_no_keys() {
    let [one, two, _] = sites();
    let mut client = Raw::client_of(hybrid(), false, |_| {});
    let mut server = accepting(two, &one.peer);
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::CertificateForm));
}

#[test]
fn a_client_without_a_key_is_refused() {
    #[derive(Debug)]
    struct Nothing;
    impl rustls::client::ResolvesClientCert for Nothing {
        fn resolve(
            &self,
            _: &[&[u8]],
            _: &[rustls::SignatureScheme],
        ) -> Option<Arc<rustls::sign::CertifiedKey>> {
            None
        }
        fn only_raw_public_keys(&self) -> bool {
            true
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    let [one, two, _] = sites();
    let mut client =
        Raw::client(one, &two.peer, |config| config.client_auth_cert_resolver = Arc::new(Nothing));
    let mut server = accepting(two, &one.peer);
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::NoKey));
    // A server that does not ask for ours is none of ours.
    let mut server = Raw::server_of(hybrid(), two);
    let mut client = connecting(one, &two.peer);
    meet(&mut client, &mut server);
    let refusal = client.link().err().unwrap();
    assert!(matches!(refusal, LinkError::CertificateForm | LinkError::RefusedByPeer(_)));
}

#[test]
fn a_key_that_is_not_pinned_is_refused() {
    let [one, two, three] = sites();
    // The accepting end knows another peer only.
    let (mut client, mut server) = (connecting(one, &two.peer), accepting(two, &three.peer));
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::UnknownKey));
    // unknown_ca
    assert_eq!(client.link().err(), Some(LinkError::RefusedByPeer(48)));
    // Another peer answers than the one we connect to, though it is a peer too.
    let known = peers(&[&two.peer, &three.peer]);
    let connect =
        Opening::connect(Arc::clone(&one.keys), known, three.peer.fingerprint(), 0).unwrap();
    let (mut client, mut server) = (Ours::new(connect), accepting(two, &one.peer));
    meet(&mut client, &mut server);
    assert_eq!(client.link().err(), Some(LinkError::UnknownKey));
    assert_eq!(server.link().err(), Some(LinkError::RefusedByPeer(48)));
}

#[test]
fn who_is_revoked_is_refused_at_both_ends() {
    let [one, two, _] = sites();
    let revocation =
        |site: &Site| Revocation::sign(site.keys.signer(), Reason::Compromised, 0, &mut seeded(3));
    let mut known = Peers::new();
    known.add(one.peer.clone()).unwrap();
    known.revoke(&revocation(one));
    let accept = Opening::accept(Arc::clone(&two.keys), Arc::new(known), 0).unwrap();
    let (mut client, mut server) = (connecting(one, &two.peer), Ours::new(accept));
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::Revoked));
    // certificate_revoked
    assert_eq!(client.link().err(), Some(LinkError::RefusedByPeer(44)));
    let mut known = Peers::new();
    known.add(two.peer.clone()).unwrap();
    known.revoke(&revocation(two));
    let (keys, known) = (Arc::clone(&one.keys), Arc::new(known));
    let refused = Opening::connect(keys, known, two.peer.fingerprint(), 0).err();
    assert_eq!(refused, Some(LinkError::Revoked));
}

#[test]
fn nobody_and_oneself_are_no_peers() {
    let [one, two, _] = sites();
    let connect = |known: &Peer, to: &Peer| {
        Opening::connect(Arc::clone(&one.keys), peers(&[known]), to.fingerprint(), 0).err()
    };
    assert_eq!(connect(&two.peer, &one.peer), Some(LinkError::UnknownPeer));
    assert_eq!(connect(&one.peer, &one.peer), Some(LinkError::OwnIdentity));
    // Somebody with our own key, who knocks.
    let (mut client, mut server) = (Raw::client(one, &one.peer, |_| {}), accepting(one, &one.peer));
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::OwnIdentity));
}

#[test]
fn a_key_that_is_shown_but_not_held_is_refused() {
    // The public key of one, the secret key of another.
    let [one, two, three] = sites();
    let shown = one.keys.tls().cert.clone();
    let thief = rustls::sign::CertifiedKey::new(shown, Arc::clone(&three.keys.tls().key));
    let mut client = Raw::client(one, &two.peer, |config| {
        let resolver = rustls::client::AlwaysResolvesClientRawPublicKeys::new(Arc::new(thief));
        config.client_auth_cert_resolver = Arc::new(resolver);
    });
    let mut server = accepting(two, &one.peer);
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::TlsSignature));
}

#[test]
fn another_protocol_is_refused() {
    let [one, two, _] = sites();
    for protocols in [vec![], vec![b"h2".to_vec()]] {
        let mut client = Raw::client(one, &two.peer, |config| config.alpn_protocols = protocols);
        let mut server = accepting(two, &one.peer);
        meet(&mut client, &mut server);
        assert_eq!(server.link().err(), Some(LinkError::Protocol));
    }
}

#[test]
fn an_opening_has_limits() {
    let [one, two, _] = sites();
    let (mut client, mut server) = (connecting(one, &two.peer), accepting(two, &one.peer));
    server.now_ms = MAX_OPENING_MS + 1;
    meet(&mut client, &mut server);
    assert_eq!(server.link().err(), Some(LinkError::TooSlow));
    assert_eq!(client.link().err(), Some(LinkError::Closed));
    // A ClientHello in a great many records, of which none completes it.
    let mut server = accepting(two, &one.peer);
    let mut told = vec![22, 3, 1, 0, 5, 1, 0, 0xff, 0xff, 3];
    for _ in 0..70 {
        told.extend([22, 3, 3, 4, 0]);
        told.extend([3; 1024]);
    }
    meet(&mut ends::Told(told), &mut server);
    assert_eq!(server.link().err(), Some(LinkError::TooManyBytes));
    let mut server = accepting(two, &one.peer);
    meet(&mut ends::Told(b"GET / HTTP/1.1\r\n\r\n".repeat(10)), &mut server);
    assert_eq!(server.link().err(), Some(LinkError::Protocol));
}

#[test]
fn every_cut_and_every_changed_byte_on_the_way_is_refused() {
    let [one, two, _] = sites();
    let first = connecting(one, &two.peer).out();
    for length in (0..first.len()).step_by(37) {
        let mut server = accepting(two, &one.peer);
        server.take(&first[..length]);
        server.take(&[]);
        assert_eq!(server.link().err(), Some(LinkError::Closed), "{length} bytes");
    }
    // The last flight of the client and the proof in it: no byte may be another.
    let (mut client, mut server) = (connecting(one, &two.peer), accepting(two, &one.peer));
    server.take(&client.out());
    client.take(&server.out());
    let last = client.out();
    for place in (0..last.len()).step_by(if cfg!(debug_assertions) { 997 } else { 101 }) {
        let (mut client, mut server) = (connecting(one, &two.peer), accepting(two, &one.peer));
        server.take(&client.out());
        client.take(&server.out());
        let mut last = client.out();
        last[place] ^= 1;
        server.take(&last);
        server.take(&[]);
        assert!(server.link().is_err(), "byte {place}");
    }
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let body_length = (body.len() as u32).to_be_bytes();
    let length = (body.len() as u16 + 4).to_be_bytes();
    [&[22, 3, 3][..], &length, &[kind], &body_length[1..], body].concat()
}

fn server_hello(session: &[u8], suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let length = (extensions.len() as u16).to_be_bytes();
    let body = [&[3, 3][..], &[5; 32], session, &suite, &[0], &length, extensions].concat();
    record(2, &body)
}

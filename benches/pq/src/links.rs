//! Links: opening one, both ends of it in one thread, beside TLS 1.3 as it was before: X25519 and
//! Ed25519, raw public keys at both ends, no second proof.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clisonix_pq::link::{LinkKeys, Opening, Peer, Peers};
use clisonix_pq::{Identity, Profile};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName, Error,
    ServerConfig, ServerConnection, SignatureScheme,
};

use crate::operations::{CLASSICAL, random, rate};
use crate::report::Report;

/// Measures everything.
pub fn run(spell: Duration, report: &mut Report) -> Result<()> {
    for (subject, profile) in [("hybrid", Profile::Hybrid), ("cnsa2", Profile::Cnsa2)] {
        let (one, two) = (Site::new(profile)?, Site::new(profile)?);
        let bytes = open(&one, &two)?;
        report.value(subject, "link_bytes", bytes as f64);
        report.value(subject, "link_per_s", rate(spell, || drop(open(&one, &two))));
    }
    let (client, server) = classical()?;
    let bytes = shake_hands(&client, &server)?;
    report.value(CLASSICAL, "link_bytes", bytes as f64);
    report.value(CLASSICAL, "link_per_s", rate(spell, || drop(shake_hands(&client, &server))));
    Ok(())
}

struct Site {
    keys: Arc<LinkKeys>,
    peer: Peer,
}

impl Site {
    fn new(profile: Profile) -> Result<Self> {
        let identity = Identity::generate(profile, &mut random)?;
        let public = identity.public().clone();
        let keys = LinkKeys::new(identity, 0, &mut random)?;
        let peer = Peer::new(public, keys.public().to_text().as_bytes())?;
        Ok(Self { keys: Arc::new(keys), peer })
    }

    fn knows(&self, peer: &Peer) -> Result<(Arc<LinkKeys>, Arc<Peers>)> {
        let mut peers = Peers::new();
        peers.add(peer.clone())?;
        Ok((Arc::clone(&self.keys), Arc::new(peers)))
    }
}

/// Opens a link; gives the bytes of both directions.
fn open(one: &Site, two: &Site) -> Result<usize> {
    let (keys, peers) = one.knows(&two.peer)?;
    let mut client = Opening::connect(keys, peers, two.peer.fingerprint(), 0)?;
    let (keys, peers) = two.knows(&one.peer)?;
    let mut server = Opening::accept(keys, peers, 0)?;
    let mut bytes = 0;
    while !(client.is_open() && server.is_open()) {
        let moved = carry(&mut client, &mut server)? + carry(&mut server, &mut client)?;
        ensure!(moved > 0, "the opening does not end");
        bytes += moved;
    }
    Ok(bytes)
}

fn carry(from: &mut Opening, to: &mut Opening) -> Result<usize> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_to(&mut wire)?;
    }
    let mut rest = &wire[..];
    while !rest.is_empty() {
        to.read_from(&mut rest, 0, &mut random)?;
    }
    Ok(wire.len())
}

/// The configurations of two ends that pin each other's Ed25519 key.
fn classical() -> Result<(Arc<ClientConfig>, Arc<ServerConfig>)> {
    let provider = || {
        Arc::new(CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_256_GCM_SHA384],
            kx_groups: vec![kx_group::X25519],
            ..default_provider()
        })
    };
    let (one, two) = (ed25519()?, ed25519()?);
    let pin = |key: &CertifiedKey| Arc::new(Pin(key.cert.first().cloned().into_iter().collect()));
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(pin(&two))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(one.clone())));
    client.resumption = Resumption::disabled();
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(pin(&one))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(two)));
    server.send_tls13_tickets = 0;
    Ok((Arc::new(client), Arc::new(server)))
}

fn ed25519() -> Result<Arc<CertifiedKey>> {
    let mut seed = [0; 32];
    random(&mut seed);
    // PKCS#8 of an Ed25519 seed (RFC 8410 section 7).
    let head = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
    let private = PrivateKeyDer::Pkcs8([&head[..], &seed].concat().into());
    let key = default_provider().key_provider.load_private_key(private)?;
    let public = key.public_key().context("no public key")?.as_ref().to_vec();
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], key)))
}

fn shake_hands(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Result<usize> {
    let name = ServerName::try_from("link.invalid")?;
    let mut client = Connection::Client(ClientConnection::new(Arc::clone(client), name)?);
    let mut server = Connection::Server(ServerConnection::new(Arc::clone(server))?);
    let mut bytes = 0;
    while client.is_handshaking() || server.is_handshaking() {
        let moved = pass(&mut client, &mut server)? + pass(&mut server, &mut client)?;
        ensure!(moved > 0, "the handshake does not end");
        bytes += moved;
    }
    Ok(bytes)
}

fn pass(from: &mut Connection, to: &mut Connection) -> Result<usize> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire)?;
    }
    let mut rest = &wire[..];
    while !rest.is_empty() {
        to.read_tls(&mut rest)?;
        to.process_new_packets()?;
    }
    Ok(wire.len())
}

/// Takes exactly one key.
#[derive(Debug)]
struct Pin(Vec<CertificateDer<'static>>);

impl Pin {
    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        let is_known = self.0.iter().any(|key| key == shown);
        if is_known { Ok(()) } else { Err(Error::NoCertificatesPresented) }
    }
}

fn verify(
    message: &[u8],
    shown: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
    let known = default_provider().signature_verification_algorithms;
    verify_tls13_signature_with_raw_key(message, &key, signed, &known)
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::HandshakeNotComplete)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pin {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _rest: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::HandshakeNotComplete)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

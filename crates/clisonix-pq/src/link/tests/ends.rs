//! The two ends of a connection in memory: ours, and such as another program would have.

use super::super::*;
use super::{Site, seeded};
use crate::link::tls::Suite;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme,
};
use std::sync::Arc;

/// One end of a connection in memory.
pub(super) trait End {
    /// What it has for the other end.
    fn out(&mut self) -> Vec<u8>;
    /// Takes what came; nothing is the end of the transport.
    fn take(&mut self, bytes: &[u8]);
    /// Whether it will not go on.
    fn has_failed(&self) -> bool;
}

/// Moves bytes until neither end has any; who has failed hangs up.
pub(super) fn meet(one: &mut dyn End, two: &mut dyn End) {
    loop {
        let there = one.out();
        if !there.is_empty() {
            two.take(&there);
        }
        let back = two.out();
        if !back.is_empty() {
            one.take(&back);
        }
        if there.is_empty() && back.is_empty() {
            break;
        }
    }
    let (one_failed, two_failed) = (one.has_failed(), two.has_failed());
    if one_failed && !two_failed {
        two.take(&[]);
    } else if two_failed && !one_failed {
        one.take(&[]);
    }
}

/// Sends data over an open link.
pub(super) fn pass(from: &mut Link, to: &mut Link, data: &[u8]) -> Vec<u8> {
    assert_eq!(from.send(data), Ok(data.len()));
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_to(&mut wire).unwrap();
    }
    let (mut wire, mut all, mut buffer) = (&wire[..], Vec::new(), [0; 100]);
    while !wire.is_empty() {
        to.read_from(&mut wire).unwrap();
        while let Some(count) = to.receive(&mut buffer).unwrap() {
            all.extend(&buffer[..count]);
        }
    }
    all
}

/// An end as this crate makes it.
pub(super) struct Ours {
    pub(super) opening: Opening,
    pub(super) result: Result<(), LinkError>,
    pub(super) now_ms: u64,
}

impl Ours {
    pub(super) fn new(opening: Opening) -> Self {
        Self { opening, result: Ok(()), now_ms: 0 }
    }

    pub(super) fn link(self) -> Result<Link, LinkError> {
        self.result?;
        self.opening.finish(self.now_ms)
    }
}

impl End for Ours {
    fn out(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.opening.wants_write() {
            self.opening.write_to(&mut wire).unwrap();
        }
        wire
    }

    fn take(&mut self, bytes: &[u8]) {
        let (mut rest, mut random) = (bytes, seeded(9));
        while self.result.is_ok() {
            self.result = self.opening.read_from(&mut rest, self.now_ms, &mut random);
            if rest.is_empty() {
                return;
            }
        }
    }

    fn has_failed(&self) -> bool {
        self.result.is_err()
    }
}

/// An end of another program, which does what we would not.
pub(super) struct Raw {
    pub(super) tls: Connection,
    pub(super) error: Option<Error>,
    /// Data that came.
    pub(super) data: Vec<u8>,
    pub(super) has_hung_up: bool,
}

impl Raw {
    fn new(tls: Connection) -> Self {
        Self { tls, error: None, data: Vec::new(), has_hung_up: false }
    }

    /// A client with this site's TLS key, changed.
    pub(super) fn client(own: &Site, peer: &Peer, change: impl FnOnce(&mut ClientConfig)) -> Self {
        Self::client_of(Suite::of(peer.profile()).provider(), true, |config| {
            let key = Arc::clone(own.keys.tls());
            config.client_auth_cert_resolver =
                Arc::new(AlwaysResolvesClientRawPublicKeys::new(key));
            change(config);
        })
    }

    /// A client of any kind, which trusts every server.
    pub(super) fn client_of(
        provider: CryptoProvider,
        raw_keys: bool,
        change: impl FnOnce(&mut ClientConfig),
    ) -> Self {
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous { raw_keys, schemes }))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"clisonix-link/1".to_vec()];
        change(&mut config);
        let name = ServerName::try_from("link.invalid").unwrap();
        Self::new(Connection::Client(ClientConnection::new(Arc::new(config), name).unwrap()))
    }

    /// A server of any kind with this site's TLS key, which asks for no key of the client.
    pub(super) fn server_of(provider: CryptoProvider, own: &Site) -> Self {
        let key = Arc::clone(own.keys.tls());
        let resolver = rustls::server::AlwaysResolvesServerRawPublicKeys::new(key);
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"clisonix-link/1".to_vec()];
        Self::new(Connection::Server(ServerConnection::new(Arc::new(config)).unwrap()))
    }

    /// A server as we have it, up to the proofs.
    pub(super) fn server(own: &Site, peer: &Peer) -> Self {
        Self::new(tls::server(&own.keys, super::peers(&[peer])).unwrap())
    }

    pub(super) fn say(&mut self, data: &[u8]) {
        self.tls.writer().write_all(data).unwrap();
    }
}

impl End for Raw {
    fn out(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut wire).unwrap();
        }
        wire
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.error.is_none() {
            self.tls.read_tls(&mut rest).unwrap();
            self.error = self.tls.process_new_packets().err();
            let mut buffer = [0; 8_000];
            while let Ok(count @ 1..) = self.tls.reader().read(&mut buffer) {
                self.data.extend(&buffer[..count]);
            }
            if rest.is_empty() {
                return;
            }
        }
    }

    fn has_failed(&self) -> bool {
        self.error.is_some() || self.has_hung_up
    }
}

/// Bytes that are no answer to anything.
pub(super) struct Told(pub(super) Vec<u8>);

impl End for Told {
    fn out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn take(&mut self, _bytes: &[u8]) {}

    fn has_failed(&self) -> bool {
        false
    }
}

/// Believes every key.
#[derive(Debug)]
struct Credulous {
    raw_keys: bool,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _shown: &CertificateDer<'_>,
        _rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.raw_keys
    }
}

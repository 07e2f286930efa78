//! TLS 1.3 as links use it: one key exchange, one cipher suite, one signature algorithm a profile,
//! raw public keys that are pinned, and nothing that is remembered between two sessions.

use std::sync::Arc;

use aws_lc_rs::signature::{
    KeyPair, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName,
    SubjectPublicKeyInfoDer, UnixTime, alg_id,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, public_key_to_spki};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, ClientConnection, Connection,
    DigitallySignedStruct, DistinguishedName, Error, HandshakeKind, NamedGroup, PeerMisbehaved,
    ProtocolVersion, ServerConfig, ServerConnection, SignatureScheme,
};

use crate::error::KeyError;
use crate::fingerprint::Fingerprint;
use crate::ml_dsa::{MlDsa65, MlDsa87};
use crate::primitive::Signing;
use crate::profile::Profile;

use super::error::LinkError;
use super::keys::LinkKeys;
use super::peers::Peers;

/// What a profile uses of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite(Profile);

impl Suite {
    pub(super) const fn of(profile: Profile) -> Self {
        Self(profile)
    }

    /// Bytes of a public TLS key.
    pub(super) const fn public_bytes(self) -> usize {
        match self.0 {
            Profile::Hybrid => MlDsa65::PUBLIC_BYTES,
            Profile::Cnsa2 => MlDsa87::PUBLIC_BYTES,
        }
    }

    fn group(self) -> NamedGroup {
        match self.0 {
            Profile::Hybrid => NamedGroup::X25519MLKEM768,
            Profile::Cnsa2 => NamedGroup::MLKEM1024,
        }
    }

    fn scheme(self) -> SignatureScheme {
        match self.0 {
            Profile::Hybrid => SignatureScheme::ML_DSA_65,
            Profile::Cnsa2 => SignatureScheme::ML_DSA_87,
        }
    }

    fn algorithm(self) -> (&'static PqdsaSigningAlgorithm, AlgorithmIdentifier) {
        match self.0 {
            Profile::Hybrid => (&ML_DSA_65_SIGNING, alg_id::ML_DSA_65),
            Profile::Cnsa2 => (&ML_DSA_87_SIGNING, alg_id::ML_DSA_87),
        }
    }

    /// Everything else that the library could do is left out.
    pub(super) fn provider(self) -> CryptoProvider {
        let group = match self.0 {
            Profile::Hybrid => kx_group::X25519MLKEM768,
            Profile::Cnsa2 => kx_group::MLKEM1024,
        };
        CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_256_GCM_SHA384],
            kx_groups: vec![group],
            ..default_provider()
        }
    }

    /// A public key as the handshake shows it (RFC 9881).
    pub(super) fn spki(self, key: &[u8]) -> Box<[u8]> {
        public_key_to_spki(&self.algorithm().1, key).as_ref().into()
    }

    /// Verifies the handshake's signature by a raw public key.
    fn verify(
        self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != self.scheme() {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
        let known = default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signed, &known)
    }

    /// The TLS key of a seed, and its public half.
    pub(super) fn certified(
        self,
        seed: &[u8; 32],
    ) -> Result<(Arc<CertifiedKey>, Vec<u8>), KeyError> {
        let invalid = KeyError::Invalid("TLS key");
        let pair = PqdsaKeyPair::from_seed(self.algorithm().0, seed).map_err(|_| invalid)?;
        let public = pair.public_key().as_ref().to_vec();
        // The library wipes what it is given here, and the document wipes itself.
        let document = pair.to_pkcs8v1().map_err(|_| invalid)?;
        let private = PrivatePkcs8KeyDer::from(document.as_ref().to_vec());
        let provider = self.provider();
        let key = provider.key_provider.load_private_key(PrivateKeyDer::Pkcs8(private));
        let key = key.map_err(|_| invalid)?;
        let shown = vec![CertificateDer::from(self.spki(&public).into_vec())];
        Ok((Arc::new(CertifiedKey::new(shown, key)), public))
    }
}

/// The connecting end of a link, for one peer.
pub(super) fn client(
    own: &LinkKeys,
    peers: Arc<Peers>,
    peer: Fingerprint,
) -> Result<Connection, LinkError> {
    let accepted = Accepted::Pinned { peers, only: Some(peer) };
    connecting(Suite::of(own.profile()), accepted, Some(own), PROTOCOL)
}

/// The accepting end of a link, for all peers.
pub(super) fn server(own: &LinkKeys, peers: Arc<Peers>) -> Result<Connection, LinkError> {
    accepting(own, Some(Accepted::Pinned { peers, only: None }), PROTOCOL)
}

/// The connecting end of TLS; it shows a key if there is one.
pub(super) fn connecting(
    suite: Suite,
    accepted: Accepted,
    own: Option<&LinkKeys>,
    protocol: &[u8],
) -> Result<Connection, LinkError> {
    let builder = ClientConfig::builder_with_details(Arc::new(suite.provider()), Arc::new(NoTime))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| LinkError::of_tls(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(RawKeys { suite, accepted }));
    let mut config = match own.map(|own| Arc::clone(own.tls())) {
        Some(key) => {
            builder.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(key)))
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.alpn_protocols = vec![protocol.to_vec()];
    // Never sent: a name has to be there.
    let name = ServerName::try_from("link.invalid").map_err(|_| LinkError::Protocol)?;
    let connection = ClientConnection::new(Arc::new(config), name);
    Ok(Connection::Client(connection.map_err(|error| LinkError::of_tls(&error))?))
}

/// The accepting end of TLS; it asks for a key if any are accepted.
pub(super) fn accepting(
    own: &LinkKeys,
    accepted: Option<Accepted>,
    protocol: &[u8],
) -> Result<Connection, LinkError> {
    let suite = Suite::of(own.profile());
    let builder = ServerConfig::builder_with_details(Arc::new(suite.provider()), Arc::new(NoTime))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| LinkError::of_tls(&error))?;
    let builder = match accepted {
        Some(accepted) => builder.with_client_cert_verifier(Arc::new(RawKeys { suite, accepted })),
        None => builder.with_no_client_auth(),
    };
    let resolver = AlwaysResolvesServerRawPublicKeys::new(Arc::clone(own.tls()));
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![protocol.to_vec()];
    let connection = ServerConnection::new(Arc::new(config));
    Ok(Connection::Server(connection.map_err(|error| LinkError::of_tls(&error))?))
}

/// What was negotiated, held against what alone may be.
pub(super) fn check(tls: &Connection, profile: Profile, protocol: &[u8]) -> Result<(), LinkError> {
    if tls.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Err(LinkError::Version);
    }
    let group = tls.negotiated_key_exchange_group().map(rustls::crypto::SupportedKxGroup::name);
    if group != Some(Suite::of(profile).group()) {
        return Err(LinkError::KeyExchange);
    }
    let cipher = tls.negotiated_cipher_suite().map(|suite| suite.suite());
    if cipher != Some(CipherSuite::TLS13_AES_256_GCM_SHA384) {
        return Err(LinkError::CipherSuite);
    }
    let is_resumed = tls.handshake_kind() == Some(HandshakeKind::Resumed);
    if is_resumed || tls.alpn_protocol() != Some(protocol) {
        return Err(LinkError::Protocol);
    }
    Ok(())
}

/// The TLS key that the peer has shown; TLS has verified that it holds it.
pub(super) fn shown(tls: &Connection) -> Result<&[u8], LinkError> {
    let keys = tls.peer_certificates().unwrap_or_default();
    keys.first().map(|key| &**key).ok_or(LinkError::NoKey)
}

/// The value of the exporter that proofs sign.
pub(super) fn exported(tls: &Connection, label: &[u8]) -> Result<[u8; 32], LinkError> {
    let value = tls.export_keying_material([0; 32], label, None);
    value.map_err(|error| LinkError::of_tls(&error))
}

/// Which raw public keys of the other end are taken.
#[derive(Debug)]
pub(super) enum Accepted {
    /// Those of the peers.
    Pinned {
        peers: Arc<Peers>,
        /// The peer that we connect to; every one may connect to us.
        only: Option<Fingerprint>,
    },
    /// Any one, because who holds it is proved inside.
    Any,
}

impl Accepted {
    fn check(&self, shown: &[u8], rest: &[CertificateDer<'_>]) -> Result<(), Error> {
        if !rest.is_empty() {
            return Err(CertificateError::UnknownIssuer.into());
        }
        let Self::Pinned { peers, only } = self else { return Ok(()) };
        let peer = peers.of_key(shown).map_err(|refusal| match refusal {
            LinkError::Revoked => CertificateError::Revoked,
            _ => CertificateError::UnknownIssuer,
        })?;
        let is_asked = only.is_none_or(|only| only == peer.fingerprint());
        if is_asked { Ok(()) } else { Err(CertificateError::UnknownIssuer.into()) }
    }
}

/// Takes the raw public keys that are accepted, and verifies that the other end holds them.
#[derive(Debug)]
struct RawKeys {
    suite: Suite,
    accepted: Accepted,
}

impl ServerCertVerifier for RawKeys {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.accepted.check(shown, rest)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.suite.verify(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![self.suite.scheme()]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for RawKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.accepted.check(shown, rest)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.suite.verify(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![self.suite.scheme()]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Raw public keys do not expire and nothing is resumed, so TLS needs no clock here.
#[derive(Debug)]
struct NoTime;

impl TimeProvider for NoTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }
}

/// The label of the exported value.
pub(super) const LABEL: &[u8] = b"EXPORTER-clisonix-link-1";
/// The name of the protocol inside (RFC 7301), so that no other one is taken for it.
pub(super) const PROTOCOL: &[u8] = b"clisonix-link/1";

//! TLS of an exchange: as of links, but that only the inviter shows a key, and that the joiner takes
//! any, because who it is is proved inside.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error, PeerMisbehaved,
    ServerConfig, ServerConnection, SignatureScheme,
};

use crate::profile::Profile;

use super::super::error::LinkError;
use super::super::keys::LinkKeys;
use super::super::tls::{NoTime, Suite};

/// The name of the protocol inside (RFC 7301). A port that has no open code does not know it.
pub(super) const PROTOCOL: &[u8] = b"clisonix-pair/1";
/// The label of the value that proofs are about.
pub(super) const LABEL: &[u8] = b"EXPORTER-clisonix-pair-1";

/// The joiner's end of TLS.
pub(super) fn client(profile: Profile) -> Result<Connection, LinkError> {
    let suite = Suite::of(profile);
    let builder = ClientConfig::builder_with_details(Arc::new(suite.provider()), Arc::new(NoTime));
    let mut config = builder
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| LinkError::of_tls(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey(suite)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Never sent: a name has to be there.
    let name = ServerName::try_from("pair.invalid").map_err(|_| LinkError::Protocol)?;
    let connection = ClientConnection::new(Arc::new(config), name);
    Ok(Connection::Client(connection.map_err(|error| LinkError::of_tls(&error))?))
}

/// The inviter's end of TLS.
pub(super) fn server(own: &LinkKeys) -> Result<Connection, LinkError> {
    let suite = Suite::of(own.profile());
    let resolver = AlwaysResolvesServerRawPublicKeys::new(Arc::clone(own.tls()));
    let builder = ServerConfig::builder_with_details(Arc::new(suite.provider()), Arc::new(NoTime));
    let mut config = builder
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| LinkError::of_tls(&error))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    let connection = ServerConnection::new(Arc::new(config));
    Ok(Connection::Server(connection.map_err(|error| LinkError::of_tls(&error))?))
}

/// Takes one raw public key, whosever it is. That the server holds it is verified.
#[derive(Debug)]
struct AnyKey(Suite);

impl ServerCertVerifier for AnyKey {
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
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![self.0.scheme()]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

//! Why a link is not opened, or ends.

use std::io;

use rustls::{CertificateError, Error, PeerIncompatible, PeerMisbehaved};

/// Why a link was refused or ended. No byte of data was handed out before a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// An older TLS, or one that is not known here.
    #[error("the peer does not speak TLS 1.3")]
    Version,
    /// For example X25519 alone: there is nothing to fall back to.
    #[error("the peer does not offer the key exchange of this profile")]
    KeyExchange,
    /// No AES-256-GCM with SHA-384.
    #[error("the peer does not offer the cipher suite of this profile")]
    CipherSuite,
    /// No ML-DSA of this profile.
    #[error("the peer does not sign with the algorithm of this profile")]
    SignatureScheme,
    /// X.509, where links have raw public keys (RFC 7250).
    #[error("the peer does not offer raw public keys")]
    CertificateForm,
    /// The peer did not authenticate itself to TLS at all.
    #[error("the peer shows no key")]
    NoKey,
    /// The TLS key that the peer shows is nobody's that is pinned here, or another peer's.
    #[error("the peer's TLS key is not the pinned one")]
    UnknownKey,
    /// The peer's identity is revoked.
    #[error("the peer's identity is revoked")]
    Revoked,
    /// The peer does not hold the TLS key that it shows.
    #[error("the peer's signature over the TLS handshake does not verify")]
    TlsSignature,
    /// Another use of TLS 1.3, or damage.
    #[error("the peer does not keep to the protocol")]
    Protocol,
    /// The peer refused, with an alert of RFC 8446 section 6.2.
    #[error("the peer refused with TLS alert {0}")]
    RefusedByPeer(u8),
    /// More than [`MAX_OPENING_BYTES`](super::MAX_OPENING_BYTES).
    #[error("the peer sent more than an opening may have")]
    TooManyBytes,
    /// Longer than [`MAX_OPENING_MS`](super::MAX_OPENING_MS).
    #[error("the opening took too long")]
    TooSlow,
    /// The connection ended while TLS was being set up.
    #[error("the connection ended before the link was open")]
    Closed,
    /// The peer ended the connection without a proof of its identity; so does an accepting peer
    /// that refuses ours.
    #[error("the peer's proof is missing")]
    ProofMissing,
    /// The proof ended early.
    #[error("the peer's proof is cut off")]
    ProofTruncated,
    /// More than [`MAX_PROOF_BYTES`](super::MAX_PROOF_BYTES), or than a proof of this profile.
    #[error("the peer's proof is too long")]
    ProofTooLong,
    /// Written by a newer program.
    #[error("the peer's proof has version {0}, which is not known")]
    ProofVersion(u8),
    /// A proof of another profile.
    #[error("the peer's proof is of another profile")]
    ProofProfile,
    /// The proof says that it was made at our end of the link.
    #[error("the peer's proof is a reflection of our own role")]
    Reflected,
    /// The proof is made by another identity than the one that is pinned to the TLS key.
    #[error("the peer's proof is made by another identity")]
    OtherIdentity,
    /// The proof was made for another TLS session.
    #[error("the peer's proof was made for another session")]
    OtherSession,
    /// The signature in the proof does not verify.
    #[error("the signature of the peer's proof does not verify")]
    ProofSignature,
    /// The connection ended without the peer's closing word.
    #[error("the connection was cut: the peer's last bytes may be missing")]
    Cut,
    /// Asked for before both proofs were verified.
    #[error("the link is not open yet")]
    NotOpen,
    /// There is no peer with this fingerprint.
    #[error("no such peer")]
    UnknownPeer,
    /// A node does not link to itself.
    #[error("the peer has our own identity")]
    OwnIdentity,
    /// Keys of two profiles never meet in one link.
    #[error("the peer's keys are of another profile")]
    Profile,
    /// More than [`MAX_PEERS`](super::MAX_PEERS).
    #[error("too many peers")]
    TooManyPeers,
    /// The TLS key that a peer names is another peer's.
    #[error("another peer has this TLS key")]
    TakenKey,
    /// The transport failed.
    #[error("the transport failed: {0}")]
    Io(io::ErrorKind),
}

impl LinkError {
    /// What an error of the TLS library means for a link.
    pub(super) fn of_tls(error: &Error) -> Self {
        use PeerIncompatible as Lacks;
        use PeerMisbehaved as Wrong;
        match error {
            Error::PeerIncompatible(lacks) => match lacks {
                Lacks::ServerDoesNotSupportTls12Or13
                | Lacks::ServerTlsVersionIsDisabledByOurConfig
                | Lacks::SupportedVersionsExtensionRequired
                | Lacks::Tls12NotOfferedOrEnabled
                | Lacks::Tls12NotOffered => Self::Version,
                Lacks::NoKxGroupsInCommon
                | Lacks::NamedGroupsExtensionRequired
                | Lacks::KeyShareExtensionRequired => Self::KeyExchange,
                Lacks::NoCipherSuitesInCommon => Self::CipherSuite,
                Lacks::NoSignatureSchemesInCommon
                | Lacks::NoCertificateRequestSignatureSchemesInCommon
                | Lacks::SignatureAlgorithmsExtensionRequired => Self::SignatureScheme,
                Lacks::IncorrectCertificateTypeExtension
                | Lacks::UnsolicitedCertificateTypeExtension => Self::CertificateForm,
                _ => Self::Protocol,
            },
            Error::PeerMisbehaved(wrong) => match wrong {
                Wrong::IllegalHelloRetryRequestWithUnofferedNamedGroup
                | Wrong::SelectedUnofferedKxGroup
                | Wrong::WrongGroupForKeyShare => Self::KeyExchange,
                Wrong::SelectedUnofferedCipherSuite => Self::CipherSuite,
                Wrong::SelectedTls12UsingTls13VersionExtension => Self::Version,
                Wrong::SignedHandshakeWithUnadvertisedSigScheme => Self::SignatureScheme,
                _ => Self::Protocol,
            },
            Error::InvalidCertificate(CertificateError::Revoked) => Self::Revoked,
            Error::InvalidCertificate(CertificateError::BadSignature) => Self::TlsSignature,
            Error::InvalidCertificate(_) => Self::UnknownKey,
            Error::NoCertificatesPresented => Self::NoKey,
            Error::AlertReceived(alert) => Self::RefusedByPeer(u8::from(*alert)),
            _ => Self::Protocol,
        }
    }

    pub(super) fn of_io(error: &io::Error) -> Self {
        Self::Io(error.kind())
    }
}

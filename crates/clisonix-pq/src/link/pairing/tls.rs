//! TLS of an exchange: as of links, but that only the inviter shows a key, and that the joiner takes
//! any, because who it is is proved inside.

use rustls::Connection;

use crate::profile::Profile;

use super::super::error::LinkError;
use super::super::keys::LinkKeys;
use super::super::tls::{Accepted, Suite, accepting, connecting};

/// The name of the protocol inside (RFC 7301). A port that has no open code does not know it.
pub(super) const PROTOCOL: &[u8] = b"clisonix-pair/1";
/// The label of the value that proofs are about.
pub(super) const LABEL: &[u8] = b"EXPORTER-clisonix-pair-1";

/// The joiner's end of TLS.
pub(super) fn client(profile: Profile) -> Result<Connection, LinkError> {
    connecting(Suite::of(profile), Accepted::Any, None, PROTOCOL)
}

/// The inviter's end of TLS.
pub(super) fn server(own: &LinkKeys) -> Result<Connection, LinkError> {
    accepting(own, None, PROTOCOL)
}

//! Why two nodes are not paired.

use crate::form::FormError;

use super::super::error::LinkError;

/// Why an exchange of invitations did not come to its end. Nothing in it tells of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingError {
    /// TLS was not set up, or broke.
    #[error(transparent)]
    Link(LinkError),
    /// The inviter has no code that is good: it was used, its time is over, it was taken back, or
    /// somebody tried too often.
    #[error("no code is open there: it was used, its time is over, or it was taken back")]
    NoCode,
    /// The identity that answers is not the one that the code names.
    #[error("who answers there is not whom the code names; or it is another code than was given")]
    OtherInviter,
    /// The other end does not know the code's secret. An honest one comes so far only with another
    /// code of the same inviter.
    #[error("the other end does not know the code")]
    WrongSecret,
    /// The inviter ended the exchange when it had heard the joiner's proof.
    #[error("the other side did not take the code: it is an earlier one, or was used meanwhile")]
    Refused,
    /// The signature of the other end's identity over this exchange does not verify.
    #[error("the other end does not hold the identity that it names")]
    Proof,
    /// An invitation of another identity, or with another TLS key, than the one that was proved.
    #[error("the invitation is of another node than who sent it")]
    OtherKey,
    /// A node does not pair with itself.
    #[error("the other end has our own identity")]
    OwnIdentity,
    /// The invitation cannot be read or does not verify.
    #[error("the invitation of the other end: {0}")]
    Invitation(#[from] FormError),
    /// A message that is not made as it must be.
    #[error("the other end does not keep to the exchange")]
    Malformed,
    /// A message that is longer than any honest one, or more than
    /// [`MAX_EXCHANGE_BYTES`](super::MAX_EXCHANGE_BYTES).
    #[error("the other end sent more than an exchange may have")]
    TooLong,
    /// Longer than [`MAX_EXCHANGE_MS`](super::MAX_EXCHANGE_MS).
    #[error("the exchange took too long")]
    TooSlow,
    /// The other end went away.
    #[error("the other end ended the exchange")]
    Closed,
}

impl From<LinkError> for PairingError {
    fn from(error: LinkError) -> Self {
        match error {
            // no_application_protocol (RFC 7301 section 3.2): this exchange is not offered.
            LinkError::RefusedByPeer(120) => Self::NoCode,
            other => Self::Link(other),
        }
    }
}

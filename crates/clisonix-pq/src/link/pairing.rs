//! Pairing by a short code: two nodes that do not know each other exchange their invitations over
//! the network, and a code that people told each other says that nobody stands in between.
//!
//! The inviter has an [`Offer`]: a [`Code`] that is good once and not for long. The code names the
//! inviter's identity and holds a secret. Over TLS 1.3 with the key exchange of links the inviter
//! proves its identity first; the joiner holds that against the code, and only then proves that it
//! knows the secret, with its own identity and invitation. So a code that was only heard of names
//! nobody else, and what goes over the network gives nothing to try codes with.
//!
//! What both have in the end is the other's [`Invitation`], as if it had come as a file: no link
//! opens before people have compared fingerprints and each node has signed an admission. As for
//! links, nothing here touches a socket or a clock. Normative: `docs/formats/pairing.md`.

mod channel;
mod code;
mod error;
mod knock;
mod offer;
mod proof;
mod tls;

use std::io::{Read, Write};

use crate::digest::equal_in_constant_time;
use crate::fingerprint::Fingerprint;
use crate::identity::{PublicIdentity, Signature};
use crate::profile::Profile;
use crate::random::Random;

use super::invitation::{Invitation, MAX_INVITATION_BYTES};
use super::keys::LinkKeys;

use self::channel::Channel;
use self::proof::{Exchange, MAC_BYTES, Part};

pub use self::code::{CODE_LETTERS, Code, CodeError};
pub use self::error::PairingError;
pub use self::knock::{Asked, Knock, MAX_HELLO_BYTES};
pub use self::offer::{DEFAULT_CODE_MS, MAX_CODE_MS, MAX_WRONG, Offer, Standing, Taken};

/// Most time of an exchange, in milliseconds.
pub const MAX_EXCHANGE_MS: u64 = 15_000;
/// Most bytes that the other end may send in an exchange. An honest one has 35 KB.
pub const MAX_EXCHANGE_BYTES: usize = 96 << 10;

/// The inviter's end of an exchange, once the joiner has said all that it says.
pub struct Answering<'a, S> {
    channel: Channel<'a, S>,
    exchange: Exchange,
    said: Said,
}

/// What the joiner says: who it is, and the proofs of it.
struct Said {
    joiner: Fingerprint,
    mac: Vec<u8>,
    signature: Signature,
    invitation: Vec<u8>,
}

impl<'a, S: Read + Write> Answering<'a, S> {
    /// Proves the own identity to who connected and hears what that one says. None of it is
    /// believed yet, see [`Offer::take`]. `clock` gives milliseconds and does not go back.
    ///
    /// # Errors
    /// [`PairingError`] says why there is no exchange.
    pub fn begin(
        own: &LinkKeys,
        stream: &'a mut S,
        clock: &'a mut dyn FnMut() -> u64,
        random: &mut dyn Random,
    ) -> Result<Self, PairingError> {
        let profile = own.profile();
        let mut channel = Channel::new(tls::server(own)?, stream, clock);
        channel.set_up(profile)?;
        let exchange = Exchange {
            profile,
            inviter: own.identity().fingerprint(),
            exported: channel.exported()?,
        };
        let signature = own.signer().sign(proof::INVITER, &exchange.inviters_text(), random);
        channel.send(&[&own.identity().to_bytes(), signature.to_bytes()].concat())?;
        let most = Said::head_bytes(profile) + MAX_INVITATION_BYTES;
        let said = Said::read(&channel.receive(most)?, profile)?;
        Ok(Self { channel, exchange, said })
    }

    /// Gives the joiner what it came for, and waits until it says that it has it.
    ///
    /// # Errors
    /// As [`Self::begin`]: then it is not known whether the joiner has got it.
    pub fn finish(mut self, taken: &Taken) -> Result<(), PairingError> {
        self.channel.send(taken.answer())?;
        self.channel.wait_for_closing()
    }
}

impl Said {
    const fn head_bytes(profile: Profile) -> usize {
        32 + MAC_BYTES + Signature::size_bytes(profile)
    }

    fn read(message: &[u8], profile: Profile) -> Result<Self, PairingError> {
        let malformed = PairingError::Malformed;
        let (joiner, rest) = message.split_first_chunk().ok_or(malformed)?;
        let (mac, rest) = rest.split_at_checked(MAC_BYTES).ok_or(malformed)?;
        let signature = rest.split_at_checked(Signature::size_bytes(profile));
        let (signature, invitation) = signature.ok_or(malformed)?;
        Ok(Self {
            joiner: Fingerprint::from_bytes(*joiner),
            mac: mac.to_vec(),
            signature: Signature::from_bytes(signature),
            invitation: invitation.to_vec(),
        })
    }
}

/// The joiner's end: gives the own invitation to the node that the code names, and gets that one's.
/// Nothing that follows from the code's secret goes out before the inviter has proved that it is the
/// one. `clock` gives milliseconds and does not go back.
///
/// # Errors
/// [`PairingError`]; nothing of the other end is to be believed then.
pub fn join<S: Read + Write>(
    code: &Code,
    own: &LinkKeys,
    invitation: &Invitation,
    stream: &mut S,
    clock: &mut dyn FnMut() -> u64,
    random: &mut dyn Random,
) -> Result<Invitation, PairingError> {
    let (profile, joiner) = (own.profile(), own.identity().fingerprint());
    if invitation.fingerprint() != joiner {
        return Err(PairingError::OtherKey);
    }
    let mut channel = Channel::new(tls::client(profile)?, stream, clock);
    channel.set_up(profile)?;
    let exchange = meet(code, profile, &mut channel)?;
    if exchange.inviter == joiner {
        return Err(PairingError::OwnIdentity);
    }
    let text = exchange.text(Part::Joiner, joiner, invitation.to_text().as_bytes());
    let signature = own.signer().sign(proof::JOINER, &text, random);
    let (mac, given) = (code.mac(&text), invitation.to_text().as_bytes());
    channel.send(&[&joiner.to_bytes(), &mac[..], signature.to_bytes(), given].concat())?;

    let answer =
        channel.receive(MAC_BYTES + MAX_INVITATION_BYTES).map_err(|error| match error {
            PairingError::Closed => PairingError::Refused,
            other => other,
        })?;
    let (mac, got) = answer.split_at_checked(MAC_BYTES).ok_or(PairingError::Malformed)?;
    if !equal_in_constant_time(mac, &code.mac(&exchange.text(Part::Inviter, joiner, got))) {
        return Err(PairingError::WrongSecret);
    }
    let got = Invitation::from_text(got)?;
    // The invitation's TLS key must be the one that was shown here, or no link would open.
    if got.fingerprint() != exchange.inviter || got.peer().spki() != channel.shown()? {
        return Err(PairingError::OtherKey);
    }
    channel.close()?;
    Ok(got)
}

/// Makes sure that the one whom the code names is at the other end of this session.
fn meet<S: Read + Write>(
    code: &Code,
    profile: Profile,
    channel: &mut Channel<'_, S>,
) -> Result<Exchange, PairingError> {
    let key_bytes = PublicIdentity::size_bytes(profile);
    let proof = channel.receive(key_bytes + Signature::size_bytes(profile))?;
    let (inviter, signature) = proof.split_at_checked(key_bytes).ok_or(PairingError::Malformed)?;
    let inviter = PublicIdentity::from_bytes(inviter).map_err(|_| PairingError::Malformed)?;
    let exported = channel.exported()?;
    let exchange = Exchange { profile, inviter: inviter.fingerprint(), exported };
    if !code.names(exchange.inviter) {
        return Err(PairingError::OtherInviter);
    }
    let signature = Signature::from_bytes(signature);
    let verified = inviter.verify(proof::INVITER, &exchange.inviters_text(), &signature);
    verified.map_err(|_| PairingError::Proof)?;
    Ok(exchange)
}

#[cfg(test)]
mod tests;

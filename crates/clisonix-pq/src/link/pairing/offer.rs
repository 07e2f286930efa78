//! An open code at the inviter: good once, for a while, and not after a few wrong tries.

use crate::digest::equal_in_constant_time;
use crate::random::Random;

use super::super::invitation::Invitation;
use super::code::Code;
use super::error::PairingError;
use super::proof::{self, Part};
use super::{Answering, Said};

/// How long a code is good if nothing else is said, in milliseconds: a telephone call.
pub const DEFAULT_CODE_MS: u64 = 15 * 60 * 1000;
/// The longest that a code may be good, in milliseconds.
pub const MAX_CODE_MS: u64 = 24 * 60 * 60 * 1000;
/// How often somebody may come who does not know the code; then it is closed. A joiner with a
/// mistyped code or at a wrong address ends the exchange by itself, so all but one with an earlier
/// code of this inviter are such that guess.
pub const MAX_WRONG: u32 = 5;

/// A code with the invitation that it is about. It holds a secret: keep it in memory only.
pub struct Offer {
    code: Code,
    invitation: Invitation,
    ends_ms: u64,
    wrong: u32,
    is_used: bool,
}

/// How it stands with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is waited for.
    Open,
    /// Somebody came with it.
    Used,
    /// Nobody came in time.
    Over,
    /// It is closed after [`MAX_WRONG`] wrong tries.
    Guessed,
}

/// What comes of a code.
pub struct Taken {
    joiner: Invitation,
    answer: Vec<u8>,
}

impl Taken {
    /// Who came with the code, proved to hold the identity of this invitation.
    pub fn joiner(&self) -> &Invitation {
        &self.joiner
    }

    #[cfg(test)]
    pub(super) fn of(joiner: Invitation, answer: Vec<u8>) -> Self {
        Self { joiner, answer }
    }

    pub(super) fn answer(&self) -> &[u8] {
        &self.answer
    }
}

impl Offer {
    /// A new code for who gets this invitation, good for `valid_ms` and not longer than
    /// [`MAX_CODE_MS`]. `now_ms` is any clock that does not go back.
    pub fn new(
        invitation: Invitation,
        valid_ms: u64,
        now_ms: u64,
        random: &mut dyn Random,
    ) -> Self {
        let code = Code::generate(invitation.fingerprint(), random);
        let ends_ms = now_ms.saturating_add(valid_ms.min(MAX_CODE_MS));
        Self { code, invitation, ends_ms, wrong: 0, is_used: false }
    }

    /// The code, to be told to one person.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// How it stands with the code.
    pub fn standing(&self, now_ms: u64) -> Standing {
        if self.is_used {
            Standing::Used
        } else if self.wrong >= MAX_WRONG {
            Standing::Guessed
        } else if now_ms >= self.ends_ms {
            Standing::Over
        } else {
            Standing::Open
        }
    }

    /// How often somebody came without the code.
    pub fn wrong(&self) -> u32 {
        self.wrong
    }

    /// Takes what a joiner said, if it proves the code and its identity; the code is used then.
    ///
    /// # Errors
    /// [`PairingError::NoCode`] if the code is not open any more; for any other one the try counts,
    /// see [`MAX_WRONG`].
    pub fn take<S>(
        &mut self,
        answering: &Answering<'_, S>,
        now_ms: u64,
    ) -> Result<Taken, PairingError> {
        if self.standing(now_ms) != Standing::Open {
            return Err(PairingError::NoCode);
        }
        let taken = self.checked(answering);
        match taken {
            Ok(_) => self.is_used = true,
            Err(_) => self.wrong += 1,
        }
        taken
    }

    fn checked<S>(&self, answering: &Answering<'_, S>) -> Result<Taken, PairingError> {
        let Answering { exchange, said, .. } = answering;
        let Said { joiner, mac, signature, invitation } = said;
        // The secret first: it costs next to nothing to refuse a stranger.
        let text = exchange.text(Part::Joiner, *joiner, invitation);
        if exchange.inviter != self.invitation.fingerprint()
            || !equal_in_constant_time(mac, &self.code.mac(&text))
        {
            return Err(PairingError::WrongSecret);
        }
        let read = Invitation::from_text(invitation)?;
        if read.fingerprint() != *joiner {
            return Err(PairingError::OtherKey);
        }
        if *joiner == exchange.inviter {
            return Err(PairingError::OwnIdentity);
        }
        let verified = read.keys().identity().verify(proof::JOINER, &text, signature);
        verified.map_err(|_| PairingError::Proof)?;
        let own = self.invitation.to_text().as_bytes();
        let mac = self.code.mac(&exchange.text(Part::Inviter, *joiner, own));
        Ok(Taken { joiner: read, answer: [&mac[..], own].concat() })
    }
}

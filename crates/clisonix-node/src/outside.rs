//! What a node needs from the outside world.

use clisonix_crdt::{ActorId, ActorSecret, ActorSource};

use crate::signing::Signing;

/// Clock and random source of a node; the node itself reads neither.
pub trait Outside: Send {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&mut self) -> u64;
    /// Fills `bytes` from a cryptographically secure source.
    fn random(&mut self, bytes: &mut [u8]);
}

/// Makes actors from an [`Outside`], for whom the node signs.
pub(crate) struct Actors<'a> {
    pub(crate) outside: &'a mut dyn Outside,
    pub(crate) signing: &'a mut Signing,
}

impl ActorSource for Actors<'_> {
    fn fresh(&mut self) -> (ActorId, ActorSecret) {
        self.signing.fresh(self.outside)
    }
}

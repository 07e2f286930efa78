//! What a node needs from the outside world.

use clisonix_crdt::{ActorId, ActorSecret, ActorSource};

/// Clock and random source of a node; the node itself reads neither.
pub trait Outside: Send {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&mut self) -> u64;
    /// Fills `bytes` from a cryptographically secure source.
    fn random(&mut self, bytes: &mut [u8]);
}

/// Makes actors from an [`Outside`].
pub(crate) struct Actors<'a>(pub(crate) &'a mut dyn Outside);

impl ActorSource for Actors<'_> {
    fn fresh(&mut self) -> (ActorId, ActorSecret) {
        let (mut id, mut secret) = ([0; 16], [0; 32]);
        self.0.random(&mut id);
        self.0.random(&mut secret);
        (ActorId(id), ActorSecret(secret))
    }
}

//! What the merge layer does not read itself: the wall clock and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use clisonix_crdt::{ActorId, ActorSecret, ActorSource};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// Milliseconds since the Unix epoch; 0 if the machine's clock stands before it.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Fresh actors of one replica in one process, drawn from one random seed, so that making an edit
/// cannot fail for want of randomness half-way.
pub(crate) struct Actors {
    seed: [u8; 32],
    drawn: u64,
    process: u32,
}

impl Actors {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| Failure::Randomness)?;
        Ok(Self { seed, drawn: 0, process: std::process::id() })
    }

    /// Whether this process is another than the one that drew the seed: a forked process shares
    /// its parent's memory, and two processes must never write as one actor.
    pub(crate) fn is_foreign(&self) -> bool {
        self.process != std::process::id()
    }

    fn draw(&self, what: &[u8]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"clisonix actor 1\0");
        hasher.update(self.seed);
        hasher.update(self.drawn.to_be_bytes());
        hasher.update(what);
        hasher.finalize().into()
    }
}

impl ActorSource for Actors {
    fn fresh(&mut self) -> (ActorId, ActorSecret) {
        self.drawn += 1;
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(self.draw(b"id")) {
            *to = from;
        }
        (ActorId(id), ActorSecret(self.draw(b"secret")))
    }
}

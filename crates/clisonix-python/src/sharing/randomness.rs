//! The operating system's random source, and whether it answered.

use clisonix_pq::Random;

use crate::failure::Failure;

/// Fills from the operating system. Where that fails the bytes are no good, and what was made of
/// them must not be given out: see [`System::check`].
#[derive(Default)]
pub(super) struct System {
    failed: bool,
}

impl System {
    /// Makes sure that every byte so far was random.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.failed { Err(Failure::Randomness) } else { Ok(()) }
    }
}

impl Random for System {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.failed |= getrandom::fill(bytes).is_err();
    }
}

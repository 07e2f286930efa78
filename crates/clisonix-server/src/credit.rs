//! Back-pressure: how many messages of one link may wait to be dealt with.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most messages of one link that came and are not dealt with. While there are as many, nothing
/// more is read from the link.
pub const MAX_UNHANDLED: usize = 8;

/// Most bytes of them, unless it is one message alone.
pub const MAX_UNHANDLED_BYTES: usize = 32 << 20;

/// How many messages of one link wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    load: Mutex<Load>,
    fewer: Condvar,
}

#[derive(Debug, Default)]
struct Load {
    count: usize,
    bytes: usize,
}

impl Load {
    fn is_full(&self, bytes: usize) -> bool {
        let is_heavy = self.bytes + bytes > MAX_UNHANDLED_BYTES;
        self.count >= MAX_UNHANDLED || (self.count > 0 && is_heavy)
    }
}

/// One message that is being dealt with: dropped when it was.
#[derive(Debug)]
pub struct Credit {
    waiting: Arc<Waiting>,
    bytes: usize,
}

impl Waiting {
    /// Waits for room for a message, at most so long.
    pub(crate) fn enter(self: &Arc<Self>, bytes: usize, most: Duration) -> Option<Credit> {
        let full = |load: &mut Load| load.is_full(bytes);
        let waited = self.fewer.wait_timeout_while(self.load(), most, full);
        let (mut load, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if load.is_full(bytes) {
            return None;
        }
        (load.count, load.bytes) = (load.count + 1, load.bytes + bytes);
        Some(Credit { waiting: Arc::clone(self), bytes })
    }

    fn load(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        let mut load = self.waiting.load();
        load.count = load.count.saturating_sub(1);
        load.bytes = load.bytes.saturating_sub(self.bytes);
        self.waiting.fewer.notify_one();
    }
}

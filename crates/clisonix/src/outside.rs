//! Clock and random source: the operating system's, or for the demo a clock that is set.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use clisonix_node::Outside;

use crate::exit::Exit;

/// The operating system's clock and random source.
pub(crate) struct System;

impl Outside for System {
    fn now_ms(&mut self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        random(bytes);
    }
}

/// A clock that shows what it was set to, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Default)]
pub(crate) struct SetClock(Arc<AtomicU64>);

impl SetClock {
    pub(crate) fn set(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::Relaxed);
    }
}

impl Outside for SetClock {
    fn now_ms(&mut self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        random(bytes);
    }
}

/// Fills `bytes` from the operating system. Without it no actor can be told from another, so the
/// program ends, which is as safe as losing power.
pub(crate) fn random(bytes: &mut [u8]) {
    if getrandom::fill(bytes).is_err() {
        let _ = writeln!(std::io::stderr(), "clisonix: the system has no random source");
        std::process::exit(Exit::Failed as i32);
    }
}

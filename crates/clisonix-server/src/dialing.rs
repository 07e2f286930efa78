//! Dialing one peer: again and again, with pauses that grow and are never the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clisonix_pq::Fingerprint;

use crate::address::connect;
use crate::error::{Ending, ServerError};
use crate::opening::{open, prepare};
use crate::transport::Shared;

/// Longest first pause after a link failed, in milliseconds.
pub const FIRST_PAUSE_MS: u64 = 500;
/// Longest pause between two tries, in milliseconds.
pub const LAST_PAUSE_MS: u64 = 30_000;

/// After how long a link counts as one that worked.
const WORKED: Duration = Duration::from_secs(10);

/// Dials until `order` is taken back.
pub(crate) fn start(
    shared: &Arc<Shared>,
    peer: Fingerprint,
    addresses: Vec<String>,
    order: Arc<AtomicBool>,
) -> Result<JoinHandle<()>, ServerError> {
    let shared = Arc::clone(shared);
    let name = format!("dial-{}", peer.hexadecimal().get(..8).unwrap_or_default());
    let run = move || {
        let is_wanted = || order.load(Ordering::Relaxed) && !shared.is_stopping();
        let mut failures = 0;
        while is_wanted() {
            if shared.is_linked(peer) {
                shared.pause(Duration::from_secs(1), &is_wanted);
                continue;
            }
            for address in &addresses {
                let begun = Instant::now();
                let end = dial(&shared, peer, address);
                if let Err(why) = &end {
                    shared.note_fault(peer, format!("{address}: {why}"));
                }
                let worked = end.is_ok() && begun.elapsed() >= WORKED;
                failures = if worked { 0 } else { failures + 1 };
                // A link that is renewed has no pause.
                if end == Ok(Ending::Worn) || !is_wanted() || shared.is_linked(peer) {
                    break;
                }
                shared.pause(pause(failures, shared.random()), &is_wanted);
            }
        }
    };
    thread::Builder::new().name(name).spawn(run).map_err(ServerError::Thread)
}

fn dial(shared: &Arc<Shared>, peer: Fingerprint, address: &str) -> Result<Ending, Ending> {
    let mut socket = connect(address, shared.proxy())?;
    prepare(&socket)?;
    let link = open(shared, &mut socket, Some(peer), shared.elapsed_ms())?;
    shared.run(link, socket)
}

/// A pause between half of a limit and the limit, which doubles with each failure: many nodes that
/// lost the same peer do not come back at once.
fn pause(failures: u32, random: fn(&mut [u8])) -> Duration {
    let doubled = FIRST_PAUSE_MS << failures.saturating_sub(1).min(16);
    let limit = doubled.min(LAST_PAUSE_MS);
    let mut bytes = [0; 8];
    random(&mut bytes);
    Duration::from_millis(limit / 2 + u64::from_be_bytes(bytes) % (limit / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let random = |bytes: &mut [u8]| getrandom::fill(bytes).unwrap();
        let within = |failures, most: u64| {
            let pause = pause(failures, random).as_millis() as u64;
            assert!((most / 2..=most).contains(&pause), "{failures}: {pause}");
        };
        for _ in 0..100 {
            within(1, FIRST_PAUSE_MS);
            within(3, 4 * FIRST_PAUSE_MS);
            within(40, LAST_PAUSE_MS);
        }
        let many: Vec<_> = (0..20).map(|_| pause(9, random)).collect();
        assert!(many.iter().any(|other| *other != many[0]));
    }
}

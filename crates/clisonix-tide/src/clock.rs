//! A node's hybrid logical clock, which one wrong clock elsewhere cannot move.

use clisonix_crdt::HybridTime;

use crate::fault::fault;

/// How far ahead of the local wall clock a stamp may be, in milliseconds.
pub const MAX_DRIFT_MS: u64 = 5 * 60 * 1000;

/// Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014) with bounded drift.
///
/// Stamps order what is displayed, never what is correct. A stamp too far ahead is kept with its
/// change and flagged; it does not move this clock, or one bad clock would set all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    latest: HybridTime,
}

/// What the clock says of a stamp from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is plausible; later stamps of this node are above it.
    Plausible,
    /// It is further ahead than [`MAX_DRIFT_MS`].
    Ahead,
}

impl Clock {
    /// A clock that has seen this stamp, the latest that the node itself made.
    pub fn new(latest: HybridTime) -> Self {
        Self { latest }
    }

    /// The next stamp; `now_ms` is the wall clock.
    pub fn stamp(&mut self, now_ms: u64) -> HybridTime {
        self.latest = self.latest.tick(now_ms);
        self.latest
    }

    /// Takes notice of a stamp from outside.
    pub fn see(&mut self, stamp: HybridTime, now_ms: u64) -> Seen {
        if stamp.millis() > now_ms.saturating_add(MAX_DRIFT_MS) && !fault!(FutureStamp) {
            return Seen::Ahead;
        }
        self.latest = self.latest.max(stamp);
        Seen::Plausible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_elsewhere_does_not_move_this_one() {
        let mut clock = Clock::default();
        let now = 1_700_000_000_000;
        let near = HybridTime::from_millis(now + MAX_DRIFT_MS);
        assert_eq!(clock.see(HybridTime::from_millis(now + MAX_DRIFT_MS + 1), now), Seen::Ahead);
        assert_eq!(clock.stamp(now), HybridTime::from_millis(now));
        assert_eq!(clock.see(near, now), Seen::Plausible);
        assert!(clock.stamp(now) > near);
        assert_eq!(clock.see(HybridTime(u64::MAX), u64::MAX), Seen::Plausible);
    }

    #[test]
    fn stamps_never_go_back_with_the_wall_clock() {
        let mut clock = Clock::default();
        let mut last = HybridTime::default();
        for now in [5, 9, 3, 3, 0, 8, 100, 1] {
            let stamp = clock.stamp(now);
            assert!(stamp > last);
            last = stamp;
        }
    }
}

//! When the two compare.

/// Shortest time between two comparisons, in milliseconds, where something is known to differ.
pub const SETTLE_MS: u64 = 1_000;
/// After how long the two compare after changes that came by feed, in milliseconds.
pub const CONFIRM_MS: u64 = 10_000;
/// After how long they compare in any case, in milliseconds; longer while it leads to nothing.
pub const COMPARE_MS: u64 = 60_000;
/// How long a comparison waits for changes on their way that do not come, in milliseconds.
pub const FEED_WAIT_MS: u64 = 5_000;

/// When the last comparison was, and when the next one is wanted.
#[derive(Debug, Default)]
pub(super) struct Pace {
    greeted_ms: u64,
    /// When a comparison came to an end.
    settled_ms: u64,
    wish: Wish,
    /// As soon as nothing is on its way to the peer.
    is_when_quiet: bool,
    /// How many comparisons in a row led to nothing.
    fruitless: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    #[default]
    None,
    Confirm,
    Soon,
}

impl Pace {
    pub(super) fn opened(&mut self, now_ms: u64) {
        *self = Self { greeted_ms: now_ms, settled_ms: now_ms, ..Self::default() };
    }

    pub(super) fn greeted(&mut self, now_ms: u64) {
        self.greeted_ms = now_ms;
        self.wish = Wish::None;
        self.is_when_quiet = false;
    }

    pub(super) fn agreed(&mut self, now_ms: u64) {
        self.greeted(now_ms);
        self.settled_ms = now_ms;
        self.fruitless = 0;
    }

    pub(super) fn finished(&mut self, has_moved: bool) {
        self.fruitless = if has_moved { 0 } else { self.fruitless.saturating_add(1) };
    }

    /// Whether the last comparison led to nothing.
    pub(super) fn is_fruitless(&self) -> bool {
        self.fruitless > 0
    }

    pub(super) fn soon(&mut self) {
        self.wish = Wish::Soon;
    }

    pub(super) fn confirm(&mut self) {
        self.wish = self.wish.max(Wish::Confirm);
    }

    pub(super) fn when_quiet(&mut self) {
        self.is_when_quiet = true;
    }

    /// Whether no comparison came to an end for long.
    pub(super) fn is_overdue(&self, now_ms: u64) -> bool {
        now_ms.abs_diff(self.settled_ms) >= COMPARE_MS
    }

    pub(super) fn is_due(&self, is_quiet: bool, now_ms: u64) -> bool {
        let wait = match self.wish {
            _ if self.is_when_quiet && is_quiet => 0,
            _ if self.is_when_quiet => FEED_WAIT_MS,
            Wish::Soon => SETTLE_MS,
            Wish::Confirm => CONFIRM_MS,
            Wish::None => COMPARE_MS << self.fruitless.min(4),
        };
        now_ms.abs_diff(self.greeted_ms) >= wait
    }
}

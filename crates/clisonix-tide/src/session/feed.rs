//! Pushing changes as they arrive, from where the peer stands.
//!
//! A cursor can only be trusted after an agreement, and what it skips no cursor shows: the
//! comparison of sketches finds it.

use std::collections::VecDeque;

use super::{Output, Session, Turn};
use crate::fault::fault;
use crate::message::{Batch, Feeding, MAX_MESSAGE_BATCHES, Message};
use crate::receipt::Cursor;
use crate::replica::Outcome;
use crate::roster::may_have;

/// About how many bytes of changes one push carries; a single longer change goes alone.
pub const FEED_BYTES: usize = 1 << 17;
/// Most pushes on their way that the peer has not confirmed.
pub const FEED_WINDOW: usize = 8;
/// Most stretches of arrivals that are remembered as the peer's own; others are pushed back once.
const MAX_STRETCHES: usize = 1024;

/// Where the peer stands in this node's arrivals.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// What the peer has for sure; `None` while that is not known.
    confirmed: Option<u64>,
    /// What was sent; what lies between is not for the peer.
    sent: u64,
    /// What was looked through.
    scanned: u64,
    /// The ends of pushes that are not confirmed.
    in_flight: VecDeque<u64>,
    sent_ms: u64,
    tries: u32,
    /// Whether the peer has said since the way was opened where it stands.
    is_told: bool,
    /// Whether that was a place in this store. On one way it only moves on from there.
    is_placed: bool,
    /// Whether what comes after the peer's place is not known any more.
    is_lost: bool,
    /// When something was last taken or confirmed.
    moved_ms: u64,
    /// Arrivals, after the first up to the second, that came from the peer.
    from_peer: VecDeque<(u64, u64)>,
}

impl Feed {
    /// A new way: what was in flight may be lost.
    pub(super) fn reset(&mut self, now_ms: u64) {
        self.rewind();
        (self.is_told, self.is_placed, self.is_lost) = (false, false, false);
        self.moved_ms = now_ms;
        self.tries = 0;
    }

    fn rewind(&mut self) {
        self.in_flight.clear();
        if let Some(confirmed) = self.confirmed {
            (self.sent, self.scanned) = (confirmed, confirmed);
        }
    }

    /// The changes that arrived after `first` up to `last` came from the peer.
    pub(super) fn came_from_peer(&mut self, (first, last): (u64, u64)) {
        if first >= last {
            return;
        }
        match self.from_peer.back_mut() {
            Some((_, end)) if *end == first => *end = last,
            _ => {
                if self.from_peer.len() >= MAX_STRETCHES {
                    self.from_peer.pop_front();
                }
                self.from_peer.push_back((first, last));
            }
        }
    }

    /// The end of the stretch from the peer that begins at or before `after`, or where the next
    /// one begins.
    fn next_own(&self, after: u64) -> u64 {
        let stretch = self.from_peer.iter().find(|&&(first, last)| first <= after && after < last);
        stretch.map_or(after, |&(_, last)| last)
    }

    /// What the peer is told of this.
    pub(super) fn state(&self, arrival: u64) -> Feeding {
        match self.confirmed {
            Some(_) if self.scanned < arrival || !self.in_flight.is_empty() => Feeding::Running,
            None if !self.is_told && !self.is_lost => Feeding::Unknown,
            _ => Feeding::Done,
        }
    }

    /// Whether nothing is on its way to the peer.
    pub(super) fn is_quiet(&self, arrival: u64) -> bool {
        self.state(arrival) != Feeding::Running
    }

    pub(super) fn moved_ms(&self) -> u64 {
        self.moved_ms
    }

    /// Arrivals that the peer has not confirmed.
    pub(super) fn behind(&self, arrival: u64) -> Option<u64> {
        let confirmed = self.confirmed?;
        let settled = if self.in_flight.is_empty() { self.scanned } else { confirmed };
        Some(arrival.saturating_sub(settled.max(confirmed)))
    }
}

/// Joins a push to the one before it, if it goes on from there; else gives it back.
pub(super) fn joined(before: &mut Message, next: Message) -> Option<Message> {
    match (before, next) {
        (
            Message::Feed { incarnation, upto, batches, .. },
            Message::Feed { incarnation: its, after, upto: end, batches: mut more },
        ) if (*incarnation, *upto) == (its, after)
            && batches.len() + more.len() <= MAX_MESSAGE_BATCHES =>
        {
            *upto = end;
            batches.append(&mut more);
            None
        }
        (_, next) => Some(next),
    }
}

impl Session {
    /// The peer says where it stands.
    pub(super) fn take_seen(&mut self, seen: Cursor, turn: &mut Turn<'_, '_>) {
        let feed = &mut self.feed;
        let is_here = seen.incarnation == self.settings.incarnation
            && seen.arrival <= turn.site.replica.arrival();
        if !is_here {
            // After a place in this store, another one was said before and comes late.
            if !feed.is_placed || fault!(LateWordTrusted) {
                feed.is_told = true;
                feed.confirmed = None;
                feed.in_flight.clear();
            }
            return;
        }
        feed.is_told = true;
        let was_placed = std::mem::replace(&mut feed.is_placed, true);
        match feed.confirmed {
            Some(confirmed) if seen.arrival == confirmed => {}
            // It comes late.
            Some(confirmed) if seen.arrival < confirmed && was_placed => {}
            Some(confirmed) if seen.arrival > confirmed => {
                feed.moved_ms = turn.now_ms;
                feed.tries = 0;
                feed.confirmed = Some(seen.arrival);
                while feed.in_flight.front().is_some_and(|upto| *upto <= seen.arrival) {
                    feed.in_flight.pop_front();
                }
                feed.sent = feed.sent.max(seen.arrival);
                feed.scanned = feed.scanned.max(seen.arrival);
            }
            _ => {
                feed.confirmed = Some(seen.arrival);
                feed.rewind();
            }
        }
        feed.from_peer.retain(|&(_, last)| last > seen.arrival);
        self.push(turn);
    }

    /// Pushes what arrived, as far as the window allows.
    pub(super) fn push(&mut self, turn: &mut Turn<'_, '_>) {
        while let Some(message) = self.next_push(turn) {
            turn.send(&message);
        }
    }

    fn next_push(&mut self, turn: &mut Turn<'_, '_>) -> Option<Message> {
        self.feed.confirmed?;
        let arrival = turn.site.replica.arrival();
        loop {
            self.feed.scanned = self.feed.next_own(self.feed.scanned);
            if self.feed.scanned >= arrival || self.feed.in_flight.len() >= FEED_WINDOW {
                return None;
            }
            let scope = turn.site.scope;
            let mut wanted = |record: &str| may_have(record, scope);
            let after = self.feed.scanned;
            let pushed = turn.site.replica.arrived(after, FEED_BYTES, &mut wanted);
            let Some(pushed) = pushed.filter(|pushed| pushed.upto > after) else {
                // What arrived then is not known any more; the comparison serves the peer.
                self.feed.confirmed = None;
                self.feed.is_lost = true;
                self.feed.in_flight.clear();
                self.pace_soon();
                return None;
            };
            self.feed.scanned = pushed.upto;
            if pushed.runs.is_empty() {
                continue;
            }
            let after = std::mem::replace(&mut self.feed.sent, pushed.upto);
            self.feed.in_flight.push_back(pushed.upto);
            self.feed.sent_ms = turn.now_ms;
            let (incarnation, upto) = (self.settings.incarnation, pushed.upto);
            let batches = pushed.runs.into_iter().map(|(record, run)| Batch { record, run });
            let batches: Vec<Batch> = batches.collect();
            for Batch { record, run } in &batches {
                turn.out.push(Output::Given { record: record.clone(), size_bytes: run.len() });
            }
            return Some(Message::Feed { incarnation, after, upto, batches });
        }
    }

    /// Pushes again what the peer did not confirm.
    pub(super) fn push_again(&mut self, turn: &mut Turn<'_, '_>) {
        let feed = &mut self.feed;
        let wait = self.questions.retry_ms(feed.tries.saturating_add(1));
        if !feed.in_flight.is_empty() && turn.now_ms.abs_diff(feed.sent_ms) >= wait {
            feed.tries = feed.tries.saturating_add(1);
            feed.rewind();
        }
        self.push(turn);
    }

    /// Takes what the peer pushed, if it goes on from where this node stands.
    pub(super) fn take_feed(
        &mut self,
        (after, upto): (Cursor, u64),
        batches: &[Batch],
        turn: &mut Turn<'_, '_>,
    ) {
        let seen = self.settings.seen;
        let goes_on = after.incarnation == seen.incarnation && after.arrival <= seen.arrival;
        if goes_on && upto > seen.arrival {
            let runs: Vec<(&str, &[u8])> =
                batches.iter().map(|batch| (&*batch.record, &*batch.run)).collect();
            let outcomes = self.take_runs(&runs, None, turn);
            // What could not be taken now comes again. What is refused does not hold up the rest:
            // the comparison finds it.
            if !outcomes.contains(&Outcome::Later) || fault!(CursorBeforeTaken) {
                self.settings.seen.arrival = upto;
                self.feed.moved_ms = turn.now_ms;
                turn.out.push(Output::Seen(self.settings.seen));
            }
            if outcomes.iter().any(|outcome| *outcome != Outcome::Taken) {
                self.pace_soon();
            }
        }
        turn.send(&Message::Seen { cursor: self.settings.seen });
    }
}

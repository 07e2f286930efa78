//! Comparing two sets: who has what the other lacks.
//!
//! One of the two compares and drives the exchange: the one that was greeted.

use std::cmp::Ordering;

use super::difference::Difference;
use super::questions::Asked;
use super::{CloseReason, Session, Turn};
use crate::catalogue::Slot;
use crate::fault::fault;
use crate::message::{Feeding, MAX_MESSAGE_SYMBOLS, Message, State};
use crate::sketch::{Decoder, HELLO_SYMBOLS, Side, Symbol, is_list_shorter};

/// Most differing entries that one comparison goes through; the next one goes on.
pub const MAX_FOUND_ENTRIES: usize = 1 << 20;

/// Two sets being compared.
#[derive(Debug)]
pub(super) struct Comparison {
    decoder: Decoder,
    ours: Vec<Symbol>,
    ours_version: u64,
    theirs_version: u64,
    their_count: u64,
    more: i64,
    /// Where a plain list is taken instead of symbols.
    listing: Option<Listing>,
}

#[derive(Debug, Default)]
struct Listing {
    after: Option<u64>,
    ours: Vec<(u64, Slot)>,
    theirs: Vec<u64>,
}

impl Session {
    /// What this node says of itself; the symbols that it shows are kept for further questions.
    pub(super) fn state(&mut self, with_symbols: bool, turn: &Turn<'_, '_>) -> State {
        let symbols = self.roster.symbols();
        if self.shown.0 != self.roster.version() || self.shown.1.len() != symbols.len() {
            self.shown = (self.roster.version(), symbols.to_vec());
        }
        let shown = if with_symbols { HELLO_SYMBOLS } else { 0 };
        let arrival = turn.site.replica.arrival();
        State {
            epoch: self.roster.epoch(),
            at: super::Cursor { incarnation: self.settings.incarnation, arrival },
            seen: self.settings.seen,
            feeding: self.feed.state(arrival),
            count: self.roster.count(),
            hash: self.roster.hash(),
            version: self.roster.version(),
            symbols: symbols.iter().take(shown).copied().collect(),
        }
    }

    /// Starts a comparison: the peer compares.
    pub(super) fn greet(&mut self, with_symbols: bool, turn: &mut Turn<'_, '_>) {
        self.questions.drop_all(|asked| matches!(asked, Asked::Hello));
        let state = self.state(with_symbols, turn);
        let message = |question| Message::Hello { question, state };
        let message = self.questions.ask(turn.now_ms, Asked::Hello, message);
        self.pace.greeted(turn.now_ms);
        turn.send_bytes(message);
    }

    pub(super) fn take_hello(
        &mut self,
        question: u64,
        state: &State,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        self.way.is_greeted = true;
        self.note_peer(state, turn);
        if self.meet_epoch(state.epoch, turn)? == Ordering::Greater {
            // The peer meets this node's epoch, then greets again.
            self.answer_state(question, false, turn);
            return Ok(());
        }
        if self.is_equal(state) {
            self.questions.drop_all(|asked| matches!(asked, Asked::Hello));
            self.answer_state(question, false, turn);
            self.stop_comparing();
            self.agree(state, turn);
            return Ok(());
        }
        self.set_differs();
        // If both greet at once, the one of the lower id compares.
        let greets_too = self.questions.has(|asked| matches!(asked, Asked::Hello));
        if greets_too && (self.settings.node > self.settings.peer || fault!(NobodyCompares)) {
            return Ok(());
        }
        self.questions.drop_all(|asked| matches!(asked, Asked::Hello));
        if self.waits_for_feed(state, turn) {
            self.answer_state(question, false, turn);
            // Whoever has something on its way greets when it is there.
            if !self.feed.is_quiet(turn.site.replica.arrival()) {
                self.pace.when_quiet();
            }
            return Ok(());
        }
        self.answer_state(question, true, turn);
        if self.is_driving() { Ok(()) } else { self.compare(state, turn) }
    }

    fn answer_state(&mut self, question: u64, is_comparing: bool, turn: &mut Turn<'_, '_>) {
        let state = self.state(false, turn);
        turn.send(&Message::State { question, is_comparing, state });
    }

    /// Whether what differs is probably on its way already.
    fn waits_for_feed(&self, state: &State, turn: &Turn<'_, '_>) -> bool {
        if turn.now_ms.abs_diff(self.feed.moved_ms()) >= super::FEED_WAIT_MS
            || self.pace.is_overdue(turn.now_ms)
        {
            return false;
        }
        let seen = self.settings.seen;
        let is_coming = match state.feeding {
            Feeding::Done => false,
            Feeding::Running => true,
            Feeding::Unknown => {
                state.at.incarnation == seen.incarnation && state.at.arrival > seen.arrival
            }
        };
        is_coming || self.feed.state(turn.site.replica.arrival()) == Feeding::Running
    }

    pub(super) fn take_state(
        &mut self,
        question: u64,
        is_comparing: bool,
        state: &State,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        let Some(asked) = self.questions.take(question, turn.now_ms) else { return Ok(()) };
        self.note_peer(state, turn);
        match self.meet_epoch(state.epoch, turn)? {
            Ordering::Equal => {}
            Ordering::Less => {
                self.stop_comparing();
                self.greet(true, turn);
                return Ok(());
            }
            // The peer will not meet this node's epoch yet.
            Ordering::Greater => {
                self.stop_comparing();
                self.pace_soon();
                return Ok(());
            }
        }
        if self.is_equal(state) {
            self.stop_comparing();
            self.agree(state, turn);
            return Ok(());
        }
        self.set_differs();
        match asked {
            Asked::Symbols { .. } | Asked::List => {
                self.comparison = None;
                self.compare(state, turn)
            }
            // The peer compares, or waits for what is on its way.
            _ if is_comparing || state.feeding == Feeding::Running => Ok(()),
            _ => {
                self.pace.when_quiet();
                Ok(())
            }
        }
    }

    fn note_peer(&mut self, state: &State, turn: &mut Turn<'_, '_>) {
        if self.peer_at.incarnation != state.at.incarnation {
            // Another store: what it kept of this node's receipts may be gone.
            self.agreement.forget_kept();
        }
        // All that it says on this way is later than what it said on the one before.
        let was_at = self.way.peer_was_at;
        self.has_gone_back |= was_at.incarnation != 0
            && was_at.incarnation == state.at.incarnation
            && state.at.arrival < was_at.arrival;
        self.peer_at = state.at;
        self.take_seen(state.seen, turn);
    }

    fn is_equal(&self, state: &State) -> bool {
        state.count == self.roster.count()
            && (state.hash == self.roster.hash() || fault!(AgreeByCount))
    }

    /// Both sides use the higher epoch of the two. Tells how this node's one stood to the peer's
    /// before; `Less` if it was met.
    fn meet_epoch(&mut self, epoch: u64, turn: &mut Turn<'_, '_>) -> Result<Ordering, CloseReason> {
        let order = self.roster.epoch().cmp(&epoch);
        if order != Ordering::Less || fault!(EpochNotMet) {
            return Ok(order);
        }
        let last = self.rekeyed_ms;
        let is_early = last.is_some_and(|last| turn.now_ms.abs_diff(last) < super::EPOCH_MS);
        if is_early || epoch > super::MAX_EPOCH {
            return Err(CloseReason::Epoch);
        }
        self.rekeyed_ms = Some(turn.now_ms);
        self.rekey(epoch, turn);
        Ok(order)
    }

    pub(super) fn rekey(&mut self, epoch: u64, turn: &mut Turn<'_, '_>) {
        self.stop_comparing();
        self.roster.rekey(epoch, turn.site.catalogue);
        turn.out.push(super::Output::Epoch(epoch));
    }

    /// Compares the peer's set with this node's.
    fn compare(&mut self, state: &State, turn: &mut Turn<'_, '_>) -> Result<(), CloseReason> {
        if state.count == 0 {
            let ours: Vec<(u64, Slot)> = self.roster.ids_after(None).collect();
            self.found(Difference::of(ours, Vec::new()), turn);
            return Ok(());
        }
        let comparison = Comparison {
            decoder: Decoder::new(),
            ours: self.roster.symbols().to_vec(),
            ours_version: self.roster.version(),
            theirs_version: state.version,
            their_count: state.count,
            more: state.count.wrapping_sub(self.roster.count()).cast_signed(),
            listing: None,
        };
        if self.roster.count() == 0 {
            self.ask_list(comparison, turn);
            return Ok(());
        }
        self.take_symbols(comparison, &state.symbols, turn)
    }

    fn take_symbols(
        &mut self,
        mut comparison: Comparison,
        theirs: &[Symbol],
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        let first = comparison.decoder.taken();
        let ours = comparison.ours.get(first..).unwrap_or_default();
        let count = theirs.len().min(ours.len());
        let (theirs, ours) = (theirs.get(..count), ours.get(..count));
        let taken = comparison.decoder.take(theirs.unwrap_or_default(), ours.unwrap_or_default());
        if taken.is_err() {
            return Err(CloseReason::Contradiction);
        }
        if comparison.decoder.is_complete() {
            return self.decoded(&comparison, turn);
        }
        let decoder = &comparison.decoder;
        let wanted = if decoder.taken() == 0 {
            HELLO_SYMBOLS
        } else {
            decoder.wanted(comparison.more).min(decoder.taken() + MAX_MESSAGE_SYMBOLS)
        };
        let differing = decoder.estimate(comparison.more);
        self.differing = differing;
        let is_list = decoder.taken() > 0 && is_list_shorter(differing, comparison.their_count);
        // No symbols although some were asked for: the peer keeps no more.
        let is_spent = count == 0 && first > 0;
        if is_list || is_spent || !self.has_symbols(&mut comparison, wanted) {
            self.ask_list(comparison, turn);
            return Ok(());
        }
        let (version, first) = (comparison.theirs_version, comparison.decoder.taken() as u64);
        let count = (wanted.min(comparison.ours.len()) as u64).saturating_sub(first);
        let message = |question| Message::AskSymbols { question, version, first, count };
        let message = self.questions.ask(turn.now_ms, Asked::Symbols { count }, message);
        self.comparison = Some(Box::new(comparison));
        turn.send_bytes(message);
        Ok(())
    }

    /// Whether this node has more symbols to compare, after it has made so many as far as it can.
    fn has_symbols(&mut self, comparison: &mut Comparison, wanted: usize) -> bool {
        if comparison.ours.len() < wanted && comparison.ours_version == self.roster.version() {
            self.roster.keep(wanted);
            comparison.ours = self.roster.symbols().to_vec();
        }
        comparison.ours.len() > comparison.decoder.taken()
    }

    fn decoded(
        &mut self,
        comparison: &Comparison,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        let found = comparison.decoder.found();
        if found.is_empty() && comparison.ours_version == self.roster.version() {
            // The symbols are equal and the hashes are not.
            return Err(CloseReason::Contradiction);
        }
        let of =
            |wanted: Side| found.iter().filter(move |(_, side)| *side == wanted).map(|(id, _)| *id);
        let ours = of(Side::Ours).filter_map(|id| Some((id, self.roster.slot(id)?))).collect();
        let theirs = of(Side::Theirs).collect();
        self.found(Difference::of(ours, theirs), turn);
        Ok(())
    }

    fn ask_list(&mut self, mut comparison: Comparison, turn: &mut Turn<'_, '_>) {
        let after = comparison.listing.get_or_insert_default().after;
        let message = |question| Message::AskList { question, after };
        let message = self.questions.ask(turn.now_ms, Asked::List, message);
        self.comparison = Some(Box::new(comparison));
        turn.send_bytes(message);
    }

    pub(super) fn answer_symbols(
        &mut self,
        question: u64,
        (version, first): (u64, u64),
        symbols: &[Symbol],
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        let Some(Asked::Symbols { count }) = self.questions.asked(question) else { return Ok(()) };
        if symbols.len() as u64 > *count {
            return Err(CloseReason::Excess);
        }
        self.questions.take(question, turn.now_ms);
        let Some(comparison) = self.comparison.take() else { return Ok(()) };
        let taken = comparison.decoder.taken() as u64;
        if version != comparison.theirs_version || first != taken {
            return Err(CloseReason::Contradiction);
        }
        self.take_symbols(*comparison, symbols, turn)
    }

    pub(super) fn answer_list(
        &mut self,
        question: u64,
        is_all: bool,
        ids: &[u64],
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        let Some(Asked::List) = self.questions.asked(question) else { return Ok(()) };
        self.questions.take(question, turn.now_ms);
        let Some(mut comparison) = self.comparison.take() else { return Ok(()) };
        let listing = comparison.listing.get_or_insert_default();
        let before = listing.after;
        for &id in ids {
            if listing.after.is_some_and(|after| id <= after) {
                return Err(CloseReason::List);
            }
            listing.after = Some(id);
            if self.roster.slot(id).is_none() {
                listing.theirs.push(id);
            }
        }
        // Own entries between the first and the last of these that are not among them.
        let end = if is_all || ids.is_empty() { u64::MAX } else { listing.after.unwrap_or(0) };
        let own = self.roster.ids_after(before).take_while(|(id, _)| *id <= end);
        listing.ours.extend(own.filter(|(id, _)| ids.binary_search(id).is_err()));
        let is_full = listing.theirs.len() >= MAX_FOUND_ENTRIES;
        if is_all || ids.is_empty() || is_full {
            let Listing { ours, theirs, .. } = std::mem::take(listing);
            self.found(Difference::of(ours, theirs), turn);
        } else {
            self.ask_list(*comparison, turn);
        }
        Ok(())
    }

    pub(super) fn stop_comparing(&mut self) {
        self.comparison = None;
        self.questions.drop_all(|asked| matches!(asked, Asked::Symbols { .. } | Asked::List));
    }
}

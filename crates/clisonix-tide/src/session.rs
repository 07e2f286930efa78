//! The session between two nodes: what each message leads to.
//!
//! New changes are pushed as they arrive ([`feed`]). What a cursor skips, sketches find: one node
//! greets, the other one compares and drives what follows ([`comparison`], [`exchange`]); the first
//! one only answers ([`answer`]) and keeps nothing for it but the symbols that it showed. A question
//! is asked again until it is answered, so lost, repeated and late messages cost time and nothing
//! else. Two nodes that agree sign it to each other ([`agreement`]).

mod agreement;
mod answer;
mod comparison;
mod difference;
mod exchange;
mod feed;
mod gifts;
mod input;
mod intake;
mod output;
mod pace;
mod questions;
mod refusals;
mod status;

use std::collections::BTreeSet;

use crate::catalogue::Catalogue;
use crate::fault::fault;
use crate::message::{MAX_MESSAGE_BYTES, Message};
use crate::receipt::Cursor;
use crate::replica::{NodeId, NoticeId, Scope};
use crate::roster::{Roster, may_have};
use crate::sketch::Symbol;
use agreement::Agreement;
use comparison::Comparison;
use exchange::Exchange;
use feed::Feed;
use pace::Pace;
use questions::{Asked, Questions};
use refusals::Refusals;

pub use answer::ANSWER_BYTES;
pub use comparison::MAX_FOUND_ENTRIES;
pub use exchange::EXCHANGE_WINDOW;
pub use feed::{FEED_BYTES, FEED_WINDOW};
pub use gifts::AT_ONCE_BYTES;
pub use input::{Input, Settings, Site};
pub use output::{CloseReason, Output};
pub use pace::{COMPARE_MS, CONFIRM_MS, FEED_WAIT_MS, SETTLE_MS};
pub use questions::{MAX_RETRY_MS, RETRY_MS};
pub use refusals::{BUSY_MS, MAX_REFUSED, MAX_REFUSED_MS, REFUSED_MS};
pub use status::Status;

/// Shortest time between two epochs that a peer may cause, in milliseconds.
pub const EPOCH_MS: u64 = 60_000;
/// The highest epoch.
pub const MAX_EPOCH: u64 = 1 << 48;
/// How long the entries' key of one epoch serves, in milliseconds: 30 days.
pub const EPOCH_LIFE_MS: u64 = 30 * 86_400_000;
/// How often a question of a comparison is asked before it is given up.
const MAX_TRIES: u32 = 8;

/// The lowest epoch at a time: the key changes once in [`EPOCH_LIFE_MS`], and whenever symbols
/// contradicted each other.
pub fn epoch_at(now_ms: u64) -> u64 {
    (now_ms / EPOCH_LIFE_MS).min(MAX_EPOCH >> 17) << 16
}

/// One end of the replication with one peer. It outlives connections.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    roster: Roster,
    questions: Questions,
    comparison: Option<Box<Comparison>>,
    exchange: Exchange,
    feed: Feed,
    refusals: Refusals,
    /// Records of which the peer was told that they are not between the two.
    told_outside: BTreeSet<Box<str>>,
    agreement: Agreement,
    pace: Pace,
    /// The symbols that the peer was shown last, with their set's version.
    shown: (u64, Vec<Symbol>),
    /// The peer's store and its latest arrival, as it last said.
    peer_at: Cursor,
    way: Way,
    rekeyed_ms: Option<u64>,
    /// Whether another epoch is wanted when the way is opened again.
    wants_epoch: bool,
    closed: Option<CloseReason>,
    agreed_ms: Option<u64>,
    is_in_sync: bool,
    has_gone_back: bool,
    differing: u64,
}

/// The way to the peer.
#[derive(Debug, Default)]
struct Way {
    is_open: bool,
    opened_ms: u64,
    /// Whether the peer has greeted since, or was greeted.
    is_greeted: bool,
    /// The peer's store and its latest arrival as it said before the way was opened.
    peer_was_at: Cursor,
    /// When the peer last asked something as the one that compares.
    peer_drove_ms: Option<u64>,
}

/// One input being worked on.
struct Turn<'a, 'b> {
    now_ms: u64,
    site: &'a mut Site<'b>,
    out: &'a mut Vec<Output>,
}

impl Turn<'_, '_> {
    fn send(&mut self, message: &Message) {
        self.send_bytes(message.write());
    }

    fn send_bytes(&mut self, message: Vec<u8>) {
        self.out.push(Output::Send(message));
    }
}

impl Session {
    /// A session about what is in the catalogue. It is to look at all of it before it is opened
    /// ([`Self::look`]); else the peer is asked for what it has not looked at.
    pub fn new(settings: Settings, catalogue: &Catalogue) -> Self {
        let Settings { secret, epoch, first_question, .. } = settings;
        Self {
            roster: Roster::new(secret, epoch, first_question, catalogue),
            questions: Questions::new(first_question),
            comparison: None,
            exchange: Exchange::default(),
            feed: Feed::default(),
            refusals: Refusals::default(),
            told_outside: BTreeSet::new(),
            agreement: Agreement::default(),
            pace: Pace::default(),
            shown: (first_question, Vec::new()),
            peer_at: Cursor::default(),
            way: Way::default(),
            rekeyed_ms: None,
            wants_epoch: false,
            closed: None,
            agreed_ms: None,
            is_in_sync: false,
            has_gone_back: false,
            differing: 0,
            settings,
        }
    }

    /// A record or notice has another version now in the catalogue; to be told for every write
    /// here and for every [`Output::Changed`] of another session. Telling it twice does no harm.
    pub fn record_changed(&mut self, record: &str, catalogue: &Catalogue, scope: &dyn Scope) {
        let Some(slot) = catalogue.slot(record) else { return };
        if self.roster.refresh(slot, catalogue, scope) {
            self.set_differs();
            self.pace.confirm();
            if NoticeId::of_name(record).is_some() && self.way.is_open {
                self.exchange.give(record);
            }
        }
    }

    /// Looks whether the peer may hold the next records of the catalogue, `most` of them; `true` if
    /// there are more to be looked at.
    pub fn look(&mut self, most: usize, catalogue: &Catalogue, scope: &dyn Scope) -> bool {
        if !self.roster.is_looking() {
            return false;
        }
        let version = self.roster.version();
        let are_more = self.roster.look(most, catalogue, scope);
        self.set_changed_since(version);
        if !are_more {
            // What waited for it: to compare, and to say under which rule.
            self.pace_soon();
        }
        are_more
    }

    /// Whether everything was looked at once, so that it can be opened.
    pub fn is_ready(&self) -> bool {
        self.roster.is_ready()
    }

    /// Whether there are records to be looked at.
    pub fn is_looking(&self) -> bool {
        self.roster.is_looking()
    }

    fn set_changed_since(&mut self, version: u64) {
        if version != self.roster.version() {
            self.set_differs();
            self.pace_soon();
        }
    }

    /// The peer may hold other records now than before; `Some` names the ones that may have
    /// changed, otherwise all are to be looked at ([`Self::look`]). In force with the next message
    /// even if this is told late.
    pub fn scope_changed(
        &mut self,
        records: Option<&[&str]>,
        catalogue: &Catalogue,
        scope: &dyn Scope,
    ) {
        let version = self.roster.version();
        if let Some(records) = records {
            for slot in records.iter().filter_map(|record| catalogue.slot(record)) {
                self.roster.set_outside(slot, false);
                self.roster.refresh(slot, catalogue, scope);
            }
        } else {
            self.roster.forget_outside();
            self.roster.look_again();
        }
        // What the peer was told to leave out may be spoken of again: this node asks for it.
        let allowed = self.told_outside.extract_if(.., |record| may_have(record, scope));
        for record in allowed {
            self.exchange.ask(record);
        }
        self.set_changed_since(version);
    }

    /// Takes one input; `now_ms` is the wall clock in milliseconds since the Unix epoch.
    pub fn handle(&mut self, input: Input<'_>, now_ms: u64, site: &mut Site<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        let turn = &mut Turn { now_ms, site, out: &mut out };
        match input {
            Input::Open { .. } => {
                self.closed = None;
                self.way.is_open = true;
            }
            Input::Shut => {
                self.way.is_open = false;
                self.stop();
            }
            _ => {}
        }
        if !self.way.is_open || self.closed.is_some() {
            return out;
        }
        if let Err(reason) = self.take(input, turn) {
            self.close(reason, turn);
        }
        out
    }

    fn take(&mut self, input: Input<'_>, turn: &mut Turn<'_, '_>) -> Result<(), CloseReason> {
        if turn.site.scope.is_revoked() {
            return Err(CloseReason::Revoked);
        }
        match input {
            Input::Open { is_first } => self.open(is_first, turn),
            Input::Message(bytes) => self.take_message(read(bytes)?, turn)?,
            Input::Messages(all) => self.take_messages(all, turn)?,
            Input::Arrived => self.push(turn),
            Input::Tick => self.tick(turn),
            Input::Shut => {}
        }
        self.settle(turn);
        Ok(())
    }

    fn open(&mut self, is_first: bool, turn: &mut Turn<'_, '_>) {
        self.stop();
        self.way.opened_ms = turn.now_ms;
        self.way.is_greeted = false;
        self.is_in_sync = false;
        self.way.peer_drove_ms = None;
        self.pace.opened(turn.now_ms);
        self.feed.reset(turn.now_ms);
        self.agreement.opened();
        self.way.peer_was_at =
            if self.peer_at.incarnation == 0 { self.settings.seen } else { self.peer_at };
        self.told_outside.clear();
        for slot in self.roster.forget_outside() {
            self.roster.refresh(slot, turn.site.catalogue, turn.site.scope);
        }
        let next =
            self.roster.epoch().saturating_add(u64::from(std::mem::take(&mut self.wants_epoch)));
        let epoch = next.max(epoch_at(turn.now_ms));
        if epoch > self.roster.epoch() && epoch <= MAX_EPOCH {
            self.rekey(epoch, turn);
        }
        // Where the peer stood when the way was last open is known: what arrived since goes first.
        self.push(turn);
        if is_first {
            self.way.is_greeted = true;
            self.greet(true, turn);
        }
    }

    fn stop(&mut self) {
        self.comparison = None;
        self.stop_exchange();
        self.questions.drop_all(|_| true);
    }

    fn close(&mut self, reason: CloseReason, turn: &mut Turn<'_, '_>) {
        self.stop();
        self.closed = Some(reason);
        let contradiction = CloseReason::Contradiction.number();
        self.wants_epoch |=
            [CloseReason::Contradiction, CloseReason::ByPeer(contradiction)].contains(&reason);
        if !matches!(reason, CloseReason::ByPeer(_)) {
            turn.send(&Message::Close { reason: reason.number() });
        }
        turn.out.push(Output::Closed(reason));
    }

    /// Takes messages in their order; pushes that go on from each other become one.
    fn take_messages(&mut self, all: &[&[u8]], turn: &mut Turn<'_, '_>) -> Result<(), CloseReason> {
        let mut before: Option<Message> = None;
        for bytes in all {
            let read = read(bytes);
            match (&mut before, read) {
                (Some(before), Ok(next)) => {
                    if let Some(next) = feed::joined(before, next) {
                        self.take_message(std::mem::replace(before, next), turn)?;
                    }
                }
                (None, Ok(next)) => before = Some(next),
                (_, Err(reason)) => {
                    // What came before it counts.
                    before.map_or(Ok(()), |before| self.take_message(before, turn))?;
                    return Err(reason);
                }
            }
        }
        before.map_or(Ok(()), |before| self.take_message(before, turn))
    }

    fn take_message(
        &mut self,
        message: Message,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        if let Message::AskSymbols { .. }
        | Message::AskList { .. }
        | Message::Want { .. }
        | Message::Give { .. } = message
        {
            self.way.peer_drove_ms = Some(turn.now_ms);
        }
        match message {
            Message::Hello { question, state } => self.take_hello(question, &state, turn)?,
            Message::State { question, is_comparing, state } => {
                self.take_state(question, is_comparing, &state, turn)?;
            }
            Message::AskSymbols { question, version, first, count } => {
                self.more_symbols(question, version, (first, count), turn);
            }
            Message::Symbols { question, version, first, symbols } => {
                self.answer_symbols(question, (version, first), &symbols, turn)?;
            }
            Message::AskList { question, after } => self.list(question, after, turn),
            Message::List { question, is_all, ids } => {
                self.answer_list(question, is_all, &ids, turn)?;
            }
            Message::Want { question, items } => self.answer_want(question, items, turn),
            Message::Runs { question, parts } => self.take_parts(question, parts, turn)?,
            Message::Give { question, offers } => self.answer_give(question, &offers, turn),
            Message::Taken { question, results } => self.take_results(question, results, turn)?,
            Message::Feed { incarnation, after, upto, batches } => {
                self.take_feed((Cursor { incarnation, arrival: after }, upto), &batches, turn);
            }
            Message::Seen { cursor } => self.take_seen(cursor, turn),
            Message::Receipt { question, receipt, signature } => {
                self.take_receipt(question, receipt, signature, turn)?;
            }
            Message::Kept { question } => self.take_kept(question, turn),
            Message::Close { reason } => return Err(CloseReason::ByPeer(reason)),
        }
        Ok(())
    }

    fn tick(&mut self, turn: &mut Turn<'_, '_>) {
        self.push_again(turn);
        for (number, tries) in self.questions.due(turn.now_ms) {
            let is_receipt = matches!(self.questions.asked(number), Some(Asked::Receipt));
            if (is_receipt && fault!(ReceiptOnce)) || fault!(AskedOnce) {
                continue;
            }
            match self.questions.asked(number) {
                Some(Asked::Hello) => self.greet_again(number, turn),
                Some(Asked::Symbols { .. } | Asked::List) if tries >= MAX_TRIES => {
                    self.stop_comparing();
                    self.pace_soon();
                }
                Some(Asked::Want(_) | Asked::Give(_)) => self.stalled(number),
                Some(_) => {
                    if let Some(message) = self.questions.again(number, turn.now_ms) {
                        turn.send_bytes(message);
                    }
                }
                None => {}
            }
        }
        // Who was to speak first did not.
        if !self.way.is_greeted && turn.now_ms.abs_diff(self.way.opened_ms) >= RETRY_MS {
            self.way.is_greeted = true;
            self.greet(true, turn);
        }
    }

    fn greet_again(&mut self, number: u64, turn: &mut Turn<'_, '_>) {
        self.questions.give_up(number);
        self.greet(true, turn);
    }

    /// Goes on with what is to be exchanged, and compares when it is time.
    fn settle(&mut self, turn: &mut Turn<'_, '_>) {
        self.pump(turn);
        let peer_drives =
            self.way.peer_drove_ms.is_some_and(|then| turn.now_ms.abs_diff(then) < FEED_WAIT_MS);
        let waits = self.is_driving()
            || self.roster.is_looking()
            || peer_drives
            || !self.way.is_greeted
            || self.questions.has(|asked| matches!(asked, Asked::Hello));
        let arrival = turn.site.replica.arrival();
        let is_quiet = self.feed.is_quiet(arrival);
        if !waits && self.pace.is_due(is_quiet, turn.now_ms) {
            self.greet(true, turn);
        }
    }

    fn is_driving(&self) -> bool {
        self.comparison.is_some() || self.exchange.is_driving()
    }

    fn set_differs(&mut self) {
        self.is_in_sync = false;
    }

    fn pace_soon(&mut self) {
        self.pace.soon();
    }

    /// The peer.
    pub fn peer(&self) -> NodeId {
        self.settings.peer
    }
}

fn read(bytes: &[u8]) -> Result<Message, CloseReason> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(CloseReason::Unreadable);
    }
    Message::read(bytes).map_err(|_| CloseReason::Unreadable)
}

#[cfg(test)]
mod tests;

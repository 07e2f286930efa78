//! Fetching and giving what differs, by the one of the two that compared: a few questions are open
//! at a time, and each asks for as much as one answer holds.

use std::collections::{BTreeMap, VecDeque};

use super::gifts::{Gift, MAX_GIFTS};
use super::intake::Answer;
use super::questions::Asked;
use super::refusals::{REFUSED_MS, Resting};
use super::{CloseReason, Session, Turn};
use crate::catalogue::Slot;
use crate::fault::fault;
use crate::message::{Item, MAX_MESSAGE_RECORDS, Message, Part};
use crate::replica::{NoticeId, Outcome, Refusal};

/// Most questions for runs that are open at a time; with [`ANSWER_BYTES`] the most that is on its
/// way.
pub const EXCHANGE_WINDOW: usize = 8;
/// How often questions in a row may stay without an answer until the exchange is given up.
const MAX_STALLS: u32 = 8;
/// Most records that are asked for by name in one message: each carries what is here of it.
const NAMED_AT_ONCE: usize = 64;

/// What is still to be asked for or given.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Own entries that the peer has not.
    ours: VecDeque<Slot>,
    /// Entries of the peer that are not here.
    theirs: VecDeque<u64>,
    /// Records to ask for by name, because more of them is to come.
    more: VecDeque<Box<str>>,
    pub(super) gifts: VecDeque<Gift>,
    /// How often runs of a record went on from what is not here.
    lacking: BTreeMap<Box<str>, u8>,
    /// Whether the peer has none of our records in another version.
    peer_lacks: bool,
    /// Whether this node goes through a difference.
    is_driving: bool,
    /// Whether something was taken since it began.
    pub(super) has_moved: bool,
    window: usize,
    stalls: u32,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Id(u64),
    Name(Box<str>),
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            ours: VecDeque::new(),
            theirs: VecDeque::new(),
            more: VecDeque::new(),
            gifts: VecDeque::new(),
            lacking: BTreeMap::new(),
            peer_lacks: false,
            is_driving: false,
            has_moved: false,
            window: 2,
            stalls: 0,
        }
    }
}

impl Exchange {
    pub(super) fn is_driving(&self) -> bool {
        self.is_driving
    }

    fn is_empty(&self) -> bool {
        self.ours.is_empty()
            && self.theirs.is_empty()
            && self.more.is_empty()
            && self.gifts.is_empty()
    }

    /// A notice is new here: it is given at once.
    pub(super) fn give(&mut self, record: &str) {
        self.gifts.push_back(Gift::of(record));
    }

    /// A record is to be asked for.
    pub(super) fn ask(&mut self, record: Box<str>) {
        self.more.push_back(record);
    }

    pub(super) fn answered(&mut self) {
        self.stalls = 0;
        self.window = (self.window + 1).min(EXCHANGE_WINDOW);
    }
}

fn is_exchange(asked: &Asked) -> bool {
    matches!(asked, Asked::Want(_) | Asked::Give(_))
}

impl Session {
    /// The difference is found; it is gone through.
    pub(super) fn found(&mut self, ours: Vec<Slot>, theirs: Vec<u64>, turn: &mut Turn<'_, '_>) {
        self.differing = (ours.len() + theirs.len()) as u64;
        self.comparison = None;
        self.exchange.peer_lacks = theirs.is_empty();
        self.exchange.ours = ours.into();
        self.exchange.theirs = theirs.into();
        self.exchange.is_driving = true;
        self.exchange.has_moved = false;
        self.exchange.lacking.clear();
        self.pump(turn);
    }

    pub(super) fn stop_exchange(&mut self) {
        self.questions.drop_all(is_exchange);
        self.exchange = Exchange::default();
    }

    /// Asks and gives as much as the window allows.
    pub(super) fn pump(&mut self, turn: &mut Turn<'_, '_>) {
        while self.questions.count(is_exchange) < self.exchange.window {
            if !self.give_next(turn) && !self.want_named(turn) && !self.want_ids(turn) {
                break;
            }
        }
        let is_done = self.exchange.is_empty() && !self.questions.has(is_exchange);
        if is_done && self.exchange.is_driving {
            self.exchange.is_driving = false;
            self.pace.finished(self.exchange.has_moved);
            if self.exchange.has_moved {
                self.greet(false, turn);
            }
        }
    }

    /// Asks for records that are here too, by name.
    fn want_named(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        let (mut items, mut wanted) = (Vec::new(), Vec::new());
        while items.len() < NAMED_AT_ONCE {
            let Some(record) = self.next_named(turn) else { break };
            if self.refusals.rests(&Resting::Record(record.clone()), turn.now_ms) {
                continue;
            }
            if !turn.may_have(&record) {
                continue;
            }
            let have = turn.have(&record);
            items.push(Item::Name { record: record.clone(), have });
            wanted.push(Wanted::Name(record));
        }
        if items.is_empty() {
            // Records that the peer lacks whole were turned into gifts.
            return !self.exchange.gifts.is_empty() && self.give_next(turn);
        }
        let message = |question| Message::Want { question, items };
        let message = self.questions.ask(turn.now_ms, Asked::Want(wanted), message);
        turn.send_bytes(message);
        true
    }

    fn next_named(&mut self, turn: &Turn<'_, '_>) -> Option<Box<str>> {
        if let Some(record) = self.exchange.more.pop_front() {
            return Some(record);
        }
        while let Some(slot) = self.exchange.ours.pop_front() {
            let Some(name) = turn.site.catalogue.name(slot).filter(|_| self.roster.holds(slot))
            else {
                continue;
            };
            if self.exchange.peer_lacks || NoticeId::of_name(name).is_some() {
                self.exchange.gifts.push_back(Gift::of(name));
                if self.exchange.gifts.len() >= MAX_MESSAGE_RECORDS {
                    return None;
                }
            } else {
                return Some(name.into());
            }
        }
        None
    }

    /// Asks for what is not here by its entries, after all that is here in another version: of
    /// that, the entries are known then.
    fn want_ids(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        let is_named = |asked: &Asked| match asked {
            Asked::Want(wanted) => matches!(wanted.first(), Some(Wanted::Name(_))),
            _ => false,
        };
        if !self.exchange.ours.is_empty() || self.questions.has(is_named) {
            return false;
        }
        let mut ids = Vec::new();
        while ids.len() < MAX_MESSAGE_RECORDS {
            let Some(id) = self.exchange.theirs.pop_front() else { break };
            let rests = self.refusals.rests(&Resting::Entry(id), turn.now_ms);
            if self.roster.slot(id).is_none() && !rests {
                ids.push(id);
            }
        }
        if ids.is_empty() {
            return false;
        }
        let items = ids.iter().copied().map(Item::Id).collect();
        let wanted = ids.into_iter().map(Wanted::Id).collect();
        let message = |question| Message::Want { question, items };
        let message = self.questions.ask(turn.now_ms, Asked::Want(wanted), message);
        turn.send_bytes(message);
        true
    }

    pub(super) fn take_parts(
        &mut self,
        question: u64,
        parts: Vec<Part>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        if !matches!(self.questions.asked(question), Some(Asked::Want(_))) {
            return Ok(());
        }
        let Some(Asked::Want(wanted)) = self.questions.take(question, turn.now_ms) else {
            return Ok(());
        };
        if parts.len() > wanted.len() {
            return Err(CloseReason::Excess);
        }
        self.exchange.answered();
        let (answered, rest) = wanted.split_at_checked(parts.len()).unwrap_or_default();
        // Nothing at all was answered: it is not asked again in this exchange.
        if !answered.is_empty() {
            self.ask_again(rest);
        }
        let answers: Vec<Answer> = answered
            .iter()
            .zip(parts)
            .filter_map(|(wanted, part)| self.answer_of(wanted, part, turn))
            .collect();
        let runs: Vec<(&str, &[u8])> =
            answers.iter().map(|answer| (&*answer.record, &*answer.run)).collect();
        let had: Vec<_> = answers.iter().map(|a| turn.site.catalogue.version(&a.record)).collect();
        let outcomes = self.take_runs(&runs, Some(&answers), turn);
        for ((answer, outcome), had) in answers.iter().zip(outcomes).zip(had) {
            let is_new = had != turn.site.catalogue.version(&answer.record);
            self.take_answer(answer, outcome, is_new, turn);
        }
        self.pump(turn);
        Ok(())
    }

    fn ask_again(&mut self, rest: &[Wanted]) {
        for wanted in rest.iter().rev() {
            match wanted {
                Wanted::Id(id) => self.exchange.theirs.push_front(*id),
                Wanted::Name(record) => self.exchange.more.push_front(record.clone()),
            }
        }
    }

    /// What is to be done with one part; `None` if nothing came in.
    fn answer_of(&mut self, wanted: &Wanted, part: Part, turn: &Turn<'_, '_>) -> Option<Answer> {
        if fault!(NothingFetched) {
            return None;
        }
        match (wanted, part) {
            (Wanted::Id(id), Part::Run { record, run, is_all, .. }) if !record.is_empty() => {
                Some(Answer { record, id: Some(*id), have: Vec::new(), run, is_all })
            }
            (Wanted::Name(record), Part::Run { have, run, is_all, .. }) => {
                Some(Answer { record: record.clone(), id: None, have, run, is_all })
            }
            (Wanted::Name(record), Part::Outside) => {
                self.mark_outside(record, turn);
                self.exchange.has_moved = true;
                None
            }
            _ => None,
        }
    }

    fn take_answer(
        &mut self,
        answer: &Answer,
        outcome: Outcome,
        is_new: bool,
        turn: &mut Turn<'_, '_>,
    ) {
        let Answer { record, id, have, is_all, .. } = answer;
        self.exchange.has_moved |= is_new;
        if outcome != Outcome::Taken {
            if fault!(RefusedAtOnce) {
                self.refusals = super::Refusals::default();
                self.exchange.has_moved = true;
            }
            if outcome == Outcome::Lacks {
                self.ask_what_lacks(record, *id, turn);
            }
            return;
        }
        if !turn.may_have(record) {
            // By this node's rules the peer may not hold it; it is told, or the two never agree.
            self.note_told_outside(record);
            let is_outside = true;
            self.exchange.gifts.push_back(Gift { is_outside, ..Gift::of(record) });
            self.exchange.has_moved = true;
        } else if !is_all && is_new {
            self.exchange.more.push_back(record.clone());
        } else if !is_all {
            self.rest(record, *id, Refusal::Endless, REFUSED_MS, false, turn);
        } else if id.is_none() {
            self.exchange.gifts.push_back(Gift { have: have.clone(), ..Gift::of(record) });
        }
    }

    /// A run went on from what is not here: the peer is told what is, a few times.
    fn ask_what_lacks(&mut self, record: &str, id: Option<u64>, turn: &mut Turn<'_, '_>) {
        let tries = self.exchange.lacking.entry(record.into()).or_default();
        *tries = tries.saturating_add(1);
        if *tries > MAX_GIFTS {
            self.rest(record, id, Refusal::Endless, REFUSED_MS, false, turn);
        } else {
            self.exchange.more.push_back(record.into());
        }
    }

    /// Questions for runs stayed without an answer: they are asked anew.
    pub(super) fn stalled(&mut self, number: u64) {
        match self.questions.give_up(number) {
            Some(Asked::Want(wanted)) => self.ask_again(&wanted),
            Some(Asked::Give(gifts)) => self.exchange.gifts.extend(gifts),
            _ => return,
        }
        self.exchange.window = (self.exchange.window / 2).max(1);
        self.exchange.stalls += 1;
        if self.exchange.stalls > MAX_STALLS {
            self.stop_exchange();
            self.pace_soon();
        }
    }
}

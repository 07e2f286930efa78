//! Fetching and giving what differs, by the one of the two that compared: a few questions are open
//! at a time, and each asks for as much as one answer holds.

use std::collections::{BTreeMap, VecDeque};

use super::difference::Difference;
use super::gifts::{Gift, MAX_GIFTS};
use super::intake::Answer;
use super::questions::Asked;
use super::refusals::{REFUSED_MS, Resting};
use super::{ANSWER_BYTES, CloseReason, Session, Turn};
use crate::catalogue::Slot;
use crate::fault::fault;
use crate::message::{Item, MAX_MESSAGE_RECORDS, Message, Part, Subject};
use crate::replica::{Outcome, Refusal};

/// Most questions for runs that are open at a time; with [`ANSWER_BYTES`] the most that is on its
/// way.
pub const EXCHANGE_WINDOW: usize = 16;
/// How often questions in a row may stay without an answer until the exchange is given up.
const MAX_STALLS: u32 = 8;
/// How many bytes of an answer a record is thought to take before one came.
const FIRST_RECORD_BYTES: usize = 1 << 10;
/// Least number of records that one message asks for.
const LEAST_AT_ONCE: usize = 8;

/// What is still to be asked for or given.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Records that both have, with the peer's entries.
    pub(super) pairs: VecDeque<(Slot, u64)>,
    /// Records that the peer has not.
    pub(super) ours: VecDeque<Slot>,
    /// Entries of the peer of which no record is here.
    theirs: VecDeque<u64>,
    /// Records to ask for again, because more of them is to come.
    known: VecDeque<Known>,
    pub(super) gifts: VecDeque<Gift>,
    /// How often runs of a record went on from what is not here.
    lacking: BTreeMap<Box<str>, u8>,
    /// Whether this node goes through a difference.
    is_driving: bool,
    /// Whether something was taken since it began.
    pub(super) has_moved: bool,
    window: usize,
    stalls: u32,
    /// How many bytes of an answer a record took of late.
    record_bytes: usize,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Id(u64),
    Known(Known),
}

/// A record that is here too.
#[derive(Clone, Debug)]
pub(super) struct Known {
    record: Box<str>,
    /// The peer's entry of it, if it is asked for by that.
    entry: Option<u64>,
    /// Whether the peer has told of it: it is asked for by the entry, and although the peer may not
    /// know what is here.
    is_told: bool,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            pairs: VecDeque::new(),
            ours: VecDeque::new(),
            theirs: VecDeque::new(),
            known: VecDeque::new(),
            gifts: VecDeque::new(),
            lacking: BTreeMap::new(),
            is_driving: false,
            has_moved: false,
            window: 2,
            stalls: 0,
            record_bytes: FIRST_RECORD_BYTES,
        }
    }
}

impl Exchange {
    pub(super) fn is_driving(&self) -> bool {
        self.is_driving
    }

    fn is_empty(&self) -> bool {
        self.pairs.is_empty()
            && self.ours.is_empty()
            && self.theirs.is_empty()
            && self.known.is_empty()
            && self.gifts.is_empty()
    }

    /// A notice is new here: it is given at once.
    pub(super) fn give(&mut self, record: &str) {
        self.gifts.push_back(Gift::of(record));
    }

    /// A record is to be asked for.
    pub(super) fn ask(&mut self, record: Box<str>) {
        self.ask_by(record, None);
    }

    /// As [`Self::ask`], by the peer's entry of it if that is known.
    pub(super) fn ask_by(&mut self, record: Box<str>, entry: Option<u64>) {
        self.known.push_back(Known { record, entry, is_told: false });
    }

    /// An answer came. While answers do not wait for each other, more may be on their way.
    pub(super) fn answered(&mut self, is_quick: bool) {
        self.stalls = 0;
        self.window = (self.window + usize::from(is_quick)).min(EXCHANGE_WINDOW);
    }

    /// An answer told so many records in so many bytes.
    fn note_size(&mut self, records: usize, bytes: usize) {
        if let Some(each) = bytes.checked_div(records) {
            self.record_bytes = self.record_bytes.midpoint(each);
        }
    }

    /// How many records one question asks for: about as many as one answer holds.
    fn at_once(&self) -> usize {
        let fit = ANSWER_BYTES / self.record_bytes.max(1);
        fit.clamp(LEAST_AT_ONCE, MAX_MESSAGE_RECORDS)
    }
}

fn is_exchange(asked: &Asked) -> bool {
    matches!(asked, Asked::Want(_) | Asked::Give(_))
}

impl Session {
    /// The difference is found; it is gone through.
    pub(super) fn found(&mut self, difference: Difference, turn: &mut Turn<'_, '_>) {
        self.differing = difference.len() as u64;
        self.comparison = None;
        self.exchange.pairs = difference.pairs.into();
        self.exchange.ours = difference.ours.into();
        self.exchange.theirs = difference.theirs.into();
        self.exchange.is_driving = true;
        self.exchange.has_moved = false;
        self.exchange.lacking.clear();
        self.give_newer(turn);
        self.pump(turn);
    }

    pub(super) fn stop_exchange(&mut self) {
        self.questions.drop_all(is_exchange);
        self.exchange = Exchange::default();
    }

    /// Asks and gives as much as the window allows.
    pub(super) fn pump(&mut self, turn: &mut Turn<'_, '_>) {
        while self.questions.count(is_exchange) < self.exchange.window {
            if !self.give_next(turn) && !self.want_known(turn) && !self.want_ids(turn) {
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

    /// Asks for records that are here too, telling what is here of them.
    fn want_known(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        let (mut items, mut wanted, mut bytes) = (Vec::new(), Vec::new(), 0);
        while items.len() < self.exchange.at_once() && bytes < ANSWER_BYTES {
            let Some(known) = self.next_known(turn) else { break };
            let resting = Resting::Record(known.record.clone());
            if self.refusals.rests(&resting, turn.now_ms) {
                continue;
            }
            let have = if turn.may_have(&known.record) {
                turn.have(&known.record)
            } else if known.is_told {
                turn.site.replica.have_nothing(&known.record)
            } else {
                continue;
            };
            bytes += have.len();
            let subject = self.subject(known.record.clone(), known.entry);
            items.push(Item::Known { subject, have });
            wanted.push(Wanted::Known(known));
        }
        if items.is_empty() {
            return false;
        }
        let message = |question| Message::Want { question, items };
        let message = self.questions.ask(turn.now_ms, Asked::Want(wanted), message);
        turn.send_bytes(message);
        true
    }

    fn next_known(&mut self, turn: &Turn<'_, '_>) -> Option<Known> {
        if let Some(known) = self.exchange.known.pop_front() {
            return Some(known);
        }
        while let Some((slot, id)) = self.exchange.pairs.pop_front() {
            let name = turn.site.catalogue.name(slot).filter(|_| self.roster.holds(slot));
            if let Some(name) = name {
                // After a comparison that led to nothing the peer is to say what it has.
                let entry = (!self.pace.is_fruitless()).then_some(id);
                return Some(Known { record: name.into(), entry, is_told: false });
            }
            self.exchange.theirs.push_back(id);
        }
        None
    }

    /// How a record is spoken of.
    pub(super) fn subject(&self, record: Box<str>, entry: Option<u64>) -> Subject {
        match entry {
            Some(id) => Subject::Entry { id, check: self.roster.name_check(&record) },
            None => Subject::Name(record),
        }
    }

    /// Asks by their entries for records that are not here.
    fn want_ids(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        let mut ids = Vec::new();
        while ids.len() < self.exchange.at_once() {
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
        self.exchange.answered(self.questions.is_quick());
        self.exchange.note_size(parts.len(), parts.iter().map(Part::size_bytes).sum());
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
                Wanted::Known(known) => self.exchange.known.push_front(known.clone()),
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
                Some(Answer { record, id: Some(*id), have: None, run, is_all })
            }
            (Wanted::Known(known), Part::Run { have, run, is_all, .. }) => {
                Some(Answer { record: known.record.clone(), id: known.entry, have, run, is_all })
            }
            (Wanted::Known(known), Part::Outside) => {
                self.mark_outside(&known.record, turn);
                self.exchange.has_moved = true;
                None
            }
            // It is another record's entry, or the peer has another version now.
            (Wanted::Known(Known { record, entry: Some(id), .. }), Part::Gone) => {
                self.exchange.ask(record.clone());
                self.exchange.theirs.push_back(*id);
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
            self.exchange.gifts.push_back(Gift { is_outside, entry: *id, ..Gift::of(record) });
            self.exchange.has_moved = true;
        } else if !is_all && is_new {
            self.exchange.ask_by(record.clone(), *id);
        } else if !is_all {
            self.rest(record, *id, Refusal::Endless, REFUSED_MS, false, turn);
        } else if let Some(have) = have.clone() {
            self.exchange.gifts.push_back(Gift { have, entry: *id, ..Gift::of(record) });
        }
    }

    /// A run went on from what is not here: the peer is told what is, a few times.
    fn ask_what_lacks(&mut self, record: &str, id: Option<u64>, turn: &mut Turn<'_, '_>) {
        let tries = self.exchange.lacking.entry(record.into()).or_default();
        *tries = tries.saturating_add(1);
        if *tries > MAX_GIFTS {
            self.rest(record, id, Refusal::Endless, REFUSED_MS, false, turn);
        } else if id.is_some() && !turn.may_have(record) {
            let known = Known { record: record.into(), entry: id, is_told: true };
            self.exchange.known.push_back(known);
        } else {
            self.exchange.ask(record.into());
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

impl Part {
    /// Of what it says of its record.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Run { have, run, .. } => have.as_ref().map_or(0, Vec::len) + run.len(),
            Self::Gone | Self::Outside => 0,
        }
    }
}

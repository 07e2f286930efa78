//! Giving the peer what it lacks, unasked.

use super::answer::LEAST_BYTES;
use super::questions::Asked;
use super::refusals::{BUSY_MS, REFUSED_MS, Resting};
use super::{ANSWER_BYTES, CloseReason, Output, Session, Turn};
use crate::fault::fault;
use crate::message::{MAX_MESSAGE_RECORDS, Message, Offer, Taken};
use crate::replica::Refusal;

/// How often a record is given again because the peer lacks what it goes on from.
pub(super) const MAX_GIFTS: u8 = 4;

/// Up to how many records that both have are given unasked.
pub(super) const MAX_AT_ONCE: usize = 4;
/// Most bytes of a record that is given whole although the peer has some of it.
pub const AT_ONCE_BYTES: usize = 1 << 13;

/// Something to be given: what lies beyond what the peer has.
#[derive(Clone, Debug)]
pub(super) struct Gift {
    pub(super) record: Box<str>,
    /// The entry under which the peer has it, while that is known.
    pub(super) entry: Option<u64>,
    pub(super) have: Vec<u8>,
    pub(super) tries: u8,
    /// The peer may not hold it and is told so.
    pub(super) is_outside: bool,
    /// Whether the run that was sent was all.
    pub(super) is_all: bool,
    /// The peer has it as it was here lately: it is given whole, if it is short.
    pub(super) is_newer: bool,
}

impl Gift {
    pub(super) fn of(record: &str) -> Self {
        Self {
            record: record.into(),
            entry: None,
            have: Vec::new(),
            tries: 0,
            is_outside: false,
            is_all: true,
            is_newer: false,
        }
    }
}

impl Session {
    /// Gives what the peer has as it was here lately, where little differs: to ask first what it has
    /// takes a round trip more.
    pub(super) fn give_newer(&mut self, turn: &Turn<'_, '_>) {
        if self.exchange.pairs.len() > MAX_AT_ONCE {
            return;
        }
        for (slot, id) in std::mem::take(&mut self.exchange.pairs) {
            let name = turn.site.catalogue.name(slot).filter(|_| self.roster.take_former(id));
            if let Some(name) = name {
                let gift = Gift { entry: Some(id), is_newer: true, ..Gift::of(name) };
                self.exchange.gifts.push_back(gift);
            } else {
                self.exchange.pairs.push_back((slot, id));
            }
        }
    }

    pub(super) fn give_next(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        let (mut offers, mut gifts, mut bytes) = (Vec::new(), Vec::new(), 0);
        while bytes < ANSWER_BYTES && offers.len() < MAX_MESSAGE_RECORDS {
            let Some(mut gift) = self.next_gift(turn) else { break };
            let Some(offer) = self.offer(&gift, (ANSWER_BYTES - bytes).max(LEAST_BYTES), turn)
            else {
                continue;
            };
            if let Offer::Run { run, is_all, .. } = &offer {
                bytes += run.len();
                gift.is_all = *is_all;
            }
            offers.push(offer);
            gifts.push(gift);
        }
        if offers.is_empty() {
            return false;
        }
        let message = |question| Message::Give { question, offers };
        let message = self.questions.ask(turn.now_ms, Asked::Give(gifts), message);
        turn.send_bytes(message);
        true
    }

    fn next_gift(&mut self, turn: &Turn<'_, '_>) -> Option<Gift> {
        if let Some(gift) = self.exchange.gifts.pop_front() {
            return Some(gift);
        }
        while let Some(slot) = self.exchange.ours.pop_front() {
            let name = turn.site.catalogue.name(slot).filter(|_| self.roster.holds(slot));
            if let Some(name) = name {
                return Some(Gift::of(name));
            }
        }
        None
    }

    fn offer(&mut self, gift: &Gift, most: usize, turn: &mut Turn<'_, '_>) -> Option<Offer> {
        let record = gift.record.clone();
        if gift.is_outside {
            return Some(Offer::Outside { subject: self.subject(record, gift.entry) });
        }
        if self.refusals.rests(&Resting::Gift(record.clone()), turn.now_ms) {
            return None;
        }
        if !turn.may_have(&record) {
            if let Some(slot) = turn.site.catalogue.slot(&record) {
                self.roster.refresh(slot, turn.site.catalogue, turn.site.scope);
            }
            turn.out.push(Output::Withheld { record });
            return None;
        }
        let run = if gift.is_newer {
            let Some(run) = turn.site.replica.whole(&record, AT_ONCE_BYTES) else {
                self.exchange.ask_by(record, gift.entry);
                return None;
            };
            run
        } else {
            turn.beyond(&record, &gift.have, most)?
        };
        if run.bytes.is_empty() || fault!(NothingGiven) {
            return None;
        }
        let size_bytes = run.bytes.len();
        turn.out.push(Output::Given { record: record.clone(), size_bytes });
        let subject = self.subject(record, gift.entry);
        Some(Offer::Run { subject, run: run.bytes, is_all: run.is_all })
    }

    pub(super) fn take_results(
        &mut self,
        question: u64,
        results: Vec<Taken>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), CloseReason> {
        if !matches!(self.questions.asked(question), Some(Asked::Give(_))) {
            return Ok(());
        }
        let Some(Asked::Give(gifts)) = self.questions.take(question, turn.now_ms) else {
            return Ok(());
        };
        if results.len() > gifts.len() {
            return Err(CloseReason::Excess);
        }
        self.exchange.answered(self.questions.is_quick());
        for (gift, result) in gifts.into_iter().zip(results) {
            self.take_result(gift, result, turn);
        }
        self.pump(turn);
        Ok(())
    }

    fn take_result(&mut self, mut gift: Gift, result: Taken, turn: &mut Turn<'_, '_>) {
        let record = gift.record.clone();
        match result {
            Taken::Whole { .. } if gift.is_outside => self.exchange.has_moved = true,
            Taken::Whole { have } => {
                self.exchange.has_moved = true;
                self.refusals.remove(&Resting::Gift(record.clone()));
                if gift.is_all {
                    return;
                }
                if gift.have == have {
                    self.rest(&record, None, Refusal::Endless, REFUSED_MS, true, turn);
                } else {
                    // It has it in another version now.
                    (gift.have, gift.entry, gift.is_newer) = (have, None, false);
                    self.exchange.gifts.push_front(gift);
                }
            }
            Taken::Lacks { have } => {
                gift.tries += 1;
                if gift.tries > MAX_GIFTS {
                    self.rest(&record, None, Refusal::Endless, REFUSED_MS, true, turn);
                } else {
                    (gift.have, gift.is_newer) = (have, false);
                    self.exchange.gifts.push_front(gift);
                }
            }
            Taken::Refused { reason } => {
                self.rest(&record, None, Refusal::of(reason), REFUSED_MS, true, turn);
            }
            Taken::Outside => {
                self.exchange.has_moved = true;
                self.mark_outside(&record, turn);
            }
            Taken::Gone if gift.entry.take().is_some() && !gift.is_outside => {
                self.exchange.gifts.push_front(gift);
            }
            Taken::Gone => self.pace_soon(),
            Taken::Later => {
                self.refusals.add(Resting::Gift(record), BUSY_MS, turn.now_ms);
                self.pace_soon();
            }
        }
    }
}

//! Taking in what the peer gave, and what is done with what cannot be taken.

use super::refusals::{BUSY_MS, REFUSED_MS, Resting};
use super::{Output, Session, Turn};
use crate::replica::{NoticeId, Outcome, Refusal};

/// A part with what it answers.
pub(super) struct Answer {
    pub(super) record: Box<str>,
    /// The entry by which it was asked for.
    pub(super) id: Option<u64>,
    /// What the peer has, if it may lack something.
    pub(super) have: Option<Vec<u8>>,
    pub(super) run: Vec<u8>,
    pub(super) is_all: bool,
}

impl Session {
    /// A record is not tried for a while.
    pub(super) fn rest(
        &mut self,
        record: &str,
        id: Option<u64>,
        reason: Refusal,
        first_ms: u64,
        by_peer: bool,
        turn: &mut Turn<'_, '_>,
    ) {
        if let Some(id) = id {
            self.refusals.add(Resting::Entry(id), first_ms, turn.now_ms);
        }
        let resting = if by_peer { Resting::Gift } else { Resting::Record };
        let pause_ms = self.refusals.add(resting(record.into()), first_ms, turn.now_ms);
        turn.out.push(Output::Refused { record: record.into(), by_peer, reason, pause_ms });
    }

    /// Takes runs of records and notices in, durably, and tells what changed.
    pub(super) fn take_runs(
        &mut self,
        runs: &[(&str, &[u8])],
        answers: Option<&[Answer]>,
        turn: &mut Turn<'_, '_>,
    ) -> Vec<Outcome> {
        let is_record = |(name, run): &&(&str, &[u8])| !name.starts_with('!') && !run.is_empty();
        let of_records: Vec<(&str, &[u8])> = runs.iter().filter(is_record).copied().collect();
        let peer = self.settings.peer;
        let received = if of_records.is_empty() {
            Vec::new()
        } else {
            turn.site.replica.receive(&of_records, &peer)
        };
        let mut received = received.into_iter();
        let mut outcomes = Vec::with_capacity(runs.len());
        for (at, (name, run)) in runs.iter().enumerate() {
            let outcome = if run.is_empty() {
                Outcome::Taken
            } else if name.starts_with('!') {
                self.take_notice(name, run, turn)
            } else if let Some(reception) = received.next() {
                self.feed.came_from_peer(reception.arrivals);
                if turn.site.catalogue.set(name, reception.version) {
                    self.tell_changed(name, turn);
                }
                reception.outcome
            } else {
                Outcome::Later
            };
            self.named_by_peer(name, turn);
            let id = answers.and_then(|answers| answers.get(at)).and_then(|answer| answer.id);
            match outcome {
                Outcome::Refused(reason) => self.rest(name, id, reason, REFUSED_MS, false, turn),
                Outcome::Taken if !run.is_empty() => {
                    self.refusals.remove(&Resting::Record((*name).into()));
                }
                Outcome::Later => {
                    self.refusals.add(Resting::Record((*name).into()), BUSY_MS, turn.now_ms);
                    self.pace_soon();
                }
                _ => {}
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    fn take_notice(&mut self, name: &str, run: &[u8], turn: &mut Turn<'_, '_>) -> Outcome {
        let Some(id) = NoticeId::of_name(name) else {
            return Outcome::Refused(Refusal::Unreadable);
        };
        let outcome = turn.site.replica.receive_notice(&id, run, &self.settings.peer);
        if outcome == Outcome::Taken && turn.site.catalogue.set_notice(&id) {
            self.tell_changed(name, turn);
        }
        outcome
    }

    fn tell_changed(&mut self, name: &str, turn: &mut Turn<'_, '_>) {
        if let Some(slot) = turn.site.catalogue.slot(name) {
            self.roster.refresh(slot, turn.site.catalogue, turn.site.scope);
        }
        turn.out.push(Output::Changed { record: name.into() });
    }
}

//! Answers to the peer's questions. Nothing is kept for it but the symbols that it was shown.

use super::{MAX_REFUSED, Output, Session, Turn};
use crate::fault::fault;
use crate::message::{
    Item, MAX_HAVE_BYTES, MAX_MESSAGE_ENTRIES, MAX_MESSAGE_SYMBOLS, Message, Offer, Part, Subject,
    Taken,
};
use crate::replica::{NoticeId, Outcome, Run};
use crate::roster::may_have;

/// About how many bytes of changes one answer carries; a single longer change goes alone.
pub const ANSWER_BYTES: usize = 1 << 17;

/// The last record in an answer is not cut shorter than this, in bytes.
pub(super) const LEAST_BYTES: usize = ANSWER_BYTES / 8;

/// What stands for having a notice.
const NOTICE_HELD: &[u8] = &[1];

impl Turn<'_, '_> {
    /// What is here of a record or notice, to tell the peer.
    pub(super) fn have(&self, name: &str) -> Vec<u8> {
        let have = match NoticeId::of_name(name) {
            Some(_) if self.site.catalogue.version(name).is_some() => NOTICE_HELD.to_vec(),
            Some(_) => Vec::new(),
            None => self.site.replica.have(name),
        };
        // Too long to be told: everything is sent.
        if have.len() > MAX_HAVE_BYTES { Vec::new() } else { have }
    }

    /// What one that has `have` lacks of a record or notice.
    pub(super) fn beyond(&self, name: &str, have: &[u8], most: usize) -> Option<Run> {
        match NoticeId::of_name(name) {
            Some(_) if have == NOTICE_HELD => Some(Run { is_all: true, ..Run::default() }),
            Some(id) => {
                let bytes = self.site.replica.notice(&id)?;
                Some(Run { bytes, is_all: true, knows_all: true })
            }
            None => self.site.replica.beyond(name, have, most),
        }
    }

    pub(super) fn may_have(&self, name: &str) -> bool {
        may_have(name, self.site.scope) || fault!(ScopeAtEntryOnly)
    }
}

impl Session {
    pub(super) fn list(&self, question: u64, after: Option<u64>, turn: &mut Turn<'_, '_>) {
        let ids = self.roster.ids_after(after).map(|(id, _)| id);
        let mut ids: Vec<u64> = ids.take(MAX_MESSAGE_ENTRIES + 1).collect();
        let is_all = ids.len() <= MAX_MESSAGE_ENTRIES;
        ids.truncate(MAX_MESSAGE_ENTRIES);
        turn.send(&Message::List { question, is_all, ids });
    }

    /// Symbols of the set that was shown. If that is gone, or more of it are needed than were
    /// kept, the set of now is shown instead, with more kept.
    pub(super) fn more_symbols(
        &mut self,
        question: u64,
        version: u64,
        (first, count): (u64, u64),
        turn: &mut Turn<'_, '_>,
    ) {
        let place = usize::try_from(first).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(MAX_MESSAGE_SYMBOLS);
        let end = place.saturating_add(count);
        if end > self.shown.1.len() {
            self.roster.keep(end);
            if self.shown.0 == self.roster.version() {
                self.shown.1 = self.roster.symbols().to_vec();
            }
        }
        let (shown, symbols) = &self.shown;
        let is_short = end > symbols.len() && self.roster.symbols().len() > symbols.len();
        if *shown != version || is_short {
            let state = self.state(true, turn);
            turn.send(&Message::State { question, is_comparing: false, state });
            return;
        }
        let symbols = symbols.get(place..end.min(symbols.len())).unwrap_or_default().to_vec();
        turn.send(&Message::Symbols { question, version, first, symbols });
    }

    /// Answers from the first item on, as many as fit.
    pub(super) fn answer_want(&mut self, question: u64, items: Vec<Item>, turn: &mut Turn<'_, '_>) {
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for item in items {
            if bytes >= ANSWER_BYTES {
                break;
            }
            let most = (ANSWER_BYTES - bytes).max(LEAST_BYTES);
            let part = match item {
                Item::Id(id) => self.part_of_id(id, most, turn),
                Item::Known { subject, have } => self.part_of_known(&subject, &have, most, turn),
            };
            bytes += part.size_bytes();
            parts.push(part);
        }
        turn.send(&Message::Runs { question, parts });
    }

    fn part_of_id(&mut self, id: u64, most: usize, turn: &mut Turn<'_, '_>) -> Part {
        let Some(slot) = self.roster.slot(id) else { return Part::Gone };
        let Some(name) = turn.site.catalogue.name(slot) else { return Part::Gone };
        let name: Box<str> = name.into();
        // The scope may have changed since the entry was made.
        if !turn.may_have(&name) {
            self.roster.refresh(slot, turn.site.catalogue, turn.site.scope);
            turn.out.push(Output::Withheld { record: name });
            return Part::Gone;
        }
        // The asker does not know the record.
        match turn.beyond(&name, &[], most) {
            Some(run) => turn.run_part(name.clone(), &name, None, run),
            None => Part::Gone,
        }
    }

    /// The name of the record that the peer means.
    fn meant(&self, subject: &Subject, turn: &Turn<'_, '_>) -> Option<Box<str>> {
        match subject {
            Subject::Name(record) => Some(record.clone()),
            Subject::Entry { id, check } => {
                let name = turn.site.catalogue.name(self.roster.slot(*id)?)?;
                (self.roster.name_check(name) == *check).then(|| name.into())
            }
        }
    }

    fn part_of_known(
        &mut self,
        subject: &Subject,
        have: &[u8],
        most: usize,
        turn: &mut Turn<'_, '_>,
    ) -> Part {
        let Some(name) = self.meant(subject, turn) else { return Part::Gone };
        let is_named = matches!(subject, Subject::Name(_));
        self.named_by_peer(&name, turn);
        if !turn.may_have(&name) {
            self.note_told_outside(&name);
            turn.out.push(Output::Withheld { record: name });
            return Part::Outside;
        }
        match turn.beyond(&name, have, most) {
            Some(run) => {
                // Who asks by name wants to know in any case.
                let is_told = (is_named || !run.knows_all) && !fault!(HaveWithheld);
                let here = is_told.then(|| turn.have(&name));
                turn.run_part("".into(), &name, here, run)
            }
            None => match turn.have(&name) {
                here if here.is_empty() => {
                    let run = Run { is_all: true, ..Run::default() };
                    turn.run_part("".into(), &name, Some(here), run)
                }
                _ => Part::Gone,
            },
        }
    }

    /// The peer speaks of a record: so this node may hold it.
    pub(super) fn named_by_peer(&mut self, name: &str, turn: &mut Turn<'_, '_>) {
        if let Some(slot) = turn.site.catalogue.slot(name)
            && self.roster.is_outside(slot)
        {
            self.roster.set_outside(slot, false);
            self.roster.refresh(slot, turn.site.catalogue, turn.site.scope);
            self.pace_soon();
        }
    }

    /// The peer is told that a record is not between the two.
    pub(super) fn note_told_outside(&mut self, name: &str) {
        if self.told_outside.len() < MAX_REFUSED {
            self.told_outside.insert(name.into());
        }
    }

    pub(super) fn mark_outside(&mut self, name: &str, turn: &Turn<'_, '_>) {
        if let Some(slot) = turn.site.catalogue.slot(name)
            && !fault!(OutsideIgnored)
        {
            self.roster.set_outside(slot, true);
        }
    }

    /// Takes what the peer gives.
    pub(super) fn answer_give(&mut self, question: u64, offers: &[Offer], turn: &mut Turn<'_, '_>) {
        let names: Vec<_> = offers.iter().map(|offer| self.meant(offer.subject(), turn)).collect();
        let runs: Vec<(&str, &[u8])> = offers
            .iter()
            .zip(&names)
            .filter_map(|(offer, name)| match (offer, name) {
                (Offer::Run { run, .. }, Some(name)) => Some((&**name, &**run)),
                _ => None,
            })
            .collect();
        let mut outcomes = self.take_runs(&runs, None, turn).into_iter();
        let mut results = Vec::with_capacity(offers.len());
        for (offer, name) in offers.iter().zip(&names) {
            let Some(record) = name else {
                results.push(Taken::Gone);
                continue;
            };
            results.push(match offer {
                Offer::Outside { .. } => {
                    self.mark_outside(record, turn);
                    Taken::Whole { have: Vec::new() }
                }
                Offer::Run { is_all, .. } => match outcomes.next() {
                    // What is here is told to those only who may hold it.
                    Some(Outcome::Taken | Outcome::Lacks) if !turn.may_have(record) => {
                        self.note_told_outside(record);
                        Taken::Outside
                    }
                    Some(Outcome::Taken) if *is_all => Taken::Whole { have: Vec::new() },
                    Some(Outcome::Taken) => Taken::Whole { have: turn.have(record) },
                    Some(Outcome::Lacks) => Taken::Lacks { have: turn.have(record) },
                    Some(Outcome::Refused(reason)) => Taken::Refused { reason: reason.number() },
                    Some(Outcome::Later) | None => Taken::Later,
                },
            });
        }
        turn.send(&Message::Taken { question, results });
    }
}

impl Offer {
    fn subject(&self) -> &Subject {
        match self {
            Self::Run { subject, .. } | Self::Outside { subject } => subject,
        }
    }
}

impl Turn<'_, '_> {
    fn run_part(&mut self, told: Box<str>, name: &str, have: Option<Vec<u8>>, run: Run) -> Part {
        if !run.bytes.is_empty() {
            self.out.push(Output::Given { record: name.into(), size_bytes: run.bytes.len() });
        }
        Part::Run { record: told, have, run: run.bytes, is_all: run.is_all }
    }
}

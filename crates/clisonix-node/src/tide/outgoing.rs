//! Runs that go out: what a peer lacks of a record, and what arrived lately.

use std::collections::BTreeMap;

use clisonix_crdt::{ActorId, Record, segment_places};
use clisonix_store::{Arrival, ReadError, Snapshot};

use super::run::{Run, Told};
use super::{MAX_ARRIVALS, lock};
use crate::error::NodeError;
use crate::node::Node;
use crate::signing::news::News as StatementNews;
use crate::signing::rows::{self, ChainRow, StatementRow};
use crate::version::{self, Have, Reached};

/// Bytes of changes that arrived lately in memory.
const MAX_RECENT_BYTES: usize = 8 << 20;
/// Most records in one push.
const MAX_PUSHED_RECORDS: usize = 1 << 12;
/// What a statement that goes by its digest counts for.
const DIGEST_BYTES: usize = 33;

/// What a peer was sent.
pub(super) trait Sent {
    /// Whether this checkpoint was sent whole; it counts as sent from now on.
    fn note(&mut self, digest: &[u8; 32]) -> bool;
    /// A push after this arrival begins.
    fn begin(&mut self, after: u64);
    /// It reaches up to this arrival.
    fn end(&mut self, upto: u64);
    /// Whether the changes of a record that arrived under a number were pushed ahead of others.
    fn was_sent(&self, record: &str, arrival: u64) -> bool;
    /// The changes of a record up to this arrival are pushed.
    fn note_arrivals(&mut self, record: &str, last: u64);
}

/// What goes out of one record.
pub(super) struct Outgoing {
    pub(super) run: Run,
    /// Whether nothing more is lacking.
    pub(super) is_all: bool,
    /// Whether everything that the peer has is here.
    pub(super) knows_all: bool,
}

/// What goes out after an arrival.
pub(super) struct Push {
    pub(super) upto: u64,
    pub(super) runs: Vec<(String, Run)>,
}

/// The changes of a record that a peer lacks, by number, with what it has of each actor.
struct Missing {
    numbers: Vec<usize>,
    places: Vec<(ActorId, u64)>,
    /// The last change of each actor that the peer has.
    known: BTreeMap<ActorId, u64>,
}

impl Missing {
    fn of(record: &Record, have: &Have) -> Option<Self> {
        let numbers = record.missing_since(&have.heads, &have.places);
        let place =
            |number: &usize| record.place_of(*number).map(|(actor, seq)| (actor, u64::from(seq)));
        let places: Vec<(ActorId, u64)> = numbers.iter().map(place).collect::<Option<_>>()?;
        let last = |actor: ActorId| (actor, u64::from(record.last_seq(actor)));
        let mut known: BTreeMap<ActorId, u64> = record.actors().map(last).collect();
        for (actor, seq) in &places {
            let known = known.entry(*actor).or_default();
            *known = (*known).min(seq.saturating_sub(1));
        }
        Some(Self { numbers, places, known })
    }

    /// Leaves out what nobody has signed, and all after it.
    fn keep_signed(&mut self, chains: &BTreeMap<ActorId, ChainRow>) {
        let signed = |actor: &ActorId| chains.get(actor).map_or(0, |row| row.chain.signed.seq);
        let is_unsigned = |(actor, seq): &(ActorId, u64)| *seq > signed(actor);
        if let Some(end) = self.places.iter().position(is_unsigned) {
            self.numbers.truncate(end);
            self.places.truncate(end);
        }
    }

    /// The last change of each actor that the peer has after the first `count` of these.
    fn reached(&self, count: usize) -> BTreeMap<ActorId, u64> {
        let mut reached = self.known.clone();
        for (actor, seq) in self.places.iter().take(count) {
            reached.insert(*actor, *seq);
        }
        reached
    }

    /// The least number of changes, `count` or more, after which every actor's are covered by whole
    /// statements: a statement over changes that do not come is refused, and so is a change that no
    /// statement covers.
    fn cut(&self, mut count: usize, rows: &[StatementRow]) -> usize {
        let at: BTreeMap<(ActorId, u64), usize> = self.places.iter().copied().zip(0..).collect();
        while count < self.numbers.len() {
            let reached = self.reached(count);
            let is_new = |actor: &ActorId| reached.get(actor) > self.known.get(actor);
            let mut needed = count;
            for actor in reached.keys().filter(|actor| is_new(actor)) {
                let end = reached.get(actor).copied().unwrap_or_default();
                let reach = |row: &StatementRow| {
                    let reach = row.reaches.iter().find(|(other, _)| other == actor);
                    reach.map(|(_, last)| *last).filter(|last| *last >= end)
                };
                let Some(row) =
                    rows.iter().filter(|row| reach(row).is_some()).min_by_key(|row| reach(row))
                else {
                    return self.numbers.len();
                };
                for (other, last) in &row.reaches {
                    let here = reached.get(other).copied().unwrap_or_default();
                    if (here > 0 || other == actor) && here < *last {
                        let end = at.get(&(*other, *last)).map_or(self.numbers.len(), |at| at + 1);
                        needed = needed.max(end);
                    }
                }
            }
            if needed == count {
                break;
            }
            count = needed;
        }
        count
    }
}

impl Node {
    /// What a peer that has this lacks of a record, about `most` bytes; `None` if it cannot be read
    /// now.
    pub(super) fn outgoing(
        &self,
        name: &str,
        have: &Have,
        most: usize,
        sent: &mut dyn Sent,
    ) -> Result<Option<Outgoing>, NodeError> {
        if self.inside().signing.is_unsigned(name) {
            self.sign_each(&[name])?;
        }
        let snapshot = self.store.snapshot()?;
        if snapshot.record(name)?.is_none() {
            return Ok(None);
        }
        let chains = rows::chains(&snapshot, name)?;
        drop(snapshot);
        let is_claimed = |record: &Record| record.actors().all(|actor| chains.contains_key(&actor));
        if !self.with_record(name, |record| Ok(is_claimed(record)))? {
            self.adopt(name)?;
        }
        let mut inside = self.inside_for(name);
        if inside.records.is_held(name) {
            return Ok(None);
        }
        // Nothing of the record is on its way, so the store and the record in memory are the same.
        let snapshot = self.store.snapshot()?;
        let record = inside.records.record(&self.store, name)?;
        let built = build(&snapshot, record, have, most, sent);
        if record.has_lost_log() {
            inside.records.forget(name);
            return Err(NodeError::Damaged(name.to_owned()));
        }
        inside.records.shrink();
        built
    }

    /// What arrived after an arrival, as runs of about `most` bytes together; `None` if that is not
    /// known any more.
    pub(super) fn pushed(
        &self,
        after: u64,
        most: usize,
        wanted: &mut dyn FnMut(&str) -> bool,
        sent: &mut dyn Sent,
    ) -> Result<Option<Push>, NodeError> {
        let mut snapshot = self.store.snapshot()?;
        let Some(mut found) = gather(&snapshot, after, most, wanted, sent)? else {
            return Ok(None);
        };
        let unsigned: Vec<&str> = {
            let signing = &self.inside().signing;
            let names = found.records.iter().map(|news| &*news.record);
            names.filter(|name| signing.is_unsigned(name)).collect()
        };
        if !unsigned.is_empty() {
            self.sign_each(&unsigned)?;
            // With the statements of now come the changes of now.
            snapshot = self.store.snapshot()?;
            match gather(&snapshot, after, most, wanted, sent)? {
                Some(again) => found = again,
                None => return Ok(None),
            }
        }
        let mut runs = Vec::new();
        for news in found.records {
            if let Some(last) = news.arrivals.last() {
                sent.note_arrivals(&news.record, *last);
            }
            if let Some(run) = self.push(&snapshot, &news, sent)?
                && !run.is_empty()
            {
                runs.push((news.record, run));
            }
        }
        Ok(Some(Push { upto: found.upto, runs }))
    }

    /// The run of what arrived of a record; `None` if it is left to comparing.
    fn push(
        &self,
        snapshot: &Snapshot,
        news: &News,
        sent: &mut dyn Sent,
    ) -> Result<Option<Run>, NodeError> {
        let name = &*news.record;
        let mut run = Run::default();
        let mut places: BTreeMap<ActorId, (u32, u32)> = BTreeMap::new();
        for arrival in &news.arrivals {
            let Some(bytes) = self.arrived_changes(snapshot, name, *arrival)? else {
                return Ok(None);
            };
            let damaged = |_| NodeError::Damaged(name.to_owned());
            for (actor, (from, to)) in segment_places(&bytes).map_err(damaged)? {
                let place = places.entry(actor).or_insert((from, to));
                *place = (place.0.min(from), place.1.max(to));
            }
            run.changes.push(bytes);
        }
        for (actor, (_, last)) in &places {
            let row = rows::chain(snapshot, name, *actor)?;
            if row.is_none_or(|row| row.chain.signed.seq < u64::from(*last)) {
                return Ok(None);
            }
        }
        for row in rows::late_statements(snapshot, name, &places, &news.statements)? {
            let speaks = row.reaches.iter().any(|(actor, last)| {
                places.get(actor).is_some_and(|(first, _)| *last >= u64::from(*first))
            });
            if speaks || row.is_final() && news.statements.contains(&row.digest) {
                run.statements.push(told(snapshot, name, &row, false, sent)?);
            }
        }
        if places.values().any(|(first, _)| *first == 1) {
            run.key = snapshot.record(name)?.unwrap_or_default();
        }
        Ok(Some(run))
    }

    /// The changes of a record that arrived under a number; `None` if they stand among others now.
    fn arrived_changes(
        &self,
        snapshot: &Snapshot,
        record: &str,
        arrival: u64,
    ) -> Result<Option<Vec<u8>>, NodeError> {
        if let Some(bytes) = lock(&self.exchange.recent).of(arrival) {
            return Ok(Some(bytes));
        }
        let row = snapshot.change(record, arrival)?;
        Ok(row.filter(|row| row.place.count == 1).map(|row| row.bytes))
    }
}

fn build(
    snapshot: &Snapshot,
    record: &Record,
    have: &Have,
    most: usize,
    sent: &mut dyn Sent,
) -> Result<Option<Outgoing>, NodeError> {
    let name = record.id();
    let damaged = || NodeError::Damaged(name.to_owned());
    let mut missing = Missing::of(record, have).ok_or_else(damaged)?;
    let here = version::have(snapshot, name)?.open;
    let knows_all = knows_all(record, here.as_ref(), have, &missing.known);
    let chains = rows::chains(snapshot, name)?;
    missing.keep_signed(&chains);
    let have = &without_adopted(have, &chains);
    let statements = rows::statements(snapshot, name)?;
    let mut count = missing.numbers.len();
    let mut changes = record.changes_numbered(&missing.numbers, have.whole_changes);
    if changes.len() > most && count > 1 {
        let some = (count * most / changes.len()).max(1);
        count = missing.cut(some, &statements);
        let numbers = missing.numbers.get(..count).unwrap_or_default();
        changes = record.changes_numbered(numbers, have.whole_changes);
    }
    let reached = missing.reached(count);
    let mut run = Run::default();
    if count > 0 {
        run.changes.push(changes);
    }
    for row in &statements {
        if is_told(row, have, &missing.known, &reached) {
            run.statements.push(told(snapshot, name, row, have.whole_statements, sent)?);
        }
    }
    if have.is_nothing() && !run.is_empty() {
        run.key = snapshot.record(name)?.unwrap_or_default();
    }
    Ok(Some(Outgoing { run, is_all: count == missing.numbers.len(), knows_all }))
}

/// Whether everything that a peer tells of is here, and final where it is final there. `known` are
/// the last changes of each actor that it has of those that are here.
fn knows_all(
    record: &Record,
    here: Option<&BTreeMap<ActorId, Reached>>,
    have: &Have,
    known: &BTreeMap<ActorId, u64>,
) -> bool {
    let (Some(here), Some(there)) = (here, &have.open) else { return false };
    let is_final_here = |(actor, last): (&ActorId, &u64)| {
        let all = Reached { last: *last, adopted: false };
        let there = there.get(actor).copied().unwrap_or(all);
        let is_enough =
            |here: &Reached| here.last >= there.last && (there.adopted || !here.adopted);
        here.get(actor).is_none_or(is_enough)
    };
    have.heads.iter().all(|head| record.knows_change(head))
        && have.places.iter().all(|(actor, seq)| *seq <= record.last_seq(*actor))
        && known.iter().filter(|(_, last)| **last > 0).all(is_final_here)
}

/// What a peer has, but for what it has by adoption only where the author's own word is here.
fn without_adopted(have: &Have, chains: &BTreeMap<ActorId, ChainRow>) -> Have {
    let mut have = have.clone();
    for (actor, reached) in have.open.iter_mut().flatten() {
        let is_authored = chains.get(actor).is_some_and(|row| !row.is_adopted(*actor));
        if reached.adopted && is_authored {
            reached.last = 0;
        }
    }
    have
}

/// Whether a statement says something new to a peer with these changes of each actor, before and
/// after a run.
fn is_told(
    row: &StatementRow,
    have: &Have,
    known: &BTreeMap<ActorId, u64>,
    reached: &BTreeMap<ActorId, u64>,
) -> bool {
    let of = |map: &BTreeMap<ActorId, u64>, actor: &ActorId| map.get(actor).copied().unwrap_or(0);
    let is_cut = row.reaches.iter().any(|(actor, last)| {
        let here = of(reached, actor);
        here > 0 && here < *last
    });
    let is_new = |(actor, last): &(ActorId, u64)| {
        let confirmed = match &have.open {
            Some(open) => open.get(actor).map_or_else(|| of(known, actor), |reached| reached.last),
            None => 0,
        };
        // Who has a change has what was signed about it, unless it asks for that.
        let is_asked = row.is_final() || have.whole_statements;
        of(reached, actor) > 0 && *last > if is_asked { confirmed } else { of(known, actor) }
    };
    !is_cut && row.reaches.iter().any(is_new)
}

fn told(
    snapshot: &Snapshot,
    record: &str,
    row: &StatementRow,
    is_whole: bool,
    sent: &mut dyn Sent,
) -> Result<Told, NodeError> {
    if row.is_final() && sent.note(&row.digest) && !is_whole {
        return Ok(Told::Digest(row.digest));
    }
    Ok(Told::Whole(row.bytes(snapshot, record)?))
}

/// What arrived of one record.
struct News {
    record: String,
    /// Under which numbers changes of it arrived.
    arrivals: Vec<u64>,
    /// Checkpoints that arrived.
    statements: Vec<[u8; 32]>,
}

struct Found {
    upto: u64,
    records: Vec<News>,
    places: BTreeMap<String, usize>,
    bytes: usize,
}

/// Looks through the arrivals after one, as far as about `most` bytes reach. Of the records in it
/// everything is taken that arrived up to now: a statement may speak of the latest change.
fn gather(
    snapshot: &Snapshot,
    after: u64,
    most: usize,
    wanted: &mut dyn FnMut(&str) -> bool,
    sent: &mut dyn Sent,
) -> Result<Option<Found>, NodeError> {
    if after >= snapshot.next_arrival()? {
        return Ok(None);
    }
    sent.begin(after);
    let mut found = Found { upto: after, records: Vec::new(), places: BTreeMap::new(), bytes: 0 };
    let mut is_full = false;
    for row in snapshot.arrivals(after + 1)?.take(MAX_ARRIVALS) {
        let (number, what) = match row {
            Err(ReadError::Damaged { .. }) => return Ok(None),
            row => row?,
        };
        let (records, statements) = match what {
            Arrival::Change(record) => (vec![record], None),
            Arrival::Note(note) => {
                let Some(news) = StatementNews::decode(&note) else { return Ok(None) };
                (news.records, Some(news.statements))
            }
            _ => (Vec::new(), None),
        };
        for record in records {
            if is_full && !found.places.contains_key(&record) || !wanted(&record) {
                continue;
            }
            match &statements {
                Some(statements) => found.statements(record, statements),
                None if sent.was_sent(&record, number) => {}
                None => {
                    let row = snapshot.change(&record, number)?;
                    found.arrival(record, number, row.map_or(0, |row| row.bytes.len()));
                }
            }
        }
        if !is_full {
            found.upto = number;
        }
        is_full |= found.bytes >= most || found.records.len() >= MAX_PUSHED_RECORDS;
    }
    sent.end(found.upto);
    Ok(Some(found))
}

impl Found {
    fn of(&mut self, record: String) -> Option<&mut News> {
        let place = *self.places.entry(record).or_insert_with_key(|record| {
            let record = record.clone();
            self.records.push(News { record, arrivals: Vec::new(), statements: Vec::new() });
            self.records.len() - 1
        });
        self.records.get_mut(place)
    }

    fn statements(&mut self, record: String, statements: &[[u8; 32]]) {
        self.bytes += DIGEST_BYTES * statements.len();
        if let Some(news) = self.of(record) {
            news.statements.extend(statements);
        }
    }

    fn arrival(&mut self, record: String, number: u64, bytes: usize) {
        self.bytes += bytes;
        if let Some(news) = self.of(record) {
            news.arrivals.push(number);
        }
    }
}

/// Changes that arrived lately, as they were written: rows of the log are soon joined to others.
#[derive(Default)]
pub(super) struct Recent {
    changes: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
}

impl Recent {
    pub(super) fn keep(&mut self, arrival: u64, changes: Vec<u8>) {
        self.bytes += changes.len();
        self.changes.insert(arrival, changes);
        while self.bytes > MAX_RECENT_BYTES {
            let Some((_, gone)) = self.changes.pop_first() else { break };
            self.bytes -= gone.len();
        }
    }

    fn of(&self, arrival: u64) -> Option<Vec<u8>> {
        self.changes.get(&arrival).cloned()
    }
}

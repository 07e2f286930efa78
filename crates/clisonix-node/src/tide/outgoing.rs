//! Runs that go out: what a peer lacks of a record, and what arrived lately.

use std::collections::BTreeMap;

use clisonix_crdt::{ActorId, Record, segment_places};
use clisonix_store::{Arrival, ReadError, Snapshot, StoredChange};

use super::run::{Run, Told};
use crate::error::NodeError;
use crate::node::Node;
use crate::signing::news::News as StatementNews;
use crate::signing::rows::{self, ChainRow, StatementRow};
use crate::version::Have;

/// A sealed row of changes that is larger than this is not pushed: comparing finds what is in it.
const MAX_PUSHED_ROW_BYTES: usize = 1 << 20;
/// Most records in one push.
const MAX_PUSHED_RECORDS: usize = 1 << 12;
/// What a statement that goes by its digest counts for.
const DIGEST_BYTES: usize = 33;

/// Which checkpoints a peer was sent whole.
pub(super) trait Sent {
    /// Whether it was sent; it counts as sent from now on.
    fn note(&mut self, digest: &[u8; 32]) -> bool;
}

/// What goes out of one record.
pub(super) struct Outgoing {
    pub(super) run: Run,
    /// Whether nothing more is lacking.
    pub(super) is_all: bool,
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
    ) -> Result<Option<(u64, Vec<(String, Run)>)>, NodeError> {
        let Some(mut found) = gather(&self.store.snapshot()?, after, most, wanted)? else {
            return Ok(None);
        };
        let unsigned: Vec<&str> = {
            let signing = &self.inside().signing;
            let names = found.records.iter().map(|news| &*news.record);
            names.filter(|name| signing.is_unsigned(name)).collect()
        };
        self.sign_each(&unsigned)?;
        // With the statements of now come the changes of now: a statement may speak of the latest.
        let snapshot = self.store.snapshot()?;
        let mut runs = Vec::new();
        for news in &mut found.records {
            if let Some(run) = push(&snapshot, news, sent)?
                && !run.is_empty()
            {
                runs.push((std::mem::take(&mut news.record), run));
            }
        }
        Ok(Some((found.upto, runs)))
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
    Ok(Some(Outgoing { run, is_all: count == missing.numbers.len() }))
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
        of(reached, actor) > 0 && *last > if row.is_final() { confirmed } else { of(known, actor) }
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
    /// The first change of it that arrived.
    first: Option<u64>,
    /// Checkpoints that arrived.
    statements: Vec<[u8; 32]>,
}

struct Found {
    upto: u64,
    records: Vec<News>,
}

/// Looks through the arrivals after one, as far as about `most` bytes reach.
fn gather(
    snapshot: &Snapshot,
    after: u64,
    most: usize,
    wanted: &mut dyn FnMut(&str) -> bool,
) -> Result<Option<Found>, NodeError> {
    if after >= snapshot.next_arrival()? {
        return Ok(None);
    }
    let mut found = Found { upto: after, records: Vec::new() };
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut bytes = 0;
    for row in snapshot.arrivals(after + 1)? {
        let (number, what) = match row {
            Err(ReadError::Damaged { .. }) => return Ok(None),
            row => row?,
        };
        let (records, statements, first) = match what {
            Arrival::Change(record) => (vec![record], Vec::new(), Some(number)),
            Arrival::Note(note) => {
                let Some(news) = StatementNews::decode(&note) else { return Ok(None) };
                (news.records, news.statements, None)
            }
            _ => (Vec::new(), Vec::new(), None),
        };
        for record in records.into_iter().filter(|record| wanted(record)) {
            bytes += DIGEST_BYTES * statements.len();
            if let Some(number) = first {
                bytes += snapshot.change(&record, number)?.map_or(0, |row| row.bytes.len());
            }
            let place = *places.entry(record.clone()).or_insert_with(|| {
                found.records.push(News { record, first: None, statements: Vec::new() });
                found.records.len() - 1
            });
            if let Some(news) = found.records.get_mut(place) {
                news.first = news.first.or(first);
                news.statements.extend(&statements);
            }
        }
        found.upto = number;
        if bytes >= most || found.records.len() >= MAX_PUSHED_RECORDS {
            break;
        }
    }
    Ok(Some(found))
}

/// The run of what arrived of a record; `None` if it is left to comparing.
fn push(snapshot: &Snapshot, news: &News, sent: &mut dyn Sent) -> Result<Option<Run>, NodeError> {
    let name = &*news.record;
    let mut run = Run::default();
    let mut places: BTreeMap<ActorId, (u32, u32)> = BTreeMap::new();
    if let Some(first) = news.first {
        for row in snapshot.changes(name, first)? {
            let StoredChange { bytes, .. } = row?;
            let damaged = |_| NodeError::Damaged(name.to_owned());
            if bytes.len() > MAX_PUSHED_ROW_BYTES {
                return Ok(None);
            }
            for (actor, (from, to)) in segment_places(&bytes).map_err(damaged)? {
                let place = places.entry(actor).or_insert((from, to));
                *place = (place.0.min(from), place.1.max(to));
            }
            run.changes.push(bytes);
        }
    }
    let chains = rows::chains(snapshot, name)?;
    let signed = |actor: &ActorId| chains.get(actor).map_or(0, |row| row.chain.signed.seq);
    if places.iter().any(|(actor, (_, last))| signed(actor) < u64::from(*last)) {
        return Ok(None);
    }
    for row in rows::statements(snapshot, name)? {
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

//! What goes into a statement of this node, and how it becomes durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

use clisonix_crdt::{ActorId, Record};
use clisonix_pq::checkpoint::{
    Author, Id, MAX_LIVE_SPANS, MAX_SPANS, Mark, Span, Standing, Statement,
};
use clisonix_store::Batch;

use super::news::News;
use super::rows::{self, ChainRow};
use super::{SignedError, id_by};
use crate::error::NodeError;
use crate::node::{Inside, Node};

/// Most chains in one checkpoint of this node: a peer that lacks one record gets the whole statement.
pub const MAX_CHECKPOINT_SPANS: usize = 256;
/// Most changes in one span of this node: where a statement ends, a long history can be cut on its
/// way to a peer.
const MAX_OWN_SPAN: u64 = 1_024;

/// What a statement will be made of.
#[derive(Default)]
pub(super) struct Work {
    pub(super) spans: Vec<Span>,
    pub(super) chains: BTreeMap<String, Vec<(ActorId, ChainRow)>>,
    /// Records that nobody writes to until it is signed.
    pub(super) held: Vec<String>,
    /// Records of which nothing is left to be signed for good.
    settled: Vec<String>,
    /// Records of which nothing is left to be signed at all.
    signed: Vec<String>,
    pub(super) changes: u64,
}

impl Work {
    pub(super) fn is_full(&self, standing: Standing) -> bool {
        let most = if standing.is_final() { MAX_CHECKPOINT_SPANS } else { MAX_LIVE_SPANS };
        self.spans.len() >= most
    }

    /// Adds a chain's changes from a place of it to the change `last`.
    fn take(
        &mut self,
        record: &Record,
        (actor, mut row): (ActorId, ChainRow),
        (from, last): (Mark, u64),
        standing: Standing,
    ) -> Result<(), NodeError> {
        let span = span(record, actor, &row, from, last);
        let span = span.ok_or_else(|| NodeError::Damaged(record.id().to_owned()))?;
        let taken = row.chain.take(&actor.0, standing, &span, &|seq| id_by(record, actor, seq));
        taken.map_err(|error| SignedError::Chain { actor, error })?;
        self.changes += span.last - span.first + 1;
        self.spans.push(span);
        self.chains.entry(record.id().to_owned()).or_default().push((actor, row));
        Ok(())
    }
}

impl Node {
    /// Adds the spans of a record's own chains that want a statement of this standing.
    pub(super) fn gather(
        &self,
        inside: &mut Inside,
        name: &str,
        standing: Standing,
        work: &mut Work,
    ) -> Result<(), NodeError> {
        let author = inside.signing.author.as_ref().ok_or(SignedError::NoAuthor)?.fingerprint();
        let chains = rows::chains(&self.store.snapshot()?, name)?;
        let record = inside.records.record(&self.store, name)?;
        let mut is_whole = true;
        for (actor, row) in chains {
            let is_final = standing.is_final();
            let from = if is_final { row.chain.confirmed } else { row.chain.signed };
            let here = u64::from(record.last_seq(actor));
            let last = here.min(from.seq + MAX_OWN_SPAN);
            if row.author != author || row.is_adopted(actor) || last <= from.seq {
                continue;
            }
            if work.is_full(standing) {
                is_whole = false;
                break;
            }
            is_whole &= last == here;
            work.take(record, (actor, row), (from, last), standing)?;
        }
        if is_whole {
            let done = if standing.is_final() { &mut work.settled } else { &mut work.signed };
            done.push(name.to_owned());
        }
        Ok(())
    }

    /// Adds the spans of chains that have no author, from the record on that was reached.
    pub(super) fn gather_next(
        &self,
        inside: &mut Inside,
        work: &mut Work,
    ) -> Result<(), NodeError> {
        if inside.signing.author.is_none() {
            return Err(SignedError::NoAuthor.into());
        }
        let snapshot = self.store.snapshot()?;
        while let Some(name) = inside.signing.unclaimed.take() {
            if work.is_full(Standing::Adopted) {
                inside.signing.unclaimed = Some(name);
                break;
            }
            let is_held = inside.records.is_held(&name);
            if !is_held && !self.gather_unclaimed(inside, &name, work)? {
                inside.signing.unclaimed = Some(name);
                break;
            }
            // The name with a byte 0 behind it is the next one that there can be.
            inside.signing.unclaimed = rows::unclaimed_from(&snapshot, &format!("{name}\0"))?;
        }
        Ok(())
    }

    /// Adds the spans of a record's chains that have no author. Says whether these are all.
    pub(super) fn gather_unclaimed(
        &self,
        inside: &mut Inside,
        name: &str,
        work: &mut Work,
    ) -> Result<bool, NodeError> {
        let author = inside.signing.author.as_ref().ok_or(SignedError::NoAuthor)?.fingerprint();
        let chains = rows::chains(&self.store.snapshot()?, name)?;
        let record = inside.records.record(&self.store, name)?;
        let mut is_whole = true;
        for actor in record.actors() {
            let row = match chains.get(&actor) {
                Some(row) if row.is_adopted(actor) => *row,
                Some(_) => continue,
                None => ChainRow::new(actor, actor.0, author),
            };
            let (from, here) = (row.chain.confirmed, u64::from(record.last_seq(actor)));
            let last = here.min(from.seq + MAX_OWN_SPAN);
            if last <= from.seq {
                continue;
            }
            is_whole &= last == here;
            if work.spans.len() >= MAX_SPANS {
                return Ok(false);
            }
            work.take(record, (actor, row), (from, last), Standing::Adopted)?;
        }
        Ok(is_whole)
    }

    /// Signs what was gathered and makes it durable, without holding the node's lock: meanwhile
    /// nobody writes to the records that it is about.
    pub(super) fn sign_gathered(
        &self,
        mut guard: MutexGuard<'_, Inside>,
        standing: Standing,
        work: &mut Work,
    ) -> Result<Option<Statement>, NodeError> {
        let about = work.chains.keys().chain(&work.settled).chain(&work.signed);
        let names: BTreeSet<String> = about.chain(&work.held).cloned().collect();
        if names.is_empty() {
            return Ok(None);
        }
        let inside = &mut *guard;
        let author = inside.signing.author.clone().ok_or(SignedError::NoAuthor)?;
        let now = inside.outside.now_ms();
        for name in &names {
            inside.records.begin_flight(name);
        }
        drop(guard);
        let result = self.state(&author, standing, work, now);
        let mut guard = self.inside();
        let Inside { signing, records, .. } = &mut *guard;
        for name in &names {
            records.end_flight(name, result.is_ok());
        }
        records.shrink();
        if result.is_ok() {
            for record in &work.settled {
                signing.pending.remove(record);
            }
            for record in &work.signed {
                if let Some(pending) = signing.pending.get_mut(record) {
                    pending.is_unsigned = false;
                }
            }
        }
        drop(guard);
        self.landed.notify_all();
        if matches!(result, Ok(Some(_))) {
            self.watchers.tell();
        }
        result
    }

    /// Makes the statement and writes it.
    fn state(
        &self,
        author: &Author,
        standing: Standing,
        work: &mut Work,
        now_ms: u64,
    ) -> Result<Option<Statement>, NodeError> {
        let mut batch = Batch::new();
        let mut statement = None;
        if !work.spans.is_empty() {
            work.spans.sort_unstable_by_key(|span| span.nonce);
            let mut random = |bytes: &mut [u8]| self.inside().outside.random(bytes);
            let made = match standing {
                Standing::Provisional => author.provisional(&work.spans, now_ms),
                Standing::Final => author.checkpoint(&work.spans, now_ms, &mut random),
                Standing::Adopted => author.adoption(&work.spans, now_ms, &mut random),
            };
            let made = made.map_err(SignedError::from)?;
            self.put(&mut batch, &made, &work.chains, now_ms)?;
            statement = Some(made);
        }
        for record in &work.settled {
            rows::remove_pending(&mut batch, record)?;
        }
        if !batch.is_empty() {
            self.store.write(batch)?;
        }
        Ok(statement)
    }

    /// Adds a statement to a batch, with what it makes of chains.
    fn put(
        &self,
        batch: &mut Batch,
        statement: &Statement,
        chains: &BTreeMap<String, Vec<(ActorId, ChainRow)>>,
        now_ms: u64,
    ) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
        let is_final = statement.standing().is_final();
        let mut by_record = BTreeMap::new();
        for (record, changed) in chains {
            let mut all = rows::chains(&snapshot, record)?;
            for (actor, row) in changed {
                let mut row = *row;
                row.since_ms = since(all.get(actor), &row, now_ms);
                rows::put_chain(batch, record, *actor, &row)?;
                all.insert(*actor, row);
            }
            rows::remove_settled(batch, &snapshot, record, &all)?;
            if is_final {
                let standing = |held: &Record| rows::standing(held, &all);
                // For each anew: others have their turn meanwhile.
                self.inside().records.put_standing(&self.store, record, standing, batch)?;
            }
            let reached = changed.iter().map(|(actor, row)| {
                let chain = row.chain;
                (*actor, if is_final { chain.confirmed.seq } else { chain.signed.seq })
            });
            by_record.insert(record.clone(), reached.collect());
        }
        rows::put_statement(batch, statement, &by_record)?;
        rows::put_checkpoint(batch, &snapshot, statement)?;
        if is_final {
            let records = by_record.keys().map(String::as_str);
            batch.note(News::new([statement], records).encode())?;
        }
        Ok(())
    }
}

/// The span from a place of a chain to its change `last`.
pub(super) fn span(
    record: &Record,
    actor: ActorId,
    row: &ChainRow,
    from: Mark,
    last: u64,
) -> Option<Span> {
    let ids = (from.seq + 1..=last).map(|seq| id_by(record, actor, seq));
    let after = ids.into_iter().try_fold(from.hash, |hash, id: Option<Id>| Some(hash.with(&id?)));
    let (nonce, first, before) = (row.nonce, from.seq + 1, from.hash);
    Some(Span { nonce, first, last, before, after: after? })
}

/// Since when a part of a chain is provisional.
pub(super) fn since(was: Option<&ChainRow>, row: &ChainRow, now_ms: u64) -> u64 {
    let is_open = |row: &ChainRow| row.chain.signed.seq > row.chain.confirmed.seq;
    let confirmed = |row: &ChainRow| row.chain.confirmed.seq;
    match was {
        // What was provisional before still is.
        Some(was) if is_open(was) && confirmed(was) == confirmed(row) => was.since_ms,
        _ => now_ms,
    }
}
